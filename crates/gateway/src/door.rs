//! Who is at the door: API keys, and peers whose identity headers are believed.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use vsr_config::AuthzIdentity;
use vsr_types::{Identity, IdentitySource, KeyPrint, Secret};

use crate::{BindError, refusal::Refusal};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a listener asks of its clients.
pub(crate) struct Door {
    /// Present where keys are demanded; empty keys of the configuration open nothing.
    keys: Option<Vec<(Secret, KeyPrint)>>,
    trusted_peers: Vec<IpNet>,
    user_header: HeaderName,
    groups_header: HeaderName,
}

// === impl Door ===

impl Door {
    pub(crate) fn new(
        index: usize,
        listener: &vsr_config::Listener,
        identity: &AuthzIdentity,
    ) -> Result<Self, BindError> {
        let keys = listener.api_keys.iter().filter(|key| !key.is_empty());
        let keys = keys.map(|key| (key.clone(), print(key))).collect();
        let mut trusted_peers = Vec::with_capacity(listener.trusted_peers.len());
        for (position, written) in listener.trusted_peers.iter().enumerate() {
            trusted_peers.push(parse_network(written).ok_or_else(|| BindError::Value {
                key: format!("listeners[{index}].trusted_peers[{position}]"),
                value: written.to_string(),
                problem: "is no address range; write one such as 10.0.0.0/8 or ::1",
            })?);
        }
        let header = |key: &str, name: &str| {
            HeaderName::try_from(name).map_err(|_| BindError::Value {
                key: format!("global.services.authz.identity.{key}"),
                value: name.to_owned(),
                problem: "is no header name",
            })
        };
        Ok(Self {
            keys: (!listener.api_keys.is_empty()).then_some(keys),
            trusted_peers,
            user_header: header("user_id_header", &identity.user_id_header)?,
            groups_header: header("user_groups_header", &identity.user_groups_header)?,
        })
    }

    /// Whether anybody may come in unasked.
    pub(crate) fn is_open(&self) -> bool {
        self.keys.is_none() && self.trusted_peers.is_empty()
    }

    pub(crate) fn demands_key(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether `peer` may say who asks.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_peers.iter().any(|network| network.contains(&peer))
    }

    /// Whether the router itself reads this header, so that a backend must not.
    pub(crate) fn owns_header(&self, name: &HeaderName) -> bool {
        *name == self.user_header || *name == self.groups_header
    }

    /// Who asks; or why nobody gets in.
    pub(crate) fn admit(&self, headers: &HeaderMap, peer_is_trusted: bool) -> Result<Identity, Refusal> {
        let mut identity = Identity::default();
        if let Some(keys) = &self.keys {
            let Some(print) = presented_of(keys, headers) else {
                return Err(Refusal::new(
                    "unauthorized",
                    401,
                    "an API key is required: send `Authorization: Bearer KEY`, or `x-api-key: KEY`, with a valid key",
                ));
            };
            identity.key = Some(print);
            identity.source = IdentitySource::ApiKey;
        }
        if peer_is_trusted {
            let user = single(headers, &self.user_header)?;
            let groups = single(headers, &self.groups_header)?;
            if user.is_some() || groups.is_some() {
                identity.source = IdentitySource::TrustedPeer;
                identity.user = user.map(Arc::from);
                let groups = groups.unwrap_or_default().split(',').map(str::trim);
                identity.groups = groups.filter(|group| !group.is_empty()).map(Arc::from).collect();
            }
        }
        Ok(identity)
    }
}

/// What tells `key` apart from others wherever something is kept for whoever presents it.
fn print(key: &Secret) -> KeyPrint {
    let hash = Sha256::new().chain_update(b"vsr key\0").chain_update(key.expose()).finalize();
    let mut print = [0; 16];
    print.copy_from_slice(&hash[..16]);
    KeyPrint(print)
}

/// Which of the keys is presented. Compares with every one, so that the time does not tell which one came close.
fn presented_of(keys: &[(Secret, KeyPrint)], headers: &HeaderMap) -> Option<KeyPrint> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter().chain(headers.get_all(X_API_KEY));
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?;
    // Clients of Anthropic send the bare key in a header of their own.
    let token = match headers.contains_key(X_API_KEY) {
        true => Some(text),
        false => text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|split| split.1),
    };
    let token = token.map(str::trim)?;
    keys.iter().fold(None, |known, (key, print)| if key.matches(token) { Some(*print) } else { known })
}

/// The one value of an identity header. Two values, or one that is not text, could be read differently elsewhere.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(ambiguous(format!("the header `{name}` was sent more than once")));
    }
    let text = value.map(|value| std::str::from_utf8(value.as_bytes())).transpose();
    let text = text.map_err(|_| ambiguous(format!("the header `{name}` is not UTF-8")))?;
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

fn ambiguous(message: String) -> Refusal {
    Refusal::new("ambiguous_identity", 400, message)
}

fn parse_network(written: &str) -> Option<IpNet> {
    let written = written.trim();
    written.parse().ok().or_else(|| written.parse::<IpAddr>().ok().map(IpNet::from))
}
