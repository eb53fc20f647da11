//! Listeners, and the other addresses the process binds.

use std::{collections::HashMap, net::IpAddr};

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{Config, Listener},
    decode::Decoder,
};

use super::ranges::Ranges;

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    let list = Path::keys("listeners");
    for (index, listener) in config.listeners.iter().enumerate() {
        self::listener(listener, &list.index(index), decoder);
    }
    names(config, &list, decoder);
    addresses(config, &list, decoder);
}

fn listener(listener: &Listener, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder).positive("timeout", listener.timeout);
    let limits = &listener.limits;
    Ranges::of(place.key("limits"), decoder)
        .at_least_one("max_body_bytes", limits.max_body_bytes)
        .at_least_one("max_connections", limits.max_connections)
        .at_least_one("max_requests", limits.max_requests.unwrap_or(1))
        .positive("header_timeout", limits.header_timeout)
        .positive("idle_timeout", limits.idle_timeout)
        .at_least_one("max_streams", limits.max_streams);
    headers(listener, &place.key("headers"), decoder);
    for (index, key) in listener.api_keys.iter().enumerate() {
        if key.expose().trim().is_empty() {
            let place = place.key("api_keys").index(index);
            decoder
                .push(Diagnostic::error(place, "an empty key would let everybody in; remove it or fill it"));
        }
    }
    for (index, peers) in listener.trusted_peers.iter().enumerate() {
        if !is_address_range(peers) {
            let place = place.key("trusted_peers").index(index);
            let message = format!("`{}` is no address range", peers.0);
            decoder.push(Diagnostic::error(place, message).help("write 10.0.0.0/8, fd00::/8 or 192.0.2.7"));
        }
    }
}

/// Headers that no rule lets through: they frame one message, or are the router's own.
const NEVER_PASSING: [&str; 14] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "x-request-id",
    "x-selected-model",
];

fn headers(listener: &Listener, place: &Path, decoder: &mut Decoder<'_>) {
    let rules = &listener.headers;
    let lists = [
        ("request_allow", &rules.request_allow, true),
        ("request_deny", &rules.request_deny, false),
        ("response_allow", &rules.response_allow, true),
        ("response_deny", &rules.response_deny, false),
    ];
    for (key, list, is_allowed) in lists {
        for (index, written) in list.iter().enumerate() {
            let place = place.key(key).index(index);
            let name = written.strip_suffix('*').unwrap_or(written).to_ascii_lowercase();
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'+-.^_`|~".contains(c);
            let is_own = NEVER_PASSING.contains(&&*name)
                || ["x-vsr-", "x-authz-", "proxy-"].iter().any(|own| name.starts_with(own));
            if name.is_empty() || !name.chars().all(is_token) {
                let message = format!("`{written}` is no header name");
                let help = "write a name such as `cookie`, or the beginning of names such as `x-team-*`";
                decoder.push(Diagnostic::error(place, message).help(help));
            } else if is_own && is_allowed {
                decoder.push(Diagnostic::error(
                    place,
                    format!("the header `{written}` never passes; remove it"),
                ));
            }
        }
    }
}

/// An address, or a CIDR range of addresses.
fn is_address_range(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| {
        bits.bytes().all(|byte| byte.is_ascii_digit()) && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    })
}

fn names(config: &Config, list: &Path, decoder: &mut Decoder<'_>) {
    let mut first = HashMap::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        if listener.name.is_empty() {
            continue;
        }
        if let Some(earlier) = first.insert(listener.name.as_str(), index) {
            let message = format!("the name `{}` is used already by {}", listener.name, list.index(earlier));
            decoder.push(Diagnostic::error(list.index(index).key("name"), message));
        }
    }
}

/// Everything the process binds, each at an address of its own. Port 0 is any free port.
fn addresses(config: &Config, list: &Path, decoder: &mut Decoder<'_>) {
    let services = &config.global.services;
    let mut bound: Vec<(Path, &str, u16)> = config
        .listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| (list.index(index), &*listener.address, listener.port))
        .collect();
    bound.push((Path::keys("global.services.api"), &services.api.address, services.api.port));
    let metrics = &services.observability.metrics;
    if metrics.enabled {
        bound.push((Path::keys("global.services.observability.metrics"), &metrics.address, metrics.port));
    }
    let mut first: HashMap<(&str, u16), &Path> = HashMap::new();
    let is_known = |place: &Path| ["address", "port"].iter().all(|key| !decoder.is_broken(&place.key(*key)));
    bound.retain(|(place, _, port)| *port != 0 && is_known(place));
    for (place, address, port) in &bound {
        if let Some(earlier) = first.get(&(*address, *port)) {
            let message = format!("{address}:{port} is bound already by {earlier}");
            decoder.push(Diagnostic::error(place.key("port"), message).help("give each its own port"));
        } else {
            first.insert((address, *port), place);
        }
    }
}
