//! Who is asking.

use std::sync::Arc;

use serde::Serialize;

/// The caller, resolved once at the listener. Whatever is cached, remembered or limited is keyed by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Identity {
    /// The tenant, where the deployment has tenants.
    pub tenant: Option<Arc<str>>,
    /// The user; `None` for an anonymous caller.
    pub user: Option<Arc<str>>,
    /// The groups the user belongs to, in the order given.
    pub groups: Vec<Arc<str>>,
    /// Which API key was presented, where the key is all that is known of the caller.
    #[serde(skip)]
    pub key: Option<KeyPrint>,
    /// How the caller was identified.
    pub source: IdentitySource,
}

/// Tells API keys apart without being one: the beginning of a hash of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPrint(pub [u8; 16]);

/// How an [`Identity`] was established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentitySource {
    /// Nobody vouched for the caller.
    #[default]
    Anonymous,
    /// The caller presented one of the listener's API keys.
    ApiKey,
    /// A trusted peer named the caller in its identity headers.
    TrustedPeer,
    /// The process's own operator asked, on the command line or over the management API.
    Operator,
}
