//! Answers of the router's own, in the client's protocol.

use bytes::Bytes;

use super::{ClientRequest, StreamTranslator, Target, TranslatorOptions, translate_answer};
use crate::openai_chat::Completion;
use crate::protocol::Protocol;

/// An answer that no model gave: the body, streamed if the client wants a stream. `id` is made of
/// letters, digits, `_` and `-`.
pub fn own_answer(request: &ClientRequest, id: &str, created_seconds: u64, text: &str) -> Bytes {
    let chat_id = format!("chatcmpl-{id}");
    let completion = Completion { id: &chat_id, model: request.model(), created_seconds, content: text };
    let context = request.answer_context(&Target::new(Protocol::Chat, request.model()), id, created_seconds);
    if !request.stream() {
        let body = completion.to_body();
        return translate_answer(&body, &context).map_or(body, |answer| answer.body);
    }
    if context.client == Protocol::Chat {
        return completion.to_events(context.include_usage);
    }
    let mut translator = StreamTranslator::new(context, TranslatorOptions::default());
    let mut out = Vec::new();
    // Events of one's own are short.
    let _ = translator.feed(completion.to_events(true), &mut out);
    translator.finish(&mut out);
    Bytes::from(out.concat())
}
