//! Bodies that clients see: errors and the model list.

use bytes::Bytes;
use serde_json::{Value, json};
use vsr_protocol::{
    ApiError, ErrorType, ModelEntry, Protocol, RequestLimits, anthropic::MessagesRequest, model_list,
};

use crate::chat_request::read;

fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn errors_have_openais_shape_for_every_status() {
    let bodies: Vec<String> = [400, 401, 403, 404, 405, 408, 413, 422, 429, 500, 502, 503, 504, 529]
        .map(|status| format!("{status} {}", text(&ApiError::new(status, "what happened").to_openai_body())))
        .into();
    insta::assert_snapshot!(bodies.join("\n"));
}

#[test]
fn errors_name_the_field_and_the_code() {
    let error = ApiError::model_not_found("no \"such\" model\n");
    assert_eq!(error.error_type, ErrorType::NotFound);
    insta::assert_snapshot!(text(&error.to_openai_body()));
}

#[test]
fn request_errors_become_bodies() {
    let bodies: Vec<String> = [
        r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"m","messages":[{"role":"user"}],"model":"x"}"#,
        r#"{"model":"m","messages":[{"role":"user"}],"temperature":NaN}"#,
        r#"["model"]"#,
    ]
    .map(|body| text(&ApiError::from(read(body).unwrap_err()).to_openai_body()))
    .into();
    insta::assert_snapshot!(bodies.join("\n"));
}

#[test]
fn a_thread_is_refused_in_the_words_by_which_clients_send_everything() {
    let read = |thread: &str| {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}],"thread":{thread}}}"#
        );
        MessagesRequest::parse(Bytes::from(body), &RequestLimits::default())
    };
    assert!(read("null").is_ok());
    for thread in [r#"{"type":"create"}"#, r#"{"type":"continue","previous_message_id":"msg_1"}"#] {
        let error = ApiError::from(read(thread).unwrap_err());
        assert_eq!(error.status, 400);
        let body: Value = serde_json::from_slice(&error.to_body(Protocol::Messages)).unwrap();
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["details"], json!({"error_code": "thread_unsupported_request"}));
    }
}

#[test]
fn an_error_event_is_one_data_line() {
    let event = ApiError::new(502, "upstream broke\noff").to_openai_event();
    insta::assert_snapshot!(text(&event).escape_debug());
}

#[test]
fn the_model_list_keeps_its_order() {
    let auto = ModelEntry {
        id: "MoM".to_owned(),
        owned_by: "vllm-semantic-router".to_owned(),
        created_seconds: 1_790_000_000,
        description: Some("Intelligent Router for Mixture-of-Models".to_owned()),
        logo_url: None,
    };
    let small = ModelEntry { id: "a/small".to_owned(), description: None, ..auto.clone() };
    insta::assert_snapshot!(text(&model_list(&[auto, small.clone()])));
    insta::assert_snapshot!(text(&small.to_body()));
}

#[test]
fn a_long_name_is_not_repeated_whole() {
    let error = vsr_protocol::ApiError::model_not_found(&"é".repeat(100_000));
    assert!(error.message.len() < 1024, "{}", error.message.len());
}
