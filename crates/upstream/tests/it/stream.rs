//! Bodies that arrive over time: frames, backpressure, cancellation, limits.

use std::{task::Poll, time::Duration};

use http_body::Body as _;
use vsr_upstream::{Body, ErrorKind};

use crate::server::{PATIENT, Peer, Server, client, get, post};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

async fn open(head: impl AsRef<[u8]>) -> (Body, Peer) {
    let (server, client) = (Server::start().await, client());
    let (response, peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(head));
    (response.unwrap().body, peer)
}

#[tokio::test]
async fn frames_are_delivered_as_they_arrive_however_chunks_are_split() {
    let (mut body, mut peer) = open(CHUNKED).await;
    for (sent, received) in [
        ("6\r\ndata: \r\n", "data: "),
        ("4;ext=1\r\n\u{e9}", "\u{e9}"),
        ("a", "a"),
        ("b\r\n", "b"),
        ("3\r\nxyz", "xyz"),
    ] {
        peer.write(sent).await;
        assert_eq!(body.frame().await.unwrap().unwrap(), received);
    }
    peer.write("\r\n0\r\n").await;
    let mut end = std::pin::pin!(body.frame());
    let early = std::future::poll_fn(|cx| Poll::Ready(end.as_mut().poll(cx).is_ready())).await;
    assert!(!early, "the last chunk is not complete yet");
    peer.write("x-trailer: ignored\r\n\r\n").await;
    assert!(end.await.is_none());
}

#[tokio::test]
async fn a_body_delimited_by_the_end_of_the_connection_ends_cleanly() {
    let (body, mut peer) = open("HTTP/1.1 200 OK\r\n\r\n").await;
    peer.write("until ").await;
    peer.write("the end").await;
    drop(peer);
    assert_eq!(body.collect(100).await.unwrap(), "until the end");
}

#[tokio::test]
async fn dropping_the_body_before_its_end_closes_the_connection() {
    let (mut body, mut peer) = open(CHUNKED).await;
    peer.write("5\r\nfirst\r\n").await;
    assert_eq!(body.frame().await.unwrap().unwrap(), "first");
    drop(body);
    peer.closed().await;
}

#[tokio::test]
async fn dropping_an_unread_body_closes_the_connection() {
    let (body, mut peer) = open(CHUNKED).await;
    drop(body);
    peer.closed().await;
}

#[tokio::test]
async fn dropping_a_body_while_it_is_awaited_closes_the_connection() {
    let (mut body, mut peer) = open(CHUNKED).await;
    assert!(tokio::time::timeout(Duration::from_millis(20), body.frame()).await.is_err());
    drop(body);
    peer.closed().await;
}

#[tokio::test]
async fn dropping_the_call_before_the_head_closes_the_connection() {
    let (server, client) = (Server::start().await, client());
    let mut peer = {
        let request = get(&server.endpoint);
        let limits = PATIENT;
        let call = client.send(request, &limits);
        tokio::select! {
            _ = call => panic!("nothing was answered"),
            peer = async { let mut peer = server.accept().await; peer.request().await; peer } => peer,
        }
    };
    peer.closed().await;
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn a_server_cannot_send_more_than_buffers_hold_until_the_body_is_read() {
    const TOTAL: usize = 64 << 20;
    let (mut body, mut peer) = open(format!("HTTP/1.1 200 OK\r\ncontent-length: {TOTAL}\r\n\r\n")).await;
    socket2::SockRef::from(&peer.stream).set_send_buffer_size(64 << 10).unwrap();
    let chunk = vec![b'x'; 64 << 10];
    let mut sent = 0;
    loop {
        match peer.stream.try_write(&chunk[..chunk.len().min(TOTAL - sent)]) {
            Ok(written) => sent += written,
            Err(_) => {
                if tokio::time::timeout(Duration::from_millis(200), peer.stream.writable()).await.is_err() {
                    break;
                }
            }
        }
    }
    assert!(sent < TOTAL / 2, "the server could send {sent} bytes to a reader that does not read");

    let write_rest = async {
        while sent < TOTAL {
            let length = chunk.len().min(TOTAL - sent);
            peer.write(&chunk[..length]).await;
            sent += length;
        }
    };
    let read_all = async {
        let (mut received, mut largest) = (0, 0);
        while let Some(data) = body.frame().await {
            let data = data.unwrap();
            received += data.len();
            largest = largest.max(data.len());
        }
        (received, largest)
    };
    let ((received, largest), ()) = tokio::join!(read_all, write_rest);
    assert_eq!(received, TOTAL);
    assert!(largest <= 128 << 10, "a frame of {largest} bytes was buffered");
}

#[tokio::test]
async fn a_body_larger_than_accepted_is_refused_and_its_connection_closed() {
    let (body, mut peer) = open("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n").await;
    assert_eq!(body.collect(10).await.unwrap_err().kind(), ErrorKind::BodyTooLarge);
    peer.closed().await;

    let (body, mut peer) = open(CHUNKED).await;
    peer.write("6\r\n123456\r\n5\r\n12345\r\n").await;
    assert_eq!(body.collect(10).await.unwrap_err().kind(), ErrorKind::BodyTooLarge);
    peer.closed().await;
}

#[tokio::test]
async fn a_body_of_exactly_the_accepted_size_is_collected() {
    let (body, mut peer) = open(CHUNKED).await;
    peer.write("5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n").await;
    assert_eq!(body.collect(10).await.unwrap(), "1234567890");
}

#[tokio::test]
async fn a_body_knows_its_announced_size_and_its_end() {
    let (mut body, mut peer) = open("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(body.size_hint().exact(), Some(4));
    assert!(!body.is_end_stream());
    peer.write("data").await;
    assert_eq!(body.frame().await.unwrap().unwrap(), "data");
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_request_is_delivered_and_ends_the_upload() {
    let (server, client) = (Server::start().await, client());
    let (response, mut peer) =
        tokio::join!(client.send(post(&server.endpoint, vec![0; 32 << 20]), &PATIENT), async {
            let mut peer = server.accept().await;
            peer.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await;
            peer
        });
    let response = response.unwrap();
    assert_eq!(response.status, 413);
    assert_eq!(response.body.collect(2).await.unwrap(), "no");
    assert_eq!(client.idle_connections(), 0);
    peer.closed().await;
}
