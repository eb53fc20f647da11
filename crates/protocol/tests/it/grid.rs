//! The golden grid: every document of `tests/grid`, in every protocol it can be translated to.
//!
//! A file is one request, answer or stream of one protocol; its snapshots, one per target, hold
//! what becomes of it and what is lost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use vsr_protocol::{
    AnswerContext, ApiError, ClientRequest, Edits, Losses, Protocol, RequestLimits, StreamTranslator, Target,
    TranslatorOptions, openai_chat::StreamEnd, translate_answer,
};

const PROTOCOLS: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Messages];
const UPSTREAMS: [Protocol; 2] = [Protocol::Chat, Protocol::Messages];

/// The files of one folder of the grid: their names without extension, and what they hold.
pub(crate) fn documents(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grid").join(folder);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

pub(crate) fn target(protocol: Protocol) -> Target<'static> {
    Target::new(protocol, if protocol == Protocol::Messages { "claude-sonnet-4-5" } else { "served-model" })
}

pub(crate) fn client_request(protocol: Protocol, body: &str) -> ClientRequest {
    let body = Bytes::copy_from_slice(body.as_bytes());
    ClientRequest::parse(protocol, body, &RequestLimits::default()).unwrap()
}

/// What a client of `client` would have asked, with the tools that the grid's answers call.
pub(crate) fn context(client: Protocol, upstream: Protocol) -> AnswerContext {
    let body = match client {
        Protocol::Chat => {
            r#"{"model":"auto","messages":[{"role":"user","content":"hi"}],"stream":true,
                "stream_options":{"include_usage":true},
                "tools":[{"type":"custom","custom":{"name":"apply_patch"}}]}"#
        }
        Protocol::Responses => {
            r#"{"model":"auto","input":"hi","instructions":"Be brief.","metadata":{"k":"v"},
                "tools":[{"type":"custom","name":"apply_patch"}]}"#
        }
        Protocol::Messages => {
            r#"{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        }
    };
    client_request(client, body).answer_context(&target(upstream), "0a1b", 1_700_000_001)
}

fn listed(losses: &Losses) -> String {
    let mut list = String::new();
    for loss in losses.iter() {
        writeln!(list, "{}", loss.to_entry()).unwrap();
    }
    if losses.unnamed() > 0 {
        writeln!(list, "and {} more", losses.unnamed()).unwrap();
    }
    if list.is_empty() { "nothing\n".to_owned() } else { list }
}

fn pretty(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn assert_golden(folder: &str, name: &str, to: Protocol, found: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../grid-out/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{name}.{}", to.name()), found));
}

/// The events that `stream` becomes, and how it ends.
pub(crate) fn translated(chunks: &[Bytes], context: AnswerContext) -> (String, StreamEnd, StreamTranslator) {
    let mut translator = StreamTranslator::new(context, TranslatorOptions::default());
    let mut out = Vec::new();
    for chunk in chunks {
        translator.feed(chunk.clone(), &mut out).unwrap();
    }
    let end = translator.finish(&mut out);
    if end == StreamEnd::Truncated {
        let error = ApiError::new(502, "the backend broke off").with_code("upstream_truncated");
        translator.fail(&error, &mut out);
    } else if end == StreamEnd::Malformed {
        let what = format!("the backend {}", translator.malformed().unwrap());
        let error = ApiError::new(502, what).with_code("upstream_invalid_response");
        translator.fail(&error, &mut out);
    }
    (String::from_utf8(out.concat()).unwrap(), end, translator)
}

#[test]
fn requests_are_translated_as_recorded() {
    for client in PROTOCOLS {
        let folder = format!("requests/{}", client.name());
        let documents = documents(&folder);
        assert!(documents.len() >= 25);
        for (name, body) in documents {
            let request = client_request(client, &body);
            for upstream in UPSTREAMS.into_iter().filter(|upstream| *upstream != client) {
                let outgoing = request.outgoing(&target(upstream), &Edits::default()).unwrap();
                let found = format!("{}\n\nlost:\n{}", pretty(&outgoing.body), listed(&outgoing.losses));
                assert_golden(&folder, &name, upstream, &found);
            }
        }
    }
}

#[test]
fn requests_of_the_same_protocol_pass_untouched_but_for_the_model() {
    for client in PROTOCOLS {
        for (name, body) in documents(&format!("requests/{}", client.name())) {
            if body.contains("vsr1.") {
                continue;
            }
            let request = client_request(client, &body);
            let mut edits = Edits::default();
            edits.set_model("served");
            let outgoing = request.outgoing(&target(client), &edits).unwrap();
            let expected = body.replacen("\"model\": \"auto\"", "\"model\": \"served\"", 1);
            assert_eq!(outgoing.body, expected.as_bytes(), "{name}");
            assert!(outgoing.losses.is_empty(), "{name}");
        }
    }
}

#[test]
fn answers_are_translated_as_recorded() {
    for upstream in UPSTREAMS {
        let folder = format!("answers/{}", upstream.name());
        let documents = documents(&folder);
        assert!(documents.len() >= 25);
        for (name, body) in documents {
            for client in PROTOCOLS.into_iter().filter(|client| *client != upstream) {
                let answer =
                    translate_answer(&Bytes::from(body.clone()), &context(client, upstream)).unwrap();
                let found = format!("{}\n\nlost:\n{}", pretty(&answer.body), listed(&answer.losses));
                assert_golden(&folder, &name, client, &found);
            }
        }
    }
}

#[test]
fn streams_are_translated_as_recorded() {
    for upstream in UPSTREAMS {
        let folder = format!("streams/{}", upstream.name());
        let documents = documents(&folder);
        assert!(documents.len() >= 25);
        for (name, stream) in documents {
            for client in PROTOCOLS.into_iter().filter(|client| *client != upstream) {
                let chunks = [Bytes::from(stream.clone())];
                let (events, end, translator) = translated(&chunks, context(client, upstream));
                let found = format!("{events}\nend: {end:?}\nlost:\n{}", listed(translator.losses()));
                assert_golden(&folder, &name, client, &found);
            }
        }
    }
}
