//! What translation keeps, whatever the document.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use vsr_protocol::{
    ApiError, ClientRequest, Edits, Effort, LossPolicy, Losses, Protocol, Reason, RequestLimits, Severity,
    StreamTranslator, Target, TranslatorOptions, openai_chat::StreamEnd, translate_answer,
};

use crate::grid::{client_request, context, documents, target, translated};
use crate::sse::cut;

fn outgoing(client: Protocol, body: &Value, upstream: Protocol) -> (Value, Losses) {
    let request = client_request(client, &body.to_string());
    let outgoing = request.outgoing(&target(upstream), &Edits::default()).unwrap();
    (serde_json::from_slice(&outgoing.body).unwrap(), outgoing.losses)
}

fn reasons(losses: &Losses) -> Vec<Reason> {
    losses.iter().map(|loss| loss.reason).collect()
}

/// A conversation that both Chat Completions and Messages can say, as a chat request.
pub(crate) fn common_request() -> impl Strategy<Value = Value> {
    let text = "[a-zA-Z0-9 é中\"\\\\\n{}]{1,20}x";
    let turn = prop_oneof![
        3 => text.prop_map(|text| vec![json!({"role": "user", "content": text})]),
        2 => text.prop_map(|text| vec![json!({"role": "assistant", "content": text})]),
        2 => (text, text).prop_map(|(a, b)| vec![json!({"role": "user", "content": [
            {"type": "text", "text": a},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            {"type": "text", "text": b},
        ]})]),
        2 => (text, text, text).prop_map(|(city, said, result)| vec![
            json!({"role": "assistant", "content": said, "tool_calls": [
                {"id": "ID0", "type": "function", "function": {"name": "look", "arguments": json!({"at": city}).to_string()}},
                {"id": "ID1", "type": "function", "function": {"name": "ask", "arguments": "{}"}},
            ]}),
            json!({"role": "tool", "tool_call_id": "ID0", "content": result}),
            json!({"role": "tool", "tool_call_id": "ID1", "content": "fine"}),
        ]),
    ];
    (text, prop::collection::vec(turn, 0..6), text, 1_u64..5000, any::<bool>()).prop_map(
        |(system, turns, last, limit, stream)| {
            let mut messages = vec![
                json!({"role": "system", "content": system}),
                json!({"role": "user", "content": "first"}),
            ];
            for (index, turn) in turns.into_iter().enumerate() {
                // Messages knows one message per role in a row.
                let role = &messages.last().unwrap()["role"];
                if role == &turn[0]["role"] || (role == "tool" && turn[0]["role"] == "user") {
                    continue;
                }
                let text = Value::Array(turn).to_string();
                let text = text.replace("\"ID0\"", &format!("\"call_{index}_0\""));
                let text = text.replace("\"ID1\"", &format!("\"call_{index}_1\""));
                let turn: Vec<Value> = serde_json::from_str(&text).unwrap();
                messages.extend(turn);
            }
            if messages.last().unwrap()["role"] == "assistant" {
                messages.push(json!({"role": "user", "content": last}));
            }
            let mut body = json!({"model": "auto", "messages": messages, "max_tokens": limit, "temperature": 0.5,
                "stop": ["END"], "user": "u-1", "tool_choice": "auto", "parallel_tool_calls": false,
                "tools": [{"type": "function", "function": {"name": "look", "description": "Looks",
                    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}]});
            if stream {
                body["stream"] = true.into();
                body["stream_options"] = json!({"include_usage": true});
            }
            body
        },
    )
}

proptest! {
    #[test]
    fn what_both_sides_can_say_survives_the_way_there_and_back(request in common_request()) {
        let (there, lost) = outgoing(Protocol::Chat, &request, Protocol::Messages);
        prop_assert!(lost.is_empty(), "{lost:?}");
        let (mut back, lost) = outgoing(Protocol::Messages, &there, Protocol::Chat);
        prop_assert!(lost.is_empty(), "{lost:?}");
        back["model"] = request["model"].clone();
        for (message, sent) in back["messages"].as_array_mut().unwrap().iter_mut().zip(request["messages"].as_array().unwrap()) {
            // Arguments are JSON in a string there and JSON here: compared by what they mean.
            for (call, sent) in message["tool_calls"].as_array_mut().into_iter().flatten().zip(sent["tool_calls"].as_array().into_iter().flatten()) {
                let arguments = |call: &Value| serde_json::from_str::<Value>(call["function"]["arguments"].as_str().unwrap()).unwrap();
                prop_assert_eq!(arguments(call), arguments(sent));
                call["function"]["arguments"] = sent["function"]["arguments"].clone();
            }
            if message.get("tool_calls").is_some_and(Value::is_null) {
                message.as_object_mut().unwrap().remove("tool_calls");
            }
        }
        prop_assert_eq!(back, request);
    }

    #[test]
    fn signals_read_the_same_of_a_request_in_either_protocol(request in common_request()) {
        let chat = client_request(Protocol::Chat, &request.to_string());
        let (there, _) = outgoing(Protocol::Chat, &request, Protocol::Messages);
        let messages = client_request(Protocol::Messages, &there.to_string());
        let (chat, messages) = (chat.view(), messages.view());
        prop_assert_eq!(&chat.current_user, &messages.current_user);
        prop_assert_eq!(&chat.prior_user, &messages.prior_user);
        prop_assert_eq!(&chat.non_user, &messages.non_user);
        prop_assert_eq!(chat.tool_results.join(" "), messages.tool_results.join(" "));
        prop_assert_eq!(chat.prior_user_of_turn, messages.prior_user_of_turn);
        prop_assert_eq!(chat.tool_arguments.len(), messages.tool_arguments.len());
        prop_assert_eq!(&chat.first_image, &messages.first_image);
        prop_assert_eq!(chat.facts.assistant_tool_calls, messages.facts.assistant_tool_calls);
        prop_assert_eq!(chat.facts.has_prior_assistant_reply, messages.facts.has_prior_assistant_reply);
    }

    #[test]
    fn a_stream_does_not_depend_on_how_it_was_cut(
        upstream in prop::sample::select(vec![Protocol::Chat, Protocol::Messages]),
        client in prop::sample::select(vec![Protocol::Chat, Protocol::Responses, Protocol::Messages]),
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let documents = documents(&format!("streams/{}", upstream.name()));
        let (_, stream) = &documents[which.index(documents.len())];
        let (whole, end, _) = translated(&[Bytes::from(stream.clone())], context(client, upstream));
        let (pieces, piecewise_end, _) = translated(&cut(stream.as_bytes(), &cuts), context(client, upstream));
        prop_assert_eq!(&pieces, &whole);
        prop_assert_eq!(piecewise_end, end);
        let single: Vec<Bytes> = stream.bytes().map(|byte| Bytes::copy_from_slice(&[byte])).collect();
        prop_assert_eq!(&translated(&single, context(client, upstream)).0, &whole);
    }
}

#[test]
fn a_streamed_response_ends_with_what_a_whole_one_is() {
    for upstream in [Protocol::Chat, Protocol::Messages] {
        let streams = documents(&format!("streams/{}", upstream.name()));
        let mut compared = 0;
        for (name, body) in documents(&format!("answers/{}", upstream.name())) {
            let context = context(Protocol::Responses, upstream);
            let whole = translate_answer(&Bytes::from(body), &context).unwrap().body;
            let mut whole: Value = serde_json::from_slice(&whole).unwrap();
            let Some((_, stream)) = streams.iter().find(|(stream, _)| *stream == name) else { continue };
            let (events, _, _) = translated(&[Bytes::from(stream.clone())], context);
            let last = events.lines().rfind(|line| line.starts_with("data: ")).unwrap();
            let mut streamed: Value = serde_json::from_str(&last["data: ".len()..]).unwrap();
            // Spaces in arguments are the upstream's, and so is the tier that only a whole chat answer states.
            for response in [&mut whole, &mut streamed["response"]] {
                response["service_tier"] = Value::Null;
                for item in response["output"].as_array_mut().unwrap() {
                    for field in ["arguments", "input"] {
                        if let Some(text) = item[field].as_str() {
                            item[field] = text.split_whitespace().collect::<String>().into();
                        }
                    }
                }
            }
            assert_eq!(streamed["response"], whole, "{name}");
            compared += 1;
        }
        assert!(compared >= 25);
    }
}

#[test]
fn a_stream_of_the_same_protocol_passes_as_it_is() {
    for upstream in [Protocol::Chat, Protocol::Messages] {
        for (name, stream) in documents(&format!("streams/{}", upstream.name())) {
            let mut context = context(upstream, upstream);
            context.client = upstream;
            let (events, end, translator) = translated(&[Bytes::from(stream.clone())], context);
            if end == StreamEnd::Complete {
                assert_eq!(events, stream, "{name}");
                assert!(translator.is_done());
            } else if end == StreamEnd::Truncated {
                assert!(events.contains("the backend broke off"), "{name}");
            }
        }
    }
}

#[test]
fn usage_and_model_are_known_whoever_speaks() {
    let stream =
        &documents("streams/messages").into_iter().find(|(name, _)| name == "19-cached-usage").unwrap().1;
    for client in [Protocol::Chat, Protocol::Responses, Protocol::Messages] {
        let (_, _, translator) =
            translated(&[Bytes::from(stream.clone())], context(client, Protocol::Messages));
        let usage = translator.usage().unwrap();
        assert_eq!((usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens), (100, 64, 2));
        assert_eq!(translator.model(), Some("claude-sonnet-4-5-20250929"));
        assert!(translator.has_content());
    }
}

#[test]
fn a_response_stream_of_the_upstreams_own_is_only_watched() {
    let chat = &documents("streams/chat")[0].1;
    let (events, _, _) =
        translated(&[Bytes::from(chat.clone())], context(Protocol::Responses, Protocol::Chat));
    let watched = || {
        let mut native = context(Protocol::Responses, Protocol::Responses);
        native.response = None;
        native
    };
    let (passed, end, translator) = translated(&[Bytes::from(events.clone())], watched());
    assert_eq!((passed, end), (events.clone(), StreamEnd::Complete));
    assert_eq!(translator.usage().unwrap().completion_tokens, 8);
    assert_eq!(translator.model(), Some("served-model"));
    let broken = &events[..events.find("event: response.output_text.done").unwrap()];
    let (passed, end, _) = translated(&[Bytes::from(broken.to_owned())], watched());
    assert_eq!(end, StreamEnd::Truncated);
    let last = broken.matches("\"sequence_number\":").count() - 1;
    assert!(passed.ends_with(&format!("\"sequence_number\":{}}}\n\n", last + 1)), "{passed}");
}

#[test]
fn reasoning_goes_back_to_its_own_model_and_to_no_other() {
    // The answer of one turn, in each client's protocol, is the history of the next.
    let answer = &documents("answers/messages")
        .into_iter()
        .find(|(name, _)| name == "12-thinking-and-call")
        .unwrap()
        .1;
    let context = context(Protocol::Responses, Protocol::Messages);
    let translated = translate_answer(&Bytes::from(answer.clone()), &context).unwrap();
    let response: Value = serde_json::from_slice(&translated.body).unwrap();
    let mut input = vec![json!({"role": "user", "content": "hi"})];
    input.extend(response["output"].as_array().unwrap().clone());
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "Rain"}));
    let next = json!({"model": "auto", "input": input, "reasoning": {"effort": "low"}, "max_output_tokens": 4000,
        "tools": [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]});
    let (own, lost) = outgoing(Protocol::Responses, &next, Protocol::Messages);
    assert_eq!(own["messages"][1]["content"][0]["signature"], "EqQBCgIYAhIM");
    assert_eq!(own["thinking"], json!({"type": "enabled", "budget_tokens": 1024}));
    assert!(lost.is_empty(), "{lost:?}");

    let request = client_request(Protocol::Responses, &next.to_string());
    let other = Target::new(Protocol::Messages, "claude-opus-4-1");
    let other = request.outgoing(&other, &Edits::default()).unwrap();
    assert!(!String::from_utf8_lossy(&other.body).contains("EqQBCgIYAhIM"));
    assert_eq!(reasons(&other.losses), [Reason::ReasoningOff, Reason::Signature]);

    let (chat, lost) = outgoing(Protocol::Responses, &next, Protocol::Chat);
    assert!(!chat.to_string().contains("EqQBCgIYAhIM"));
    assert_eq!(reasons(&lost), [Reason::Signature]);
}

#[test]
fn reasoning_that_no_provider_signed_goes_back_while_its_model_works_on() {
    let answer =
        &documents("answers/chat").into_iter().find(|(name, _)| name == "17-reasoning-and-call").unwrap().1;
    let translated =
        translate_answer(&Bytes::from(answer.clone()), &context(Protocol::Messages, Protocol::Chat)).unwrap();
    let message: Value = serde_json::from_slice(&translated.body).unwrap();
    let next = json!({"model": "auto", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "Rain"}]},
    ]});
    let (own, lost) = outgoing(Protocol::Messages, &next, Protocol::Chat);
    assert_eq!(own["messages"][1]["reasoning_content"], "I need the weather.");
    assert!(lost.is_empty(), "{lost:?}");
    // A provider of the same protocol never sees the mark.
    let (native, lost) = outgoing(Protocol::Messages, &next, Protocol::Messages);
    assert_eq!(native["messages"][1]["content"][0]["type"], "tool_use");
    assert!(!native.to_string().contains("vsr1."));
    assert_eq!(reasons(&lost), [Reason::Signature]);
    assert_eq!(native["messages"][2], next["messages"][2]);
}

#[test]
fn effort_is_said_as_the_model_takes_it() {
    let body = json!({"model": "auto", "max_completion_tokens": 50_000, "messages": [{"role": "user", "content": "hi"}]});
    let request = client_request(Protocol::Chat, &body.to_string());
    let sent = |model: &str, effort| {
        let target = Target { effort, ..Target::new(Protocol::Messages, model) };
        let outgoing = request.outgoing(&target, &Edits::default()).unwrap();
        let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
        (body["thinking"].clone(), body["output_config"].clone())
    };
    let high = Effort::Level("high");
    assert_eq!(
        sent("claude-sonnet-4-5", high),
        (json!({"type": "enabled", "budget_tokens": 16384}), Value::Null)
    );
    assert_eq!(sent("claude-opus-4-8", high), (json!({"type": "adaptive"}), json!({"effort": "high"})));
    assert_eq!(sent("claude-opus-4-8", Effort::Off).0, json!({"type": "disabled"}));
    assert_eq!(sent("some-other-model", Effort::AsStated), (Value::Null, Value::Null));
}

#[test]
fn edits_are_made_in_the_backends_protocol() {
    let body = json!({"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let request = client_request(Protocol::Messages, &body.to_string());
    let mut edits = Edits::default();
    edits.set_model("served");
    edits.set_template_kwarg("enable_thinking", &json!(false));
    let outgoing = request.outgoing(&Target::new(Protocol::Chat, "served"), &edits).unwrap();
    let sent: Value = serde_json::from_slice(&outgoing.body).unwrap();
    assert_eq!(sent["chat_template_kwargs"], json!({"enable_thinking": false}));
    assert_eq!(sent["model"], "served");
}

#[test]
fn nothing_is_translated_to_a_backend_that_speaks_only_responses() {
    let request =
        client_request(Protocol::Chat, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
    let error = request.outgoing(&Target::new(Protocol::Responses, "m"), &Edits::default()).unwrap_err();
    assert_eq!(error.param(), Some("model"));
}

#[test]
fn earlier_turns_are_put_before_the_input() {
    let body = r#"{"model":"m","previous_response_id":"resp_1","input":"and now?","store":false}"#;
    let ClientRequest::Responses(request) = client_request(Protocol::Responses, body) else { unreachable!() };
    assert_eq!(request.previous_response_id().as_deref(), Some("resp_1"));
    assert!(!request.store());
    let history = vec![r#"{"role":"user","content":"hi"}"#.to_owned()];
    let continued = request.after(&history, &RequestLimits::default()).unwrap();
    assert_eq!(continued.previous_response_id(), None);
    assert_eq!(continued.view().prior_user, ["hi"]);
    assert_eq!(continued.view().current_user, "and now?");
    let error = request.after(&["{}".to_owned()], &RequestLimits::default()).unwrap_err();
    assert_eq!(error.param(), Some("input[0].role"));
}

#[test]
fn losses_fit_a_header() {
    let mut losses = Losses::default();
    assert_eq!(losses.header_value(), None);
    losses.add(Reason::TopK, "a,b;c%\r\né");
    assert_eq!(losses.header_value().unwrap(), "lossy;top_k_dropped;a%2Cb%3Bc%25%0D%0A%C3%A9");
    for index in 0..10 {
        losses.add(Reason::UnsupportedField, format!("{}{index}", "x".repeat(1500)));
    }
    let value = losses.header_value().unwrap();
    assert!(value.len() <= 4096);
    assert!(value.ends_with(",error;warnings_truncated;count=8"), "{value}");
}

#[test]
fn a_policy_can_refuse_losses() {
    let mut losses = Losses::default();
    losses.add(Reason::CacheControl, "system");
    losses.add(Reason::Logprobs, "logprobs");
    let refused = |policy: LossPolicy| losses.refused_by(&policy).map(|loss| loss.reason);
    assert_eq!(refused(LossPolicy::default()), None);
    let from = |severity| LossPolicy { refuse_from: Some(severity), refuse: Vec::new() };
    assert_eq!(refused(from(Severity::Error)), None);
    assert_eq!(refused(from(Severity::Lossy)), Some(Reason::Logprobs));
    let named = LossPolicy { refuse_from: None, refuse: vec![Reason::CacheControl] };
    assert_eq!(refused(named), Some(Reason::CacheControl));
    for &reason in Reason::ALL {
        assert_eq!(Reason::from_code(reason.code()), Some(reason));
    }
}

#[test]
fn a_stream_holds_no_more_than_it_may() {
    let stream: String = (0..200)
        .map(|_| format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x".repeat(100)}}]})))
        .collect();
    for client in [Protocol::Messages, Protocol::Responses] {
        let options = TranslatorOptions { max_event_bytes: 1024, max_held_bytes: 4096 };
        let mut translator = StreamTranslator::new(context(client, Protocol::Chat), options);
        let mut out = Vec::new();
        for chunk in stream.as_bytes().chunks(1000) {
            translator.feed(Bytes::copy_from_slice(chunk), &mut out).unwrap();
            assert!(translator.held_bytes() < 5 * 1024);
        }
        let end = translator.finish(&mut out);
        let is_held = client == Protocol::Responses;
        assert_eq!(end == StreamEnd::UpstreamError, is_held);
        assert_eq!(
            translator.error().is_some_and(|error| error.code.as_deref() == Some("answer_too_long")),
            is_held
        );
    }
}

#[test]
fn an_event_is_one_line_of_data_however_client_and_upstream_break_theirs() {
    let body = json!({"model": "auto", "input": "hi", "metadata": {"k": "v"}, "tools": [
        {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
    ]});
    let body = serde_json::to_string_pretty(&body).unwrap().replace('\n', "\r\n");
    let request = client_request(Protocol::Responses, &body);
    let stream = concat!(
        "data: {\"id\": \"c\", \"choices\": [{\"index\": 0, \"delta\": {\"content\": \"hi\"},\n",
        "data: \"logprobs\": {\"content\": [{\"token\": \"hi\",\n",
        "data: \"logprob\": -0.1, \"bytes\": [104,\n",
        "data: 105], \"top_logprobs\": []}]}, \"finish_reason\": \"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    );
    let context = request.answer_context(&target(Protocol::Chat), "0a1b", 1);
    let (events, end, _) = translated(&[Bytes::from(stream)], context);
    assert_eq!(end, StreamEnd::Complete);
    assert!(!events.contains('\r'));
    let lines: Vec<&str> = events.lines().filter(|line| !line.is_empty()).collect();
    for pair in lines.chunks(2) {
        let data: Value = serde_json::from_str(pair[1].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(pair[0].strip_prefix("event: "), data["type"].as_str());
    }
    assert!(events.contains("-0.1"));
}

#[test]
fn errors_of_upstreams_are_read_in_every_shape() {
    let read = |status: u16, body: Value| ApiError::from_upstream(status, body.to_string().as_bytes());
    let openai = read(
        400,
        json!({"error": {"message": "This model's maximum context length is 4096 tokens",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}),
    )
    .unwrap();
    let body =
        |error: &ApiError, protocol| serde_json::from_slice::<Value>(&error.to_body(protocol)).unwrap();
    assert_eq!(
        body(&openai, Protocol::Messages),
        json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": "prompt is too long: This model's maximum context length is 4096 tokens"}})
    );
    assert_eq!(body(&openai, Protocol::Chat)["error"]["param"], "messages");
    let llama = read(
        400,
        json!({"error": {"code": 400, "type": "exceed_context_size_error",
        "message": "request (9031 tokens) exceeds the available context size (2048 tokens), try increasing it"}}),
    )
    .unwrap();
    assert_eq!(body(&llama, Protocol::Responses)["error"]["code"], "context_length_exceeded");
    let anthropic = read(
        400,
        json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": "prompt is too long: 210000 tokens > 200000 maximum"}}),
    )
    .unwrap();
    assert_eq!(body(&anthropic, Protocol::Chat)["error"]["code"], "context_length_exceeded");
    let overloaded =
        read(529, json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
            .unwrap();
    assert_eq!(
        (overloaded.status_for(Protocol::Chat), overloaded.status_for(Protocol::Messages)),
        (503, 529)
    );
    assert_eq!(body(&overloaded, Protocol::Responses)["error"]["type"], "overloaded_error");
    let too_large = read(413, json!({"detail": "too big"})).unwrap();
    assert_eq!(body(&too_large, Protocol::Messages)["error"]["type"], "request_too_large");
    let key =
        read(401, json!({"error": "Incorrect API key provided: sk-proj-abcdefgh1234. Bearer abcdefghijkl"}))
            .unwrap();
    assert_eq!(key.message, "Incorrect API key provided: sk-... Bearer abc...");
    assert_eq!(read(500, json!({"unrelated": 1})).unwrap().message, "{\"unrelated\":1}");
    let everything_is_invalid =
        |status| read(status, json!({"error": {"message": "no", "type": "invalid_request_error"}})).unwrap();
    for (status, kind) in
        [(401, "authentication_error"), (404, "not_found_error"), (400, "invalid_request_error")]
    {
        assert_eq!(body(&everything_is_invalid(status), Protocol::Messages)["error"]["type"], kind);
    }
    for (message, code) in [
        (
            "input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000",
            "context_length_exceeded",
        ),
        ("Output blocked by content filtering policy", "content_filter"),
    ] {
        let error = read(
            400,
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}}),
        );
        assert_eq!(body(&error.unwrap(), Protocol::Chat)["error"]["code"], code);
    }
    assert_eq!(ApiError::from_upstream(500, b"<html>"), None);
}

#[test]
fn every_loss_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocols.md");
    let page = std::fs::read_to_string(page).unwrap();
    for reason in Reason::ALL {
        let row = format!("| `{}` | {} | {} |", reason.code(), reason.severity().name(), reason.described());
        assert!(page.contains(&row), "docs/protocols.md lacks the row {row}");
    }
}
