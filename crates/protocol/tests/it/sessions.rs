//! Long sessions of real agents, in each client's protocol: the same conversation whoever speaks, there and back.

use serde_json::{Value, json};
use vsr_protocol::{Edits, Protocol};

use crate::grid::{client_request, documents, target};

const CLIENTS: [Protocol; 3] = [Protocol::Chat, Protocol::Responses, Protocol::Messages];

/// A request of `client` as `upstream` gets it; nothing of a session is lost.
pub(crate) fn sent(client: Protocol, body: &str, upstream: Protocol) -> Value {
    let request = client_request(client, body);
    let outgoing = request.outgoing(&target(upstream), &Edits::default()).unwrap();
    let lost: Vec<&str> = outgoing.losses.iter().map(|loss| loss.reason.code()).collect();
    assert!(lost.iter().all(|code| *code == "max_tokens_defaulted"), "{lost:?}");
    serde_json::from_slice(&outgoing.body).unwrap()
}

/// What is said in a body of Chat Completions, by meaning: arguments as JSON, parts of text as one.
pub(crate) fn meaning(mut body: Value) -> Value {
    let mut messages = body["messages"].take();
    for message in messages.as_array_mut().unwrap() {
        let text = match &message["content"] {
            Value::Array(parts) if parts.iter().all(|part| part["text"].is_string()) => {
                Value::String(parts.iter().map(|part| part["text"].as_str().unwrap()).collect())
            }
            other => other.clone(),
        };
        let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
            let function = &call["function"];
            let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
            json!([call["id"], function["name"], arguments])
        });
        let calls: Vec<Value> = calls.collect();
        let text = if text == json!("") { Value::Null } else { text };
        *message = json!([message["role"], text, calls, message["tool_call_id"]]);
    }
    // Some protocols join what one side says in a row.
    let mut said: Vec<Value> = Vec::new();
    for message in messages.as_array().unwrap() {
        if let Some(last) = said.last_mut().filter(|last| last[0] == "assistant" && message[0] == "assistant")
        {
            let calls = message[2].as_array().unwrap().clone();
            last[2].as_array_mut().unwrap().extend(calls);
            continue;
        }
        said.push(message.clone());
    }
    let tools = body["tools"].as_array().into_iter().flatten().map(|tool| {
        let function = &tool["function"];
        json!([function["name"], function["description"], function["parameters"]])
    });
    json!([said, tools.collect::<Vec<_>>()])
}

#[test]
fn a_session_is_the_same_whoever_speaks_there_and_back() {
    for session in ["session-of-a-coding-agent", "session-of-an-assistant"] {
        let body = |client: Protocol| {
            let mut documents = documents(&format!("requests/{}", client.name())).into_iter();
            documents.find(|(name, _)| name.ends_with(session)).unwrap().1
        };
        let expected = meaning(serde_json::from_str(&body(Protocol::Chat)).unwrap());
        assert!(expected[0].as_array().unwrap().len() > 20, "{session}");
        for client in CLIENTS {
            let body = body(client);
            let as_chat = match client {
                Protocol::Chat => serde_json::from_str(&body).unwrap(),
                _ => sent(client, &body, Protocol::Chat),
            };
            assert_eq!(meaning(as_chat), expected, "{session} of {client:?}");
            let as_messages = match client {
                Protocol::Messages => serde_json::from_str(&body).unwrap(),
                _ => sent(client, &body, Protocol::Messages),
            };
            let back = sent(Protocol::Messages, &as_messages.to_string(), Protocol::Chat);
            assert_eq!(meaning(back), expected, "{session} of {client:?}, there and back");
        }
    }
}
