//! No field of a request is dropped in silence: whatever the vendors' libraries can send changes what is sent on, or is
//! told as a loss, or is listed here as saying nothing.
//!
//! `tests/fields` holds, for each protocol, a request with every kind of object, and for each of them
//! the fields that the request types of `openai` 3.57.0 and `anthropic` 2.14.0 for Python have.

use serde_json::{Map, Value};
use vsr_protocol::{ClientRequest, Edits, Protocol, RequestLimits};

use crate::grid::target;

/// Fields that are silent on purpose: of which object, and why.
const SILENT: &[(Protocol, &str, &[&str], &str)] = &[
    (Protocol::Chat, "/messages/0/content/0", &["type"], "is the default"),
    (Protocol::Chat, "/messages/1/content/0", &["type"], "is the default"),
    (Protocol::Chat, "/messages/1/content/1", &["type"], "is seen by what is in it"),
    (Protocol::Chat, "/messages/2/content/0", &["type"], "is the default"),
    (Protocol::Chat, "/messages/3/content/0", &["type"], "is the default"),
    (Protocol::Chat, "/messages/2/tool_calls/0", &["type"], "is seen by what is in it"),
    (Protocol::Chat, "/messages/2/tool_calls/1", &["type"], "is seen by what is in it"),
    (Protocol::Chat, "/tools/0", &["type"], "is the default"),
    (Protocol::Chat, "/tool_choice", &["type"], "is seen by what is in it"),
    (Protocol::Chat, "/messages/1/content/2/file", &["file_id"], "the file itself is there too"),
    (
        Protocol::Chat,
        "/messages/1/content/3",
        &["input_audio", "prompt_cache_breakpoint"],
        "all audio is told",
    ),
    (Protocol::Chat, "/tools/1/custom/format", &["type", "grammar"], "all grammars are told"),
    (Protocol::Chat, "/response_format/json_schema", &["description", "strict"], "are told with the name"),
    (Protocol::Chat, "/stream_options", &["include_usage"], "is about the answer, which has it"),
    (Protocol::Responses, "/input/0", &["type", "id", "status"], "say nothing to a model"),
    (Protocol::Responses, "/input/0/content/0", &["type"], "is the default"),
    (Protocol::Responses, "/input/2/content/0", &["type"], "is the default"),
    (Protocol::Responses, "/input/2/content/0", &["logprobs"], "say nothing to a model"),
    (Protocol::Responses, "/input/0/content/1", &["file_id"], "the image itself is there too"),
    (Protocol::Responses, "/input/0/content/2", &["file_id", "file_url"], "the file itself is there too"),
    (Protocol::Responses, "/input/1", &["id", "status", "summary", "content"], "all reasoning is told"),
    (Protocol::Responses, "/input/3", &["id", "status"], "say nothing to a model"),
    (Protocol::Responses, "/input/4", &["id"], "says nothing to a model"),
    (Protocol::Responses, "/input/5", &["id", "status", "name"], "say nothing beside the call"),
    (Protocol::Responses, "/input/6", &["id"], "says nothing to a model"),
    (Protocol::Responses, "/tools/1/format", &["type", "definition", "syntax"], "all grammars are told"),
    (Protocol::Responses, "/text/format", &["description", "strict"], "are told with the name"),
    (
        Protocol::Responses,
        "/reasoning",
        &["summary", "generate_summary"],
        "are about the answer, which has it",
    ),
    (
        Protocol::Responses,
        "",
        &["background", "conversation", "previous_response_id", "store", "metadata", "truncation"],
        "are the router's own to answer for",
    ),
    (Protocol::Messages, "/messages/0/content/3/source", &["media_type"], "there is no other"),
    (Protocol::Messages, "/messages/0/content/4/source", &["type"], "is seen by what is in it"),
    (Protocol::Messages, "/messages/0/content/5", &["source", "citations"], "are told of all results"),
    (
        Protocol::Messages,
        "/messages/2/content/0/content/3",
        &["source", "citations"],
        "are told of all results",
    ),
    (Protocol::Messages, "/messages/1/content/0", &["thinking"], "all reasoning is told"),
    (Protocol::Messages, "/messages/1/content/1", &["data"], "all reasoning is told"),
    (Protocol::Messages, "/output_config/format", &["type"], "there is no other"),
    (Protocol::Messages, "/tools/0", &["type"], "is the default"),
];

/// What becomes of a request: the body and the losses, or why it is refused.
fn outcome(client: Protocol, document: &Value, upstream: Protocol) -> Result<(Value, Vec<String>), String> {
    let body = serde_json::to_vec(document).unwrap();
    let request =
        ClientRequest::parse(client, body.into(), &RequestLimits::default()).map_err(|e| e.to_string())?;
    let sent = request.outgoing(&target(upstream), &Edits::default()).map_err(|error| error.to_string())?;
    let losses = sent.losses.iter().map(|loss| loss.to_entry()).collect();
    Ok((serde_json::from_slice(&sent.body).unwrap(), losses))
}

fn object_at<'d>(document: &'d mut Value, pointer: &str) -> &'d mut Map<String, Value> {
    document.pointer_mut(pointer).unwrap().as_object_mut().unwrap()
}

fn check(client: Protocol, fixture: &str, upstreams: &[Protocol]) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let mut wrong = Vec::new();
    for object in fixture["objects"].as_array().unwrap() {
        let pointer = object["at"].as_str().unwrap();
        let mut base = fixture["base"].clone();
        for (name, value) in object["with"].as_object().into_iter().flatten() {
            base[name] = value.clone();
        }
        for (field, value) in object["fields"].as_object().unwrap() {
            let mut without = base.clone();
            object_at(&mut without, pointer).remove(field);
            let mut with = without.clone();
            object_at(&mut with, pointer).insert(field.clone(), value.clone());
            let is_silent = |upstream: &&Protocol| {
                outcome(client, &with, **upstream) == outcome(client, &without, **upstream)
            };
            let silent_for: Vec<&str> = upstreams.iter().filter(is_silent).map(|it| it.name()).collect();
            let is_listed = SILENT.iter().any(|(protocol, at, fields, _)| {
                *protocol == client && *at == pointer && fields.contains(&field.as_str())
            });
            if is_listed == silent_for.is_empty() {
                wrong.push(format!("{pointer} {field}: listed {is_listed}, silent for {silent_for:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_field_of_a_chat_request_is_sent_on_or_told() {
    check(Protocol::Chat, include_str!("../fields/chat.json"), &[Protocol::Messages]);
}

#[test]
fn every_field_of_a_responses_request_is_sent_on_or_told() {
    let upstreams = [Protocol::Chat, Protocol::Messages];
    check(Protocol::Responses, include_str!("../fields/responses.json"), &upstreams);
}

#[test]
fn every_field_of_a_messages_request_is_sent_on_or_told() {
    check(Protocol::Messages, include_str!("../fields/messages.json"), &[Protocol::Chat]);
}
