//! What scans for attacks and for personal data share: how much was read, and where something was.

use vsr_types::{AtomId, Evidence};

use super::plan::{Dropped, Scan, TextSource, TextView};

/// How much of the texts must be read for a rule to say that it does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Whatever was read decides.
    Nothing,
    /// All that the model has not seen: what the user wrote last and tools' newest results.
    News,
    /// All that the rule reads.
    Everything,
}

/// How much of the texts was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Coverage {
    /// How many texts there were.
    pub(super) texts: usize,
    /// Whether texts that the rule reads, or parts of them, were left out of the plan.
    has_dropped: bool,
    has_dropped_news: bool,
    /// Whether a new text was not read whole.
    has_unread_news: bool,
    seen: u64,
    present: u64,
    /// What a model served elsewhere was shown of the texts, in bytes.
    shown: u64,
    bytes: u64,
}

// === impl Demand

impl Demand {
    /// What a rule demands that says so, or does not. The release took what it read for everything.
    pub(super) fn of(require_full_scan: Option<bool>, v0_3: bool) -> Self {
        match require_full_scan {
            Some(true) => Self::Everything,
            Some(false) => Self::Nothing,
            None if v0_3 => Self::Nothing,
            None => Self::News,
        }
    }
}

// === impl Coverage

impl Coverage {
    pub(super) fn new(dropped: Dropped, include_history: bool) -> Self {
        Self {
            has_dropped: dropped.new || dropped.results || dropped.earlier && include_history,
            has_dropped_news: dropped.new,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, scan: Scan, seen: u32, present: u32) {
        self.seen += u64::from(seen.min(present));
        self.present += u64::from(present);
        self.has_unread_news |= scan.is_new && seen < present;
    }

    pub(super) fn add_bytes(&mut self, scan: Scan, shown: usize, present: usize) {
        self.shown += shown.min(present) as u64;
        self.bytes += present as u64;
        self.has_unread_news |= scan.is_new && shown < present;
    }

    /// Whether as much was read as is demanded.
    pub(super) fn satisfies(self, demand: Demand) -> bool {
        match demand {
            Demand::Nothing => true,
            Demand::News => !self.has_unread_news && !self.has_dropped_news,
            Demand::Everything => self.seen == self.present && self.shown == self.bytes && !self.has_dropped,
        }
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
        TextSource::SameTurn(position) | TextSource::EarlierUser(position) => {
            format!("user turn {}", position + 1)
        }
        TextSource::JoinedTurn => "the user's newest texts joined".to_owned(),
        TextSource::ToolArguments(position) => format!("arguments of tool call {}", position + 1),
        TextSource::NonUser(position) => format!("system or assistant text {}", position + 1),
        TextSource::JoinedUser => "the user's turns joined".to_owned(),
    };
    match scan.view {
        TextView::Written => source,
        TextView::Plain => format!("{source}, look-alikes folded"),
        TextView::Decoded => format!("{source}, decoded"),
    }
}
