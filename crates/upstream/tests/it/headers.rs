//! What goes over the wire, and which headers come back.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use vsr_upstream::Request;

use crate::server::{OK, PATIENT, Server, client, get, post};

/// What the server saw of a request.
async fn wire(request: impl FnOnce(&Server) -> Request) -> String {
    let (server, client) = (Server::start().await, client());
    let (response, seen) = tokio::join!(client.send(request(&server), &PATIENT), async {
        server.accept().await.answer(OK).await
    });
    response.unwrap();
    seen.head.replace(server.endpoint.authority(), "HOST")
}

#[tokio::test]
async fn a_get_is_sent_with_its_path_query_and_host_alone() {
    let head = wire(|server| get(&server.endpoint)).await;
    assert_eq!(head, "GET /secret-path?secret-query HTTP/1.1\r\nhost: HOST\r\n\r\n");
}

#[tokio::test]
async fn a_body_is_sent_with_its_length() {
    let head = wire(|server| post(&server.endpoint, "12345")).await;
    assert!(head.contains("\r\ncontent-length: 5\r\n"), "{head}");
}

#[tokio::test]
async fn an_empty_post_says_so() {
    let head = wire(|server| post(&server.endpoint, "")).await;
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
}

#[tokio::test]
async fn headers_that_could_change_the_framing_or_the_connection_are_not_passed_on() {
    let head = wire(|server| {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "evil.example.com"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("authorization", "Bearer kept"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Request { headers, ..post(&server.endpoint, "12345") }
    })
    .await;
    let mut fields: Vec<&str> = head.trim_end().lines().skip(1).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["authorization: Bearer kept", "content-length: 5", "host: HOST"]);
}

#[tokio::test]
async fn connection_headers_of_a_response_are_removed_and_the_others_kept() {
    let (server, client) = (Server::start().await, client());
    let answer = "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=9\r\n\
                  transfer-encoding: chunked\r\nx-kept: 1\r\nx-kept: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(answer));
    let headers = response.unwrap().headers;
    let kept: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(kept, [("x-kept", b"1".as_slice()), ("x-kept", b"2")]);
}

#[tokio::test]
async fn a_head_request_has_no_body_whatever_its_length_says() {
    let (server, client) = (Server::start().await, client());
    let request = Request { method: Method::HEAD, ..get(&server.endpoint) };
    let answer = server.answer("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n");
    let (response, _peer) = tokio::join!(client.send(request, &PATIENT), answer);
    let response = response.unwrap();
    assert_eq!(response.headers["content-length"], "500");
    assert_eq!(response.body.collect(0).await.unwrap(), "");
    assert_eq!(client.idle_connections(), 1);
}

#[tokio::test]
async fn an_ipv6_server_is_reached_and_named_in_brackets() {
    let (server, client) = (Server::start_on("[::1]:0").await, client());
    let request = get(&Arc::clone(&server.endpoint));
    let (response, seen) =
        tokio::join!(client.send(request, &PATIENT), async { server.accept().await.answer(OK).await });
    assert_eq!(response.unwrap().status, 200);
    assert!(seen.head.contains(&format!("host: [::1]:{}\r\n", server.port())), "{}", seen.head);
}
