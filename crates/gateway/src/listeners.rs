//! The listeners of a gateway: which are open, and how a new configuration changes their rules, opens and closes some.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use vsr_config::Config;

use crate::{
    BindError,
    bind::{BoundSocket, bind},
    listener::{Listener, Rules},
};

/// The listeners of a gateway, to change them while it serves.
#[derive(Clone, Default)]
pub struct Listeners {
    open: Arc<Mutex<Vec<Open>>>,
    /// Tells the gateway to look which are open.
    changed: Arc<Notify>,
}

/// A listener with the address it was asked to bind.
struct Open {
    address: String,
    port: u16,
    listener: Arc<Listener>,
    /// Until the gateway takes it.
    socket: Option<Socket>,
}

/// A socket on which clients can connect, and nobody takes them in yet.
pub(crate) struct Socket {
    pub(crate) index: usize,
    pub(crate) socket: std::net::TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) listener: Arc<Listener>,
}

/// Listeners of a new configuration, ready to be put in force.
#[must_use = "nothing changes before they are applied"]
pub struct NewListeners {
    listeners: Listeners,
    rules: Vec<(usize, Arc<Listener>, Arc<Rules>)>,
    new: Vec<(Open, BoundSocket)>,
    gone: Vec<Arc<Listener>>,
    restart_needed: Vec<String>,
}

// === impl Listeners ===

impl Listeners {
    /// Those of a gateway that begins, and their addresses.
    pub(crate) fn open(
        written: &[vsr_config::Listener],
        config: &Config,
    ) -> Result<(Self, Vec<SocketAddr>), BindError> {
        let listeners = Self::default();
        let new = listeners.prepare(written, config)?.new;
        let addresses: Result<_, _> =
            new.into_iter().map(|(open, socket)| listeners.begin(open, socket)).collect();
        Ok((listeners, addresses?))
    }

    /// What these listeners of a configuration change. Which are which is told by address and port: those that are open
    /// get new rules, those that are new get their address, on which nobody can connect yet.
    ///
    /// # Errors
    /// If a value cannot be used or an address not be had; then nothing is to change.
    pub fn prepare(
        &self,
        written: &[vsr_config::Listener],
        config: &Config,
    ) -> Result<NewListeners, BindError> {
        let open = self.lock();
        let mut prepared = NewListeners {
            listeners: self.clone(),
            rules: Vec::new(),
            new: Vec::new(),
            gone: Vec::new(),
            restart_needed: Vec::new(),
        };
        let mut contested = Vec::new();
        for (index, written) in written.iter().enumerate() {
            let known = open.iter().find(|open| open.is(written));
            let before = known.map(|open| open.listener.rules());
            let rules = Rules::new(index, written, config, before.as_deref())?;
            if let Some(open) = known {
                prepared.rules.push((index, Arc::clone(&open.listener), Arc::new(rules)));
                continue;
            }
            match bind(index, &written.address, written.port) {
                Ok(socket) => prepared.new.push((Open::new(written, Listener::new(rules)), socket)),
                // Of addresses that share a port one can be taken only once the other is free.
                Err(BindError::PortInUse { .. }) if open.iter().any(|open| open.port == written.port) => {
                    prepared.restart_needed.push(format!("listeners[{index}].address"));
                    contested.push(written.port);
                }
                Err(error) => return Err(error),
            }
        }
        for open in open.iter().filter(|open| !written.iter().any(|written| open.is(written))) {
            if contested.contains(&open.port) {
                let key = format!("listeners ({}:{} stays open with its old rules)", open.address, open.port);
                prepared.restart_needed.push(key);
            } else {
                prepared.gone.push(Arc::clone(&open.listener));
            }
        }
        Ok(prepared)
    }

    /// Looks whether files of certificates changed. Those that can be used are, for new connections; of those that
    /// cannot, the ones before stay, and an error is logged. [`Gateway::serve`](crate::Gateway::serve) does this every
    /// few seconds. Blocks.
    pub fn renew_certificates(&self) {
        let rules: Vec<_> = self.lock().iter().map(|open| open.listener.rules()).collect();
        for tls in rules.iter().filter_map(|rules| rules.tls()) {
            tls.renew();
        }
    }

    /// Lets those that are in finish, and takes nobody in any more.
    pub(crate) fn drain(&self) {
        for open in self.lock().iter() {
            open.listener.drain();
        }
    }

    /// Resolves when others are open than when it resolved last.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The sockets that nobody has taken yet.
    pub(crate) fn take_sockets(&self) -> Vec<Socket> {
        self.lock().iter_mut().filter_map(|open| open.socket.take()).collect()
    }

    /// Whether a listener is one of these.
    pub(crate) fn has(&self, listener: &Arc<Listener>) -> bool {
        self.lock().iter().any(|open| Arc::ptr_eq(&open.listener, listener))
    }

    /// Lets clients connect to a new one, and tells where.
    fn begin(&self, mut open: Open, socket: BoundSocket) -> Result<SocketAddr, BindError> {
        let index = socket.index();
        let (socket, address) = socket.listen()?;
        open.socket = Some(Socket { index, socket, address, listener: Arc::clone(&open.listener) });
        self.lock().push(open);
        Ok(address)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Open ===

impl Open {
    fn new(written: &vsr_config::Listener, listener: Listener) -> Self {
        Self {
            address: written.address.to_string(),
            port: written.port,
            listener: Arc::new(listener),
            socket: None,
        }
    }

    fn is(&self, written: &vsr_config::Listener) -> bool {
        *self.address == *written.address && self.port == written.port
    }
}

// === impl NewListeners ===

impl NewListeners {
    /// The keys that take effect after a restart only.
    pub fn restart_needed(&self) -> &[String] {
        &self.restart_needed
    }

    /// Puts them in force. New listeners take clients in; rules hold for every request that begins from now on, on
    /// connections that are open too; of listeners that are gone the sockets are closed, and requests in flight end.
    pub fn apply(self) {
        let Self { listeners, rules, new, gone, .. } = self;
        for (index, listener, rules) in rules {
            listener.take_over(index, rules);
        }
        for (open, socket) in new {
            // Somebody else may listen on the address since it was bound.
            if let Err(error) = listeners.begin(open, socket) {
                tracing::error!(%error, "a new listener is not open");
            }
        }
        listeners.lock().retain(|open| !gone.iter().any(|gone| Arc::ptr_eq(gone, &open.listener)));
        listeners.changed.notify_one();
    }
}
