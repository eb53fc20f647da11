//! Each way of misbehaving, seen by a client.

use std::io::ErrorKind;

use vsr_testkit::{Backend, Behaviour, Ending, Fault, Gate, RawClient};

use crate::{CHAT, DEFAULT_TEXT, PLAIN, STREAMED, begin, chat};

#[test]
fn a_held_answer_comes_when_the_gate_opens() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let mut client = RawClient::connect(backend.port());
    client.send_request("POST", CHAT, &[], PLAIN.as_bytes());
    gate.wait_arrived(1);
    assert_eq!(backend.bytes_sent(), 0);
    gate.open();
    assert_eq!(client.read_response().status(), 200);
}

#[test]
fn a_client_that_leaves_while_the_answer_is_held_counts_as_cancelled() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let mut client = RawClient::connect(backend.port());
    client.send_request("POST", CHAT, &[], STREAMED.as_bytes());
    gate.wait_arrived(1);
    client.reset();
    backend.wait_cancelled(1);
    backend.wait_all_closed();
}

#[test]
fn an_overloaded_engine_answers_429_with_retry_after() {
    let backend = Backend::start(Fault::rate_limited(7));
    let response = chat(&backend, PLAIN);
    assert_eq!((response.status(), response.header("retry-after")), (429, Some("7")));
    assert_eq!(response.json()["error"]["type"], "rate_limit_error");
}

#[test]
fn faults_follow_the_requests_and_the_last_one_stays() {
    let backend = Backend::start(Behaviour::default().faults([Fault::server_error(), Fault::None]));
    let statuses: Vec<u16> = (0..3).map(|_| chat(&backend, PLAIN).status()).collect();
    assert_eq!(statuses, [500, 200, 200]);
    backend.behave(Fault::server_error());
    assert_eq!(chat(&backend, PLAIN).status(), 500);
}

#[test]
fn a_closed_connection_has_no_head() {
    let backend = Backend::start(Fault::CloseBeforeHead);
    let mut client = RawClient::connect(backend.port());
    client.send_request("POST", CHAT, &[], PLAIN.as_bytes());
    assert_eq!(client.try_read_head().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn huge_headers_pass_64_kib() {
    let backend = Backend::start(Fault::HugeHeaders { bytes: 65 * 1024 });
    let response = chat(&backend, PLAIN);
    let bytes: usize = response.headers().iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes > 64 * 1024, "{bytes}");
    assert_eq!(response.json()["object"], "chat.completion");
}

#[test]
fn gzip_comes_whatever_was_asked() {
    let backend = Backend::start(Fault::Gzip);
    for body in [PLAIN, STREAMED] {
        let response = RawClient::request(
            backend.port(),
            "POST",
            CHAT,
            &[("accept-encoding", "identity")],
            body.as_bytes(),
        );
        assert_eq!(response.header("content-encoding"), Some("gzip"));
        assert!(response.body().starts_with(&[0x1f, 0x8b]));
        assert_eq!(response.ending(), &Ending::Clean);
    }
}

#[test]
fn a_truncated_body_ends_early() {
    let backend = Backend::start(Fault::Truncated);
    for body in [PLAIN, STREAMED] {
        assert_eq!(chat(&backend, body).ending(), &Ending::Truncated);
    }
}

#[test]
fn a_reset_breaks_the_connection_after_the_events_before_it() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Reset { after_events: 2, gate: Some(gate.clone()) });
    let mut client = begin(&backend, STREAMED);
    assert!(client.read_event().unwrap().is_some());
    assert!(client.read_event().unwrap().is_some());
    gate.open();
    assert_eq!(client.read_event(), Err(Ending::Broken(ErrorKind::ConnectionReset)));
}

#[test]
fn a_plain_answer_can_be_reset_or_stalled_in_the_middle() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Reset { after_events: 1, gate: Some(gate.clone()) });
    let mut client = begin(&backend, PLAIN);
    assert!(client.read_chunk().unwrap().is_some());
    gate.open();
    assert_eq!(client.read_chunk(), Err(Ending::Broken(ErrorKind::ConnectionReset)));

    let gate = Gate::new();
    backend.behave(Fault::Stall { after_events: 1, gate: gate.clone() });
    let mut client = begin(&backend, PLAIN);
    assert!(client.read_chunk().unwrap().is_some());
    gate.wait_arrived(1);
    gate.open();
    assert!(client.read_chunk().unwrap().is_some());
}

#[test]
fn every_named_fault_exists_and_no_other() {
    let gate = Gate::new();
    assert!(Fault::NAMES.iter().all(|name| Fault::named(name, &gate).is_some()));
    assert!(Fault::named("nonsense", &gate).is_none());
}

#[test]
fn odd_framing_is_still_the_same_stream() {
    let backend = Backend::start(Fault::OddFraming);
    let response = chat(&backend, STREAMED);
    assert!(response.text().contains(": keep-alive\r\n\r\nevent: message\r\ndata:{"));
    assert_eq!(response.streamed_text(), DEFAULT_TEXT);
    assert_eq!(response.events()[0].event.as_deref(), Some("message"));
}
