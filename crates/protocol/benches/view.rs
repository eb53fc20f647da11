//! What the view of a request costs: of a long chat, and of agents' sessions in two protocols, where texts are joined and
//! arguments unescaped.

#![expect(missing_docs, reason = "criterion's macros declare items without documentation")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use vsr_protocol::{ClientRequest, Protocol, RequestLimits, ViewedRequest};

/// An agent's session of so many calls, each with arguments and a result of 1 KB.
fn session(protocol: Protocol, calls: usize) -> Value {
    let text = "a line of a file, as \"quoted\" in a log\n".repeat(25);
    let mut messages = vec![json!({ "role": "user", "content": "fix the build" })];
    for call in 0..calls {
        let id = format!("call_{call}");
        match protocol {
            Protocol::Messages => messages.extend([
                json!({ "role": "assistant", "content": [
                    { "type": "text", "text": "looking" },
                    { "type": "tool_use", "id": id, "name": "write", "input": { "text": text } },
                ]}),
                json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": [
                    { "type": "text", "text": text }, { "type": "text", "text": "done" },
                ]}]}),
            ]),
            _ => messages.extend([
                json!({ "role": "assistant", "content": "looking", "tool_calls": [{
                    "id": id, "type": "function",
                    "function": { "name": "write", "arguments": json!({ "text": text }).to_string() },
                }]}),
                json!({ "role": "tool", "tool_call_id": id, "content": text }),
            ]),
        }
    }
    json!({ "model": "auto", "max_tokens": 1024, "messages": messages })
}

fn view(c: &mut Criterion) {
    let mut group = c.benchmark_group("view");
    for (name, protocol, calls) in [
        ("chat, 1 call", Protocol::Chat, 1),
        ("chat, 100 calls", Protocol::Chat, 100),
        ("messages, 100 calls", Protocol::Messages, 100),
    ] {
        let body = Bytes::from(session(protocol, calls).to_string());
        let Ok(request) = ClientRequest::parse(protocol, body, &RequestLimits::default()) else { continue };
        group.bench_function(format!("{name}, made"), |b| {
            b.iter(|| black_box(&request).view().text_bytes());
        });
        let viewed = ViewedRequest::new(request);
        group.bench_function(format!("{name}, carried"), |b| {
            b.iter(|| black_box(&viewed).view().text_bytes());
        });
    }
    group.finish();
}

criterion_group!(benches, view);
criterion_main!(benches);
