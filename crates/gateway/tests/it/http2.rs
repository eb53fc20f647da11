//! HTTP/2 in clear and over TLS: streams side by side, clients that leave, and clients that mean harm.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use vsr_testkit::{Backend, Behaviour, Fault, Gate};

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, RST_STREAM, block, frame,
    },
    scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting},
    secure::{Authority, Files},
};

type Client = http2::SendRequest<Full<Bytes>>;

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

const REQUEST: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/v1/models"), (":authority", "x")];

const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", CHAT_PATH), (":authority", "x")];

async fn connect(scene: &Scene) -> Client {
    let stream = TcpStream::connect(scene.addresses[0]).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

fn chat(body: &str) -> Request<Full<Bytes>> {
    let uri = format!("http://localhost{CHAT_PATH}");
    Request::post(uri).body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

fn models() -> Request<Full<Bytes>> {
    Request::get("http://localhost/v1/models").body(Full::default()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_clear_are_answered_as_those_of_http_1_are() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let mut client = connect(&scene).await;
    let response = client.send_request(chat(CHAT)).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert!(response.headers().contains_key("x-vsr-selected-model"));
    assert!(text(response).await.contains("\"choices\""));
    let response = client.send_request(chat(STREAM)).await.unwrap();
    assert!(text(response).await.trim_end().ends_with("data: [DONE]"));
    let response = client.send_request(chat("{}")).await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(!response.headers().contains_key("connection"));
    assert!(text(response).await.contains("\"error\""));
    assert_eq!(backend.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_clients_that_prefer_it_get_it() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener(&files.listener()));
    let connector = tokio_rustls::TlsConnector::from(authority.client(None, &["http/1.1", "h2"]));
    let stream = TcpStream::connect(scene.addresses[0]).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for body in [CHAT, STREAM] {
        let response = client.send_request(chat(body)).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        text(response).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_waits_for_no_other() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::before(&backend);
    let mut client = connect(&scene).await;
    let held: Vec<_> = (0..3).map(|_| tokio::spawn(client.send_request(chat(CHAT)))).collect();
    gate.wait_arrived(3);
    assert_eq!(client.send_request(models()).await.unwrap().status(), 200);
    gate.open();
    for response in held {
        let response = response.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        assert!(text(response).await.contains("\"choices\""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_resets_a_stream_cancels_its_backend_and_nothing_else() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 2, gate: gate.clone() });
    let scene = Scene::before(&backend);
    let mut client = connect(&scene).await;
    let mut leaving = client.send_request(chat(STREAM)).await.unwrap();
    leaving.body_mut().frame().await.unwrap().unwrap();
    let staying = client.send_request(chat(STREAM)).await.unwrap();
    gate.wait_arrived(2);
    scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 2");
    drop(leaving);
    scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 1");
    gate.open();
    assert!(text(staying).await.trim_end().ends_with("data: [DONE]"));
    scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_in_flight_end_while_the_gateway_drains() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 2, gate: gate.clone() });
    let setting = Setting { drain_limit: Duration::from_secs(30), ..Setting::default() };
    let mut scene = Scene::set(&backend, &setting);
    let mut client = connect(&scene).await;
    let response = client.send_request(chat(STREAM)).await.unwrap();
    gate.wait_arrived(1);
    scene.begin_drain();
    // The farewell arrives while the stream goes on.
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    while client.send_request(models()).await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "new streams are still taken");
    }
    gate.open();
    assert!(text(response).await.trim_end().ends_with("data: [DONE]"));
    scene.wait_ended();
}

#[test]
fn an_idle_connection_is_told_before_it_is_closed() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener("limits: {idle_timeout: 150ms}"));
    let mut client = Frames::connect(scene.port());
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block(&REQUEST));
    assert_eq!(client.end_of(1).unwrap().kind, DATA);
    let told = client.drain().into_iter().find(|frame| frame.kind == GOAWAY).unwrap();
    assert_eq!(told.code(), 0);
    // One that never asks for anything is closed as well.
    let mut silent = Scene::set(&backend, &Setting::listener("limits: {header_timeout: 150ms}"));
    Frames::connect(silent.port()).drain();
    silent.begin_drain();
    silent.wait_ended();
}

#[test]
fn streams_beyond_the_limit_are_refused_one_by_one() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::set(&backend, &Setting::listener("limits: {max_streams: 2}"));
    let mut client = Frames::connect(scene.port());
    for stream in [1, 3, 5] {
        assert!(client.send(HEADERS, END_HEADERS, stream, &block(&POST)));
        assert!(client.send(DATA, END_STREAM, stream, CHAT.as_bytes()));
    }
    let end = client.end_of(5).unwrap();
    assert_eq!((end.kind, end.code()), (RST_STREAM, REFUSED_STREAM));
    gate.wait_arrived(2);
    gate.open();
    assert_eq!(client.end_of(1).or_else(|| client.end_of(3)).unwrap().kind, DATA);
}

#[test]
fn all_connections_together_have_no_more_requests_than_there_may_be_connections() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::set(&backend, &Setting::listener("limits: {max_connections: 3}"));
    let mut client = Frames::connect(scene.port());
    for stream in [1, 3, 5, 7] {
        assert!(client.send(HEADERS, END_HEADERS, stream, &block(&POST)));
        assert!(client.send(DATA, END_STREAM, stream, CHAT.as_bytes()));
        // One after the other, so that it is the last that is too much.
        gate.wait_arrived(usize::try_from(stream).unwrap().div_ceil(2).min(3));
    }
    assert_eq!(client.end_of(7).unwrap().kind, DATA, "it is answered");
    assert_eq!(backend.requests().len(), 3);
    gate.open();
    assert_eq!(client.end_of(5).unwrap().kind, DATA);
}

#[test]
fn requests_that_are_taken_back_at_once_end_the_connection() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::before(&backend);
    // In bursts, before the router looks at them; and one by one, when it has begun to answer.
    let mut burst = Frames::connect(scene.port());
    let flood: Vec<u8> = (0..400_u32)
        .flat_map(|number| {
            let stream = number * 2 + 1;
            let begin = frame(HEADERS, END_HEADERS, stream, &block(&POST));
            [begin, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    burst.send_bytes(&flood);
    let last = burst.drain().into_iter().rfind(|frame| frame.kind == GOAWAY);
    // The farewell is lost where the connection is closed on bytes that nobody read.
    assert!(last.is_none_or(|frame| frame.code() == ENHANCE_YOUR_CALM));

    let mut patient = Frames::connect(scene.port());
    let mut sent = 0;
    for number in 0..2000_u32 {
        let stream = number * 2 + 1;
        let ping = [number.to_be_bytes(), [0; 4]].concat();
        if !patient.send(HEADERS, END_HEADERS, stream, &block(&POST)) || !patient.send(6, 0, 0, &ping) {
            break;
        }
        // Its echo says that the request was seen.
        if !std::iter::from_fn(|| patient.next()).any(|frame| frame.kind == 6 && frame.payload == ping) {
            break;
        }
        if !patient.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes()) {
            break;
        }
        sent = number;
    }
    assert!(sent < 1000, "{sent} requests were taken back");
    assert_eq!(scene.chat("{}").status(), 400, "others are served");
    gate.open();
}

#[test]
fn a_header_block_without_end_ends_the_connection() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let mut client = Frames::connect(scene.port());
    client.send(HEADERS, 0, 1, &block(&REQUEST));
    let piece = block(&[("x-flood", "y")]);
    let mut sent = 0;
    while client.send(CONTINUATION, 0, 1, &piece) {
        sent += 1;
        assert!(sent < 1_000_000, "the connection takes them all");
    }
    client.drain();
    assert_eq!(scene.chat(CHAT).status(), 200, "others are served");
}

#[test]
fn headers_that_are_too_large_or_too_many_are_refused() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let value = "v".repeat(100);
    let names: Vec<String> = (0..800).map(|number| format!("x-{number}")).collect();
    for count in [800, 120] {
        let mut headers = REQUEST.to_vec();
        headers.extend(names.iter().take(count).map(|name| (name.as_str(), value.as_str())));
        let bytes = block(&headers);
        let mut client = Frames::connect(scene.port());
        let mut pieces = bytes.chunks(16_000).peekable();
        let mut kind = HEADERS;
        while let Some(piece) = pieces.next() {
            let end = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            let flags = if kind == HEADERS { end | END_STREAM } else { end };
            client.send(kind, flags, 1, piece);
            kind = CONTINUATION;
        }
        let answer = std::iter::from_fn(|| client.next()).find(|frame| frame.kind == HEADERS).unwrap();
        assert_eq!(status_of(&answer.payload), "431", "{count}");
    }
}

#[test]
fn malformed_requests_are_reset_and_never_reach_a_backend() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let with = |extra: &[(&'static str, &'static str)]| [&POST[..], extra].concat();
    for headers in [
        POST[1..].to_vec(),
        vec![POST[0], POST[2], POST[3]],
        vec![POST[0], POST[1], POST[3]],
        with(&[(":path", "/health")]),
        with(&[(":method", "GET")]),
        with(&[(":unknown", "x")]),
        with(&[(":status", "200")]),
        [&[("x-first", "1")][..], &POST[..]].concat(),
        with(&[("X-Upper", "1")]),
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("upgrade", "websocket")]),
        with(&[("te", "gzip")]),
        with(&[("x-smuggled", "a\r\nhost: b")]),
        with(&[("content-length", "3")]),
        with(&[("content-length", "nine")]),
    ] {
        let mut client = Frames::connect(scene.port());
        client.send(HEADERS, END_HEADERS, 1, &block(&headers));
        client.send(DATA, END_STREAM, 1, CHAT.as_bytes());
        match client.end_of(1) {
            Some(end) if matches!(end.kind, RST_STREAM | GOAWAY) => {
                assert_eq!(end.code(), PROTOCOL_ERROR, "{headers:?}");
            }
            other => panic!("{headers:?}: {other:?}"),
        }
    }
    for (hosts, status) in [
        (with(&[("host", "y")]), "400"),
        (with(&[("host", "x"), ("host", "x")]), "400"),
        (POST[..3].to_vec(), "400"),
        ([&POST[..3], &[(":authority", "a@x")]].concat(), "400"),
        (with(&[("host", "x")]), "200"),
    ] {
        let before = backend.requests().len();
        let mut client = Frames::connect(scene.port());
        client.send(HEADERS, END_HEADERS, 1, &block(&hosts));
        client.send(DATA, END_STREAM, 1, CHAT.as_bytes());
        let answer = std::iter::from_fn(|| client.next()).find(|frame| frame.kind == HEADERS).unwrap();
        assert_eq!(status_of(&answer.payload), status, "{hosts:?}");
        client.end_of(1);
        assert_eq!(backend.requests().len() - before, usize::from(status == "200"));
    }
    assert_eq!(backend.requests().len(), 1);
}

/// `:status`, which is the first header of a block: an entry of the static table, or three digits in Huffman's code.
fn status_of(block: &[u8]) -> &'static str {
    match block {
        [0x88, ..] => "200",
        [0x8c, ..] => "400",
        [_, 0x83, 0x69, 0x90, 0xff, ..] => "431",
        _ => "another",
    }
}
