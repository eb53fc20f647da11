//! There and back: what both sides can say is said, of requests and of answers, streamed and not.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use vsr_protocol::{Protocol, translate_answer};

use crate::grid::{context, documents, translated};
use crate::sessions::{meaning, sent};
use crate::translation::common_request;

/// A chat request as a client of Responses says it.
fn as_responses(chat: &Value) -> Value {
    let mut items = Vec::new();
    let mut instructions = Value::Null;
    for message in chat["messages"].as_array().unwrap() {
        let (role, content) = (message["role"].as_str().unwrap(), &message["content"]);
        match role {
            "system" => instructions = content.clone(),
            "tool" => items.push(json!({"type": "function_call_output", "call_id": message["tool_call_id"], "output": content})),
            "assistant" => {
                if content.is_string() {
                    items.push(json!({"role": "assistant", "content": [{"type": "output_text", "text": content}]}));
                }
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    items.push(json!({"type": "function_call", "call_id": call["id"], "name": call["function"]["name"],
                        "arguments": call["function"]["arguments"]}));
                }
            }
            _ => {
                let parts: Vec<Value> = match content {
                    Value::Array(parts) => parts
                        .iter()
                        .map(|part| match part["type"].as_str() {
                            Some("text") => json!({"type": "input_text", "text": part["text"]}),
                            _ => json!({"type": "input_image", "image_url": part["image_url"]["url"]}),
                        })
                        .collect(),
                    text => vec![json!({"type": "input_text", "text": text})],
                };
                items.push(json!({"role": "user", "content": parts}));
            }
        }
    }
    let function = &chat["tools"][0]["function"];
    json!({"model": "auto", "instructions": instructions, "input": items, "max_output_tokens": chat["max_tokens"],
        "temperature": chat["temperature"], "user": chat["user"], "tool_choice": "auto", "parallel_tool_calls": false,
        "stream": chat.get("stream").cloned().unwrap_or(json!(false)), "tools": [{"type": "function", "strict": false,
            "name": function["name"], "description": function["description"], "parameters": function["parameters"]}]})
}

/// A chat answer that Messages can say, too.
fn common_answer() -> impl Strategy<Value = Value> {
    let text = "[a-zA-Z0-9 é中\"\\\\\n{}]{1,20}x";
    let calls = prop::collection::vec((text, "[a-z]{1,8}"), 0..4);
    let counts = (1_u64..1000, 0_u64..500, 1_u64..1000);
    (prop::option::of(text), calls, any::<bool>(), counts).prop_map(|(text, calls, is_cut, (input, cached, output))| {
        let calls: Vec<Value> = calls
            .into_iter()
            .enumerate()
            .map(|(index, (at, name))| {
                let arguments = json!({"at": at, "deep": [1.5, {"x": null}]}).to_string();
                json!({"id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": arguments}})
            })
            .collect();
        let reason = match (is_cut, calls.is_empty()) {
            (true, _) => "length",
            (false, true) => "stop",
            (false, false) => "tool_calls",
        };
        let mut message = json!({"role": "assistant", "content": text});
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": input + cached, "completion_tokens": output, "total_tokens": input + cached + output,
                "prompt_tokens_details": {"cached_tokens": cached}}})
    })
}

/// What a chat answer says.
fn said(answer: &Value) -> Value {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        json!([call["id"], call["function"]["name"], serde_json::from_str::<Value>(arguments).unwrap()])
    });
    let usage = &answer["usage"];
    let text = message["content"].as_str().unwrap_or_default();
    json!([
        text,
        calls.collect::<Vec<_>>(),
        choice["finish_reason"],
        answer["model"],
        usage["prompt_tokens"],
        usage["completion_tokens"],
        usage["prompt_tokens_details"]["cached_tokens"]
    ])
}

fn answered(client: Protocol, upstream: Protocol, answer: &Value) -> Value {
    let translated = translate_answer(&Bytes::from(answer.to_string()), &context(client, upstream)).unwrap();
    assert!(translated.losses.is_empty(), "{:?}", translated.losses);
    serde_json::from_slice(&translated.body).unwrap()
}

proptest! {
    #[test]
    fn what_a_client_of_responses_says_is_what_one_of_chat_says(request in common_request()) {
        let (chat, body) = (request.clone(), as_responses(&request).to_string());
        let as_chat = sent(Protocol::Responses, &body, Protocol::Chat);
        prop_assert_eq!(meaning(as_chat), meaning(chat.clone()));
        let there = sent(Protocol::Responses, &body, Protocol::Messages);
        for field in ["max_tokens", "temperature"] {
            prop_assert_eq!(&there[field], &chat[field]);
        }
        let back = sent(Protocol::Messages, &there.to_string(), Protocol::Chat);
        prop_assert_eq!(meaning(back), meaning(chat));
    }

    #[test]
    fn an_answer_means_the_same_there_and_back(answer in common_answer()) {
        let there = answered(Protocol::Messages, Protocol::Chat, &answer);
        let back = answered(Protocol::Chat, Protocol::Messages, &there);
        prop_assert_eq!(said(&back), said(&answer));
        // A client of Responses is told the same by either.
        let mut by_chat = answered(Protocol::Responses, Protocol::Chat, &answer);
        let mut by_messages = answered(Protocol::Responses, Protocol::Messages, &there);
        for response in [&mut by_chat, &mut by_messages] {
            for item in response["output"].as_array_mut().unwrap() {
                if let Some(arguments) = item["arguments"].as_str() {
                    item["arguments"] = serde_json::from_str(arguments).unwrap();
                }
            }
        }
        prop_assert_eq!(by_chat, by_messages);
    }
}

/// The whole that a stream of Chat Completions or Messages adds up to, as what it says.
fn added_up(client: Protocol, events: &str) -> Value {
    let events =
        events.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let events: Vec<Value> = events.map(|data| serde_json::from_str(data).unwrap()).collect();
    if client == Protocol::Messages {
        let mut message = events[0]["message"].clone();
        let mut blocks: Vec<(Value, String)> = Vec::new();
        for event in &events {
            match event["type"].as_str().unwrap() {
                "content_block_start" => blocks.push((event["content_block"].clone(), String::new())),
                "content_block_delta" => {
                    let (block, input) = blocks.last_mut().unwrap();
                    let delta = event["delta"].as_object().unwrap();
                    for (field, piece) in delta.iter().filter(|(field, _)| *field != "type") {
                        match field.as_str() {
                            "partial_json" => input.push_str(piece.as_str().unwrap()),
                            field => {
                                let before = block[field].as_str().unwrap().to_owned();
                                block[field] = (before + piece.as_str().unwrap()).into();
                            }
                        }
                    }
                }
                "message_delta" => {
                    message["stop_reason"] = event["delta"]["stop_reason"].clone();
                    message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                    message["usage"] = event["usage"].clone();
                }
                _ => {}
            }
        }
        let blocks = blocks.into_iter().map(|(mut block, input)| {
            if !input.is_empty() {
                // Half of an object is wrapped where the whole answer is told.
                block["input"] = serde_json::from_str(&input).unwrap_or(json!({"arguments": input}));
            }
            block
        });
        return json!([
            blocks.collect::<Vec<_>>(),
            message["stop_reason"],
            message["stop_sequence"],
            message["usage"]
        ]);
    }
    let (mut texts, mut calls) = (serde_json::Map::new(), Vec::<Value>::new());
    let (mut reason, mut usage) = (Value::Null, Value::Null);
    for event in &events {
        if event.get("usage").is_some_and(|usage| !usage.is_null()) {
            usage = event["usage"].clone();
        }
        let choice = &event["choices"][0];
        for field in ["content", "refusal", "reasoning_content"] {
            if let Some(piece) = choice["delta"][field].as_str().filter(|piece| !piece.is_empty()) {
                let before = texts.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                texts.insert(field.to_owned(), (before + piece).into());
            }
        }
        for piece in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = piece["index"].as_u64().unwrap() as usize;
            if calls.len() <= index {
                calls.push(json!([piece["id"], piece["type"], "", ""]));
            }
            let inner = piece.get("function").or(piece.get("custom")).unwrap();
            for (at, fields) in [(2, ["name", "name"]), (3, ["arguments", "input"])] {
                let text = fields.iter().find_map(|field| inner[field].as_str()).unwrap_or_default();
                calls[index][at] = format!("{}{text}", calls[index][at].as_str().unwrap()).into();
            }
        }
        if choice["finish_reason"].is_string() {
            reason = choice["finish_reason"].clone();
        }
    }
    json!([texts, calls, reason, usage])
}

/// The same of a whole answer.
fn told_whole(client: Protocol, answer: &Value) -> Value {
    if client == Protocol::Messages {
        return json!([answer["content"], answer["stop_reason"], answer["stop_sequence"], answer["usage"]]);
    }
    let choice = &answer["choices"][0];
    let texts = ["content", "refusal", "reasoning_content"].into_iter().filter_map(|field| {
        Some((field.to_owned(), choice["message"][field].as_str().filter(|text| !text.is_empty())?.into()))
    });
    let calls = choice["message"]["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let inner = call.get("function").or(call.get("custom")).unwrap();
        let input = inner.get("arguments").or(inner.get("input")).unwrap();
        json!([call["id"], call["type"], inner["name"], input])
    });
    let calls: Vec<Value> = calls.collect();
    json!([texts.collect::<serde_json::Map<_, _>>(), calls, choice["finish_reason"], answer["usage"]])
}

/// Arguments by meaning, whatever their spaces.
fn without_spaces(mut told: Value) -> Value {
    for call in told[1].as_array_mut().into_iter().flatten() {
        if let Some(arguments) = call[3].as_str() {
            call[3] = serde_json::from_str(arguments).unwrap_or(Value::String(arguments.to_owned()));
        }
    }
    told
}

#[test]
fn a_stream_adds_up_to_the_whole_answer_of_the_same_model() {
    for (upstream, client) in [(Protocol::Chat, Protocol::Messages), (Protocol::Messages, Protocol::Chat)] {
        let streams = documents(&format!("streams/{}", upstream.name()));
        let mut compared = 0;
        for (name, body) in documents(&format!("answers/{}", upstream.name())) {
            let whole = translate_answer(&Bytes::from(body), &context(client, upstream)).unwrap().body;
            let whole = told_whole(client, &serde_json::from_slice(&whole).unwrap());
            let Some((_, stream)) = streams.iter().find(|(stream, _)| *stream == name) else { continue };
            let (events, ..) = translated(&[Bytes::from(stream.clone())], context(client, upstream));
            let streamed = added_up(client, &events);
            if client == Protocol::Chat {
                assert_eq!(without_spaces(streamed), without_spaces(whole), "{name}");
            } else {
                assert_eq!(streamed, whole, "{name}");
            }
            compared += 1;
        }
        assert!(compared >= 25, "{compared}");
    }
}
