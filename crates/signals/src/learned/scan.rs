//! What scans for attacks and for personal data share: how much was read, and where something was.

use vsr_types::{AtomId, Evidence};

use super::plan::{Scan, TextSource, TextView};

/// How much of the texts was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Coverage {
    /// How many texts there were.
    pub(super) texts: usize,
    /// Whether texts were left out of the plan.
    has_dropped: bool,
    seen: u64,
    present: u64,
    /// What a model served elsewhere was shown of the texts, in bytes.
    shown: u64,
    bytes: u64,
}

// === impl Coverage

impl Coverage {
    pub(super) fn new(has_dropped: bool) -> Self {
        Self { has_dropped, ..Self::default() }
    }

    pub(super) fn add(&mut self, seen: u32, present: u32) {
        self.seen += u64::from(seen.min(present));
        self.present += u64::from(present);
    }

    pub(super) fn add_bytes(&mut self, shown: usize, present: usize) {
        self.shown += shown.min(present) as u64;
        self.bytes += present as u64;
    }

    /// Whether every token was read, and every byte shown.
    pub(super) fn is_whole(self) -> bool {
        self.seen == self.present && self.shown == self.bytes && !self.has_dropped
    }

    /// Notes tokens seen of tokens present, where a model read.
    pub(super) fn note(self, atom: AtomId, evidence: &mut Evidence) {
        let more = if self.has_dropped { " and more" } else { "" };
        if self.bytes > 0 {
            evidence
                .note(atom, || format!("showed a guardrail {} of {}{more} bytes", self.shown, self.bytes));
        }
        if self.present > 0 || self.has_dropped && self.bytes == 0 {
            evidence.note(atom, || format!("read {} of {}{more} tokens", self.seen, self.present));
        }
    }
}

/// Where a scanned text is from, in words.
pub(super) fn describe(scan: Scan) -> String {
    let source = match scan.source {
        TextSource::Current | TextSource::Compressed => "the current text".to_owned(),
        TextSource::ToolResult(position) => format!("tool result {}", position + 1),
        TextSource::EarlierUser(position) => format!("user turn {}", position + 1),
        TextSource::NonUser(position) => format!("system or assistant text {}", position + 1),
        TextSource::JoinedUser => "the user's turns joined".to_owned(),
    };
    match scan.view {
        TextView::Written => source,
        TextView::Plain => format!("{source}, look-alikes folded"),
        TextView::Decoded => format!("{source}, decoded"),
    }
}
