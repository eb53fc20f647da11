//! A mock backend on its own thread: its lifetime, and what it has seen.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::behaviour::Behaviour;
use crate::gate::Gate;
use crate::recorded::Recorded;
use crate::serve;
use crate::wait::{DEADLINE, Watched};

/// A mock LLM server on a loopback port; it stops, and closes its connections, when dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server thread and the test share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Watched<State>,
    /// Present when the control paths are served.
    pub(crate) control: Option<Gate>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) behaviour: Behaviour,
    pub(crate) requests: Vec<Recorded>,
    pub(crate) chat_requests: usize,
    pub(crate) cancelled: usize,
    pub(crate) connections: usize,
    pub(crate) open_connections: usize,
    pub(crate) bytes_sent: u64,
    /// Connections whose socket takes no more bytes, and since when.
    pub(crate) blocked: Vec<(usize, Instant)>,
}

// === impl Backend ===

impl Backend {
    /// Starts a backend on a free loopback port.
    ///
    /// # Panics
    /// When no port can be bound.
    #[must_use]
    pub fn start(behaviour: impl Into<Behaviour>) -> Self {
        Self::launch(0, behaviour.into(), None)
    }

    /// Starts a backend on this port, for example one that a test closed a backend on before.
    ///
    /// # Panics
    /// When the port cannot be bound.
    #[must_use]
    pub fn start_on(port: u16, behaviour: impl Into<Behaviour>) -> Self {
        Self::launch(port, behaviour.into(), None)
    }

    /// Starts a backend that also answers the control paths under `/__testkit/`, for tests in other languages. The
    /// gate is the one its behaviours wait at.
    ///
    /// # Panics
    /// When the port cannot be bound.
    #[must_use]
    pub fn start_controlled(port: u16, behaviour: impl Into<Behaviour>, gate: Gate) -> Self {
        Self::launch(port, behaviour.into(), Some(gate))
    }

    fn launch(port: u16, behaviour: Behaviour, control: Option<Gate>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .unwrap_or_else(|error| panic!("cannot listen on 127.0.0.1:{port}: {error}"));
        listener.set_nonblocking(true).expect("a fresh listener can be made non-blocking");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared =
            Arc::new(Shared { state: Watched::new(State { behaviour, ..State::default() }), control });
        let (stop, stopped) = oneshot::channel();
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("testkit-backend-{}", address.port()))
            .spawn(move || serve::run(listener, for_thread, stopped))
            .expect("a thread can be started");
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how requests are answered from now on; the list of faults starts again.
    pub fn behave(&self, behaviour: impl Into<Behaviour>) {
        self.shared.behave(behaviour.into());
    }

    /// Every request received so far, in order of completion.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state.read(|state| state.requests.clone())
    }

    /// Blocks until `count` requests have been received and returns them all.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_for_requests(&self, count: usize) -> Vec<Recorded> {
        self.wait(&format!("{count} requests"), |state| {
            (state.requests.len() >= count).then(|| state.requests.clone())
        })
    }

    /// How often a client closed its connection, or its sending half, in the middle of an answer.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.shared.state.read(|state| state.cancelled)
    }

    /// Blocks until clients have cancelled `count` answers.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_cancelled(&self, count: usize) {
        self.wait(&format!("{count} cancelled answers"), |state| (state.cancelled >= count).then_some(()));
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.state.read(|state| state.connections)
    }

    /// Blocks until no connection is open.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_all_closed(&self) {
        self.wait("all connections to be closed", |state| (state.open_connections == 0).then_some(()));
    }

    /// Bytes its sockets have taken so far.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.shared.state.read(|state| state.bytes_sent)
    }

    /// Blocks until a client has taken no byte for `quiet` although there is more to send, and returns the bytes sent.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_blocked(&self, quiet: Duration) -> u64 {
        let end = Instant::now() + DEADLINE;
        loop {
            let since =
                self.wait("a client that stops reading", |state| state.blocked.first().map(|entry| entry.1));
            let left = quiet.saturating_sub(since.elapsed());
            let still = |state: &State| state.blocked.iter().any(|entry| entry.1 == since);
            let moved = self.shared.state.wait_for(left, |state| (!still(state)).then_some(()));
            if moved.is_none() {
                return self.bytes_sent();
            }
            assert!(Instant::now() < end, "the client kept reading for {DEADLINE:?}");
        }
    }

    fn wait<R>(&self, what: &str, probe: impl FnMut(&State) -> Option<R>) -> R {
        self.shared.state.wait_for(DEADLINE, probe).unwrap_or_else(|| {
            let (requests, cancelled, open) = self
                .shared
                .state
                .read(|state| (state.requests.len(), state.cancelled, state.open_connections));
            panic!(
                "backend {} waited {DEADLINE:?} for {what}; it has {requests} requests, {cancelled} cancelled, {open} \
                 open connections",
                self.address
            )
        })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread has been printed already; dropping must not panic again.
            let _finished = thread.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.state.update(|state| {
            state.behaviour = behaviour;
            state.chat_requests = 0;
        });
    }
}
