//! Whose responses they are.

use sha2::{Digest, Sha256};
use vsr_types::Identity;

/// Whose responses they are: a hash of the identity at the listener, safe to write down.
///
/// Users are told apart by tenant and name. Callers without a name are told apart by the API key that they presented;
/// where the listener asks for none, all of them are one owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(String);

// === impl Owner

impl Owner {
    /// The owner that `identity` is.
    pub fn of(identity: &Identity) -> Self {
        let mut hash = Sha256::new();
        let mut feed = |tag: u8, part: Option<&[u8]>| {
            let part = part.map_or((0, &[][..]), |part| (1, part));
            hash.update([tag, part.0]);
            hash.update((part.1.len() as u64).to_le_bytes());
            hash.update(part.1);
        };
        feed(b't', identity.tenant.as_deref().map(str::as_bytes));
        feed(b'u', identity.user.as_deref().map(str::as_bytes));
        let key = identity.key.filter(|_| identity.user.is_none());
        feed(b'k', key.as_ref().map(|key| &key.0[..]));
        Self(crate::ids::hex(&hash.finalize()[..16]))
    }

    /// The key in the store of what this owner calls `id`.
    pub(crate) fn key(&self, id: &str) -> String {
        format!("{}/{id}", self.0)
    }
}
