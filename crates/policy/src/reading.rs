//! How stored confidences are read.

use vsr_types::{AtomId, Evidence};

/// Reads evidence, with or without the public release's defects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Whether the defects of v0.3 are reproduced.
    pub(crate) v0_3: bool,
}

// === impl Reading

impl Reading {
    /// The confidence of a matched atom.
    pub(crate) fn confidence(self, evidence: &Evidence, id: AtomId) -> f64 {
        let confidence = evidence.confidence(id).unwrap_or(1.0);
        if self.v0_3 && confidence <= 0.0 { 1.0 } else { confidence }
    }
}
