//! The HTTP client of the data plane and of everything that calls out: pooled connections, TLS, name resolution, time
//! limits and address rules. It knows nothing of who calls it.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use vsr_upstream::{Client, ClientConfig, Endpoint, Request, Timeouts};
//!
//! let client = Client::new(&ClientConfig::default());
//! let request = Request {
//!     method: http::Method::GET,
//!     endpoint: Arc::new(Endpoint::parse("http://127.0.0.1:8000")?),
//!     path_and_query: "/v1/models".parse()?,
//!     headers: http::HeaderMap::new(),
//!     body: bytes::Bytes::new(),
//! };
//! let response = client.send(request, &Timeouts::default()).await?;
//! println!("{}: {} bytes", response.status, response.body.collect(1 << 20).await?.len());
//! # Ok(())
//! # }
//! ```
//!
//! Each worker thread owns one [`Client`]: a pooled connection is driven by the runtime that opened it. Every part of a
//! call has a limit ([`Timeouts`], [`ClientConfig`]), every failure a kind ([`ErrorKind`]) and an answer to the question
//! whether it may be tried elsewhere ([`Error::is_before_request_sent`]).

mod address;
mod body;
mod client;
mod connect;
mod endpoint;
mod error;
mod message;
mod pool;
mod resolve;
mod timer;
mod tls;
mod transport;

pub use address::AddressPolicy;
pub use body::Body;
pub use client::{Client, ClientConfig};
pub use endpoint::{Endpoint, Scheme};
pub use error::{Error, ErrorKind};
pub use message::{Request, Response, Timeouts, Timings};
pub use tls::TlsRoots;
