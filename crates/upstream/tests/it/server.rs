//! The tests' own server: a listener whose connections the test drives byte by byte.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use vsr_upstream::{Client, ClientConfig, Endpoint, Request, Timeouts};

const LONG: Duration = Duration::from_secs(20);

/// A response with the body `ok` that leaves the connection open.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) endpoint: Arc<Endpoint>,
}

/// One accepted connection.
pub(crate) struct Peer<S = TcpStream> {
    pub(crate) stream: S,
}

/// A request as it came over the wire.
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0").await
    }

    pub(crate) async fn start_on(address: &str) -> Self {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, endpoint: Arc::new(Endpoint::parse(&endpoint).unwrap()) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(crate) async fn accept(&self) -> Peer {
        let accepted = tokio::time::timeout(LONG, self.listener.accept()).await.expect("no connection came");
        let (stream, _) = accepted.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream }
    }

    /// Accepts a connection, reads a request and answers it with `response`.
    pub(crate) async fn answer(&self, response: impl AsRef<[u8]>) -> Peer {
        let mut peer = self.accept().await;
        peer.answer(response).await;
        peer
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) async fn request(&mut self) -> Seen {
        let mut received = Vec::new();
        let head_end = loop {
            if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(self.stream.read_buf(&mut received).await.unwrap(), 0, "closed inside a request head");
        };
        let mut body = received.split_off(head_end);
        let head = String::from_utf8(received).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            assert_ne!(self.stream.read_buf(&mut body).await.unwrap(), 0, "closed inside a request body");
        }
        Seen { head, body }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub(crate) async fn answer(&mut self, response: impl AsRef<[u8]>) -> Seen {
        let seen = self.request().await;
        self.write(response).await;
        seen
    }

    /// Waits until the client has closed the connection, discarding what it still sends.
    pub(crate) async fn closed(&mut self) {
        let mut sink = [0; 4096];
        let wait = async { while matches!(self.stream.read(&mut sink).await, Ok(read) if read > 0) {} };
        tokio::time::timeout(LONG, wait).await.expect("the client keeps the connection open");
    }
}

impl Peer {
    /// Closes with a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

pub(crate) fn client() -> Client {
    Client::new(&ClientConfig::default())
}

pub(crate) fn get(endpoint: &Arc<Endpoint>) -> Request {
    Request {
        method: Method::GET,
        endpoint: Arc::clone(endpoint),
        path_and_query: "/secret-path?secret-query".parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}

pub(crate) fn post(endpoint: &Arc<Endpoint>, body: impl Into<Bytes>) -> Request {
    Request { method: Method::POST, body: body.into(), ..get(endpoint) }
}

/// Limits that no healthy exchange on loopback meets.
pub(crate) const PATIENT: Timeouts =
    Timeouts { connect: LONG, first_byte: LONG, stream_idle: LONG, total: None };
