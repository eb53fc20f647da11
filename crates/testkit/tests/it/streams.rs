//! Streams that end wrongly, never, or too slowly.

use std::time::Duration;

use vsr_testkit::{Backend, Fault, Gate, RawClient};

use crate::{CHAT, DEFAULT_TEXT, STREAMED, begin, chat};

#[test]
fn a_stalled_stream_goes_on_when_released() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 3, gate: gate.clone() });
    let mut client = begin(&backend, STREAMED);
    for _ in 0..3 {
        assert!(client.read_event().unwrap().is_some());
    }
    gate.wait_arrived(1);
    gate.open();
    let mut last = None;
    while let Some(event) = client.read_event().unwrap() {
        last = Some(event.data);
    }
    assert_eq!(last.as_deref(), Some("[DONE]"));
}

#[test]
fn a_stream_can_end_without_done_or_without_finish_reason() {
    let backend = Backend::start(Fault::EndWithoutDone);
    let response = chat(&backend, STREAMED);
    assert!(!response.text().contains("[DONE]"));
    assert!(response.text().contains(r#""finish_reason":"stop""#));
    backend.behave(Fault::EndWithoutFinish);
    let response = chat(&backend, STREAMED);
    assert!(!response.text().contains("[DONE]"));
    assert!(!response.text().contains(r#""finish_reason":"stop""#));
    assert_eq!(response.streamed_text(), DEFAULT_TEXT);
}

#[test]
fn an_error_event_or_a_broken_one_can_interrupt_a_stream() {
    let backend = Backend::start(Fault::ErrorEvent { after_events: 2 });
    let events = chat(&backend, STREAMED).events();
    assert_eq!(events.len(), 3);
    assert_eq!(events[2].json().unwrap()["error"]["type"], "server_error");
    backend.behave(Fault::BrokenEvent);
    let events = chat(&backend, STREAMED).events();
    assert!(events[2].json().is_none());
    assert_eq!(events.last().unwrap().data, "[DONE]");
}

#[test]
fn an_endless_stream_ends_when_the_client_leaves() {
    let backend = Backend::start(Fault::Endless);
    let mut client = begin(&backend, STREAMED);
    for _ in 0..100 {
        assert!(client.read_event().unwrap().is_some());
    }
    drop(client);
    backend.wait_cancelled(1);
    backend.wait_all_closed();
}

#[test]
fn a_client_that_does_not_read_blocks_the_backend() {
    let backend = Backend::start(Fault::Endless);
    let mut client = RawClient::connect_small(backend.port(), 16 * 1024);
    client.send_request("POST", CHAT, &[], STREAMED.as_bytes());
    let sent = backend.wait_blocked(Duration::from_millis(100));
    assert_eq!(backend.bytes_sent(), sent);
    client.read_head();
    while backend.bytes_sent() == sent {
        assert!(client.read_event().unwrap().is_some());
    }
}

#[test]
fn a_drip_keeps_its_events_apart() {
    let interval = Duration::from_millis(5);
    let backend = Backend::start(Fault::Drip(interval));
    let response = chat(&backend, STREAMED);
    let chunks = response.chunks();
    let (first, last) = (chunks[0].at, chunks[chunks.len() - 1].at);
    assert!(last - first >= interval * u32::try_from(chunks.len() / 2).unwrap());
    assert_eq!(response.streamed_text(), DEFAULT_TEXT);
}
