//! What the client adds to a round trip on loopback: the same bytes over a bare socket, then through the client.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot set its scene has failed")]

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use criterion::Criterion;
use http::{HeaderMap, HeaderValue, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use vsr_upstream::{Client, ClientConfig, Endpoint, Request, Timeouts};

const REQUEST: &[u8] =
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1024\r\n\r\n";
const BODY: [u8; 1024] = [b'x'; 1024];
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n0123456789abcdef";
const FRAMES: usize = 200;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server thread that answers every read that ends a request body with `answer`.
fn serve(answer: Vec<u8>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 16 << 10];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        if stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    address
}

fn request(address: SocketAddr) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("authorization", HeaderValue::from_static("Bearer benchmark"));
    Request {
        method: Method::POST,
        endpoint: Arc::new(Endpoint::parse(&format!("http://{address}")).unwrap()),
        path_and_query: "/v1/chat/completions".parse().unwrap(),
        headers,
        body: Bytes::from_static(&BODY),
    }
}

fn round_trips(criterion: &mut Criterion) {
    let (runtime, address) = (runtime(), serve(ANSWER.to_vec()));
    let mut bare = runtime.block_on(TcpStream::connect(address)).unwrap();
    bare.set_nodelay(true).unwrap();
    let sent = [REQUEST, &BODY].concat();
    let mut buffer = vec![0; 16 << 10];
    criterion.bench_function("round trip, bare socket", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                bare.write_all(&sent).await.unwrap();
                bare.read(&mut buffer).await.unwrap()
            })
        });
    });

    let client = Client::new(&ClientConfig::default());
    let (request, timeouts) = (request(address), Timeouts::default());
    criterion.bench_function("round trip, client", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let response = client.send(request.clone(), &timeouts).await.unwrap();
                response.body.collect(1 << 20).await.unwrap()
            })
        });
    });
}

fn streams(criterion: &mut Criterion) {
    let frame =
        b"40\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcde\"}}]}   \n\n\r\n".as_slice();
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice();
    let mut answer = head.to_vec();
    (0..FRAMES).for_each(|_| answer.extend_from_slice(frame));
    answer.extend_from_slice(b"0\r\n\r\n");
    let (runtime, address) = (runtime(), serve(answer));
    let client = Client::new(&ClientConfig::default());
    let (request, timeouts) = (request(address), Timeouts::default());
    criterion.bench_function("stream of 200 frames, client", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut body = client.send(request.clone(), &timeouts).await.unwrap().body;
                let mut frames = 0;
                while let Some(frame) = body.frame().await {
                    frames += usize::from(!frame.unwrap().is_empty());
                }
                assert!(frames >= FRAMES);
            });
        });
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    round_trips(&mut criterion);
    streams(&mut criterion);
    criterion.final_summary();
}
