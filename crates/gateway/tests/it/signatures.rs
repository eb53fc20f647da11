//! Signed reasoning behind one router: it goes back to the model that signed it, and to no other.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::Scene;

const PATH: &str = "/v1/messages";

const THOUGHT: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-a","content":[{"type":"thinking","thinking":"Hm.","signature":"c2lnbmVk"},{"type":"text","text":"Hello."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2}}"#;

const THOUGHT_EVENTS: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-a\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c3RyZWFtZWQ=\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Two models whose backends speak Messages; `auto` is the second one where the user says `two`.
fn two_models(backend: &Backend) -> Scene {
    let port = backend.port();
    let model = |name: &str| {
        format!(
            "  - name: {name}\n\
             \x20   api_format: anthropic\n\
             \x20   backend_refs: [{{endpoint: \"127.0.0.1:{port}\", api_key: key}}]\n"
        )
    };
    let yaml = format!(
        "version: v0.3\n\
         listeners: [{{name: main, address: 127.0.0.1, port: 0}}]\n\
         providers:\n\
         \x20 defaults: {{default_model: claude-a}}\n\
         \x20 models:\n{}{}\
         routing:\n\
         \x20 modelCards: [{{name: claude-a}}, {{name: claude-b}}]\n\
         \x20 signals:\n\
         \x20   keywords: [{{name: two, operator: OR, keywords: [two]}}]\n\
         \x20 decisions:\n\
         \x20 - name: second\n\
         \x20   priority: 1\n\
         \x20   rules: {{operator: OR, conditions: [{{type: keyword, name: two}}]}}\n\
         \x20   modelRefs: [{{model: claude-b}}]\n\
         global:\n\
         \x20 router: {{worker_threads: 2}}\n",
        model("claude-a"),
        model("claude-b"),
    );
    Scene::of_yaml(&yaml, std::time::Duration::ZERO)
}

fn next_turn(signature: &str, words: &str) -> String {
    json!({"model": "auto", "max_tokens": 64, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": signature}, {"type": "text", "text": "Hello."}]},
        {"role": "user", "content": words},
    ]})
    .to_string()
}

#[test]
fn signatures_never_go_to_another_model_and_what_was_dropped_is_told() {
    let backend = Backend::start(Behaviour::default().reply(PATH, 200, "application/json", THOUGHT));
    let scene = two_models(&backend);
    let post = |body: &str| RawClient::post_json(scene.port(), PATH, body);
    let first = json!({"model": "auto", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(post(&first.to_string()).text(), THOUGHT);
    backend.behave(Behaviour::default().reply(PATH, 200, "text/event-stream", THOUGHT_EVENTS));
    let mut streamed: Value = first;
    streamed["stream"] = true.into();
    assert_eq!(post(&streamed.to_string()).text(), THOUGHT_EVENTS);
    backend.behave(Behaviour::default().reply(PATH, 200, "application/json", THOUGHT));

    for signature in ["c2lnbmVk", "c3RyZWFtZWQ="] {
        let own = post(&next_turn(signature, "one"));
        assert_eq!(own.header("x-vsr-lossiness-warnings"), None);
        let other = post(&next_turn(signature, "two"));
        assert_eq!(
            other.header("x-vsr-lossiness-warnings"),
            Some("info;signature_dropped;messages[1].content")
        );
        let requests = backend.requests();
        let [.., own, other] = requests.as_slice() else { unreachable!() };
        assert_eq!(own.json()["model"], "claude-a");
        assert_eq!(own.json()["messages"][1]["content"][0]["signature"], signature);
        assert_eq!(other.json()["model"], "claude-b");
        assert_eq!(other.json()["messages"][1]["content"], json!([{"type": "text", "text": "Hello."}]));
    }

    // Nobody knows whose this is: it goes where the client itself says, and nowhere else.
    post(&next_turn("dW5rbm93bg==", "one"));
    post(&next_turn("dW5rbm93bg==", "one").replace("auto", "claude-a"));
    let requests = backend.requests();
    let [.., routed, named] = requests.as_slice() else { unreachable!() };
    assert_eq!(routed.json()["messages"][1]["content"], json!([{"type": "text", "text": "Hello."}]));
    assert_eq!(named.json()["messages"][1]["content"][0]["signature"], "dW5rbm93bg==");
}
