//! Requests of HTTP/1.1 that somebody in front could read in another way: each is refused, and nothing after it is
//! read.

use vsr_testkit::{Backend, Behaviour};

use crate::scene::{CHAT, CHAT_PATH, Scene};

const NEXT: &str = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";

/// Sends `request`, with a request behind it, and asserts that 400 is all that comes.
fn assert_refused(scene: &Scene, request: &str) {
    let mut client = scene.connect();
    let _taken = client.try_send(format!("{request}{NEXT}").as_bytes());
    let text = String::from_utf8_lossy(&client.read_to_close()).into_owned();
    assert!(text.starts_with("HTTP/1.1 400 "), "{request:?}: {text:?}");
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{request:?}: {text:?}");
}

fn post(headers: &str, body: &str) -> String {
    format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\n{headers}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("transfer-encoding: chunked\r\n", body)
}

#[test]
fn bodies_whose_end_is_ambiguous() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let length = CHAT.len();
    let whole = format!("{length:x}\r\n{CHAT}\r\n0\r\n\r\n");
    for headers in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n".to_owned(),
        format!("content-length: {length}\r\ncontent-length: 4\r\n"),
        format!("content-length: {length}\r\ncontent-length: {length}\r\n"),
        format!("content-length: {length}, {length}\r\n"),
        format!("content-length: +{length}\r\n"),
        format!("content-length: 0x{length:x}\r\n"),
        "content-length: -1\r\n".to_owned(),
        "content-length: 99999999999999999999\r\n".to_owned(),
        "content-length:\r\n".to_owned(),
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n".to_owned(),
        "transfer-encoding: chunked, chunked\r\n".to_owned(),
        "transfer-encoding: gzip, chunked\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "transfer-encoding: identity\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n".to_owned(),
        "transfer-encoding: \u{b}chunked\r\n".to_owned(),
        "transfer-encoding:\r\n".to_owned(),
    ] {
        assert_refused(&scene, &post(&headers, &whole));
    }
    let old = format!("POST {CHAT_PATH} HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{whole}");
    assert_refused(&scene, &old);
    assert!(backend.requests().is_empty());
}

#[test]
fn lines_that_end_or_begin_where_others_see_none() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let length = CHAT.len();
    for headers in [
        format!("x-a: b\ncontent-length: {length}\r\n"),
        format!("content-length: {length}\r\nx-a: b\n"),
        format!("x-a: b\r\r\ncontent-length: {length}\r\n"),
        format!("x-a: b\rtransfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
        format!("x-folded: a\r\n b\r\ncontent-length: {length}\r\n"),
        format!("x-folded: a\r\n\tb\r\ncontent-length: {length}\r\n"),
        format!(" content-length: {length}\r\n"),
        format!("content-length : {length}\r\n"),
        format!("content-length\t: {length}\r\n"),
        format!("content-length\u{b}: {length}\r\n"),
        format!("content\u{0}length: 3\r\ncontent-length: {length}\r\n"),
        format!("x-a: b\u{0}c\r\ncontent-length: {length}\r\n"),
        format!("x y: z\r\ncontent-length: {length}\r\n"),
        format!(": z\r\ncontent-length: {length}\r\n"),
        format!("no colon\r\ncontent-length: {length}\r\n"),
    ] {
        assert_refused(&scene, &post(&headers, CHAT));
    }
    assert_refused(
        &scene,
        &format!("POST {CHAT_PATH} HTTP/1.1\nhost: x\r\ncontent-length: {length}\r\n\r\n{CHAT}"),
    );
    assert_refused(
        &scene,
        &format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\n{CHAT}"),
    );
    assert_refused(&scene, "GET /v1/models HTTP/1.1\nhost: x\n\n");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_bare_line_feed_is_seen_however_a_head_is_cut_and_on_a_used_connection_too() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let mut client = scene.connect();
    // Heads that are in order stay so, in one piece and in two.
    for request in [NEXT, &post(&format!("content-length: {}\r\n", CHAT.len()), CHAT)] {
        for cut in [0, 10, request.find("\r\n").unwrap() + 1, request.find("\r\n\r\n").unwrap() + 3] {
            client.send(&request.as_bytes()[..cut]);
            client.send(&request.as_bytes()[cut..]);
            assert_eq!(client.read_response().status(), 200, "{request:?} cut at {cut}");
        }
    }
    // Bodies hold what they like.
    let lines = CHAT.replace("hello there", "hello").replace(',', ",\n\n");
    client.send(post(&format!("content-length: {}\r\n", lines.len()), &lines).as_bytes());
    assert_eq!(client.read_response().status(), 200);
    client.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: b");
    client.send(b"\nx-c: d\r\n\r\n");
    let text = String::from_utf8(client.read_to_close()).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
}

#[test]
fn requests_that_are_sent_at_once_are_told_apart_and_each_is_looked_at() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let sized = post(&format!("content-length: {}\r\n", CHAT.len()), CHAT);
    let (first, rest) = CHAT.split_at(10);
    let pieces = format!("a;x=y\r\n{first}\r\n{:X}\r\n{rest}\r\n0\r\nx-trailer: a\r\n\r\n", rest.len());
    let requests = [NEXT.to_owned(), sized, chunked(&pieces), post("content-length: 0\r\n", "")];
    for (at, one) in requests.iter().enumerate() {
        let next = &requests[(at + 1) % requests.len()];
        let mut client = scene.connect();
        client.send(format!("{one}{next}{one}").as_bytes());
        for request in [one, next, one] {
            let expected = if request.contains("content-length: 0") { 400 } else { 200 };
            assert_eq!(client.read_response().status(), expected, "{request:?} of {one:?}");
        }
        assert_refused(&scene, &format!("{one}GET /v1/models HTTP/1.1\r\nhost: x\nx-a: b\r\n\r\n"));
        assert_refused(
            &scene,
            &format!("{one}{}", post("content-length: 3\r\ncontent-length: 3\r\n", "abc")),
        );
    }
}

#[test]
fn chunks_that_are_none() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let (length, rest) = (CHAT.len(), format!("{CHAT}\r\n0\r\n\r\n"));
    let extension = "x".repeat(20_000);
    let trailer = "x".repeat(70_000);
    for body in [
        format!("0x{length:x}\r\n{rest}"),
        format!("+{length:x}\r\n{rest}"),
        format!("-{length:x}\r\n{rest}"),
        format!("\r\n{rest}"),
        format!("zz\r\n{rest}"),
        format!("{length:x}\n{rest}"),
        format!("{length:x}\r{rest}"),
        format!("{length:x};a=b\nc\r\n{rest}"),
        format!("{length:x};{extension}\r\n{rest}"),
        format!("fffffffffffffffff\r\n{rest}"),
        format!("{length:x}\r\n{CHAT}0\r\n\r\n"),
        format!("{:x}\r\n{rest}", length - 1),
        format!("{length:x}\r\n{CHAT}\r\n0\r\nx-trailer: {trailer}\r\n\r\n"),
        format!("{length:x}\r\n{CHAT}\r\n0\r\nx-trailer: a\n\r\n\r\n"),
        format!("{length:x}\r\n{CHAT}\r\n0\n\n"),
    ] {
        assert_refused(&scene, &chunked(&body));
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn request_lines_that_can_be_read_in_two_ways() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    for line in [
        "GET  /v1/models HTTP/1.1",
        "GET\t/v1/models HTTP/1.1",
        "GET /v1/models\tHTTP/1.1",
        "GET /v1/models HTTP/1.1 ",
        "GET /v1/models HTTP/1.1 HTTP/1.1",
        "GET /v1/mo dels HTTP/1.1",
        "GET /v1/models\u{0} HTTP/1.1",
        "GET /v1/models",
        "GET /v1/models HTTP/1.2",
        "GET /v1/models HTTP/2.0",
        "GET /v1/models http/1.1",
        "GET /v1/models HTTP/1.1x",
        " GET /v1/models HTTP/1.1",
        "G(T /v1/models HTTP/1.1",
        "GET http://elsewhere/v1/models HTTP/1.1",
    ] {
        assert_refused(&scene, &format!("{line}\r\nhost: x\r\n\r\n"));
    }
    for hosts in [
        "",
        "host: a\r\nhost: b\r\n",
        "host: a\r\nHost: a\r\n",
        "host: a b\r\n",
        "host: a/b\r\n",
        "host: a@b\r\n",
        "host: \u{e4}\r\n",
    ] {
        assert_refused(&scene, &format!("GET /v1/models HTTP/1.1\r\n{hosts}\r\n"));
    }
}
