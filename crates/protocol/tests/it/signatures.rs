//! Reasoning in requests that pass untouched: it goes to the model that signed it, and to no other.

use bytes::Bytes;
use serde_json::{Value, json};
use vsr_protocol::{
    Edits, Outgoing, Protocol, Reason, SignatureMemory, StreamTranslator, Target, TranslatorOptions,
    translate_answer,
};

use crate::grid::{client_request, context, documents};

const MODEL: &str = "claude-sonnet-4-5";

/// The second step of a tool loop whose first one thought.
fn next_step(signature: &str) -> String {
    json!({"model": "auto", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 1024}, "messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": signature},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain"}]},
    ]})
    .to_string()
}

fn sent(body: &str, model: &str, memory: &SignatureMemory, keeps_unknown: bool) -> (Outgoing, Value) {
    let target = Target {
        signatures: Some(memory),
        keeps_unknown_signatures: keeps_unknown,
        ..Target::new(Protocol::Messages, model)
    };
    let outgoing = client_request(Protocol::Messages, body).outgoing(&target, &Edits::default()).unwrap();
    let value = serde_json::from_slice(&outgoing.body).unwrap();
    (outgoing, value)
}

fn reasons(outgoing: &Outgoing) -> Vec<Reason> {
    outgoing.losses.iter().map(|loss| loss.reason).collect()
}

#[test]
fn a_signature_that_passed_through_goes_back_to_its_model_alone() {
    let answers = documents("answers/messages");
    let (_, answer) = answers.iter().find(|(name, _)| name == "12-thinking-and-call").unwrap();
    let answer = Bytes::from(answer.clone());
    let passed = translate_answer(&answer, &context(Protocol::Messages, Protocol::Messages)).unwrap();
    assert_eq!(passed.body, answer);
    let memory = SignatureMemory::new(16);
    memory.note(MODEL, &passed.signatures);
    let body = next_step("EqQBCgIYAhIM");

    let (own, _) = sent(&body, MODEL, &memory, false);
    assert_eq!((own.body.as_ref(), own.losses.is_empty()), (body.as_bytes(), true));

    let (other, value) = sent(&body, "claude-opus-4-1", &memory, true);
    assert_eq!(
        value["messages"][1]["content"],
        json!([{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}])
    );
    assert_eq!(value["messages"][0], serde_json::from_str::<Value>(&body).unwrap()["messages"][0]);
    // The loop goes on without thinking: its first step, to this model, did not think.
    assert_eq!(value["thinking"], json!({"type": "disabled"}));
    assert_eq!(reasons(&other), [Reason::Signature, Reason::ReasoningOff]);
}

#[test]
fn a_signature_of_unknown_origin_passes_only_where_it_must_be_the_targets() {
    let memory = SignatureMemory::new(16);
    let body = next_step("unknown");
    let (kept, _) = sent(&body, MODEL, &memory, true);
    assert_eq!((kept.body.as_ref(), kept.losses.is_empty()), (body.as_bytes(), true));
    let (dropped, value) = sent(&body, MODEL, &memory, false);
    assert!(!value.to_string().contains("unknown"));
    assert_eq!(reasons(&dropped), [Reason::Signature, Reason::ReasoningOff]);

    let redacted = json!({"model": "auto", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "sealed"}]},
        {"role": "user", "content": "and?"},
    ]});
    let (dropped, value) = sent(&redacted.to_string(), MODEL, &memory, false);
    assert_eq!(value["messages"][1]["content"], json!([{"type": "text", "text": "(reasoning omitted)"}]));
    assert_eq!(reasons(&dropped), [Reason::Signature]);
}

#[test]
fn signatures_are_known_from_streams_however_they_are_cut() {
    let streams = documents("streams/messages");
    for (name, signature) in [("11-thinking", "EqQBCgIYAhIM"), ("13-redacted-thinking", "EmwKAhgB")] {
        let (_, stream) = streams.iter().find(|(known, _)| known == name).unwrap();
        assert!(stream.contains(signature), "{name}");
        let memory = SignatureMemory::new(16);
        let mut translator = StreamTranslator::new(
            context(Protocol::Messages, Protocol::Messages),
            TranslatorOptions::default(),
        );
        let mut out = Vec::new();
        for byte in stream.bytes() {
            translator.feed(Bytes::copy_from_slice(&[byte]), &mut out).unwrap();
            memory.note(MODEL, &translator.take_signatures());
        }
        assert_eq!(out.concat(), stream.as_bytes());
        assert_eq!(memory.is_of(MODEL, signature), Some(true), "{name}");
        assert_eq!(memory.is_of("other", signature), Some(false), "{name}");
        // Where the stream is translated the client gets a mark instead.
        let translated = context(Protocol::Responses, Protocol::Messages);
        let mut translator = StreamTranslator::new(translated, TranslatorOptions::default());
        translator.feed(Bytes::from(stream.clone()), &mut out).unwrap();
        assert!(translator.take_signatures().is_empty());
    }
}

#[test]
fn the_memory_of_signatures_is_bounded_and_forgets_the_oldest() {
    let memory = SignatureMemory::new(2);
    let answer = |signature: &str| {
        let body = json!({"id": "m", "type": "message", "content": [
            {"type": "thinking", "thinking": "", "signature": signature}]});
        translate_answer(&Bytes::from(body.to_string()), &context(Protocol::Messages, Protocol::Messages))
            .unwrap()
    };
    for signature in ["a", "b", "b", "c"] {
        memory.note(MODEL, &answer(signature).signatures);
    }
    assert_eq!(memory.is_of(MODEL, "a"), None);
    assert_eq!((memory.is_of(MODEL, "b"), memory.is_of(MODEL, "c")), (Some(true), Some(true)));
}
