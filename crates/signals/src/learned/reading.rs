//! What the router's own models found in the texts of one request.

use std::{ops::Range, sync::Arc};

use vsr_types::UnavailableReason;

use super::plan::ReadingPlan;
use crate::external::{RemoteFailure, RemoteReading, RemoteReadings, RemoteTask};

/// A classifier on top of the trunk model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Head {
    /// Subject areas: the fourteen MMLU categories.
    Domain,
    /// `hard` and `easy`.
    Complexity,
    /// `jailbreak` or `injection`, and `benign`.
    Jailbreak,
    /// `needs_fact_check` and `no_fact_check_needed`.
    FactCheck,
    /// `satisfied`, `need_clarification`, `wrong_answer`, `want_different`.
    UserFeedback,
    /// `AR`, `DIFFUSION`, `BOTH`.
    Modality,
}

/// A set of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadSet(u8);

/// The probabilities of a head's classes for one window; they sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadOutput {
    /// The names of the classes.
    pub labels: Arc<[Arc<str>]>,
    /// One probability per class.
    pub probabilities: Arc<[f32]>,
}

/// What one head said of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadReading {
    /// The head.
    pub head: Head,
    /// Its output, or why there is none.
    pub output: Result<HeadOutput, UnavailableReason>,
}

/// What the trunk model said of one window of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Where it is in the text, in bytes.
    pub bytes: Range<usize>,
    /// How many tokens it has.
    pub tokens: u32,
    /// Its embedding, of length 1, if it was asked for.
    pub embedding: Option<Arc<[f32]>>,
    /// The heads that were asked for.
    pub heads: Vec<HeadReading>,
}

/// What the trunk model said of a text: its windows in order, those that were read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrunkReading {
    /// The windows.
    pub windows: Vec<Window>,
    /// How many of the text's tokens are in a window.
    pub tokens_seen: u32,
    /// How many tokens the text has.
    pub tokens_present: u32,
}

/// An entity that a tagger found.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedSpan {
    /// Where it is in the text, in bytes.
    pub bytes: Range<usize>,
    /// What the tagger calls its type.
    pub kind: Arc<str>,
    /// How probable it is, 0..=1.
    pub probability: f32,
}

/// What the tagger said of a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TagReading {
    /// The entities; those of overlapping windows may overlap.
    pub spans: Vec<TaggedSpan>,
    /// How many of the text's tokens were read.
    pub tokens_seen: u32,
    /// How many tokens the text has.
    pub tokens_present: u32,
}

/// What the models said of one text, or why they did not.
#[derive(Debug, Clone, PartialEq)]
pub struct TextReading {
    /// The trunk model; an empty reading where nothing of it was asked for.
    pub trunk: Result<TrunkReading, UnavailableReason>,
    /// The tagger; an empty reading where nothing of it was asked for.
    pub tags: Result<TagReading, UnavailableReason>,
}

/// What the models said of every text of a plan.
#[derive(Debug, Clone)]
pub struct TextReadings {
    pub(super) plan: ReadingPlan,
    fingerprint: Arc<str>,
    outputs: Vec<TextReading>,
    /// Why there is no output, for texts without one.
    missing: UnavailableReason,
    /// Whether no model read anything.
    is_absent: bool,
    image: Result<Arc<[f32]>, UnavailableReason>,
    audio: Result<Arc<[f32]>, UnavailableReason>,
    remote: Option<RemoteReadings>,
}

// === impl Head

impl Head {
    /// Every head.
    pub const ALL: [Head; 6] = [
        Head::Domain,
        Head::Complexity,
        Head::Jailbreak,
        Head::FactCheck,
        Head::UserFeedback,
        Head::Modality,
    ];

    /// Its name: `domain`, `complexity`, `jailbreak`, `fact_check`, `user_feedback`, `modality`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Head::Domain => "domain",
            Head::Complexity => "complexity",
            Head::Jailbreak => "jailbreak",
            Head::FactCheck => "fact_check",
            Head::UserFeedback => "user_feedback",
            Head::Modality => "modality",
        }
    }
}

// === impl HeadSet

impl HeadSet {
    /// No head.
    pub const NONE: Self = Self(0);

    /// Puts `head` in.
    pub fn insert(&mut self, head: Head) {
        self.0 |= 1 << head as u8;
    }

    /// Whether `head` is in.
    pub fn contains(self, head: Head) -> bool {
        self.0 & 1 << head as u8 != 0
    }

    /// Whether no head is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Head::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Head> {
        Head::ALL.into_iter().filter(move |head| self.contains(*head))
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        self.0 |= other.0;
        self
    }
}

impl FromIterator<Head> for HeadSet {
    fn from_iter<I: IntoIterator<Item = Head>>(heads: I) -> Self {
        let mut set = Self::default();
        heads.into_iter().for_each(|head| set.insert(head));
        set
    }
}

// === impl TextReading

impl TextReading {
    /// No output of either model, for one reason.
    pub fn unavailable(reason: UnavailableReason) -> Self {
        Self { trunk: Err(reason), tags: Err(reason) }
    }
}

// === impl TextReadings

impl TextReadings {
    /// The outputs of the texts of `plan`, one per need and in their order; a text without one counts as
    /// failed. `fingerprint` names the trunk model: prototypes made by another are not compared.
    pub fn new(plan: ReadingPlan, fingerprint: impl Into<Arc<str>>, outputs: Vec<TextReading>) -> Self {
        Self {
            plan,
            fingerprint: fingerprint.into(),
            outputs,
            missing: UnavailableReason::Failed,
            is_absent: false,
            image: Err(UnavailableReason::Failed),
            audio: Err(UnavailableReason::Failed),
            remote: None,
        }
    }

    /// No outputs at all, for one reason: no model is active, or all are busy.
    pub fn unavailable(plan: ReadingPlan, reason: UnavailableReason) -> Self {
        Self {
            plan,
            fingerprint: "".into(),
            outputs: Vec::new(),
            missing: reason,
            is_absent: true,
            image: Err(reason),
            audio: Err(reason),
            remote: None,
        }
    }

    /// Adds what models served elsewhere said of the texts of the same plan; without it the rules that ask them
    /// are unavailable.
    #[must_use]
    pub fn with_remote(mut self, readings: RemoteReadings) -> Self {
        self.remote = Some(readings);
        self
    }

    /// Adds the embedding of the plan's image, of length 1 and made by the same model, or why there is none.
    #[must_use]
    pub fn with_image(mut self, image: Result<Arc<[f32]>, UnavailableReason>) -> Self {
        self.image = image;
        self
    }

    /// Adds the embedding of the plan's sound, of length 1 and made by the same model, or why there is none.
    #[must_use]
    pub fn with_audio(mut self, audio: Result<Arc<[f32]>, UnavailableReason>) -> Self {
        self.audio = audio;
        self
    }

    /// The embedding of the request's sound.
    pub(super) fn audio(&self) -> Result<&[f32], UnavailableReason> {
        match self.plan.audio() {
            None if !self.is_absent => Err(UnavailableReason::NoInput),
            _ => self.audio.as_deref().map_err(|reason| *reason),
        }
    }

    /// The embedding of the request's image.
    pub(super) fn image(&self) -> Result<&[f32], UnavailableReason> {
        match self.plan.image() {
            None if !self.is_absent => Err(UnavailableReason::NoInput),
            _ => self.image.as_deref().map_err(|reason| *reason),
        }
    }

    /// What was to be read.
    pub fn plan(&self) -> &ReadingPlan {
        &self.plan
    }

    /// What the models said of each text of the plan, in its order; empty if nothing was read.
    pub fn outputs(&self) -> &[TextReading] {
        &self.outputs
    }

    /// The trunk model that read.
    pub fn fingerprint(&self) -> &Arc<str> {
        &self.fingerprint
    }

    /// Why a text that no plan asks for cannot be judged.
    pub(super) fn nothing(&self) -> UnavailableReason {
        match self.plan.routes.dropped.any() {
            _ if self.is_absent => self.missing,
            true => UnavailableReason::PartlyRead,
            false => UnavailableReason::NoInput,
        }
    }

    /// What models served elsewhere said, if they were asked.
    pub fn remote_readings(&self) -> Option<&RemoteReadings> {
        self.remote.as_ref()
    }

    /// What models served elsewhere said of one text.
    pub(super) fn remote(
        &self,
        need: usize,
        task: RemoteTask,
    ) -> Result<impl Iterator<Item = &RemoteReading>, RemoteFailure> {
        let remote = self.remote.as_ref().ok_or_else(|| {
            RemoteFailure::new(UnavailableReason::NotActive, "models served elsewhere are not asked here")
        })?;
        Ok(remote.of(need, task))
    }

    /// The one answer about a text.
    pub(super) fn remote_answer(
        &self,
        need: Option<usize>,
        task: RemoteTask,
    ) -> Result<&crate::external::RemoteOutcome, RemoteFailure> {
        let none = |reason| RemoteFailure::new(reason, "nothing was asked");
        let need = need.ok_or_else(|| none(UnavailableReason::NoInput))?;
        let reading = self.remote(need, task)?.next().ok_or_else(|| none(UnavailableReason::Failed))?;
        reading.outcome.as_ref().map_err(Clone::clone)
    }

    pub(super) fn trunk(&self, need: usize) -> Result<&TrunkReading, UnavailableReason> {
        self.outputs
            .get(need)
            .map_or(Err(self.missing), |output| output.trunk.as_ref().map_err(|reason| *reason))
    }

    pub(super) fn tags(&self, need: usize) -> Result<&TagReading, UnavailableReason> {
        self.outputs
            .get(need)
            .map_or(Err(self.missing), |output| output.tags.as_ref().map_err(|reason| *reason))
    }

    /// One embedding for a text: the mean of its first and its last window, of length 1.
    pub(super) fn embedding(&self, need: Option<usize>) -> Result<Vec<f32>, UnavailableReason> {
        let trunk = self.trunk(need.ok_or_else(|| self.nothing())?)?;
        let mut mean: Vec<f32> = Vec::new();
        for window in trunk.ends() {
            let embedding = window.embedding.as_deref().ok_or(UnavailableReason::Failed)?;
            if mean.is_empty() {
                mean = embedding.to_vec();
            } else {
                mean.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += value);
            }
        }
        let norm = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
        match norm.is_finite() && norm > 0.0 {
            true => {
                mean.iter_mut().for_each(|value| *value /= norm);
                Ok(mean)
            }
            false => Err(trunk.why_empty()),
        }
    }

    /// One distribution for a text: the mean over its first and its last window, weighted by tokens.
    pub(super) fn probabilities(
        &self,
        need: Option<usize>,
        head: Head,
    ) -> Result<Vec<(Arc<str>, f64)>, UnavailableReason> {
        let trunk = self.trunk(need.ok_or_else(|| self.nothing())?)?;
        let mut classes: Vec<(Arc<str>, f64)> = Vec::new();
        let mut total = 0.0;
        for window in trunk.ends() {
            let output = window.output(head)?;
            let weight = f64::from(window.tokens.max(1));
            if classes.is_empty() {
                classes = output.labels.iter().map(|label| (label.clone(), 0.0)).collect();
            }
            if classes.len() != output.probabilities.len() {
                return Err(UnavailableReason::Failed);
            }
            total += weight;
            for ((_, sum), probability) in classes.iter_mut().zip(output.probabilities.iter()) {
                *sum += weight * f64::from(*probability);
            }
        }
        classes.iter_mut().for_each(|(_, sum)| *sum /= total);
        match classes.is_empty() || classes.iter().any(|(_, probability)| !probability.is_finite()) {
            true => Err(trunk.why_empty()),
            false => Ok(classes),
        }
    }
}

// === impl TrunkReading

impl TrunkReading {
    /// The first and the last window.
    fn ends(&self) -> impl Iterator<Item = &Window> {
        let last = self.windows.len().saturating_sub(1);
        self.windows
            .iter()
            .enumerate()
            .filter(move |(index, _)| *index == 0 || *index == last)
            .map(|(_, it)| it)
    }

    /// Why a text has no windows: nothing is in it, or nothing of it was read.
    fn why_empty(&self) -> UnavailableReason {
        match self.windows.is_empty() {
            true if self.tokens_present == 0 => UnavailableReason::NoInput,
            true => UnavailableReason::PartlyRead,
            false => UnavailableReason::Failed,
        }
    }
}

// === impl Window

impl Window {
    pub(super) fn output(&self, head: Head) -> Result<&HeadOutput, UnavailableReason> {
        let reading = self.heads.iter().find(|reading| reading.head == head);
        let output = reading.ok_or(UnavailableReason::Failed)?.output.as_ref().map_err(|reason| *reason)?;
        let is_whole = output.labels.len() == output.probabilities.len();
        is_whole.then_some(output).ok_or(UnavailableReason::Failed)
    }
}
