//! What the signals found: three-valued, one slot per atom.

use std::sync::Arc;

use serde::Serialize;

use crate::{AtomId, AtomSet, AtomTable, SignalFamily};

/// Why a rule could not be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnavailableReason {
    /// The family is part of the contract and not active in this version.
    NotActive,
    /// There is nothing the rule could read: no text, no image.
    NoInput,
    /// The detector failed.
    Failed,
    /// The detector's queue was full or its deadline passed.
    Overloaded,
    /// The detector failed so often of late that it is not asked for a while.
    CircuitOpen,
    /// Not all of the text was read, and the rule demands it.
    PartlyRead,
    /// The text is in a language that the detector was not evaluated on.
    UnsupportedLanguage,
    /// Nobody vouched for the caller.
    NoIdentity,
}

/// What a rule whose evidence is unavailable counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Neither true nor false: `NOT rule` does not hold either.
    #[default]
    Unavailable,
    /// As if it had matched.
    Match,
    /// As if it had not matched.
    NoMatch,
}

/// The evidence of one request over the atoms of one table. Cloning it copies flat arrays.
#[derive(Debug, Clone)]
pub struct Evidence {
    matched: AtomSet,
    unavailable: AtomSet,
    confidence: Vec<f64>,
    value: Vec<f64>,
    /// None where nobody will read them.
    notes: Option<Vec<(AtomId, Arc<str>)>>,
    reasons: Vec<(AtomId, UnavailableReason)>,
    family_nanos: [u64; SignalFamily::COUNT],
}

// === impl UnavailableReason

impl UnavailableReason {
    /// Its name in traces and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotActive => "not_active",
            Self::NoInput => "no_input",
            Self::Failed => "failed",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen => "circuit_open",
            Self::PartlyRead => "partly_read",
            Self::UnsupportedLanguage => "unsupported_language",
            Self::NoIdentity => "no_identity",
        }
    }
}

impl Serialize for UnavailableReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

// === impl Evidence

impl Evidence {
    /// No evidence yet: nothing matched, nothing unavailable.
    pub fn new(atoms: &AtomTable) -> Self {
        Self {
            matched: AtomSet::with_capacity(atoms.len()),
            unavailable: AtomSet::with_capacity(atoms.len()),
            confidence: vec![f64::NAN; atoms.len()],
            value: vec![f64::NAN; atoms.len()],
            notes: Some(Vec::new()),
            reasons: Vec::new(),
            family_nanos: [0; SignalFamily::COUNT],
        }
    }

    /// The same, but explanations are not kept: writing them takes longer than finding what they tell of.
    #[must_use]
    pub fn without_notes(mut self) -> Self {
        self.notes = None;
        self
    }

    /// The atom matched with `confidence` (0..=1 for most families).
    pub fn set_matched(&mut self, id: AtomId, confidence: f64) {
        self.matched.insert(id);
        self.unavailable.remove(id);
        self.confidence[id.index()] = confidence;
    }

    /// The atom was evaluated and did not match; its confidence is forgotten, its raw value kept.
    pub fn set_not_matched(&mut self, id: AtomId) {
        self.matched.remove(id);
        self.unavailable.remove(id);
        self.confidence[id.index()] = f64::NAN;
    }

    /// The atom could not be evaluated; `on_error` decides what it counts as, the reason is kept.
    pub fn set_unavailable(&mut self, id: AtomId, reason: UnavailableReason, on_error: OnError) {
        self.reasons.push((id, reason));
        match on_error {
            OnError::Match => self.set_matched(id, 1.0),
            OnError::NoMatch => self.set_not_matched(id),
            OnError::Unavailable => {
                self.set_not_matched(id);
                self.unavailable.insert(id);
            }
        }
    }

    /// Stores the raw value behind the atom, matched or not.
    pub fn set_value(&mut self, id: AtomId, value: f64) {
        self.value[id.index()] = value;
    }

    /// Whether explanations are kept.
    pub fn keeps_notes(&self) -> bool {
        self.notes.is_some()
    }

    /// Adds a word of explanation for people: which keyword, which language, which limit.
    pub fn note<N: Into<Arc<str>>>(&mut self, id: AtomId, note: impl FnOnce() -> N) {
        if let Some(notes) = &mut self.notes {
            notes.push((id, note().into()));
        }
    }

    /// Adds to the time spent on `family`.
    pub fn add_family_nanos(&mut self, family: SignalFamily, nanos: u64) {
        self.family_nanos[family.index()] += nanos;
    }

    /// Whether the atom matched.
    pub fn is_matched(&self, id: AtomId) -> bool {
        self.matched.contains(id)
    }

    /// Whether the atom is neither matched nor unmatched.
    pub fn is_unavailable(&self, id: AtomId) -> bool {
        self.unavailable.contains(id)
    }

    /// The matched atoms.
    pub fn matched(&self) -> &AtomSet {
        &self.matched
    }

    /// The atoms that are neither matched nor unmatched.
    pub fn unavailable(&self) -> &AtomSet {
        &self.unavailable
    }

    /// The confidence of a matched atom.
    pub fn confidence(&self, id: AtomId) -> Option<f64> {
        let confidence = self.confidence[id.index()];
        (!confidence.is_nan()).then_some(confidence)
    }

    /// The raw value behind the atom.
    pub fn value(&self, id: AtomId) -> Option<f64> {
        let value = self.value[id.index()];
        (!value.is_nan()).then_some(value)
    }

    /// Why the atom could not be evaluated, if it could not.
    pub fn reason(&self, id: AtomId) -> Option<UnavailableReason> {
        self.reasons.iter().find(|(noted, _)| *noted == id).map(|(_, reason)| *reason)
    }

    /// The explanations of the atom, in the order noted.
    pub fn notes(&self, id: AtomId) -> impl Iterator<Item = &str> {
        self.notes.iter().flatten().filter(move |(noted, _)| *noted == id).map(|(_, note)| &**note)
    }

    /// Nanoseconds spent on `family`.
    pub fn family_nanos(&self, family: SignalFamily) -> u64 {
        self.family_nanos[family.index()]
    }
}
