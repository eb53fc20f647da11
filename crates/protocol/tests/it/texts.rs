//! Texts are passed on as they were written, and mean the same on the other side.

use proptest::prelude::*;
use serde_json::Value;
use vsr_protocol::{Edits, Protocol};

use crate::documents::string_literal;
use crate::grid::{client_request, target};

/// What a backend of `upstream` is sent for a request of `client`.
fn sent(client: Protocol, body: &str, upstream: Protocol) -> Value {
    let outgoing = client_request(client, body).outgoing(&target(upstream), &Edits::default()).unwrap();
    serde_json::from_slice(&outgoing.body).unwrap()
}

proptest! {
    #[test]
    fn a_text_means_the_same_in_every_protocol(literal in string_literal()) {
        let text: String = serde_json::from_str(&literal).unwrap();
        let one = format!(r#"[{{"role":"user","content":{literal}}},{{"role":"user","content":"and"}}]"#);
        let to_chat = [
            (Protocol::Messages, format!(r#"{{"model":"m","max_tokens":9,"messages":{one}}}"#)),
            (Protocol::Responses, format!(r#"{{"model":"m","input":{one}}}"#)),
        ];
        for (client, body) in to_chat {
            prop_assert_eq!(&sent(client, &body, Protocol::Chat)["messages"][0]["content"], &text);
        }
        let body = format!(r#"{{"model":"m","messages":{one}}}"#);
        let blocks = &sent(Protocol::Chat, &body, Protocol::Messages)["messages"][0]["content"];
        let said = if text.trim().is_empty() { "(empty)" } else { &text };
        prop_assert_eq!(&blocks[0]["text"], said);
    }

    #[test]
    fn texts_that_become_one_are_joined_as_they_mean(first in string_literal(), second in string_literal()) {
        let texts = [&first, &second].map(|literal| serde_json::from_str::<String>(literal).unwrap());
        let parts = format!(r#"[{{"type":"text","text":{first}}},{{"type":"text","text":{second}}}]"#);
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"system":{parts},"messages":[{{"role":"user","content":"hi"}},
                {{"role":"assistant","content":{parts}}},{{"role":"user","content":"on"}}]}}"#
        );
        let sent = sent(Protocol::Messages, &body, Protocol::Chat);
        let of_role = |role: &str| {
            let mut messages = sent["messages"].as_array().unwrap().iter();
            messages.find(|message| message["role"] == role).map(|message| message["content"].clone())
        };
        let said: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let expected = |separator: &str| (!said.is_empty()).then(|| Value::from(said.join(separator)));
        prop_assert_eq!(of_role("system"), expected("\n\n"));
        prop_assert_eq!(of_role("assistant"), expected(""));
    }
}

#[test]
fn white_space_written_as_escapes_is_white_space() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"\n \u0020\t"},{"role":"user","content":"hi"},
        {"role":"assistant","content":"so \n\u00a0"}]}"#;
    let messages = &sent(Protocol::Chat, body, Protocol::Messages)["messages"];
    assert_eq!(messages[0]["content"][0]["text"], "(empty)");
    assert_eq!(messages[1]["content"][0]["text"], "so");
}
