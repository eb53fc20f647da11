//! Scalars that a client's protocol does not allow: judged by whoever speaks it, refused where they
//! would be lost in translation.

use serde_json::{Value, json};
use vsr_protocol::{Edits, Protocol, RequestError};

use crate::grid::{client_request, target};

fn base(client: Protocol) -> Value {
    match client {
        Protocol::Chat => json!({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}),
        Protocol::Responses => json!({"model": "auto", "input": "hi"}),
        Protocol::Messages => {
            json!({"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
        }
    }
}

/// What the translation of the base request with `fields` is refused for.
fn refused(client: Protocol, fields: &Value) -> Option<RequestError> {
    let mut body = base(client);
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    let upstream = if client == Protocol::Messages { Protocol::Chat } else { Protocol::Messages };
    client_request(client, &body.to_string()).outgoing(&target(upstream), &Edits::default()).err()
}

#[test]
fn wrong_scalars_are_refused_by_name_where_they_would_be_lost() {
    let chat = [
        (json!({"max_tokens": -5}), "max_tokens"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (json!({"max_tokens": "9"}), "max_tokens"),
        (json!({"max_completion_tokens": []}), "max_completion_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"temperature": -0.1}), "temperature"),
        (json!({"temperature": 2.5}), "temperature"),
        (json!({"top_p": 1.5}), "top_p"),
        (json!({"top_k": "many"}), "top_k"),
        (json!({"n": 0}), "n"),
        (json!({"stop": 3}), "stop"),
        (json!({"stop": ["a", 3]}), "stop[1]"),
        (json!({"user": 7}), "user"),
        (json!({"service_tier": true}), "service_tier"),
        (json!({"verbosity": 1}), "verbosity"),
        (json!({"reasoning_effort": 3}), "reasoning_effort"),
        (json!({"logprobs": "yes"}), "logprobs"),
        (json!({"top_logprobs": 21}), "top_logprobs"),
        (json!({"parallel_tool_calls": "no"}), "parallel_tool_calls"),
        (json!({"response_format": "json"}), "response_format"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}}),
            "response_format.json_schema.schema",
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {}}}),
            "response_format.json_schema.schema",
        ),
        (json!({"tool_choice": 5}), "tool_choice"),
        (json!({"tool_choice": {}}), "tool_choice"),
        (json!({"max_tokens": 1e308}), "max_tokens"),
        (json!({"max_tokens": 10_000_000_000_000_000_000_u64}), "max_tokens"),
        (json!({"stop": [null]}), "stop[0]"),
        (json!({"reasoning_effort": "bogus"}), "reasoning_effort"),
        (json!({"response_format": {"type": "hologram"}}), "response_format.type"),
        (json!({"response_format": {}}), "response_format.type"),
    ];
    let responses = [
        (json!({"max_output_tokens": -1}), "max_output_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"top_p": -1}), "top_p"),
        (json!({"top_logprobs": "3"}), "top_logprobs"),
        (json!({"reasoning": "high"}), "reasoning"),
        (json!({"reasoning": {"effort": 3}}), "reasoning.effort"),
        (json!({"text": "short"}), "text"),
        (json!({"text": {"verbosity": 3}}), "text.verbosity"),
        (json!({"text": {"format": "json"}}), "text.format"),
        (json!({"text": {"format": {"type": "json_schema"}}}), "text.format.schema"),
        (json!({"text": {"format": {"type": "json_schema", "schema": 5}}}), "text.format.schema"),
        (json!({"parallel_tool_calls": 1}), "parallel_tool_calls"),
        (json!({"include": "all"}), "include"),
        (json!({"store": "yes"}), "store"),
        (json!({"user": {}}), "user"),
        (json!({"tool_choice": []}), "tool_choice"),
        (json!({"tool_choice": {}}), "tool_choice.type"),
        (json!({"reasoning": {"effort": "bogus"}}), "reasoning.effort"),
        (json!({"text": {"format": {"type": "hologram"}}}), "text.format.type"),
    ];
    let messages = [
        (json!({"max_tokens": -5}), "max_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"top_p": "all"}), "top_p"),
        (json!({"top_k": -1}), "top_k"),
        (json!({"stop_sequences": "END"}), "stop_sequences"),
        (json!({"stop_sequences": [1]}), "stop_sequences[0]"),
        (json!({"metadata": "me"}), "metadata"),
        (json!({"metadata": {"user_id": 7}}), "metadata.user_id"),
        (json!({"service_tier": 1}), "service_tier"),
        (json!({"thinking": true}), "thinking"),
        (json!({"thinking": {}}), "thinking.type"),
        (json!({"thinking": {"type": "enabled"}}), "thinking.budget_tokens"),
        (json!({"thinking": {"type": "enabled", "budget_tokens": -1}}), "thinking.budget_tokens"),
        (json!({"output_config": 1}), "output_config"),
        (json!({"output_config": {"effort": 1}}), "output_config.effort"),
        (json!({"output_config": {"effort": "bogus"}}), "output_config.effort"),
        (json!({"output_config": {"format": {"type": "json_schema"}}}), "output_config.format.schema"),
        (json!({"tool_choice": "auto"}), "tool_choice"),
        (json!({"tool_choice": {"type": "tool"}}), "tool_choice.name"),
        (
            json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}}),
            "tool_choice.disable_parallel_tool_use",
        ),
    ];
    let all =
        [(Protocol::Chat, &chat[..]), (Protocol::Responses, &responses), (Protocol::Messages, &messages)];
    for (client, cases) in all {
        for (fields, param) in cases {
            let error =
                refused(client, fields).unwrap_or_else(|| unreachable!("{client:?} {fields} was taken"));
            assert_eq!(error.param(), Some(*param), "{client:?} {fields}: {error}");
        }
    }
    let error = refused(Protocol::Chat, &json!({"max_tokens": -5})).unwrap();
    assert_eq!(error.to_string(), "`max_tokens` must be a whole number of at least 1, not -5");
    let error = refused(Protocol::Messages, &json!({"temperature": 1.5})).unwrap();
    assert_eq!(error.to_string(), "`temperature` must be a number from 0 to 1, not 1.5");
}

#[test]
fn null_is_as_good_as_absent_and_whole_numbers_may_have_a_fraction_of_zero() {
    let fine = [
        (
            Protocol::Chat,
            json!({"max_tokens": null, "temperature": null, "stop": null, "tool_choice": null,
            "response_format": null, "top_logprobs": null, "user": null, "n": null, "top_k": -1}),
        ),
        (Protocol::Chat, json!({"max_tokens": 100.0, "temperature": 2, "top_p": 0, "stop": "END"})),
        (
            Protocol::Responses,
            json!({"max_output_tokens": null, "reasoning": null, "text": null, "include": null,
            "store": null, "tool_choice": null, "temperature": 0.0}),
        ),
        (
            Protocol::Messages,
            json!({"temperature": 1, "thinking": null, "metadata": null, "tool_choice": null,
            "stop_sequences": null, "output_config": null}),
        ),
    ];
    for (client, fields) in fine {
        assert_eq!(refused(client, &fields), None, "{client:?} {fields}");
    }
}

#[test]
fn a_backend_of_the_same_protocol_judges_for_itself() {
    for (client, fields) in [
        (Protocol::Chat, json!({"max_tokens": -1, "temperature": "hot"})),
        (Protocol::Messages, json!({"top_k": -1, "thinking": {"type": "enabled"}})),
    ] {
        let mut body = base(client);
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let request = client_request(client, &body.to_string());
        let outgoing = request.outgoing(&target(client), &Edits::default()).unwrap();
        assert_eq!(outgoing.body, body.to_string().as_bytes());
    }
}

#[test]
fn a_request_of_nothing_but_unknown_content_is_refused_and_not_sent_empty() {
    let responses = json!({"input": [{"type": "hologram"}, {"type": "scent", "text": "rose"}]});
    let error = refused(Protocol::Responses, &responses).unwrap();
    assert_eq!(error.param(), Some("input[0]"));
    assert!(error.to_string().contains("`hologram`"), "{error}");
    let messages = json!({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]});
    assert_eq!(refused(Protocol::Messages, &messages).unwrap().param(), Some("messages[0].content[0]"));
    let chat = json!({"messages": [{"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "hologram"}]}]});
    assert_eq!(refused(Protocol::Chat, &chat).unwrap().param(), Some("messages[1].content[0]"));
    // Beside something known they are told of, and the rest is sent.
    let mixed = json!({"input": [{"type": "hologram"}, {"role": "user", "content": "hi"}]});
    assert_eq!(refused(Protocol::Responses, &mixed), None);
}

#[test]
fn a_data_uri_that_is_no_base64_is_left_out_and_told() {
    let body = |data: &str| {
        json!({"model": "auto", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}}]}]})
    };
    let losses = |data: &str| {
        let request = client_request(Protocol::Chat, &body(data).to_string());
        let outgoing = request.outgoing(&target(Protocol::Messages), &Edits::default()).unwrap();
        outgoing.losses.iter().map(|loss| loss.reason.code()).collect::<Vec<_>>()
    };
    assert!(losses("!!!not base64!!!").contains(&"incomplete_base64"));
    assert!(!losses("iVBORw0KGgo=").contains(&"incomplete_base64"));
}
