//! Marks on reasoning signatures: which model's they are.
//!
//! A signature proves reasoning to the model that wrote it and to no other. Where the router
//! hands one to a client in another protocol's field, it marks it with the model's name, so that
//! it can be given back to that model alone. Reasoning that has no signature at all gets an empty
//! mark where a protocol demands the field. A mark reads `vsr1.<kind>.<model hash>.<payload>`.

const PREFIX: &str = "vsr1.";

/// What a mark holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark<'a> {
    /// A signature of open reasoning; empty if there is none.
    Signature {
        /// The hash of the model's name.
        origin: u64,
        /// What the provider gave.
        payload: &'a str,
    },
    /// Encrypted reasoning.
    Redacted {
        /// The hash of the model's name.
        origin: u64,
        /// What the provider gave.
        payload: &'a str,
    },
}

/// The FNV-1a hash of a model's name: the same in every process, and no secret.
pub(crate) fn origin_of(model: &str) -> u64 {
    model
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Marks what `model` gave.
pub(crate) fn marked_signature(model: &str, is_redacted: bool, payload: &str) -> String {
    let kind = if is_redacted { 'r' } else { 's' };
    format!("{PREFIX}{kind}.{:016x}.{payload}", origin_of(model))
}

/// Reads a mark; none if the router did not make it.
pub(crate) fn read_mark(signature: &str) -> Option<Mark<'_>> {
    let (kind, rest) = signature.strip_prefix(PREFIX)?.split_once('.')?;
    let (origin, payload) = rest.split_once('.')?;
    let origin = u64::from_str_radix(origin, 16).ok().filter(|_| origin.len() == 16)?;
    match kind {
        "s" => Some(Mark::Signature { origin, payload }),
        "r" => Some(Mark::Redacted { origin, payload }),
        _ => None,
    }
}

// === impl Mark

impl Mark<'_> {
    /// Whether `model` made what is marked.
    pub(crate) fn is_of(self, model: &str) -> bool {
        let (Self::Signature { origin, .. } | Self::Redacted { origin, .. }) = self;
        origin == origin_of(model)
    }

    /// What the provider gave.
    pub(crate) fn payload(&self) -> &str {
        let (Self::Signature { payload, .. } | Self::Redacted { payload, .. }) = self;
        payload
    }
}
