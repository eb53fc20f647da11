//! Streams: what the client sees as it happens, and what the backend feels.

use std::time::Duration;

use vsr_testkit::{Backend, Behaviour, Ending, Fault, Gate, RawClient, Split};

use crate::scene::{CHAT_PATH, STREAM, Scene, Setting};

fn begin(scene: &Scene, body: &str) -> RawClient {
    let mut client = scene.connect();
    client.send_request("POST", CHAT_PATH, &[("content-type", "application/json")], body.as_bytes());
    client
}

#[test]
fn events_arrive_while_the_backend_is_still_at_work() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 3, gate: gate.clone() });
    let scene = Scene::before(&backend);
    let mut client = begin(&scene, STREAM);
    let head = client.read_head();
    assert_eq!(head.status(), 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(head.header("cache-control"), Some("no-cache"));
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    let role = client.read_event().unwrap().unwrap().json().unwrap();
    assert_eq!(role["choices"][0]["delta"]["role"], "assistant");
    for _ in 0..2 {
        assert!(
            client.read_event().unwrap().unwrap().json().unwrap()["choices"][0]["delta"]["content"]
                .is_string()
        );
    }
    gate.wait_arrived(1);
    gate.open();
    let mut last = String::new();
    while let Some(event) = client.read_event().unwrap() {
        last = event.data;
    }
    assert_eq!(last, "[DONE]");
}

#[test]
fn the_usage_chunk_that_only_the_router_asked_for_is_not_shown() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    assert_eq!(response.streamed_text(), "Grüße aus dem Testkit: 你好 🌍, all is well.");
    assert_eq!(backend.requests()[0].json()["stream_options"]["include_usage"], true);
    let events = response.events();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let has_usage =
        |event: &vsr_testkit::SseEvent| event.json().is_some_and(|chunk| chunk["usage"].is_object());
    assert!(!events.iter().any(has_usage));
    scene.wait_metric("llm_model_completion_tokens_total{model=\"small\"}");
    let asked =
        STREAM.replace("\"stream\":true", "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    assert!(scene.chat(&asked).events().iter().any(has_usage));
}

#[test]
fn a_stream_is_the_same_wherever_the_backend_cuts_it() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    for split in
        [Split::EveryByte, Split::InsideCharacters, Split::InsideDataField, Split::At(vec![1, 7, 200])]
    {
        backend.behave(Fault::Split(split.clone()));
        let response = scene.chat(STREAM);
        assert_eq!(response.streamed_text(), "Grüße aus dem Testkit: 你好 🌍, all is well.", "{split:?}");
        assert_eq!(response.events().last().unwrap().data, "[DONE]");
        assert_eq!(response.ending(), &Ending::Clean);
    }
    backend.behave(Fault::OddFraming);
    assert_eq!(scene.chat(STREAM).streamed_text(), "Grüße aus dem Testkit: 你好 🌍, all is well.");
}

#[test]
fn a_client_that_leaves_cancels_the_backend() {
    let backend = Backend::start(Fault::Endless);
    let scene = Scene::before(&backend);
    let mut client = begin(&scene, STREAM);
    client.read_head();
    client.read_event().unwrap().unwrap();
    drop(client);
    backend.wait_cancelled(1);
    backend.wait_all_closed();
    let count = scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"client_gone\"}");
    assert_eq!(count, "1");
    assert_eq!(scene.wait_metric("llm_model_inflight_requests{model=\"small\"}"), "0");
}

#[test]
fn a_client_that_leaves_before_the_first_byte_cancels_the_backend() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::before(&backend);
    let client = begin(&scene, STREAM);
    gate.wait_arrived(1);
    drop(client);
    backend.wait_cancelled(1);
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"client_gone\"}");
    gate.open();
}

#[test]
fn a_slow_client_slows_the_backend() {
    let backend = Backend::start(Fault::Endless);
    let scene = Scene::before(&backend);
    let mut client = RawClient::connect_small(scene.port(), 4096);
    client.send_request("POST", CHAT_PATH, &[("content-type", "application/json")], STREAM.as_bytes());
    client.read_head();
    let sent = backend.wait_blocked(Duration::from_millis(300));
    assert!(sent < 24 * 1024 * 1024, "the backend got rid of {sent} bytes that nobody reads");
    for _ in 0..1000 {
        client.read_event().unwrap().unwrap();
    }
    drop(client);
    backend.wait_cancelled(1);
}

#[test]
fn a_stream_that_breaks_off_ends_with_an_error_event_and_never_looks_finished() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let faults = [
        Fault::EndWithoutFinish,
        Fault::Truncated,
        Fault::Reset { after_events: 2, gate: None },
        Fault::Reset { after_events: 0, gate: None },
    ];
    for fault in faults {
        backend.behave(fault.clone());
        let response = scene.chat(STREAM);
        assert_eq!(response.status(), 200, "{fault:?}");
        assert_eq!(response.ending(), &Ending::Clean, "{fault:?}");
        let events = response.events();
        assert!(events.iter().all(|event| event.data != "[DONE]"), "{fault:?}");
        let error = events.last().unwrap().json().unwrap();
        assert_eq!(error["error"]["type"], "api_error", "{fault:?}: {error}");
        assert_eq!(error["error"]["code"], "upstream_truncated", "{fault:?}");
        assert!(error["error"]["message"].as_str().unwrap().contains("small/primary"), "{error}");
    }
    let count = scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"upstream_truncated\"}");
    assert_eq!(count, "4");
}

#[test]
fn events_before_a_reset_reach_the_client() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Reset { after_events: 3, gate: Some(gate.clone()) });
    let scene = Scene::before(&backend);
    let mut client = begin(&scene, STREAM);
    client.read_head();
    for _ in 0..3 {
        assert!(client.read_event().unwrap().unwrap().json().unwrap()["choices"].is_array());
    }
    gate.open();
    assert!(client.read_event().unwrap().unwrap().json().unwrap()["error"].is_object());
    assert_eq!(client.read_event().unwrap(), None);
}

#[test]
fn a_finished_answer_without_done_is_completed() {
    let backend = Backend::start(Fault::EndWithoutDone);
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    assert_eq!(response.events().last().unwrap().data, "[DONE]");
    assert_eq!(response.streamed_text(), "Grüße aus dem Testkit: 你好 🌍, all is well.");
    assert_eq!(response.ending(), &Ending::Clean);
}

#[test]
fn an_error_event_of_the_backend_passes_as_it_is() {
    let backend = Backend::start(Fault::ErrorEvent { after_events: 2 });
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    let last = response.events().pop().unwrap().json().unwrap();
    assert_eq!(last["error"]["message"], "generation failed");
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"upstream_error\"}");
}

#[test]
fn an_event_that_is_not_json_passes() {
    let backend = Backend::start(Fault::BrokenEvent);
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    assert!(response.text().contains("data: {\"id\":\"chatcmpl\n\n"));
    assert_eq!(response.events().last().unwrap().data, "[DONE]");
}

#[test]
fn a_stalled_stream_ends_with_a_timeout_error() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 2, gate: gate.clone() });
    let setting =
        Setting { model: "reliability: {stream_idle_timeout: 200ms}".to_owned(), ..Setting::default() };
    let scene = Scene::set(&backend, &setting);
    let response = scene.chat(STREAM);
    let error = response.events().pop().unwrap().json().unwrap();
    assert_eq!(error["error"]["type"], "timeout_error");
    assert_eq!(response.ending(), &Ending::Clean);
    backend.wait_cancelled(1);
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"timeout\"}");
    gate.open();
}

#[test]
fn the_listeners_timeout_ends_a_stream_that_never_ends() {
    let backend = Backend::start(Fault::Drip(Duration::from_millis(20)));
    let scene = Scene::set(&backend, &Setting::listener("timeout: 300ms"));
    backend.behave(
        Behaviour::default().text("word ".repeat(1000)).faults([Fault::Drip(Duration::from_millis(20))]),
    );
    let response = scene.chat(STREAM);
    let events = response.events();
    assert!(events.len() > 2);
    assert_eq!(events.last().unwrap().json().unwrap()["error"]["type"], "timeout_error");
    backend.wait_cancelled(1);
}

#[test]
fn a_client_that_stops_reading_for_good_is_cut_off() {
    let backend = Backend::start(Fault::Endless);
    let scene = Scene::set(&backend, &Setting::listener("timeout: 300ms"));
    let mut client = RawClient::connect_small(scene.port(), 4096);
    client.send_request("POST", CHAT_PATH, &[("content-type", "application/json")], STREAM.as_bytes());
    client.read_head();
    backend.wait_cancelled(1);
}

#[test]
fn a_stream_that_is_compressed_unasked_passes_untouched() {
    let backend = Backend::start(Fault::Gzip);
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(&response.body()[..2], b"\x1f\x8b");
    assert_eq!(response.ending(), &Ending::Clean);
}

#[test]
fn an_http_1_0_client_gets_its_stream_until_the_connection_closes() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let mut client = scene.connect();
    let head =
        format!("POST {CHAT_PATH} HTTP/1.0\r\nhost: x\r\ncontent-length: {}\r\n\r\n{STREAM}", STREAM.len());
    client.send(head.as_bytes());
    let text = String::from_utf8(client.read_to_close()).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(!text.contains("transfer-encoding"), "{text}");
}
