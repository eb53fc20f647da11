//! Bodies that clients see: errors and the model list.

use vsr_protocol::{ApiError, ErrorType, ModelEntry, model_list};

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
