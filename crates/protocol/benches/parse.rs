//! Time to read request bodies of 1 KB and 100 KB, to edit and translate them, and to watch and
//! translate a stream.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use vsr_protocol::json::Document;
use vsr_protocol::openai_chat::{StreamObserver, StreamOptions};
use vsr_protocol::{
    ChatRequest, ClientRequest, Edits, Protocol, RequestLimits, StreamTranslator, Target, TranslatorOptions,
};

const PROTOCOLS: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Messages];

/// Sentences in several languages, with the line breaks and quotes of pasted code.
const PASSAGES: [&str; 6] = [
    "The export job stops after the third page and \"retries\" forever; where would you look first?\n",
    "Bitte fasse das Protokoll zusammen und nenne höchstens fünf offene Punkte.\n\n",
    "请把下面的表格翻译成英文，并保留所有数字和单位。",
    "¿Qué diferencia hay entre las dos versiones del contrato, párrafo por párrafo?\t",
    "```python\nfor row in rows:\n    if row[\"total\"] != sum(row[\"parts\"]):\n        print(f\"bad: {row['id']}\")\n```\n",
    "Пожалуйста, объясни решение по шагам и проверь ответ.\r\n",
];

/// The same conversation, as a client of `client` sends it.
fn body_of(client: Protocol, target: usize, turns: usize) -> Bytes {
    let chat = String::from_utf8_lossy(&body(target, turns)).into_owned();
    Bytes::from(match client {
        Protocol::Chat => chat,
        Protocol::Responses => chat.replacen("\"messages\": ", "\"input\": ", 1),
        Protocol::Messages => chat.replacen('{', "{\"max_tokens\": 1024, ", 1),
    })
}

/// A chat body of about `target` bytes, as client libraries write it.
fn body(target: usize, turns: usize) -> Bytes {
    let mut messages = vec![r#"{"role": "system", "content": "You answer briefly."}"#.to_owned()];
    for turn in 0..turns {
        let mut text = String::new();
        let mut passages = PASSAGES.iter().cycle().skip(turn);
        while text.len() < target.saturating_sub(300) / turns {
            text.extend(passages.next().copied());
        }
        let role = if (turns - turn) % 2 == 1 { "user" } else { "assistant" };
        let content = serde_json::to_string(&text).unwrap_or_default();
        messages.push(format!(r#"{{"role": "{role}", "content": {content}}}"#));
    }
    let messages = messages.join(", ");
    Bytes::from(format!(
        r#"{{"model": "auto", "messages": [{messages}], "temperature": 0.7, "stream": true}}"#
    ))
}

fn parse(c: &mut Criterion) {
    let limits = RequestLimits::default();
    let mut group = c.benchmark_group("parse");
    for (name, body) in [
        ("1 KB", body(1_000, 1)),
        ("100 KB, 1 turn", body(100_000, 1)),
        ("100 KB, 41 turns", body(100_000, 41)),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| ChatRequest::parse(black_box(body.clone()), &limits));
        });
    }
    group.finish();

    let body = body(100_000, 1);
    let mut group = c.benchmark_group("parts of reading 100 KB");
    group.bench_function("UTF-8 check", |b| b.iter(|| std::str::from_utf8(black_box(&body)).is_ok()));
    group.bench_function("UTF-8 check and scan", |b| {
        b.iter(|| Document::parse(black_box(body.clone()), &limits.json));
    });
    group.finish();
}

fn edit(c: &mut Criterion) {
    let limits = RequestLimits::default();
    let mut group = c.benchmark_group("model and usage option spliced");
    for (name, body) in [("1 KB", body(1_000, 1)), ("100 KB", body(100_000, 1))] {
        let Ok(request) = ChatRequest::parse(body, &limits) else { continue };
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut edits = Edits::default();
                edits.set_model(black_box("qwen3-8b"));
                edits.include_usage();
                edits.apply(&request)
            });
        });
        group.bench_function(format!("{name}, view"), |b| b.iter(|| black_box(&request).view().text_bytes()));
    }
    group.finish();
}

fn stream(c: &mut Criterion) {
    let event = concat!(
        r#"data: {"id":"chatcmpl-8f2","object":"chat.completion.chunk","created":1790000000,"model":"small","#,
        r#""choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        "\n\n",
    );
    let chunk = Bytes::from(event);
    let mut group = c.benchmark_group("stream");
    for drop_usage in [false, true] {
        let options = StreamOptions { drop_usage, ..StreamOptions::default() };
        group.bench_function(format!("1000 events, drop_usage {drop_usage}"), |b| {
            b.iter(|| {
                let mut observer = StreamObserver::new(options);
                let mut out = Vec::new();
                for _ in 0..1000 {
                    out.clear();
                    let _ = observer.feed(black_box(chunk.clone()), &mut out);
                }
                observer.finish(&mut out)
            });
        });
    }
    group.finish();
}

/// Reading and writing together: what a translated request costs beside a spliced one.
fn translate(c: &mut Criterion) {
    let limits = RequestLimits::default();
    let mut group = c.benchmark_group("request read and written");
    let sizes = [("1 KB", 1_000, 1), ("100 KB, 41 turns", 100_000, 41)];
    for ((name, bytes, turns), client) in sizes.into_iter().flat_map(|size| PROTOCOLS.map(|it| (size, it))) {
        let body = body_of(client, bytes, turns);
        for upstream in PROTOCOLS {
            if upstream == Protocol::Responses && client != upstream {
                continue;
            }
            let target = Target::new(upstream, "claude-sonnet-4-5");
            let mut edits = Edits::default();
            edits.set_model(target.model);
            group.bench_function(format!("{name}, {} for {}", client.name(), upstream.name()), |b| {
                b.iter(|| {
                    let request = ClientRequest::parse(client, black_box(body.clone()), &limits);
                    request.and_then(|request| request.outgoing(&target, &edits))
                });
            });
        }
    }
    group.finish();

    let events = [
        (
            Protocol::Chat,
            concat!(
                r#"data: {"id":"chatcmpl-8f2","object":"chat.completion.chunk","created":1790000000,"model":"small","#,
                r#""choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}"#,
                "\n\n",
            ),
        ),
        (
            Protocol::Messages,
            concat!(
                "event: content_block_delta\n",
                r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}"#,
                "\n\n",
            ),
        ),
    ];
    let mut group = c.benchmark_group("stream translated");
    for (upstream, event) in events {
        for client in [Protocol::Chat, Protocol::Responses, Protocol::Messages] {
            let body: &[u8] = match client {
                Protocol::Responses => br#"{"model":"m","input":"hi"}"#,
                _ => br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            };
            let Ok(request) = ClientRequest::parse(client, Bytes::from_static(body), &limits) else {
                continue;
            };
            let context = request.answer_context(&Target::new(upstream, "m"), "id", 1);
            let chunk = Bytes::from_static(event.as_bytes());
            group.bench_function(format!("1000 events, {} for {}", upstream.name(), client.name()), |b| {
                b.iter(|| {
                    let options = TranslatorOptions::default();
                    let mut translator = StreamTranslator::new(context.clone(), options);
                    let mut out = Vec::new();
                    for _ in 0..1000 {
                        out.clear();
                        let _ = translator.feed(black_box(chunk.clone()), &mut out);
                    }
                    translator.finish(&mut out)
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion);
    edit(&mut criterion);
    stream(&mut criterion);
    translate(&mut criterion);
    criterion.final_summary();
}
