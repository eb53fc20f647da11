//! Watching a stream on its way to the client.

use bytes::Bytes;
use proptest::prelude::*;
use vsr_protocol::openai_chat::{
    Completion, FinishReason, StreamEnd, StreamObserver, StreamOptions, read_usage,
};
use vsr_types::Usage;

use crate::sse::cut;

const DROP_USAGE: StreamOptions =
    StreamOptions { drop_usage: true, whole_events: false, choices: 1, max_event_bytes: 4096 };
const FORWARD: StreamOptions = StreamOptions { drop_usage: false, ..DROP_USAGE };
const WHOLE_EVENTS: StreamOptions = StreamOptions { whole_events: true, ..FORWARD };

const ROLE: &str = r#"{"model":"tiny","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const WORD: &str = r#"{"model":"tiny","choices":[{"index":0,"delta":{"content":"wörd"},"finish_reason":null}],"usage":null}"#;
const STOP: &str =
    r#"{"model":"tiny","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const USAGE: &str =
    r#"{"model":"tiny","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}"#;

/// What came out of an observer, and what it saw.
#[derive(Debug, PartialEq)]
struct Seen {
    forwarded: String,
    end: StreamEnd,
    usage: Option<Usage>,
    model: Option<String>,
    has_content: bool,
    finish_reasons: Vec<FinishReason>,
    error: Option<Bytes>,
}

fn observe(chunks: &[Bytes], options: StreamOptions) -> Seen {
    let mut observer = StreamObserver::new(options);
    let mut out = Vec::new();
    for chunk in chunks {
        if observer.feed(chunk.clone(), &mut out).is_err() {
            break;
        }
    }
    let end = observer.finish(&mut out);
    Seen {
        forwarded: String::from_utf8(out.concat()).unwrap(),
        end,
        usage: observer.usage(),
        model: observer.model().map(str::to_owned),
        has_content: observer.has_content(),
        finish_reasons: observer.finish_reasons().to_vec(),
        error: observer.error().cloned(),
    }
}

fn observe_whole(stream: &str, options: StreamOptions) -> Seen {
    observe(&[Bytes::copy_from_slice(stream.as_bytes())], options)
}

fn events(data: &[&str]) -> String {
    data.iter().map(|data| format!("data: {data}\n\n")).collect()
}

#[test]
fn a_whole_stream_is_complete_and_forwarded_untouched() {
    let stream = events(&[ROLE, WORD, STOP, USAGE, "[DONE]"]);
    let seen = observe_whole(&stream, FORWARD);
    let stop = FinishReason { choice: 0, reason: "stop".to_owned() };
    let usage = Usage { prompt_tokens: 9, completion_tokens: 4, ..Usage::default() };
    let expected = Seen {
        forwarded: stream,
        end: StreamEnd::Complete,
        usage: Some(usage),
        model: Some("tiny".to_owned()),
        has_content: true,
        finish_reasons: vec![stop],
        error: None,
    };
    assert_eq!(seen, expected);
}

#[test]
fn an_injected_usage_chunk_is_dropped_and_counted() {
    let seen = observe_whole(&events(&[ROLE, WORD, STOP, USAGE, "[DONE]"]), DROP_USAGE);
    assert_eq!(seen.forwarded, events(&[ROLE, WORD, STOP, "[DONE]"]));
    assert_eq!(seen.usage.unwrap().completion_tokens, 4);
    // The same without `choices`, with odd spacing, and with line ends of another kind.
    let stop = events(&[STOP]);
    let done = "data: [DONE]\r\n\r\n";
    let stream = format!("{stop}data:{{\"usage\" : {{ \"prompt_tokens\":1 }} }}\r\n\r\n{done}");
    let seen = observe_whole(&stream, DROP_USAGE);
    assert_eq!(seen.forwarded, stop + done);
    assert_eq!(seen.usage.unwrap().prompt_tokens, 1);
}

#[test]
fn usage_beside_an_answer_is_not_dropped() {
    let stop_with_usage = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;
    let filter = r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#;
    let stream = events(&[filter, WORD, stop_with_usage, "[DONE]"]);
    let seen = observe_whole(&stream, DROP_USAGE);
    assert_eq!(seen.forwarded, stream);
    assert_eq!(seen.usage.unwrap().prompt_tokens, 2);
}

#[test]
fn keys_inside_content_mislead_nobody() {
    let tricky = [
        r#"{"choices":[{"index":0,"delta":{"content":"\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":99}"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"finish_reason"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"\"usage"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"finish_reason":"x","usage":{"prompt_tokens":5},"error":{"a":1}},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"data: [DONE]"},"finish_reason":null}]}"#,
    ];
    let stream = events(&[&[WORD], &tricky[..]].concat());
    let seen = observe_whole(&stream, DROP_USAGE);
    assert_eq!(seen.forwarded, stream);
    assert_eq!((seen.end, seen.usage, seen.error), (StreamEnd::Truncated, None, None));
}

#[test]
fn a_finish_reason_is_found_however_it_is_spaced() {
    let stop = r#"{"choices":[{"index":0,"delta":{},"finish_reason" :  "length"}]}"#;
    let seen = observe_whole(&events(&[WORD, stop]), FORWARD);
    assert_eq!(seen.end, StreamEnd::CompleteWithoutDone);
    assert_eq!(seen.finish_reasons[0].reason, "length");
}

#[test]
fn the_end_tells_how_the_stream_broke() {
    let end = |data: &[&str]| observe_whole(&events(data), FORWARD).end;
    assert_eq!(end(&[]), StreamEnd::Truncated);
    assert_eq!(end(&[ROLE, WORD]), StreamEnd::Truncated);
    assert_eq!(end(&[ROLE, WORD, STOP]), StreamEnd::CompleteWithoutDone);
    assert_eq!(end(&[WORD, STOP, "[DONE]"]), StreamEnd::Complete);
    let error = r#"{"error":{"message":"out of memory"}}"#;
    assert_eq!(end(&[WORD, error, "[DONE]"]), StreamEnd::UpstreamError);
    assert_eq!(end(&[r#"{"object":"error","message":"old form"}"#]), StreamEnd::UpstreamError);
    assert_eq!(end(&[r#"{"error":null,"choices":[]}"#]), StreamEnd::Truncated);
    let named = observe_whole("event: error\ndata: boom\n\n", FORWARD);
    assert_eq!((named.end, named.error.as_deref()), (StreamEnd::UpstreamError, Some(&b"boom"[..])));
}

#[test]
fn a_closing_event_before_the_finish_reason_closes_nothing_and_is_held_back() {
    for data in [&[ROLE, WORD, "[DONE]"][..], &["[DONE]"], &[WORD, "[DONE]", STOP, "[DONE]"]] {
        for options in [WHOLE_EVENTS, DROP_USAGE] {
            let seen = observe_whole(&events(data), options);
            let before = data.iter().position(|data| *data == "[DONE]").unwrap();
            assert_eq!((seen.end, seen.forwarded), (StreamEnd::Truncated, events(&data[..before])));
        }
    }
    // Some servers write an empty word until there is a reason.
    let unfinished = WORD.replace("null}]", "\"\"}]");
    assert_eq!(observe_whole(&events(&[&unfinished, "[DONE]"]), WHOLE_EVENTS).end, StreamEnd::Truncated);
    assert_eq!(observe_whole(&events(&[&unfinished, STOP, "[DONE]"]), WHOLE_EVENTS).end, StreamEnd::Complete);
}

#[test]
fn every_choice_has_to_finish() {
    let choice = |index: u32, reason: &str| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"x"}},"finish_reason":{reason}}}]}}"#)
    };
    let (a, b, a_stop, b_stop) =
        (choice(0, "null"), choice(1, "null"), choice(0, "\"stop\""), choice(1, "\"length\""));
    let options = StreamOptions { choices: 2, ..FORWARD };
    let half = observe_whole(&events(&[&a, &b, &a_stop]), options);
    assert_eq!(half.end, StreamEnd::Truncated);
    let both = observe_whole(&events(&[&a, &b, &a_stop, &b_stop]), options);
    assert_eq!(both.end, StreamEnd::CompleteWithoutDone);
    assert_eq!(both.finish_reasons[1], FinishReason { choice: 1, reason: "length".to_owned() });
}

#[test]
fn content_is_text_reasoning_or_a_tool_call() {
    let has_content = |delta: &str| {
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        observe_whole(&events(&[&data]), FORWARD).has_content
    };
    assert!(!has_content(r#"{"role":"assistant","content":"","tool_calls":[],"refusal":null}"#));
    assert!(has_content(r#"{"content":" "}"#));
    assert!(has_content(r#"{"reasoning_content":"hm"}"#));
    assert!(has_content(r#"{"tool_calls":[{"index":0}]}"#));
    assert!(has_content(r#"{"refusal":"no"}"#));
}

#[test]
fn a_last_event_without_its_blank_line_counts() {
    let stream = events(&[WORD, STOP]) + "data: [DONE]\n";
    for options in [FORWARD, WHOLE_EVENTS, DROP_USAGE] {
        let seen = observe_whole(&stream, options);
        assert_eq!(seen.end, StreamEnd::Complete);
        assert_eq!(seen.forwarded, stream.clone() + "\n\n");
    }
    let stream = events(&[WORD, STOP]) + "data: " + USAGE;
    let seen = observe_whole(&stream, DROP_USAGE);
    assert_eq!((seen.forwarded, seen.usage.is_some()), (events(&[WORD, STOP]), true));
}

#[test]
fn a_stream_with_bare_carriage_returns_ends_with_its_last_event() {
    let stream = format!("data: {STOP}\r\rdata: [DONE]\r\r");
    for options in [FORWARD, WHOLE_EVENTS, DROP_USAGE] {
        let seen = observe_whole(&stream, options);
        assert_eq!((seen.end, &seen.forwarded), (StreamEnd::Complete, &stream));
    }
}

#[test]
fn a_stream_that_breaks_inside_an_event_can_still_be_ended() {
    let stream = events(&[ROLE, WORD]) + "data: {\"choices\":[{\"del";
    // Forwarded at once, the torn event can only be closed.
    assert_eq!(observe_whole(&stream, FORWARD).forwarded, stream.clone() + "\n\n");
    // Held back, it is not shown at all.
    for options in [WHOLE_EVENTS, DROP_USAGE] {
        let seen = observe_whole(&stream, options);
        assert_eq!((seen.end, seen.forwarded), (StreamEnd::Truncated, events(&[ROLE, WORD])));
    }
}

#[test]
fn bytes_are_forwarded_at_once_unless_they_may_have_to_be_dropped() {
    let feed = |options, chunk: &'static str| {
        let mut out = Vec::new();
        StreamObserver::new(options).feed(Bytes::from_static(chunk.as_bytes()), &mut out).unwrap();
        out
    };
    let chunk = "data: {}\n\ndata: {\"ch";
    assert_eq!(feed(FORWARD, chunk), [chunk]);
    assert_eq!(feed(FORWARD, chunk)[0].as_ptr(), chunk.as_ptr());
    assert_eq!(feed(DROP_USAGE, chunk), ["data: {}\n\n"]);
    assert_eq!(feed(DROP_USAGE, chunk)[0].as_ptr(), chunk.as_ptr());
    assert_eq!(feed(DROP_USAGE, "data: {}\n\ndata: 1\n\n").len(), 1);
}

#[test]
fn an_event_that_is_too_long_breaks_the_stream() {
    let stream = events(&[WORD]) + "data: " + &"x".repeat(5000);
    for options in [FORWARD, DROP_USAGE] {
        let mut observer = StreamObserver::new(options);
        let mut out = Vec::new();
        let error = observer.feed(Bytes::from(stream.clone()), &mut out).unwrap_err();
        assert_eq!(error.to_string(), "a stream event is longer than 4096 bytes");
        assert_eq!(observer.finish(&mut out), StreamEnd::Truncated);
    }
    // What came before it in the same chunk is not lost.
    assert_eq!(observe_whole(&stream, DROP_USAGE).forwarded, events(&[WORD]));
}

proptest! {
    #[test]
    fn what_is_seen_and_forwarded_does_not_depend_on_chunks(
        events in prop::collection::vec(
            (prop::sample::select(vec![ROLE, WORD, WORD, STOP, USAGE, "[DONE]", "{", r#"{"error":{}}"#, ": ping"]),
             prop::sample::select(vec!["\n", "\n", "\r\n", "\r"])),
            0..8,
        ),
        torn in 0_usize..20,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        options in prop::sample::select(vec![FORWARD, WHOLE_EVENTS, DROP_USAGE]),
    ) {
        let mut stream: Vec<u8> =
            events.iter().flat_map(|(data, end)| format!("data: {data}{end}{end}").into_bytes()).collect();
        stream.truncate(stream.len().saturating_sub(torn));
        while std::str::from_utf8(&stream).is_err() {
            stream.pop();
        }
        let whole = observe(&[Bytes::from(stream.clone())], options);
        prop_assert_eq!(&observe(&cut(&stream, &cuts), options), &whole);
        let single: Vec<Bytes> = stream.iter().map(|&byte| Bytes::copy_from_slice(&[byte])).collect();
        prop_assert_eq!(&observe(&single, options), &whole);
    }
}

#[test]
fn an_answer_of_the_routers_own_is_a_complete_stream() {
    let answer = Completion { id: "chatcmpl-1", model: "auto", created_seconds: 7, content: "no\n\"way\"" };
    let seen = observe(&[answer.to_events(true)], FORWARD);
    assert_eq!((seen.end, seen.usage, seen.has_content), (StreamEnd::Complete, Some(Usage::default()), true));
    assert_eq!(read_usage(&answer.to_body()), Some(Usage::default()));
    // Without usage wanted there is no usage chunk to drop.
    let without = answer.to_events(false);
    assert_eq!(observe(std::slice::from_ref(&without), DROP_USAGE).forwarded.as_bytes(), without);
}
