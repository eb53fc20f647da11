//! The HTTP client of the data plane and of everything that calls out: pooled connections, TLS, name resolution, time
//! limits and address rules. It knows nothing of who calls it.
//!
//! ```
//! use std::sync::Arc;
//! use vsr_upstream::{Client, ClientConfig, Endpoint, Request, Timeouts};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # std::thread::spawn(move || -> std::io::Result<()> {
//! #     use std::io::{Read, Write};
//! #     let (mut stream, _) = listener.accept()?;
//! #     let _ = stream.read(&mut [0; 4096])?;
//! #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
//! # });
//! let client = Client::new(&ClientConfig::default());
//! let request = Request {
//!     method: http::Method::GET,
//!     endpoint: Arc::new(Endpoint::parse(&url)?),
//!     path_and_query: "/v1/models".parse()?,
//!     headers: http::HeaderMap::new(),
//!     body: bytes::Bytes::new(),
//! };
//! let response = client.send(request, &Timeouts::default()).await?;
//! assert_eq!(response.status, 200);
//! assert_eq!(response.body.collect(1 << 20).await?, "{}");
//! # Ok(())
//! # }
//! ```
//!
//! Each worker thread owns one [`Client`]: a pooled connection is driven by the runtime that opened it. Every part of a
//! call has a limit ([`Timeouts`], [`ClientConfig`]), every failure a kind ([`ErrorKind`]) and an answer to the question
//! whether it may be tried elsewhere ([`Error::is_before_request_sent`]).

mod address;
mod aws;
mod body;
mod client;
mod connect;
mod endpoint;
mod error;
mod http2;
mod message;
mod multiplex;
mod pool;
mod proxy;
mod resolve;
mod retry_after;
mod timer;
mod tls;
mod transport;
mod way;

pub use address::AddressPolicy;
pub use aws::{AwsKeys, AwsSigner};
pub use body::Body;
pub use client::{Client, ClientConfig};
pub use endpoint::{Endpoint, Scheme};
pub use error::{Error, ErrorKind};
pub use message::{Request, Response, Timeouts, Timings};
pub use proxy::{Proxies, Proxy};
pub use resolve::parse_name_servers;
pub use retry_after::retry_after;
pub use tls::TlsRoots;
pub use way::{Http2, Via, Way};
