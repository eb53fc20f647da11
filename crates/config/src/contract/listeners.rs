//! `listeners[]`.

use vsr_types::Secret;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

contract! {
    /// An address on which clients are served.
    pub struct Listener {
        /// Its name, for logs and metrics.
        name: String = String::new(),
        /// The address to bind.
        address: Expanded = Expanded("0.0.0.0".into()),
        /// The port to bind.
        port: u16 = 8899,
        /// The longest time one request may take in all.
        timeout: TimeSpan = TimeSpan::seconds(300),
        /// Keys that clients present as `Authorization: Bearer`; empty lets everybody in.
        api_keys: Vec<Secret> = Vec::new(),
        /// Peers (CIDR) whose identity headers are believed; none by default.
        trusted_peers: Vec<Expanded> = Vec::new(),
        /// Bounds on what one client may use.
        limits: ListenerLimits = ListenerLimits::default(),
        /// How much of the routing is told in response headers.
        routing_headers: RoutingHeaders = RoutingHeaders::Full,
        /// After so long a silence of a backend a stream tells its client that it goes on; 0 never.
        ping_interval: TimeSpan = TimeSpan::seconds(15),
        /// Whole answers of at least so many bytes are compressed for clients that accept gzip; never
        /// if absent.
        compress_from_bytes: Option<u64> = None,
        /// Which headers pass, beside those that pass or stay by default.
        headers: HeaderRules = HeaderRules::default(),
        /// Transport security.
        tls: Option<ListenerTls> = None,
    }

    /// Which headers pass. Entries are names, or beginnings of names that end in `*`.
    pub struct HeaderRules {
        /// Request headers that reach backends although they would not by default, such as `cookie`.
        request_allow: Vec<String> = Vec::new(),
        /// Request headers that do not reach backends.
        request_deny: Vec<String> = Vec::new(),
        /// Headers of backends that reach clients although they would not by default.
        response_allow: Vec<String> = Vec::new(),
        /// Headers of backends that do not reach clients.
        response_deny: Vec<String> = Vec::new(),
    }

    /// Bounds on what one client may use.
    pub struct ListenerLimits {
        /// The largest request body in bytes.
        max_body_bytes: u64 = 10 * 1024 * 1024,
        /// The most connections open at one time.
        max_connections: u32 = 10_000,
        /// The most requests in flight at one time; those beyond are answered with 503 and `retry-after`.
        /// Not bounded if absent.
        max_requests: Option<u32> = None,
        /// The time in which a client must have sent its request head.
        header_timeout: TimeSpan = TimeSpan::seconds(10),
        /// The time after which an idle connection is closed.
        idle_timeout: TimeSpan = TimeSpan::seconds(120),
        /// The most concurrent streams of one HTTP/2 connection.
        max_streams: u32 = 100,
    }

    /// Transport security of a listener.
    pub struct ListenerTls {
        /// The certificate chain (PEM).
        cert_file: Expanded,
        /// The private key (PEM).
        key_file: Expanded,
        /// The authorities whose client certificates are required and accepted (PEM).
        client_ca_file: Option<Expanded> = None,
    }
}

contract_enum! {
    /// How much of the routing is told in response headers.
    pub enum RoutingHeaders {
        /// Nothing.
        Off = "off",
        /// Which decision and model, and which rules matched.
        Names = "names",
        /// Names, confidences, counts and timings.
        Full = "full",
    }
}
