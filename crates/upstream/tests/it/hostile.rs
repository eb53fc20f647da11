//! Servers that break the protocol, on purpose or not.

use vsr_upstream::{Client, ClientConfig, Error, ErrorKind};

use crate::server::{OK, PATIENT, Server, client, get, post};

/// The error of an exchange whose server answers with `response` and closes.
async fn error_of(client: &Client, response: &[u8]) -> Error {
    let server = Server::start().await;
    let request = post(&server.endpoint, "secret-body");
    let (outcome, ()) =
        tokio::join!(client.send(request, &PATIENT), async { drop(server.answer(response).await) });
    let error = match outcome {
        Ok(response) => response.body.collect(1 << 20).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(client.idle_connections(), 0);
    let text = error.to_string();
    assert!(text.starts_with(server.endpoint.authority()), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert!(!error.is_before_request_sent());
    error
}

async fn kind_of(response: &str) -> ErrorKind {
    error_of(&client(), response.as_bytes()).await.kind()
}

#[tokio::test]
async fn a_connection_closed_before_the_head_is_a_reset() {
    assert_eq!(kind_of("").await, ErrorKind::Reset);
    assert_eq!(kind_of("HTTP/1.1 200 OK\r\ncontent-le").await, ErrorKind::Reset);
}

#[tokio::test]
async fn a_connection_reset_before_the_head_is_a_reset() {
    let (server, client) = (Server::start().await, client());
    let (outcome, ()) = tokio::join!(client.send(post(&server.endpoint, "x"), &PATIENT), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.reset();
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Reset);
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_truncated() {
    assert_eq!(kind_of("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort").await, ErrorKind::Truncated);
    assert_eq!(kind_of("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").await, ErrorKind::Truncated);
}

#[tokio::test]
async fn a_chunked_body_without_its_last_chunk_is_truncated() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in ["", "5\r\nhello\r\n", "5\r\nhel", "5", "5\r\nhello\r\n0\r\n"] {
        assert_eq!(kind_of(&format!("{head}{body}")).await, ErrorKind::Truncated, "{body:?}");
    }
}

#[tokio::test]
async fn a_reset_inside_the_body_is_truncated_and_what_came_before_it_is_delivered() {
    let (server, client) = (Server::start().await, client());
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart";
    let (response, peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(head));
    let mut body = response.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap(), "part");
    peer.reset();
    assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), ErrorKind::Truncated);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn what_is_not_http_is_an_invalid_response() {
    for response in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ] {
        assert_eq!(kind_of(response).await, ErrorKind::InvalidResponse, "{response:?}");
    }
}

#[tokio::test]
async fn a_head_larger_than_accepted_is_refused() {
    let limited = Client::new(&ClientConfig { max_response_head_bytes: 1000, ..ClientConfig::default() });
    let complete = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(1000));
    assert_eq!(error_of(&limited, complete.as_bytes()).await.kind(), ErrorKind::HeadTooLarge);
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(20_000));
    assert_eq!(error_of(&client(), endless.as_bytes()).await.kind(), ErrorKind::HeadTooLarge);
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert_eq!(error_of(&client(), many.as_bytes()).await.kind(), ErrorKind::HeadTooLarge);
}

#[tokio::test]
async fn informational_responses_are_skipped() {
    let (server, client) = (Server::start().await, client());
    let answer = format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{OK}");
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(answer));
    let response = response.unwrap();
    assert_eq!(response.status, 200);
    assert!(!response.headers.contains_key("link"));
    assert_eq!(response.body.collect(100).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_response_framed_twice_is_read_as_chunked_and_its_connection_not_trusted() {
    let (server, client) = (Server::start().await, client());
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let (response, mut peer) =
        tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(answer));
    assert_eq!(response.unwrap().body.collect(100).await.unwrap(), "hello");
    peer.closed().await;
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_a_response_like_any_other() {
    let (server, client) = (Server::start().await, client());
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(answer));
    assert_eq!(response.unwrap().status, 302);
}

#[tokio::test]
async fn a_server_that_speaks_first_gets_no_request() {
    let (server, client) = (Server::start().await, client());
    let (outcome, ()) = tokio::join!(client.send(post(&server.endpoint, "x"), &PATIENT), async {
        let mut peer = server.accept().await;
        peer.write("220 smtp.example.com ready\r\n").await;
        peer.closed().await;
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Reset | ErrorKind::InvalidResponse), "{error}");
}
