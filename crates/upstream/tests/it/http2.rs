//! HTTP/2: connections that carry many requests, and servers that refuse, leave, or lie.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use vsr_upstream::{Client, ClientConfig, Endpoint, ErrorKind, Http2, Timeouts, Way};

use crate::server::{OK, PATIENT, Server, client, get, post};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// The server's side of an HTTP/2 connection, frame by frame.
pub(crate) struct Raw<S = TcpStream> {
    stream: S,
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Reads the client's preface, having said its own settings.
    pub(crate) async fn start(mut stream: S, settings: &[u8]) -> Self {
        let mut hello = vec![0, 0, settings.len() as u8, SETTINGS, 0, 0, 0, 0, 0];
        hello.extend_from_slice(settings);
        stream.write_all(&hello).await.unwrap();
        Self::greeted(stream).await
    }

    /// The same where the settings have been said.
    pub(crate) async fn greeted(mut stream: S) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        Self { stream }
    }

    async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next frame of a kind; settings are acknowledged on the way.
    async fn wait(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame().await.expect("the client closed the connection");
            if frame.kind == SETTINGS && frame.flags & ACK == 0 {
                self.send(SETTINGS, ACK, 0, &[]).await;
            }
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The next request's stream.
    pub(crate) async fn wait_headers(&mut self) -> u32 {
        self.wait(HEADERS).await.stream
    }

    async fn begin(&mut self, stream: u32) {
        // `:status: 200` is entry 8 of HPACK's static table.
        self.send(HEADERS, END_HEADERS, stream, &[0x88]).await;
    }

    pub(crate) async fn answer(&mut self, stream: u32) {
        self.begin(stream).await;
        self.send(DATA, END_STREAM, stream, b"ok").await;
    }

    async fn reset(&mut self, stream: u32, reason: u32) {
        self.send(RST_STREAM, 0, stream, &reason.to_be_bytes()).await;
    }

    async fn go_away(&mut self, last: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat()).await;
    }

    /// Waits until the client has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let wait = async { while self.frame().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the client keeps the connection");
    }
}

impl Server {
    fn http2(&self) -> Arc<Endpoint> {
        let way = Way { http2: Http2::Only, ..Way::default() };
        Arc::new(Endpoint::clone(&self.endpoint).by(way))
    }

    async fn accept_http2(&self) -> Raw {
        Raw::start(self.accept().await.stream, &[]).await
    }
}

#[tokio::test]
async fn requests_share_a_connection_and_carry_what_http2_asks_for() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    let port = server.port();
    let serving = tokio::spawn(async move {
        let stream = server.accept().await.stream;
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut held = Vec::new();
        while held.len() < 20 {
            let (request, reply) = connection.accept().await.unwrap().unwrap();
            let (head, _) = request.into_parts();
            assert_eq!(head.uri.authority().unwrap().as_str(), format!("127.0.0.1:{port}"));
            assert_eq!(head.uri.scheme_str(), Some("http"));
            assert_eq!(head.uri.path(), "/secret-path");
            assert!(!head.headers.contains_key("host") && !head.headers.contains_key("connection"));
            held.push(reply);
        }
        for mut reply in held {
            let mut body = reply.send_response(http::Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(b"ok"), true).unwrap();
        }
        while let Some(Ok(_)) = connection.accept().await {}
    });
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (client, request) = (client.clone(), post(&endpoint, "hello"));
            tokio::spawn(async move {
                let response = client.send(request, &PATIENT).await.unwrap();
                response.body.collect(2).await.unwrap()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "ok");
    }
    assert_eq!((client.multiplexed_connections(), client.idle_connections()), (1, 0));
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn a_request_that_the_server_did_not_process_is_sent_again() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    let (response, ()) = tokio::join!(client.send(post(&endpoint, "hello"), &PATIENT), async {
        // Gone before the request, as it says.
        let mut leaving = server.accept_http2().await;
        assert_eq!(leaving.wait_headers().await, 1);
        leaving.go_away(0).await;
        // Does not take it now.
        let mut busy = server.accept_http2().await;
        assert_eq!(busy.wait_headers().await, 1);
        busy.reset(1, REFUSED_STREAM).await;
        assert_eq!(busy.wait_headers().await, 3);
        busy.answer(3).await;
        leaving.closed().await;
        drop(busy);
    });
    let response = response.unwrap();
    assert_eq!(response.body.collect(2).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_server_that_refuses_every_time_fails_the_call_which_may_go_elsewhere() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    let (outcome, seen) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = server.accept_http2().await;
        for stream in [1, 3, 5] {
            assert_eq!(peer.wait_headers().await, stream);
            peer.reset(stream, REFUSED_STREAM).await;
        }
        peer
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reset);
    assert!(error.is_before_request_sent());
    drop(seen);
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_not_sent_again() {
    for processed in [true, false] {
        let server = Server::start().await;
        let (client, endpoint) = (client(), server.http2());
        let (outcome, ()) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
            let mut peer = server.accept_http2().await;
            assert_eq!(peer.wait_headers().await, 1);
            if processed {
                peer.go_away(1).await;
            } else {
                peer.reset(1, CANCEL).await;
            }
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Reset);
        assert!(!error.is_before_request_sent(), "{error}");
        assert!(
            tokio::time::timeout(Duration::ZERO, server.listener.accept()).await.is_err(),
            "no other connection was opened"
        );
    }
}

#[tokio::test]
async fn streams_end_when_nobody_wants_them_and_the_connection_goes_on() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    let (response, mut peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = server.accept_http2().await;
        let stream = peer.wait_headers().await;
        peer.begin(stream).await;
        peer.send(DATA, 0, stream, b"first").await;
        peer
    });
    let mut response = response.unwrap();
    assert_eq!(response.body.frame().await.unwrap().unwrap(), "first");
    drop(response);
    let reset = peer.wait(RST_STREAM).await;
    assert_eq!((reset.stream, reset.payload), (1, CANCEL.to_be_bytes().to_vec()));
    // A call that is given up before its answer, too.
    {
        let mut call = Box::pin(client.send(get(&endpoint), &PATIENT));
        tokio::select! {
            _ = &mut call => panic!("nobody answered"),
            stream = peer.wait_headers() => assert_eq!(stream, 3),
        }
    }
    assert_eq!(peer.wait(RST_STREAM).await.stream, 3);
    let (response, ()) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        assert_eq!(peer.wait_headers().await, 5);
        peer.answer(5).await;
    });
    let response = response.unwrap();
    assert!(response.reused);
    assert_eq!(response.body.collect(2).await.unwrap(), "ok");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_truncated() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    for is_reset in [true, false] {
        let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
            let mut peer = server.accept_http2().await;
            let stream = peer.wait_headers().await;
            peer.begin(stream).await;
            peer.send(DATA, 0, stream, b"half").await;
            if is_reset {
                peer.reset(stream, CANCEL).await;
                peer.go_away(stream).await;
                return Some(peer);
            }
            None
        });
        let error = response.unwrap().body.collect(100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_allows_few_streams_gets_more_connections() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    // SETTINGS_MAX_CONCURRENT_STREAMS = 1
    const ONE: [u8; 6] = [0, 3, 0, 0, 0, 1];
    let (response, mut first) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = Raw::start(server.accept().await.stream, &ONE).await;
        let stream = peer.wait_headers().await;
        peer.answer(stream).await;
        peer
    });
    response.unwrap().body.collect(2).await.unwrap();
    // What it allows counts once the connection's driver has run after an answer, as it does for this request.
    let (response, ()) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        assert_eq!(first.wait_headers().await, 3);
        first.answer(3).await;
    });
    response.unwrap().body.collect(2).await.unwrap();
    let (one, two, ()) =
        tokio::join!(client.send(get(&endpoint), &PATIENT), client.send(get(&endpoint), &PATIENT), async {
            assert_eq!(first.wait_headers().await, 5);
            let mut second = Raw::start(server.accept().await.stream, &ONE).await;
            assert_eq!(second.wait_headers().await, 1);
            first.answer(5).await;
            second.answer(1).await;
        });
    assert_eq!((one.unwrap().status.as_u16(), two.unwrap().status.as_u16()), (200, 200));
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let server = Server::start().await;
    let config = ClientConfig { pool_idle_timeout: Duration::from_millis(20), ..ClientConfig::default() };
    let (client, endpoint) = (Client::new(&config), server.http2());
    let (response, mut peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = server.accept_http2().await;
        let stream = peer.wait_headers().await;
        peer.answer(stream).await;
        peer
    });
    let response = response.unwrap();
    response.body.collect(2).await.unwrap();
    peer.closed().await;
    assert_eq!(client.multiplexed_connections(), 0);
}

#[tokio::test]
async fn servers_that_are_silent_or_speak_something_else_fail_the_call_in_time() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    let short = Timeouts { first_byte: Duration::from_millis(100), ..PATIENT };
    let (outcome, _peer) = tokio::join!(client.send(get(&endpoint), &short), async {
        let mut peer = server.accept_http2().await;
        peer.wait_headers().await;
        peer
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::FirstByteTimeout);
    for nonsense in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", ""] {
        let server = Server::start().await;
        let (outcome, ()) = tokio::join!(client.send(get(&server.http2()), &PATIENT), async {
            let mut peers = Vec::new();
            // However often it is tried, it ends.
            while let Ok(accepted) =
                tokio::time::timeout(Duration::from_millis(200), server.listener.accept()).await
            {
                let mut stream = accepted.unwrap().0;
                stream.write_all(nonsense.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                peers.push(stream);
                assert!(peers.len() < 10, "it is tried without end");
            }
        });
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Reset | ErrorKind::Connect), "{error}");
    }
}

#[tokio::test]
async fn those_who_wait_for_a_connection_that_cannot_be_opened_all_fail() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), server.http2());
    drop(server);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (client, request) = (client.clone(), get(&endpoint));
            tokio::spawn(async move { client.send(request, &PATIENT).await.unwrap_err() })
        })
        .collect();
    for call in calls {
        let error = call.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.is_before_request_sent());
    }
}

#[tokio::test]
async fn plain_endpoints_stay_with_http1_where_http2_is_only_offered() {
    let server = Server::start().await;
    let way = Way { http2: Http2::Offered, ..Way::default() };
    let endpoint = Arc::new(Endpoint::clone(&server.endpoint).by(way));
    let client = client();
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
    assert_eq!(response.unwrap().status, 200);
}
