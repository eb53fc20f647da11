//! Translates any bytes as a stream of each upstream for each client, whole and cut in pieces, and
//! as a whole answer.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vsr_protocol::{
    AnswerContext, ClientRequest, Protocol, RequestLimits, StreamTranslator, Target, TranslatorOptions,
    translate_answer,
};

const PROTOCOLS: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Messages];

fn context(client: Protocol, upstream: Protocol) -> AnswerContext {
    let body: &[u8] = match client {
        Protocol::Chat => br#"{"model":"m","messages":[{"role":"user"}],"tools":[{"type":"custom","custom":{"name":"c"}}]}"#,
        Protocol::Responses => br#"{"model":"m","input":"x","tools":[{"type":"custom","name":"c"}]}"#,
        Protocol::Messages => br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
    };
    let request = ClientRequest::parse(client, Bytes::from_static(body), &RequestLimits::default());
    request.expect("a request").answer_context(&Target::new(upstream, "m"), "id", 1)
}

fuzz_target!(|input: (u8, u8, u8, &[u8])| {
    let (client, upstream, piece, stream) = input;
    let client = PROTOCOLS[usize::from(client) % 3];
    let upstream = PROTOCOLS[usize::from(upstream) % 3];
    if upstream == Protocol::Responses && client != Protocol::Responses {
        return;
    }
    let options = TranslatorOptions { max_event_bytes: 512, max_held_bytes: 1024 };
    let translate = |piece: usize| {
        let mut translator = StreamTranslator::new(context(client, upstream), options);
        let mut out = Vec::new();
        let is_broken =
            stream.chunks(piece).any(|chunk| translator.feed(Bytes::copy_from_slice(chunk), &mut out).is_err());
        let end = translator.finish(&mut out);
        // An event that is too long breaks the stream, wherever in its chunk it began.
        let out = (!is_broken).then(|| out.concat());
        (is_broken, out, end, translator.usage(), translator.losses().clone())
    };
    assert_eq!(translate(stream.len().max(1)), translate(usize::from(piece).max(1)));

    if let Some(answer) = translate_answer(&Bytes::copy_from_slice(stream), &context(client, upstream)) {
        serde_json::from_slice::<serde_json::Value>(&answer.body).ok().expect("an answer is JSON");
    }
});
