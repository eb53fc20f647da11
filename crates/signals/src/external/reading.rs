//! What models served elsewhere said of the texts of one request.

use std::sync::Arc;

use vsr_types::UnavailableReason;

/// What a model served elsewhere is asked about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RemoteTask {
    /// Whether it is an attack.
    Guardrail,
    /// What its subject is.
    Domain,
    /// Which preference rule it belongs to.
    Preference,
}

/// A set of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoteSet(u8);

/// What one call said of a text, or of a piece of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteReading {
    /// The text, by its place among the needs of the plan.
    pub need: usize,
    /// What was asked.
    pub task: RemoteTask,
    /// How many bytes of the text no earlier piece showed the model.
    pub bytes: usize,
    /// The answer, or why there is none.
    pub outcome: Result<RemoteOutcome, RemoteFailure>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum RemoteOutcome {
    /// Of a guardrail.
    Guardrail {
        /// How probable an attack is, 0..=1.
        probability: f64,
        /// Whether the model calls it one.
        is_attack: bool,
    },
    /// Of a classifier: the probabilities of classes, or of the one class that it names.
    Classes(Vec<(Arc<str>, f64)>),
    /// Of a matcher: the rule by name, or none of them.
    Route(Option<Arc<str>>),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFailure {
    /// The reason as evidence has it.
    pub reason: UnavailableReason,
    /// The same for people; never what a request or an answer says.
    pub detail: Arc<str>,
}

/// All readings of one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RemoteReadings(Vec<RemoteReading>);

// === impl RemoteTask

impl RemoteTask {
    /// Every task.
    pub const ALL: [RemoteTask; 3] = [RemoteTask::Guardrail, RemoteTask::Domain, RemoteTask::Preference];

    /// Its name: `guardrail`, `domain`, `preference`.
    pub const fn as_str(self) -> &'static str {
        match self {
            RemoteTask::Guardrail => "guardrail",
            RemoteTask::Domain => "domain",
            RemoteTask::Preference => "preference",
        }
    }
}

// === impl RemoteSet

impl RemoteSet {
    /// No task.
    pub const NONE: Self = Self(0);

    /// One task.
    pub const fn of(task: RemoteTask) -> Self {
        Self(1 << task as u8)
    }

    /// Whether `task` is in.
    pub fn contains(self, task: RemoteTask) -> bool {
        self.0 & 1 << task as u8 != 0
    }

    /// Whether no task is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`RemoteTask::ALL`].
    pub fn iter(self) -> impl Iterator<Item = RemoteTask> {
        RemoteTask::ALL.into_iter().filter(move |task| self.contains(*task))
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

// === impl RemoteReadings

impl RemoteReadings {
    /// The readings of one request, in any order.
    pub fn new(readings: Vec<RemoteReading>) -> Self {
        Self(readings)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &RemoteReading> {
        self.0.iter()
    }

    pub(crate) fn of(&self, need: usize, task: RemoteTask) -> impl Iterator<Item = &RemoteReading> {
        self.0.iter().filter(move |reading| reading.need == need && reading.task == task)
    }
}

// === impl RemoteFailure

impl RemoteFailure {
    /// A failure.
    pub fn new(reason: UnavailableReason, detail: impl Into<Arc<str>>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
