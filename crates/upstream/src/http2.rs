//! Owns the exchange over HTTP/2: a place on a connection that others share, the request out, the response head in.

use std::{error::Error as _, future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use http::{Uri, header};
use hyper::client::conn::TrySendError;
use tokio::time::Instant;

use crate::{
    Body, Client, Endpoint, Error, Request, Response, Scheme, Timings,
    body::{BodyLimits, Held},
    client::{Failure, Limits, Outgoing, describe, outgoing},
    connect::{Opened, within},
    message::remove_hop_by_hop,
    multiplex::{Lease, Server},
    pool::Connection,
    timer::Timer,
};

/// How often a request is given to a connection, if it comes back untouched.
const MAX_TURNS: u32 = 3;

impl Client {
    /// Sends a request to a server that may speak HTTP/2, over a connection that others share. A request that the server
    /// says it did not process is sent again on another connection.
    pub(crate) async fn send_multiplexed(&self, request: Request, limits: Limits) -> Result<Response, Error> {
        let endpoint = Arc::clone(&request.endpoint);
        let server = self.shared.multiplexed.server(&endpoint);
        let outgoing = multiplexed(request);
        let mut turns = 0;
        loop {
            turns += 1;
            let (lease, connect) = match self.lease(&server, &endpoint, limits).await? {
                Leased::Http2(lease, connect) => (lease, connect),
                Leased::Http1(opened) => return self.send_single(outgoing, &endpoint, opened, limits).await,
            };
            match exchange(lease, outgoing.clone(), limits, connect).await {
                Err(error) if error.is_before_request_sent() && turns < MAX_TURNS => {}
                outcome => return outcome,
            }
        }
    }

    /// A place on a connection, which is opened if there is none: by one request, while others wait for it.
    async fn lease(
        &self,
        server: &Server,
        endpoint: &Arc<Endpoint>,
        limits: Limits,
    ) -> Result<Leased, Error> {
        if let Some(lease) = server.lease() {
            return Ok(Leased::Http2(lease, None));
        }
        if server.prefers_http1() {
            return Ok(Leased::Http1(None));
        }
        let started = Instant::now();
        let limit = limits.connecting(started);
        let _alone = within(limit, endpoint, "waiting for a connection", server.opening.lock()).await?;
        if let Some(lease) = server.lease() {
            return Ok(Leased::Http2(lease, None));
        }
        if server.prefers_http1() {
            return Ok(Leased::Http1(None));
        }
        match self.shared.connector.connect_any(endpoint, limit).await? {
            Opened::Http2(connection) => Ok(Leased::Http2(server.add(connection), Some(started.elapsed()))),
            Opened::Http1(connection) => {
                server.note_http1();
                Ok(Leased::Http1(Some((connection, started.elapsed()))))
            }
        }
    }

    /// Sends a request to a server that was offered HTTP/2 and picked HTTP/1.1.
    async fn send_single(
        &self,
        mut outgoing: Outgoing,
        endpoint: &Arc<Endpoint>,
        opened: Option<(Connection, Duration)>,
        limits: Limits,
    ) -> Result<Response, Error> {
        let path = outgoing.uri().path_and_query().cloned();
        *outgoing.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        outgoing.headers_mut().insert(header::HOST, endpoint.host_header().clone());
        if opened.is_none()
            && let Some(connection) = self.kept_connection(endpoint).await
        {
            match self.exchange(connection, outgoing, limits, None).await {
                Err(Failure::Untouched(returned, _)) => outgoing = *returned,
                Err(Failure::Final(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        let started = Instant::now();
        let (connection, connect) = match opened {
            Some(opened) => opened,
            None => {
                let limit = limits.connecting(started);
                (self.shared.connector.connect(endpoint, limit).await?, started.elapsed())
            }
        };
        match self.exchange(connection, outgoing, limits, Some(connect)).await {
            Err(Failure::Untouched(_, error) | Failure::Final(error)) => Err(error),
            Ok(response) => Ok(response),
        }
    }
}

/// One request on a shared connection.
async fn exchange(
    lease: Lease,
    outgoing: Outgoing,
    limits: Limits,
    connect: Option<Duration>,
) -> Result<Response, Error> {
    let started = Instant::now();
    let mut timer = Timer::default();
    let mut sender = lease.sender.clone();
    let outcome = {
        let mut response = pin!(sender.try_send_request(outgoing));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(outcome) = response.as_mut().poll(cx) {
                return Poll::Ready(Ok(outcome));
            }
            let Some((limit, kind)) = limits.waiting(started) else { return Poll::Pending };
            timer.poll_passed(cx, limit).map(|()| Err(kind))
        })
        .await
    };
    let failed = |kind, reason: String, is_untouched| {
        let error = Error::new(kind, lease.endpoint.authority(), reason);
        error.with_connection(connect.is_none(), is_untouched)
    };
    match outcome {
        Err(kind) => Err(failed(kind, limits.reason(kind), false)),
        Ok(Err(mut error)) => {
            let is_returned = error.take_message().is_some();
            let refusal = refusal(&error);
            if is_returned || refusal == Some(Refusal::Connection) {
                lease.retire();
            }
            let (kind, reason) = describe(&error);
            Err(failed(kind, reason, is_returned || refusal.is_some()))
        }
        Ok(Ok(response)) => {
            let first_byte = started.elapsed();
            lease.has_answered();
            let (mut head, incoming) = response.into_parts();
            remove_hop_by_hop(&mut head.headers);
            let limits = BodyLimits { stream_idle: limits.timeouts.stream_idle, deadline: limits.deadline };
            let body = Body::new(incoming, Held::Shared(Box::new(lease)), timer, limits);
            let timings = Timings { connect, first_byte };
            let reused = connect.is_none();
            Ok(Response { status: head.status, headers: head.headers, body, timings, reused })
        }
    }
}

/// What a request goes out on.
enum Leased {
    /// A place on an HTTP/2 connection, and how long opening that took if this request did.
    Http2(Lease, Option<Duration>),
    /// An HTTP/1.1 connection, if one was opened to learn that the server prefers that.
    Http1(Option<(Connection, Duration)>),
}

/// How a server says that it did not process a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It takes no more on this connection.
    Connection,
    /// It does not take this one now.
    Stream,
}

/// Whether the server says that it did not process the request: `GOAWAY` with an earlier stream as the last, or
/// `REFUSED_STREAM` (RFC 9113 §8.7).
fn refusal(error: &TrySendError<Outgoing>) -> Option<Refusal> {
    let error = error.error().source()?.downcast_ref::<h2::Error>()?;
    if !error.is_remote() {
        None
    } else if error.is_go_away() {
        Some(Refusal::Connection)
    } else {
        (error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM)).then_some(Refusal::Stream)
    }
}

/// The request as HTTP/2 has it: what the host header says is part of the URI.
fn multiplexed(request: Request) -> Outgoing {
    let endpoint = Arc::clone(&request.endpoint);
    let mut outgoing = outgoing(request);
    let mut parts = std::mem::take(outgoing.uri_mut()).into_parts();
    let host = outgoing.headers_mut().remove(header::HOST);
    parts.scheme = Some(match endpoint.scheme() {
        Scheme::Http => http::uri::Scheme::HTTP,
        Scheme::Https => http::uri::Scheme::HTTPS,
    });
    parts.authority = host.and_then(|host| http::uri::Authority::try_from(host.as_bytes()).ok());
    *outgoing.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *outgoing.version_mut() = http::Version::HTTP_2;
    outgoing
}
