//! Takes connections in and deals them to the workers.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use vsr_protocol::ApiError;

use crate::{
    listener::Listener,
    worker::{Arrival, WorkerHandle},
};

/// Deals connections to the worker with the fewest.
pub(crate) struct Dealer {
    workers: Vec<WorkerHandle>,
    turn: AtomicUsize,
}

/// How long to wait where the system has no room for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts for `listener` until the future is dropped.
pub(crate) async fn accept(socket: TcpListener, listener: Arc<Listener>, dealer: Arc<Dealer>) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => admit(stream, peer, &listener, &dealer),
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "connections cannot be accepted; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, listener: &Arc<Listener>, dealer: &Dealer) {
    // A client that is gone already makes these fail; its connection then ends by itself.
    let _nodelay = stream.set_nodelay(true);
    let Some(place) = listener.place() else {
        tracing::debug!(%peer, "the listener has all the connections it takes");
        // Words in clear mean nothing to a client that waits for a handshake.
        if !listener.is_secure() {
            turn_away(&stream);
        }
        return;
    };
    let Ok(stream) = stream.into_std() else { return };
    dealer.deal(Arrival { stream, peer, place });
}

fn is_about_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Says why, as far as the socket takes it without waiting.
fn turn_away(stream: &TcpStream) {
    let body =
        ApiError::new(503, "the router has as many connections as it takes; try again").to_openai_body();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 1\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), &body].concat();
    let _sent = SockRef::from(stream).send(&answer);
}

// === impl Dealer ===

impl Dealer {
    pub(crate) fn new(workers: Vec<WorkerHandle>) -> Self {
        Self { workers, turn: AtomicUsize::new(0) }
    }

    /// Resolves when every worker is over, once nothing else holds the dealer.
    pub(crate) async fn ended(self) {
        let ends: Vec<_> = self.workers.into_iter().map(|worker| worker.ended).collect();
        for ended in ends {
            // The sender is only ever dropped.
            let _ = ended.await;
        }
    }

    /// To the least loaded worker; among equals by turns. One whose queue is full is passed over.
    fn deal(&self, arrival: Arrival) {
        let count = self.workers.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let mut order: Vec<usize> = (0..count).map(|step| (first + step) % count).collect();
        order.sort_by_key(|index| self.workers[*index].load());
        let mut arrival = arrival;
        for index in order {
            match self.workers[index].try_take(arrival) {
                Ok(()) => return,
                Err(refused) => arrival = refused,
            }
        }
        tracing::warn!(peer = %arrival.peer, "no worker takes connections; one was closed");
    }
}
