//! Inference between two texts: whether one follows from the other, contradicts it, or neither.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::timeout_at;
use vsr_encoder::{Error, Query};

use crate::{Reader, ReaderError, checkpoint::Checkpoint, weights::Weights};

/// How a hypothesis relates to a premise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It follows.
    Entailment,
    /// It may hold or not.
    Neutral,
    /// It cannot hold.
    Contradiction,
}

/// What a model says of a premise and a hypothesis.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// The most probable relation.
    pub relation: Relation,
    /// Its probability.
    pub confidence: f32,
    /// The probabilities, in the order of [`Relation::ALL`]; they sum to 1.
    pub probabilities: [f32; 3],
}

/// The model that judges pairs of texts.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) weights: Weights,
    pub(crate) labels: Vec<Arc<str>>,
    /// Where the checkpoint has each relation.
    places: [usize; 3],
}

// === impl Relation

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 3] = [Self::Entailment, Self::Neutral, Self::Contradiction];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entailment => "entailment",
            Self::Neutral => "neutral",
            Self::Contradiction => "contradiction",
        }
    }

    /// How its class is called at least, in models of all makers.
    const fn stem(self) -> &'static str {
        match self {
            Self::Entailment => "entail",
            Self::Neutral => "neutral",
            Self::Contradiction => "contradict",
        }
    }

    /// Where each relation is among these classes, if they are the three.
    pub(crate) fn places(labels: &[Arc<str>]) -> Option<[usize; 3]> {
        let place = |relation: Self| {
            labels.iter().position(|label| label.trim().to_ascii_lowercase().starts_with(relation.stem()))
        };
        match (labels.len(), place(Self::Entailment), place(Self::Neutral), place(Self::Contradiction)) {
            (3, Some(entailment), Some(neutral), Some(contradiction)) => {
                Some([entailment, neutral, contradiction])
            }
            _ => None,
        }
    }
}

// === impl Judge

impl Judge {
    /// The checkpoint's, if its classes are the three.
    pub(crate) fn new(checkpoint: &Checkpoint) -> Option<Self> {
        let places = Relation::places(&checkpoint.labels)?;
        let weights = Weights::directory(checkpoint);
        Some(Self { weights, labels: checkpoint.labels.clone(), places })
    }
}

// === impl Reader

impl Reader {
    /// How `hypothesis` relates to `premise`. Where both are too long for the model, the longer one is cut first.
    ///
    /// # Errors
    /// If there is no model for it, it is busy, or it fails.
    pub async fn inference(
        &self,
        premise: &str,
        hypothesis: &str,
        limit: Duration,
    ) -> Result<Inference, ReaderError> {
        let (Some(judge), Some(pool)) = (&self.models.judge, self.pool()) else {
            return Err(ReaderError::Absent("model that judges pairs of texts"));
        };
        let late = || Error::Overloaded("the deadline passed before the texts were encoded");
        let deadline = Instant::now().checked_add(limit).ok_or_else(|| ReaderError::of(late()))?;
        if judge.weights.if_loaded().is_none() {
            // The first use packs the checkpoint, which takes a while.
            let judge = Arc::clone(judge);
            let load = tokio::task::spawn_blocking(move || judge.weights.model().map(drop));
            load.await.map_err(|error| ReaderError::Failed(error.to_string()))?.map_err(ReaderError::of)?;
        }
        let model = judge.weights.model().map_err(ReaderError::of)?;
        let ticket = pool.submit(model, Query::Pair(premise.into(), hypothesis.into()), deadline);
        let encoded = timeout_at(deadline.into(), ticket).await.unwrap_or_else(|_| Err(late()));
        let encoded = encoded.map_err(ReaderError::of)?;
        let values = encoded.heads.first().map(|head| &*head.values).unwrap_or_default();
        if values.len() != judge.labels.len() {
            let why = format!("it has {} classes instead of {}", values.len(), judge.labels.len());
            return Err(ReaderError::Failed(why));
        }
        let probabilities = judge.places.map(|place| values[place]);
        let best = (0..3).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap_or_default();
        Ok(Inference { relation: Relation::ALL[best], confidence: probabilities[best], probabilities })
    }
}
