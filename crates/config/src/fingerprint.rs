//! The content hash of a configuration: what every value feeds into it.

use sha2::{Digest, Sha256};

/// Collects a configuration's values. Each is framed by its kind and length, so that no two
/// configurations feed the same bytes.
pub struct Fingerprint(Sha256);

// === impl Fingerprint

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Feeds text, of a value or of a key.
    pub fn text(&mut self, text: &str) {
        self.frame(b't', text.as_bytes());
    }

    /// Feeds a credential: its own digest, not its text.
    pub fn secret(&mut self, secret: &str) {
        self.frame(b's', &Sha256::digest(secret.as_bytes()));
    }

    /// Feeds a number.
    pub fn number(&mut self, number: impl std::fmt::Display) {
        self.frame(b'n', number.to_string().as_bytes());
    }

    /// Feeds that a value is absent, or that a list or mapping of `length` entries follows.
    pub fn length(&mut self, length: Option<usize>) {
        self.frame(b'l', &length.map_or(u64::MAX, |length| length as u64).to_le_bytes());
    }

    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn frame(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update([kind]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
