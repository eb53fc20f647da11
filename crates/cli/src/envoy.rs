//! `vllm-sr config envoy`: a bootstrap for an Envoy in front of the router.
//!
//! Envoy takes clients in, ends their connections and TLS, bounds what they may use, and passes requests on; the router
//! does all that the policy says, keys and limits of its own included. A listener with TLS is spoken to in TLS.

use std::net::IpAddr;

use anyhow::bail;
use serde_json::{Value, json};
use vsr_config::{Config, Listener, ListenerTls};

/// Bounds of Envoy's guide for edge proxies.
const BUFFER_BYTES: u32 = 32 * 1024;
const INITIAL_STREAM_WINDOW: u32 = 64 * 1024;
const INITIAL_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How much longer than the router Envoy waits, so that the router's own error comes through.
const GRACE_SECONDS: u64 = 5;
const ADMIN_PORT: u16 = 9901;

/// Headers by which the router is told who asks, or which it makes itself: no client may send them.
const INTERNAL_HEADERS: [&str; 4] =
    ["x-authz-user-id", "x-authz-user-groups", "x-selected-model", "x-vsr-skip-processing"];

/// The bootstrap for an Envoy that listens `offset` ports above each listener of the configuration.
///
/// # Errors
/// If a port would be beyond the last, or a listener asks Envoy itself for a certificate.
pub(crate) fn bootstrap(config: &Config, listeners: &[Listener], offset: u16) -> anyhow::Result<Value> {
    let identity = &config.global.services.authz.identity;
    let mut internal: Vec<&str> = INTERNAL_HEADERS.to_vec();
    for own in [&*identity.user_id_header, &*identity.user_groups_header] {
        if !internal.iter().any(|known| known.eq_ignore_ascii_case(own)) {
            internal.push(own);
        }
    }
    let (mut front, mut clusters, mut most) = (Vec::new(), Vec::new(), 0_u64);
    for (index, listener) in listeners.iter().enumerate() {
        let Some(port) = listener.port.checked_add(offset) else {
            bail!(
                "listeners[{index}].port {} plus {offset} is beyond 65535; choose another --port-offset",
                listener.port
            )
        };
        if listener.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some()) {
            bail!(
                "listeners[{index}].tls.client_ca_file: the listener would ask Envoy for a client certificate, and the \
                 configuration names none; leave it out of the file that the router runs on, and let Envoy's listener \
                 ask clients for theirs (`require_client_certificate`)"
            );
        }
        let cluster = format!("router_{index}");
        most += u64::from(listener.limits.max_connections);
        front.push(listen(listener, &cluster, port, &internal));
        clusters.push(router(listener, &cluster));
    }
    Ok(json!({
        "admin": { "address": address("127.0.0.1", ADMIN_PORT) },
        "static_resources": { "listeners": front, "clusters": clusters },
        "overload_manager": { "resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": most.max(1),
            },
        }] },
    }))
}

fn listen(listener: &Listener, cluster: &str, port: u16, internal: &[&str]) -> Value {
    let limits = &listener.limits;
    let seconds = |span: std::time::Duration| format!("{}s", span.as_secs_f64());
    let whole = seconds(listener.timeout.0 + std::time::Duration::from_secs(GRACE_SECONDS));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": cluster,
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        // Underscores in names of headers are allowed: agents send `session_id`.
        "common_http_protocol_options": { "idle_timeout": seconds(limits.idle_timeout.0) },
        "http2_protocol_options": {
            "max_concurrent_streams": limits.max_streams,
            "initial_stream_window_size": INITIAL_STREAM_WINDOW,
            "initial_connection_window_size": INITIAL_CONNECTION_WINDOW,
        },
        "request_headers_timeout": seconds(limits.header_timeout.0),
        "stream_idle_timeout": whole,
        "request_timeout": whole,
        "route_config": {
            "request_headers_to_remove": internal,
            "virtual_hosts": [{
                "name": cluster,
                "domains": ["*"],
                "routes": [{
                    "match": { "prefix": "/" },
                    "route": { "cluster": cluster, "timeout": whole },
                }],
            }],
        },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    let mut chain = json!({ "filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }] });
    if let Some(tls) = &listener.tls {
        chain["transport_socket"] = client_side_tls(tls);
    }
    json!({
        "name": if listener.name.is_empty() { cluster } else { &listener.name },
        "address": address(bare(&listener.address), port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [chain],
    })
}

/// TLS as the listener itself has it.
fn client_side_tls(tls: &ListenerTls) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": { "filename": &*tls.cert_file },
                    "private_key": { "filename": &*tls.key_file },
                }],
            },
        },
    })
}

/// TLS to a router that shows the listener's certificate, and to nobody else. It is reached by its address, which no
/// certificate need name.
fn router_side_tls(tls: &ListenerTls) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["http/1.1"],
                "validation_context": { "trusted_ca": { "filename": &*tls.cert_file } },
            },
        },
    })
}

/// The router itself, as Envoy reaches it.
fn router(listener: &Listener, cluster: &str) -> Value {
    let host = match bare(&listener.address).parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() && ip.is_ipv6() => "::1".to_owned(),
        Ok(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(ip) => ip.to_string(),
        Err(_) => "127.0.0.1".to_owned(),
    };
    let mut router = json!({
        "name": cluster,
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "circuit_breakers": { "thresholds": [{
            "max_connections": listener.limits.max_connections,
            "max_pending_requests": listener.limits.max_connections,
            "max_requests": listener.limits.max_connections,
        }] },
        "health_checks": [{
            "timeout": "2s",
            "interval": "5s",
            "no_traffic_interval": "5s",
            "unhealthy_threshold": 2,
            "healthy_threshold": 1,
            "http_health_check": { "path": "/ready" },
        }],
        "load_assignment": {
            "cluster_name": cluster,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(&host, listener.port) } }] }],
        },
    });
    if let Some(tls) = &listener.tls {
        router["transport_socket"] = router_side_tls(tls);
    }
    router
}

fn address(host: &str, port: u16) -> Value {
    let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
    json!({ "socket_address": { "address": host, "port_value": port } })
}

fn bare(address: &str) -> &str {
    address.trim().trim_start_matches('[').trim_end_matches(']')
}
