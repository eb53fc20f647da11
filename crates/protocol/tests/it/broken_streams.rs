//! Streams that are not what they should be: whatever an upstream does, half an answer never looks
//! like a whole one.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;
use vsr_protocol::{Protocol, openai_chat::StreamEnd, translate_answer};

use crate::grid::{context, documents, translated};

const CLIENTS: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Messages];

/// Whether the last thing a client reads says that the answer is whole.
fn looks_finished(client: Protocol, events: &str) -> bool {
    match client {
        Protocol::Chat => events.contains("data: [DONE]"),
        Protocol::Responses => {
            events.contains("event: response.completed") || events.contains("event: response.incomplete")
        }
        Protocol::Messages => events.contains("event: message_stop"),
    }
}

/// Whether the last event is the client protocol's own error.
fn ends_with_error(client: Protocol, events: &str) -> bool {
    let last = events.trim_end().rsplit("\n\n").next().unwrap();
    match client {
        Protocol::Chat => last.starts_with("data: {\"error\":"),
        Protocol::Responses => {
            last.starts_with("event: response.failed\n") || last.starts_with("event: error\n")
        }
        Protocol::Messages => last.starts_with("event: error\n"),
    }
}

fn closing_event(upstream: Protocol) -> &'static str {
    match upstream {
        Protocol::Messages => "event: message_stop\ndata: {\"type\": \"message_stop\"}\n\n",
        _ => "data: [DONE]\n\n",
    }
}

fn states_an_end(event: &str) -> bool {
    event.contains("\"finish_reason\": \"") && !event.contains("\"finish_reason\": \"\"")
        || event.contains("\"stop_reason\": \"")
}

proptest! {
    #[test]
    fn a_stream_that_is_cut_before_its_finish_reason_is_an_error_even_if_it_is_closed(
        upstream in prop::sample::select(vec![Protocol::Chat, Protocol::Messages]),
        client in prop::sample::select(CLIENTS.to_vec()),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        is_closed in any::<bool>(),
    ) {
        let documents = documents(&format!("streams/{}", upstream.name()));
        let (name, stream) = &documents[which.index(documents.len())];
        let stream = stream.replace("\r\n", "\n");
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        let finish = events.iter().position(|event| states_an_end(event)).unwrap_or(events.len().saturating_sub(1));
        let kept = &events[..at.index(finish + 1)];
        let mut cut = kept.concat();
        if is_closed {
            cut.push_str(closing_event(upstream));
        }
        let (out, end, _) = translated(&[Bytes::from(cut)], context(client, upstream));
        prop_assert!(!matches!(end, StreamEnd::Complete | StreamEnd::CompleteWithoutDone), "{name}: {end:?}");
        prop_assert!(ends_with_error(client, &out), "{name}: {out}");
        prop_assert!(client == upstream || !looks_finished(client, &out), "{name}: {out}");
    }

    #[test]
    fn a_torn_event_is_never_left_out_without_a_word(
        upstream in prop::sample::select(vec![Protocol::Chat, Protocol::Messages]),
        client in prop::sample::select(CLIENTS.to_vec()),
        at in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
    ) {
        prop_assume!(client != upstream);
        let documents = documents(&format!("streams/{}", upstream.name()));
        let (_, stream) = documents.iter().find(|(name, _)| name == "01-text").unwrap();
        let mut events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        let closing = events.pop().unwrap();
        let index = at.index(events.len());
        let event = events[index].trim_end();
        let start = event.find('{').unwrap() + 1;
        let torn = format!("{}\n\n", &event[..start + length.index(event.len() - start)]);
        let damaged = [&events[..index], &[torn.as_str()], &events[index + 1..], &[closing]].concat().concat();
        let (out, end, _) = translated(&[Bytes::from(damaged)], context(client, upstream));
        prop_assert_eq!(end, StreamEnd::Malformed);
        prop_assert!(ends_with_error(client, &out) && !looks_finished(client, &out), "{out}");
    }
}

#[test]
fn the_wrong_streams_of_the_grid_end_as_they_should() {
    let expected = [
        (Protocol::Chat, "41-done-without-finish-reason", StreamEnd::Truncated),
        (Protocol::Chat, "42-done-and-nothing-else", StreamEnd::Truncated),
        (Protocol::Chat, "43-half-arguments", StreamEnd::Malformed),
        (Protocol::Chat, "44-half-arguments-at-the-limit", StreamEnd::Complete),
        (Protocol::Chat, "45-half-arguments-of-the-first-call", StreamEnd::Malformed),
        (Protocol::Chat, "46-torn-chunk-in-the-middle", StreamEnd::Malformed),
        (Protocol::Chat, "47-words-that-are-no-json", StreamEnd::Complete),
        (Protocol::Chat, "48-content-of-a-wrong-type", StreamEnd::Malformed),
        (Protocol::Chat, "49-choices-that-are-no-list", StreamEnd::Malformed),
        (Protocol::Chat, "50-failure-as-finish-reason", StreamEnd::UpstreamError),
        (Protocol::Chat, "51-empty-finish-reasons", StreamEnd::Complete),
        (Protocol::Chat, "52-finish-reason-and-nothing-after-it", StreamEnd::CompleteWithoutDone),
        (Protocol::Messages, "38-stop-event-without-stop-reason", StreamEnd::Truncated),
        (Protocol::Messages, "39-half-input", StreamEnd::Malformed),
        (Protocol::Messages, "40-half-input-at-the-limit", StreamEnd::Complete),
        (Protocol::Messages, "42-no-message-start", StreamEnd::Malformed),
        (Protocol::Messages, "43-torn-event-in-the-middle", StreamEnd::Malformed),
        (Protocol::Messages, "44-delta-without-its-text", StreamEnd::Malformed),
        (Protocol::Messages, "45-arguments-outside-of-a-call", StreamEnd::Malformed),
        (Protocol::Messages, "46-words-that-are-no-json", StreamEnd::Complete),
    ];
    for (upstream, name, expected) in expected {
        let documents = documents(&format!("streams/{}", upstream.name()));
        let (_, stream) = documents.iter().find(|(known, _)| known == name).unwrap();
        for client in CLIENTS.into_iter().filter(|client| *client != upstream) {
            let (out, end, _) = translated(&[Bytes::from(stream.clone())], context(client, upstream));
            assert_eq!(end, expected, "{name} for {client:?}: {out}");
            let is_whole = matches!(end, StreamEnd::Complete | StreamEnd::CompleteWithoutDone);
            assert_eq!(looks_finished(client, &out), is_whole, "{name} for {client:?}: {out}");
            assert_eq!(ends_with_error(client, &out), !is_whole, "{name} for {client:?}: {out}");
        }
    }
}

#[test]
fn half_arguments_of_a_free_form_tool_are_no_call_either() {
    let documents = documents("streams/messages");
    let (_, stream) = documents.iter().find(|(name, _)| name == "41-half-input-of-a-custom-tool").unwrap();
    for client in [Protocol::Chat, Protocol::Responses] {
        let (_, end, _) = translated(&[Bytes::from(stream.clone())], context(client, Protocol::Messages));
        assert_eq!(end, StreamEnd::Malformed);
    }
}

#[test]
fn what_is_wrong_passes_where_nothing_is_translated() {
    for (upstream, name) in [
        (Protocol::Chat, "43-half-arguments"),
        (Protocol::Chat, "46-torn-chunk-in-the-middle"),
        (Protocol::Chat, "48-content-of-a-wrong-type"),
        (Protocol::Messages, "39-half-input"),
        (Protocol::Messages, "44-delta-without-its-text"),
        (Protocol::Messages, "46-words-that-are-no-json"),
    ] {
        let documents = documents(&format!("streams/{}", upstream.name()));
        let (_, stream) = documents.iter().find(|(known, _)| known == name).unwrap();
        let (out, end, translator) = translated(&[Bytes::from(stream.clone())], context(upstream, upstream));
        assert_eq!((&out, end), (stream, StreamEnd::Complete), "{name}");
        assert!(translator.losses().is_empty(), "{name}");
    }
}

#[test]
fn a_whole_answer_with_half_a_call_is_none_unless_it_ran_into_its_limit() {
    let answer = |arguments: &str, finish_reason: &str| {
        let call =
            json!({"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}});
        let body = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": finish_reason,
            "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
        let body = Bytes::from(body.to_string());
        CLIENTS.map(|client| {
            (client != Protocol::Chat)
                .then(|| translate_answer(&body, &context(client, Protocol::Chat)).is_some())
        })
    };
    assert_eq!(answer("{\"at\": \"Par", "tool_calls"), [None, Some(false), Some(false)]);
    assert_eq!(answer("{\"at\": \"Par", "stop"), [None, Some(false), Some(false)]);
    assert_eq!(answer("{\"at\": \"Par", "length"), [None, Some(true), Some(true)]);
    for whole in ["{\"at\": \"Paris\"}", "{}", "", "null"] {
        assert_eq!(answer(whole, "tool_calls"), [None, Some(true), Some(true)], "{whole}");
    }
    assert_eq!(answer("{}", "error"), [None, Some(false), Some(false)]);
}

/// Events of Messages, after a `message_start`.
fn messages(events: &[serde_json::Value]) -> String {
    let message =
        json!({"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let start = json!({"type": "message_start", "message": message});
    [&start].into_iter().chain(events).map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn an_error_without_a_type_is_the_upstreams_and_shows_no_key() {
    let error = json!({"error": {"message": "boom sk-abcdefghijklmnopqrstuvwxyz0123456789"}});
    let stop = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let stream = messages(&[error, stop, json!({"type": "message_stop"})]);
    for client in CLIENTS {
        let (out, end, _) = translated(&[Bytes::from(stream.clone())], context(client, Protocol::Messages));
        assert_eq!(end, StreamEnd::UpstreamError, "{client:?}: {out}");
        assert!(out.contains("boom") && !out.contains("sk-abcdef"), "{client:?}: {out}");
        assert!(ends_with_error(client, &out) && !looks_finished(client, &out), "{client:?}: {out}");
    }
}

#[test]
fn arguments_of_blocks_that_overlap_reach_no_call_that_they_are_not_for() {
    let start = |index: u64| {
        let block = json!({"type": "tool_use", "id": format!("t{index}"), "name": "f", "input": {}});
        json!({"type": "content_block_start", "index": index, "content_block": block})
    };
    let delta = |index: u64, json: &str| {
        let delta = json!({"type": "input_json_delta", "partial_json": json});
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    };
    let stop = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}});
    let stream = messages(&[
        start(0),
        start(1),
        delta(0, r#"{"a":1}"#),
        delta(1, "{}"),
        stop,
        json!({"type": "message_stop"}),
    ]);
    for client in [Protocol::Chat, Protocol::Responses] {
        let (out, end, _) = translated(&[Bytes::from(stream.clone())], context(client, Protocol::Messages));
        assert_eq!(end, StreamEnd::Malformed, "{client:?}: {out}");
        assert!(ends_with_error(client, &out) && !out.contains("\\\"a\\\""), "{client:?}: {out}");
    }
}

#[test]
fn a_stream_of_messages_that_is_closed_as_one_of_chat_gets_its_own_closing_event() {
    let stop = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let stream = messages(&[stop]) + "data: [DONE]\n\n";
    let (out, end, _) = translated(&[Bytes::from(stream)], context(Protocol::Messages, Protocol::Messages));
    assert_eq!(end, StreamEnd::Complete);
    assert!(
        out.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
            && !out.contains("[DONE]"),
        "{out}"
    );
}
