//! Every time limit, against servers that do not answer.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};
use tokio::{io::AsyncReadExt, net::TcpStream};
use vsr_upstream::{Endpoint, ErrorKind, Timeouts};

use crate::server::{OK, PATIENT, Server, client, get, post};

const SHORT: Duration = Duration::from_millis(60);

/// A listener whose queue is full: connections to it get no answer at all, refusal included.
pub(crate) struct Silent {
    pub(crate) address: SocketAddr,
    _listener: Socket,
    _queued: Vec<TcpStream>,
}

impl Silent {
    pub(crate) async fn start_on(address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let listener = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        if address.is_ipv6() {
            listener.set_only_v6(true).unwrap();
        }
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
        {
            queued.push(stream.unwrap());
        }
        Self { address, _listener: listener, _queued: queued }
    }
}

#[tokio::test]
async fn a_connection_that_is_never_accepted_times_out() {
    let silent = Silent::start_on("127.0.0.1:0").await;
    let endpoint = Arc::new(Endpoint::parse(&format!("http://{}", silent.address)).unwrap());
    let error = client().send(get(&endpoint), &Timeouts { connect: SHORT, ..PATIENT }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(error.is_before_request_sent());
    assert!(error.to_string().ends_with("gave up while connecting"), "{error}");

    let limits = Timeouts { total: Some(SHORT), ..PATIENT };
    let error = client().send(get(&endpoint), &limits).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TotalTimeout);
}

#[tokio::test]
async fn a_tls_handshake_that_is_never_answered_times_out() {
    let server = Server::start().await;
    let endpoint = Arc::new(Endpoint::parse(&format!("https://{}", server.endpoint.authority())).unwrap());
    let error = client().send(get(&endpoint), &Timeouts { connect: SHORT, ..PATIENT }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(error.to_string().ends_with("gave up while in the TLS handshake"), "{error}");
}

#[tokio::test]
async fn a_request_that_is_never_answered_times_out_and_is_cancelled() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { first_byte: SHORT, ..PATIENT };
    let (outcome, mut peer) =
        tokio::join!(client.send(post(&server.endpoint, "x"), &limits), server.answer(""));
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FirstByteTimeout);
    assert!(error.kind().is_timeout());
    assert!(!error.is_before_request_sent());
    peer.closed().await;
}

#[tokio::test]
async fn informational_responses_do_not_extend_the_wait_for_the_head() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { first_byte: SHORT, ..PATIENT };
    let mut peer = None;
    let outcome = tokio::select! {
        outcome = client.send(get(&server.endpoint), &limits) => outcome,
        () = async {
            let peer = peer.insert(server.accept().await);
            peer.request().await;
            loop {
                peer.write("HTTP/1.1 102 Processing\r\n\r\n").await;
                tokio::time::sleep(SHORT / 6).await;
            }
        } => unreachable!(),
    };
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::FirstByteTimeout);
}

#[tokio::test]
async fn an_upload_that_stops_making_progress_times_out() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { first_byte: SHORT, ..PATIENT };
    let (outcome, _peer) =
        tokio::join!(client.send(post(&server.endpoint, vec![0; 32 << 20]), &limits), server.accept());
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::FirstByteTimeout);
}

#[tokio::test]
async fn a_slow_upload_may_take_longer_than_the_wait_for_the_head() {
    const BODY: usize = 32 << 20;
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { first_byte: Duration::from_secs(1), ..PATIENT };
    let started = Instant::now();
    let (outcome, _peer) = tokio::join!(client.send(post(&server.endpoint, vec![0; BODY]), &limits), async {
        let mut peer = server.accept().await;
        let (mut buffer, mut received) = (vec![0; 1 << 20], 0);
        while received < BODY {
            received += peer.stream.read(&mut buffer).await.unwrap();
            if received < BODY * 3 / 4 {
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        }
        peer.write(OK).await;
        peer
    });
    assert_eq!(outcome.unwrap().status, 200);
    assert!(started.elapsed() > limits.first_byte, "the upload was meant to take longer than the limit");
}

#[tokio::test]
async fn a_body_that_stalls_times_out_and_is_cancelled() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { stream_idle: SHORT, ..PATIENT };
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst";
    let (response, mut peer) = tokio::join!(client.send(get(&server.endpoint), &limits), server.answer(head));
    let mut body = response.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap(), "first");
    assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), ErrorKind::StreamIdleTimeout);
    assert!(body.frame().await.is_none());
    peer.closed().await;
}

#[tokio::test]
async fn a_body_that_keeps_coming_outlives_the_idle_limit() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { stream_idle: Duration::from_millis(400), ..PATIENT };
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
    let (response, mut peer) = tokio::join!(client.send(get(&server.endpoint), &limits), server.answer(head));
    let mut body = response.unwrap().body;
    for _ in 0..6 {
        let late = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            peer.write("x").await;
        };
        let (data, ()) = tokio::join!(body.frame(), late);
        assert_eq!(data.unwrap().unwrap(), "x");
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn time_in_which_nobody_reads_does_not_count_as_idle() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { stream_idle: SHORT, ..PATIENT };
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst";
    let (response, mut peer) = tokio::join!(client.send(get(&server.endpoint), &limits), server.answer(head));
    let mut body = response.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap(), "first");
    tokio::time::sleep(SHORT * 3).await;
    peer.write("after").await;
    assert_eq!(body.frame().await.unwrap().unwrap(), "after");
}

#[tokio::test]
async fn the_total_limit_ends_a_call_that_waits_for_its_head() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { total: Some(SHORT), ..PATIENT };
    let (outcome, _peer) = tokio::join!(client.send(get(&server.endpoint), &limits), server.answer(""));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TotalTimeout);
}

#[tokio::test]
async fn the_total_limit_ends_a_body_that_never_ends() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts { total: Some(SHORT * 2), ..PATIENT };
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    let (response, mut peer) = tokio::join!(client.send(get(&server.endpoint), &limits), server.answer(head));
    let mut body = response.unwrap().body;
    let drip = async {
        loop {
            peer.write("x").await;
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let read = async {
        loop {
            if let Err(error) = body.frame().await.expect("the body ended") {
                return error;
            }
        }
    };
    let error = tokio::select! { error = read => error, () = drip => unreachable!() };
    assert_eq!(error.kind(), ErrorKind::TotalTimeout);
    peer.closed().await;
}

#[tokio::test]
async fn limits_beyond_what_the_clock_can_hold_are_no_limits() {
    let (server, client) = (Server::start().await, client());
    let limits = Timeouts {
        connect: Duration::MAX,
        first_byte: Duration::MAX,
        stream_idle: Duration::MAX,
        total: Some(Duration::MAX),
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    let (response, mut peer) = tokio::join!(client.send(get(&server.endpoint), &limits), server.answer(head));
    let (body, ()) = tokio::join!(response.unwrap().body.collect(2), peer.write("ok"));
    assert_eq!(body.unwrap(), "ok");
}
