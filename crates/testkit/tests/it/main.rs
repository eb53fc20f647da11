//! The mock backends, the raw client and the process handle, each through a real socket or process.

mod faults;
mod process;
mod splits;
mod streams;
mod well_behaved;

use vsr_testkit::{Backend, RawClient, Response};

const CHAT: &str = "/v1/chat/completions";
const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi there"}]}"#;
const STREAMED: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi there"}]}"#;
const DEFAULT_TEXT: &str = "Grüße aus dem Testkit: 你好 🌍, all is well.";

fn chat(backend: &Backend, body: &str) -> Response {
    RawClient::post_json(backend.port(), CHAT, body)
}

/// Sends a chat request and reads the head of its answer.
fn begin(backend: &Backend, body: &str) -> RawClient {
    let mut client = RawClient::connect(backend.port());
    client.send_request("POST", CHAT, &[], body.as_bytes());
    assert_eq!(client.read_head().status(), 200);
    client
}
