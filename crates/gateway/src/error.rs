//! Owns the crate's one error: why the gateway cannot start.

use std::io;

use vsr_router::TlsError;

/// The gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The port is taken.
    #[error(
        "cannot listen on {address}:{port}: the port is in use by another process; stop it or change \
         `listeners[{index}].port`"
    )]
    PortInUse {
        /// The position of the listener in the configuration.
        index: usize,
        /// The address as written.
        address: String,
        /// The port.
        port: u16,
    },
    /// The system refuses the address.
    #[error("cannot listen on {address}:{port}: {reason}; change `{key}`")]
    Refused {
        /// The key to change.
        key: String,
        /// The address as written.
        address: String,
        /// The port.
        port: u16,
        /// What the system says.
        reason: io::Error,
    },
    /// A value of a listener cannot be used.
    #[error("`{key}`: `{value}` {problem}")]
    Value {
        /// The key that holds it.
        key: String,
        /// The value as written.
        value: String,
        /// What is wrong and what is expected.
        problem: &'static str,
    },
    /// A listener cannot have the transport security it asks for.
    #[error("`listeners[{index}].tls.{}`: {}; {}", .error.key, .error.message, .error.help)]
    Tls {
        /// The position of the listener in the configuration.
        index: usize,
        /// What is wrong with its files.
        error: TlsError,
    },
    /// Stored responses cannot be read.
    #[error(
        "cannot open the stored responses: {0}; set another `global.router.state_dir`, or \
         `global.services.response_api.enabled: false`"
    )]
    Responses(io::Error),
    /// A thread or its runtime cannot be started.
    #[error("cannot start worker thread {index}: {reason}")]
    Worker {
        /// Which one.
        index: usize,
        /// What the system says.
        reason: io::Error,
    },
}
