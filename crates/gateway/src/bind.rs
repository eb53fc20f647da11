//! Opens the listening sockets, and says what to change where that fails.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::BindError;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Opens the socket of the listener at `index` of the configuration.
pub(crate) fn bind(index: usize, address: &str, port: u16) -> Result<TcpListener, BindError> {
    let refused = |part: &str, reason: io::Error| BindError::Refused {
        key: format!("listeners[{index}].{part}"),
        address: address.to_owned(),
        port,
        reason,
    };
    let target = resolve(address, port).map_err(|reason| refused("address", reason))?;
    listen(target).map_err(|reason| match reason.kind() {
        io::ErrorKind::AddrInUse => BindError::PortInUse { index, address: address.to_owned(), port },
        io::ErrorKind::PermissionDenied => refused("port", reason),
        _ => refused("address", reason),
    })
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
fn listen(target: SocketAddr) -> io::Result<TcpListener> {
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
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
