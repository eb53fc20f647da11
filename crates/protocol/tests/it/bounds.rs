//! What a stream may cost, whatever its upstream sends: endless streams of every kind hold no more than they may.

use bytes::Bytes;
use serde_json::{Value, json};
use vsr_protocol::{Protocol, StreamTranslator, TranslatorOptions};

use crate::grid::context;

const OPTIONS: TranslatorOptions = TranslatorOptions { max_event_bytes: 4 << 10, max_held_bytes: 12 << 10 };

/// Events of one kind before which a stream that holds them is long over.
const EVENTS: u64 = 2_000;

/// An endless stream by its name: the event with a number.
type Endless = (&'static str, fn(u64) -> String);

fn chunk(delta: &Value) -> String {
    format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]}))
}

fn call(index: u64, id: &str, name: &str, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
}

/// Endless streams of Chat Completions.
fn chat_streams() -> Vec<Endless> {
    vec![
        ("words and refusals in turn", |n| {
            chunk(&if n % 2 == 0 { json!({"content": "x"}) } else { json!({"refusal": "x"}) })
        }),
        ("words and thoughts in turn", |n| {
            chunk(&if n % 2 == 0 { json!({"content": "x"}) } else { json!({"reasoning_content": "x"}) })
        }),
        ("ever more calls", |n| chunk(&call(n, &format!("call_{n}"), "look", "{}"))),
        ("ever more calls by id alone", |n| chunk(&call(0, &format!("call_{n}"), "look", "{}"))),
        ("a name without end", |_| chunk(&call(0, "a", "look_further_", ""))),
        ("arguments without end", |n| chunk(&call(0, "a", if n == 0 { "look" } else { "" }, "[1,"))),
        ("arguments of no call", |_| chunk(&call(0, "a", "", "[1,"))),
        ("whatever comes after half a call", |n| {
            chunk(&match n {
                0 => call(0, "a", "look", "{"),
                _ if n % 2 == 0 => json!({"content": "x"}),
                _ => json!({"reasoning_content": "x"}),
            })
        }),
        ("half calls beside each other", |n| {
            chunk(&call(n % 900, &format!("call_{}", n % 900), "look", "[1,"))
        }),
        ("ever more keys", |n| {
            chunk(&call(0, "a", "look", &format!("{}\"key {n}\":1,", if n == 0 { "{" } else { "" })))
        }),
        ("log probabilities", |_| {
            let listed = json!({"content": [{"token": "x", "logprob": -0.5, "bytes": [120]}]});
            let choice = json!({"index": 0, "delta": {"content": "x"}, "logprobs": listed});
            format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
        }),
        ("comments", |_| ": nothing new\n\n".to_owned()),
        ("events that are no JSON", |n| format!("data: word {n}\n\n")),
        ("events of unknown shapes", |n| format!("data: {{\"k{n}\": {n}}}\n\n")),
        ("empty events", |_| "data:\n\n".to_owned()),
        ("an event without an end", |_| "data: {\n".to_owned()),
        ("a line without an end", |_| "data: ".to_owned()),
    ]
}

fn event(json: &Value) -> String {
    format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap())
}

fn message_start() -> String {
    event(
        &json!({"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 1}}}),
    )
}

fn block(n: u64, block: &Value) -> String {
    event(&json!({"type": "content_block_start", "index": n, "content_block": block}))
}

fn delta(n: u64, delta: &Value) -> String {
    event(&json!({"type": "content_block_delta", "index": n, "delta": delta}))
}

fn stop(n: u64) -> String {
    event(&json!({"type": "content_block_stop", "index": n}))
}

/// Endless streams of Messages.
fn messages_streams() -> Vec<Endless> {
    vec![
        ("redacted thoughts", |n| {
            block(n, &json!({"type": "redacted_thinking", "data": "sealed"})) + &stop(n)
        }),
        ("signed thoughts", |n| {
            block(n, &json!({"type": "thinking", "thinking": ""}))
                + &delta(n, &json!({"type": "signature_delta", "signature": "s"}))
                + &stop(n)
        }),
        ("signatures without thoughts", |n| {
            block(n, &json!({"type": "thinking", "thinking": ""}))
                + &delta(n, &json!({"type": "signature_delta", "signature": ""}))
        }),
        ("calls", |n| {
            block(n, &json!({"type": "tool_use", "id": format!("t{n}"), "name": "look"})) + &stop(n)
        }),
        ("calls of a free-form tool", |n| {
            block(n, &json!({"type": "tool_use", "id": format!("t{n}"), "name": "apply_patch"})) + &stop(n)
        }),
        ("the input of a free-form tool", |n| match n {
            0 => block(n, &json!({"type": "tool_use", "id": "t", "name": "apply_patch"})),
            _ => delta(0, &json!({"type": "input_json_delta", "partial_json": "[1,"})),
        }),
        ("texts", |n| block(n, &json!({"type": "text", "text": "x"})) + &stop(n)),
        ("unknown blocks", |n| block(n, &json!({"type": format!("odd {n}").repeat(40)})) + &stop(n)),
        ("unknown events", |n| event(&json!({"type": format!("odd_{n}")}))),
        ("beginnings", |_| message_start()),
        ("ends that are none", |_| {
            event(
                &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
            )
        }),
        ("pings", |_| event(&json!({"type": "ping"}))),
    ]
}

#[test]
fn an_endless_stream_holds_no_more_than_it_may() {
    let most = OPTIONS.max_event_bytes + OPTIONS.max_held_bytes;
    for client in [Protocol::Chat, Protocol::Responses, Protocol::Messages] {
        let chat =
            chat_streams().into_iter().map(|(name, event)| (Protocol::Chat, String::new(), name, event));
        let messages = messages_streams()
            .into_iter()
            .map(|(name, event)| (Protocol::Messages, message_start(), name, event));
        for (upstream, head, name, event) in chat.chain(messages) {
            let mut translator = StreamTranslator::new(context(client, upstream), OPTIONS);
            let mut out = Vec::new();
            translator.feed(Bytes::from(head), &mut out).unwrap();
            for n in 0..EVENTS {
                out.clear();
                let event = event(n);
                let has_room = most + event.len();
                let fed = translator.feed(Bytes::from(event), &mut out);
                let held = translator.held_bytes();
                assert!(held <= has_room, "{name} for {client:?}: {held} bytes are held");
                if fed.is_err() || translator.is_cut() || translator.error().is_some() {
                    break;
                }
            }
            let losses = translator.losses();
            let told: usize = losses.iter().map(|loss| loss.field.len()).sum();
            assert!(told < 4096, "{name} for {client:?}: {told} bytes of losses");
        }
    }
}

#[test]
fn what_is_held_is_counted_with_what_it_takes_to_hold_it() {
    // Each of these events holds a byte of text at most; without their frames a million of them would fit.
    let held = |client, upstream, head: String, event: fn(u64) -> String| {
        let options = TranslatorOptions { max_held_bytes: usize::MAX, ..OPTIONS };
        let mut translator = StreamTranslator::new(context(client, upstream), options);
        let mut out = Vec::new();
        translator.feed(Bytes::from(head), &mut out).unwrap();
        (0..100).for_each(|n| translator.feed(Bytes::from(event(n)), &mut out).unwrap());
        translator.held_bytes()
    };
    for (_, event) in &chat_streams()[..2] {
        assert!(held(Protocol::Responses, Protocol::Chat, String::new(), *event) > 100 * 48);
    }
    for (_, event) in &messages_streams()[..5] {
        assert!(held(Protocol::Responses, Protocol::Messages, message_start(), *event) > 100 * 48);
    }
    assert!(held(Protocol::Messages, Protocol::Chat, String::new(), chat_streams()[7].1) > 99 * 24);
}

#[test]
fn calls_that_wait_for_each_other_are_told_whole_and_in_order() {
    let calls = 300_u64;
    let piece =
        |index: u64, arguments: &str| chunk(&call(index, &format!("call_{index}"), "look", arguments));
    let mut stream: String = (0..calls).map(|index| piece(index, "{\"a\":")).collect();
    stream += &chunk(&json!({"content": "and words"}));
    for round in 0..20 {
        stream += &(0..calls).map(|index| piece(index, &format!("{round}"))).collect::<String>();
    }
    // The first is whole last of all.
    stream += &(0..calls).rev().map(|index| piece(index, "}")).collect::<String>();
    let finish = json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    stream += &format!("data: {finish}\n\ndata: [DONE]\n\n");
    let (events, end, _) =
        crate::grid::translated(&[Bytes::from(stream)], context(Protocol::Messages, Protocol::Chat));
    assert_eq!(end, vsr_protocol::openai_chat::StreamEnd::Complete);
    let mut blocks: Vec<(Value, String)> = Vec::new();
    for data in events.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => blocks.push((event["content_block"].clone(), String::new())),
            "content_block_delta" => {
                let delta = &event["delta"];
                let text = delta["partial_json"].as_str().or(delta["text"].as_str());
                blocks.last_mut().unwrap().1.push_str(text.unwrap());
            }
            _ => {}
        }
    }
    assert_eq!(blocks.len() as u64, calls + 1);
    let digits: String = (0..20).map(|round| round.to_string()).collect();
    for (index, (block, input)) in blocks[..calls as usize].iter().enumerate() {
        assert_eq!(block["id"], format!("call_{index}"));
        assert_eq!(*input, format!("{{\"a\":{digits}}}"));
    }
    assert_eq!(blocks.last().unwrap().1, "and words");
}
