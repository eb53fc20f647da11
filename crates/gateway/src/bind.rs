//! Opens the listening sockets, and says what to change where that fails.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::BindError;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;

/// A socket that has its address. Nobody can connect before it listens.
pub(crate) struct BoundSocket {
    socket: Socket,
    index: usize,
    address: String,
    port: u16,
}

/// Takes the address of the listener at `index` of the configuration.
pub(crate) fn bind(index: usize, address: &str, port: u16) -> Result<BoundSocket, BindError> {
    let refusal = |reason| refusal(index, address, port, reason);
    let target = resolve(address, port).map_err(refusal)?;
    let socket = open(target).map_err(refusal)?;
    Ok(BoundSocket { socket, index, address: address.to_owned(), port })
}

fn refusal(index: usize, address: &str, port: u16, reason: io::Error) -> BindError {
    let part = match reason.kind() {
        io::ErrorKind::AddrInUse => {
            return BindError::PortInUse { index, address: address.to_owned(), port };
        }
        io::ErrorKind::PermissionDenied => "port",
        _ => "address",
    };
    BindError::Refused {
        key: format!("listeners[{index}].{part}"),
        address: address.to_owned(),
        port,
        reason,
    }
}

fn resolve(address: &str, port: u16) -> io::Result<SocketAddr> {
    let bare = address.trim().trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let not_found = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    (bare, port).to_socket_addrs()?.next().ok_or_else(not_found)
}

/// Without `SO_REUSEPORT`: a second process must learn that the port is taken.
fn open(target: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    if target.is_ipv6() {
        // `::` takes IPv4 clients too, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&target.into())?;
    Ok(socket)
}

// === impl BoundSocket ===

impl BoundSocket {
    /// The position of the listener in the configuration.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// From now on clients can connect. Also tells where.
    pub(crate) fn listen(self) -> Result<(TcpListener, SocketAddr), BindError> {
        let Self { socket, index, address, port } = self;
        let listening = socket.listen(BACKLOG).and_then(|()| {
            let listener = TcpListener::from(socket);
            let local = listener.local_addr()?;
            Ok((listener, local))
        });
        listening.map_err(|reason| refusal(index, &address, port, reason))
    }
}
