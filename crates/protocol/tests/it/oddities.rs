//! Answers of upstreams that take liberties: nothing of them is lost or invented in silence.

use bytes::Bytes;
use serde_json::{Value, json};
use vsr_protocol::{
    Protocol, Reason, answered_error, openai_chat::StreamEnd, replay_answer, translate_answer,
};

use crate::grid::{context, documents, translated};

fn chunk(delta: &Value, finish_reason: Option<&str>) -> Bytes {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    Bytes::from(format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]})))
}

fn done() -> Bytes {
    Bytes::from_static(b"data: [DONE]\n\n")
}

fn call(index: u64, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
}

fn completion(message: &Value, finish_reason: &str) -> Bytes {
    let choice = json!({"index": 0, "message": message, "finish_reason": finish_reason});
    Bytes::from(json!({"id": "c", "model": "m", "choices": [choice]}).to_string())
}

#[test]
fn a_refusal_ends_a_stream_as_it_ends_a_whole_answer() {
    let chunks = [chunk(&json!({"refusal": "I will not."}), None), chunk(&json!({}), Some("stop")), done()];
    let (messages, ..) = translated(&chunks, context(Protocol::Messages, Protocol::Chat));
    assert!(messages.contains(r#""stop_reason":"refusal""#), "{messages}");
    let (responses, ..) = translated(&chunks, context(Protocol::Responses, Protocol::Chat));
    assert!(responses.contains("event: response.completed"), "{responses}");
}

#[test]
fn the_pieces_of_a_name_are_joined_and_a_repeated_name_is_not() {
    let chunks = [
        chunk(&call(0, Some("a"), Some("get_"), ""), None),
        chunk(&call(0, None, Some("weather"), ""), None),
        chunk(&call(0, None, None, "{}"), None),
        chunk(&call(1, Some("b"), Some("look"), ""), None),
        chunk(&call(1, Some("b"), Some("look"), "{}"), None),
        chunk(&json!({}), Some("tool_calls")),
        done(),
    ];
    let (events, end, _) = translated(&chunks, context(Protocol::Messages, Protocol::Chat));
    assert_eq!(end, StreamEnd::Complete);
    assert!(events.contains(r#""name":"get_weather""#) && events.contains(r#""name":"look""#), "{events}");
}

#[test]
fn a_call_without_a_name_is_left_out_and_told() {
    let nameless = json!({"content": "hm", "tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]});
    for client in [Protocol::Messages, Protocol::Responses] {
        let chunks =
            [chunk(&call(0, Some("a"), None, "{}"), None), chunk(&json!({}), Some("tool_calls")), done()];
        let (events, _, translator) = translated(&chunks, context(client, Protocol::Chat));
        assert!(!events.contains(r#""name":"""#), "{events}");
        assert!(translator.losses().iter().any(|loss| loss.reason == Reason::MissingName));
        let whole =
            translate_answer(&completion(&nameless, "tool_calls"), &context(client, Protocol::Chat)).unwrap();
        assert!(!String::from_utf8_lossy(&whole.body).contains(r#""name":"""#));
        assert!(whole.losses.iter().any(|loss| loss.reason == Reason::MissingName));
    }
    let message = json!({"id": "m", "type": "message", "model": "m", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "input": {}}]});
    let whole =
        translate_answer(&Bytes::from(message.to_string()), &context(Protocol::Chat, Protocol::Messages));
    assert!(whole.unwrap().losses.iter().any(|loss| loss.reason == Reason::MissingName));
}

#[test]
fn arguments_become_json_that_every_reader_understands_alike() {
    let arguments = r#"{"a": 1, "a": {"b": "\ud800"}, "c": 1.50}"#;
    let message = json!({"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": arguments}}]});
    let body = completion(&message, "tool_calls");
    let whole = translate_answer(&body, &context(Protocol::Messages, Protocol::Chat)).unwrap();
    let text = String::from_utf8(whole.body.to_vec()).unwrap();
    assert!(text.contains("\"input\":{\"a\":{\"b\":\"\u{fffd}\"},\"c\":1.50}"), "{text}");
}

#[test]
fn what_is_no_answer_is_none_of_any_protocol() {
    for protocol in [Protocol::Chat, Protocol::Messages, Protocol::Responses] {
        for body in ["", "[]", "{}", "<html>", "null", r#"{"choices": [{}], "content": "x", "output": 3}"#] {
            let body = Bytes::from_static(body.as_bytes());
            assert!(translate_answer(&body, &context(protocol, protocol)).is_none(), "{body:?}");
        }
    }
}

#[test]
fn a_whole_answer_becomes_a_whole_stream_for_every_client() {
    let clients = [Protocol::Chat, Protocol::Responses, Protocol::Messages];
    let mut replayed = 0;
    for upstream in [Protocol::Chat, Protocol::Messages] {
        for (name, body) in documents(&format!("answers/{}", upstream.name())) {
            for client in clients {
                let (body, context) = (Bytes::from(body.clone()), context(client, upstream));
                let Some(stream) = replay_answer(&body, &context) else { continue };
                let whole = translate_answer(&body, &context).unwrap();
                replayed += 1;
                assert_eq!(stream.usage, whole.usage, "{name}");
                // Read again as a stream of the client's own protocol it has its end.
                if client != Protocol::Responses {
                    let (again, end, _) =
                        translated(std::slice::from_ref(&stream.body), self::context(client, client));
                    assert_eq!(end, StreamEnd::Complete, "{name}: {again}");
                }
            }
        }
    }
    assert!(replayed > 20, "{replayed}");
}

#[test]
fn a_message_is_replayed_with_its_signature_and_its_input() {
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sealed"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}}],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 5}});
    let body = Bytes::from(message.to_string());
    let stream = replay_answer(&body, &context(Protocol::Messages, Protocol::Messages)).unwrap();
    let text = String::from_utf8(stream.body.to_vec()).unwrap();
    for piece in [
        r#""delta":{"type":"signature_delta","signature":"sealed"}"#,
        r#""delta":{"type":"text_delta","text":"Hi"}"#,
        r#""partial_json":"{\"at\":1}""#,
        r#""stop_reason":"tool_use""#,
    ] {
        assert!(text.contains(piece), "{piece}: {text}");
    }
    assert_eq!(stream.signatures.len(), 1);
}

#[test]
fn a_key_that_comes_twice_in_arguments_that_stay_a_text_is_told() {
    let twice = ["{\"a\": 1, \"b\": [{\"c\": 1}, {\"c\": 2}], ", "\"\\u0061\"", ": 2}"];
    let once = ["{\"a\": \"a\\\", \", \"b\": {\"a\": [\"b\", \"b\"], \"", "c\": 1}}", " "];
    let is_told =
        |losses: &vsr_protocol::Losses| losses.iter().any(|loss| loss.reason == Reason::RepeatedKeys);
    for (pieces, expected) in [(twice, true), (once, false)] {
        let mut chunks = vec![chunk(&call(0, Some("a"), Some("look"), ""), None)];
        chunks.extend(pieces.iter().map(|piece| chunk(&call(0, None, None, piece), None)));
        chunks.extend([chunk(&json!({}), Some("tool_calls")), done()]);
        for client in [Protocol::Messages, Protocol::Responses] {
            let (events, _, translator) = translated(&chunks, context(client, Protocol::Chat));
            assert_eq!(is_told(translator.losses()), expected, "{client:?}");
            assert_eq!(events.contains("repeated_argument_keys"), expected, "{client:?}");
        }
        let message =
            json!({"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": pieces.concat()}}]});
        let whole = |client| {
            translate_answer(&completion(&message, "tool_calls"), &context(client, Protocol::Chat)).unwrap()
        };
        assert_eq!(is_told(&whole(Protocol::Responses).losses), expected);
        // Here they become an object, and are put right.
        assert!(!is_told(&whole(Protocol::Messages).losses));
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_read_in_every_shape() {
    let read = |body: Value| answered_error(body.to_string().as_bytes());
    let cases = [
        (json!({"error": {"message": "no sk-abcdefgh12", "type": "rate_limit_error"}}), 429, "no sk-..."),
        (json!({"error": {"message": "busy", "code": 529}}), 529, "busy"),
        (json!({"error": "out of memory"}), 502, "out of memory"),
        (json!({"object": "error", "message": "too long", "code": 400}), 400, "too long"),
        (json!({"type": "error", "error": {"type": "overloaded_error", "message": "later"}}), 529, "later"),
        (
            json!({"choices": [{"error": {"message": "cut", "code": 502}, "finish_reason": "error"}]}),
            502,
            "cut",
        ),
    ];
    for (body, status, message) in cases {
        let error = read(body.clone()).unwrap();
        assert_eq!((error.status, error.message.as_str()), (status, message), "{body}");
    }
    for body in [json!({}), json!({"error": null}), json!({"message": "hi"}), json!([]), json!({"error": {}})]
    {
        assert!(read(body.clone()).is_none(), "{body}");
    }
}
