//! Heads on the trunk model, and heads that are models of their own.

use std::sync::Arc;

use vsr_encoder::{Encoded, Error, Package};
use vsr_signals::{Head, HeadOutput};
use vsr_types::UnavailableReason;

use crate::{checkpoint::Checkpoint, tongue::Tongue, weights::Weights};

/// The trunk model.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) weights: Weights,
    /// Where each head's output is, its labels and its languages.
    heads: Vec<(Head, HeadFacts)>,
}

/// A model of its own for one head.
#[derive(Debug)]
pub(crate) struct OwnHead {
    pub(crate) weights: Weights,
    pub(crate) facts: HeadFacts,
}

/// A head of a model.
#[derive(Debug)]
pub(crate) struct HeadFacts {
    /// What the model calls it; its only one if empty.
    name: &'static str,
    pub(crate) labels: Arc<[Arc<str>]>,
    languages: Vec<String>,
}

// === impl Trunk

impl Trunk {
    pub(crate) fn new(package: Package) -> Result<Self, Error> {
        let heads = Head::ALL.into_iter().filter_map(|head| {
            let spec = package.sequence_heads().iter().find(|spec| spec.name == head.as_str())?;
            Some((head, spec.labels.iter().map(|label| label.as_str().into()).collect()))
        });
        let heads: Vec<(Head, Arc<[Arc<str>]>)> = heads.collect();
        let weights = Weights::packed(package)?;
        let facts = |(head, labels): (Head, Arc<[Arc<str>]>)| {
            let languages = weights.languages(head.as_str()).to_vec();
            (head, HeadFacts { name: head.as_str(), labels, languages })
        };
        let heads = heads.into_iter().map(facts).collect();
        Ok(Self { weights, heads })
    }

    pub(crate) fn heads(&self) -> impl Iterator<Item = (Head, &HeadFacts)> {
        self.heads.iter().map(|(head, facts)| (*head, facts))
    }

    pub(crate) fn head(&self, head: Head) -> Option<&HeadFacts> {
        self.heads.iter().find(|(own, _)| *own == head).map(|(_, facts)| facts)
    }
}

// === impl OwnHead

impl OwnHead {
    pub(crate) fn new(checkpoint: &Checkpoint) -> Self {
        let labels = checkpoint.labels.iter().cloned().collect();
        let facts = HeadFacts { name: "", labels, languages: Vec::new() };
        Self { weights: Weights::directory(checkpoint), facts }
    }
}

// === impl HeadFacts

impl HeadFacts {
    /// Whether the head was evaluated on some languages only.
    pub(crate) fn minds_language(&self) -> bool {
        !self.languages.is_empty()
    }

    /// Its classes for a window of which `tongue` is known, of a text of which `whole` is.
    pub(crate) fn output(
        &self,
        (tongue, whole): (Tongue, Tongue),
        encoded: &Encoded,
    ) -> Result<HeadOutput, UnavailableReason> {
        if !tongue.is_read_within(whole, &self.languages) {
            return Err(UnavailableReason::UnsupportedLanguage);
        }
        let probabilities = match self.name {
            "" => encoded.heads.first().map(|head| &*head.values),
            name => encoded.probabilities(name),
        };
        let probabilities = probabilities.ok_or(UnavailableReason::Failed)?;
        // A model with other classes than it was said to have judges nothing.
        if probabilities.len() != self.labels.len() {
            return Err(UnavailableReason::Failed);
        }
        Ok(HeadOutput { labels: Arc::clone(&self.labels), probabilities: probabilities.into() })
    }
}
