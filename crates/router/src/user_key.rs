//! Where the key for a provider comes from when users have keys of their own: a header that a trusted peer sends, the
//! configuration, or both in turn.

use http::{HeaderName, HeaderValue};
use vsr_config::{AuthzProviderKind, AuthzService, ProviderKind};

/// The header in which users' keys for a backend come, and the one they go into.
#[derive(Debug, Clone)]
pub struct UserKey {
    /// The header that a trusted peer sends.
    pub from: HeaderName,
    /// The header that the backend reads.
    pub into: HeaderName,
    /// The word before the key, or nothing.
    pub(crate) prefix: String,
}

/// What the configuration says of the keys for one provider.
pub(crate) struct KeyChain {
    /// The header that is looked at before the configuration.
    pub(crate) from: Option<HeaderName>,
    /// Whether the key in the configuration counts.
    pub(crate) uses_configured: bool,
    /// Whether a request without any key is refused.
    pub(crate) is_required: bool,
}

// === impl KeyChain

impl KeyChain {
    /// The chain for backends of `provider`, of which the configuration has a key or not. Without a written chain, a
    /// user's key comes before the configured one. The error is a header name that is none.
    pub(crate) fn of(
        authz: &AuthzService,
        provider: ProviderKind,
        has_configured: bool,
    ) -> Result<Self, String> {
        let position = |kind| authz.providers.iter().position(|source| source.kind == kind);
        let is_written = !authz.providers.is_empty();
        let headers = position(AuthzProviderKind::HeaderInjection);
        let configured = position(AuthzProviderKind::StaticConfig);
        let uses_configured = !is_written || configured.is_some();
        let configured_first = matches!((headers, configured), (Some(header), Some(own)) if own < header);
        let looks_at_header = (!is_written || headers.is_some()) && !(configured_first && has_configured);
        let name = headers.and_then(|index| authz.providers[index].headers.get(provider.as_str()));
        let name = name.cloned().unwrap_or_else(|| format!("x-user-{}-key", provider.as_str()));
        let from = match looks_at_header {
            true => Some(HeaderName::try_from(name.as_str()).map_err(|_| name)?),
            false => None,
        };
        let is_required = is_written && !authz.fail_open && !(uses_configured && has_configured);
        Ok(Self { from, uses_configured, is_required })
    }
}

// === impl UserKey

impl UserKey {
    /// The value of the header that the backend reads, for the key that a peer sent; none if no header can hold it.
    pub fn value(&self, key: &HeaderValue) -> Option<HeaderValue> {
        let key = key.to_str().ok()?.trim();
        let separator = if self.prefix.is_empty() { "" } else { " " };
        let mut value = HeaderValue::from_str(&format!("{}{separator}{key}", self.prefix)).ok()?;
        value.set_sensitive(true);
        (!key.is_empty()).then_some(value)
    }
}
