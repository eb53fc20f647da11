//! One text judged outside of any request.

use vsr_types::UnavailableReason;

use super::{
    Cover, Head, ReadingPlan, TextReadings, TextView, Wants,
    jailbreak::attack_probability,
    plan::{Builder, Look, Origin},
};
use crate::{
    external::{RemoteFailure, RemoteOutcome, RemoteReading, RemoteTask},
    pii::{Entity, merge, recognise},
};

/// How likely a text attacks the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackReading {
    /// The highest probability of any window, 0..=1.
    pub probability: f64,
    /// In which view of the text that window is.
    pub view: TextView,
    /// Whether all of the text was read.
    pub is_whole: bool,
}

/// What personal data a text holds.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityReading {
    /// The entities in order, without overlaps, as bytes of the text.
    pub entities: Vec<Entity>,
    /// Why only fixed formats were looked for, if the tagger did not read.
    pub tagger: Result<(), UnavailableReason>,
}

// === impl ReadingPlan

impl ReadingPlan {
    /// A plan to read one text with `wants`, at most so many tokens of it.
    pub fn for_text(text: &str, wants: Wants, cover: Cover, budget_tokens: u32) -> Self {
        let mut builder = Builder::new(budget_tokens);
        if !text.trim().is_empty() {
            builder.plan.routes.full = builder.need(text, Origin::CURRENT, TextView::Written, wants, cover);
        }
        builder.plan
    }

    /// A plan to ask a model served elsewhere about one text; a guardrail also about what it hides.
    pub fn for_remote(text: &str, task: RemoteTask) -> Self {
        let mut builder = Builder::new(0);
        let wants = Wants::remote(task);
        if task == RemoteTask::Guardrail {
            builder.scan(text, Origin::CURRENT, Look { attack: Some(wants), ..Look::default() });
        } else if !text.trim().is_empty() {
            let need = builder.need(text, Origin::CURRENT, TextView::Written, wants, Cover::Ends);
            builder.plan.routes.full = need;
        }
        builder.plan
    }

    /// A plan to look for attacks, personal data or both in one text and in what it hides.
    pub fn for_scan(text: &str, attacks: bool, entities: bool, budget_tokens: u32) -> Self {
        let mut builder = Builder::new(budget_tokens);
        let attack = attacks.then(|| Wants::head(Head::Jailbreak));
        builder.scan(text, Origin::CURRENT, Look { attack, searches: false, pii: entities });
        builder.plan
    }
}

// === impl TextReadings

impl TextReadings {
    /// The embedding of the one text of [`ReadingPlan::for_text`], of length 1.
    ///
    /// # Errors
    /// Why there is none.
    pub fn text_embedding(&self) -> Result<Vec<f32>, UnavailableReason> {
        self.embedding(self.plan.routes.full)
    }

    /// The classes of the one text of [`ReadingPlan::for_text`] with their probabilities, in the order of the head.
    ///
    /// # Errors
    /// Why there are none.
    pub fn text_probabilities(
        &self,
        head: Head,
    ) -> Result<Vec<(std::sync::Arc<str>, f64)>, UnavailableReason> {
        self.probabilities(self.plan.routes.full, head)
    }

    /// The worst that a window of [`ReadingPlan::for_scan`] says.
    ///
    /// # Errors
    /// Why a window could not be judged.
    pub fn attack(&self) -> Result<AttackReading, UnavailableReason> {
        let mut worst: Option<(f64, TextView)> = None;
        let (mut is_whole, mut failure) = (!self.plan.routes.dropped.any(), None);
        for scan in self.plan.routes.scans.iter().filter(|scan| scan.for_attack) {
            let trunk = self.trunk(scan.need)?;
            is_whole &= trunk.tokens_seen == trunk.tokens_present;
            for window in &trunk.windows {
                match attack_probability(window) {
                    Ok(probability) if worst.is_none_or(|(most, _)| probability > most) => {
                        worst = Some((probability, scan.view));
                    }
                    Ok(_) => {}
                    Err(reason) => failure = Some(reason),
                }
            }
        }
        if let Some(reason) = failure {
            return Err(reason);
        }
        let (probability, view) = worst.ok_or_else(|| self.nothing())?;
        Ok(AttackReading { probability, view, is_whole })
    }

    /// The classes that a model served elsewhere gives the one text of [`ReadingPlan::for_remote`].
    ///
    /// # Errors
    /// Why there are none.
    pub fn remote_classes(&self, task: RemoteTask) -> Result<&[(std::sync::Arc<str>, f64)], RemoteFailure> {
        match self.remote_answer(self.plan.routes.full, task)? {
            RemoteOutcome::Classes(classes) => Ok(classes),
            _ => Err(RemoteFailure::new(UnavailableReason::Failed, "the answer has no classes")),
        }
    }

    /// The worst that a guardrail says of a piece of [`ReadingPlan::for_remote`]. If `is_strict`, only what it calls an
    /// attack counts, whatever its probability.
    ///
    /// # Errors
    /// Why a piece could not be judged: it may be an attack.
    pub fn remote_attack(&self, is_strict: bool) -> Result<AttackReading, RemoteFailure> {
        let mut worst: Option<AttackReading> = None;
        let (mut is_whole, mut failure) = (!self.plan.routes.dropped.any(), None);
        for scan in self.plan.routes.scans.iter().filter(|scan| scan.for_attack) {
            let mut shown = 0;
            for RemoteReading { bytes, outcome, .. } in self.remote(scan.need, RemoteTask::Guardrail)? {
                let (probability, is_attack) = match outcome {
                    Ok(RemoteOutcome::Guardrail { probability, is_attack }) => (*probability, *is_attack),
                    Ok(_) => continue,
                    Err(error) => {
                        failure = Some(error);
                        continue;
                    }
                };
                shown += bytes;
                let probability = if is_attack || !is_strict { probability } else { 0.0 };
                if worst.is_none_or(|worst| probability > worst.probability) {
                    worst = Some(AttackReading { probability, view: scan.view, is_whole: false });
                }
            }
            is_whole &= shown == self.plan.needs()[scan.need].text.len();
        }
        match (worst, failure) {
            (_, Some(failure)) => Err(failure.clone()),
            (Some(worst), None) => Ok(AttackReading { is_whole, ..worst }),
            (None, None) => Err(RemoteFailure::new(self.nothing(), "nothing was asked")),
        }
    }

    /// The personal data in the one text of [`ReadingPlan::for_scan`].
    ///
    /// # Errors
    /// If there is no text.
    pub fn entities(&self) -> Result<EntityReading, UnavailableReason> {
        let scan = self.plan.routes.scans.iter().find(|scan| scan.for_pii);
        let scan = scan.ok_or(UnavailableReason::NoInput)?;
        let need = &self.plan.needs()[scan.need];
        let text = &need.text;
        let (spans, tagger) = match self.tags(scan.need) {
            Ok(tags) if tags.tokens_seen < tags.tokens_present || need.omission.is_some() => {
                (tags.spans.as_slice(), Err(UnavailableReason::PartlyRead))
            }
            Ok(tags) => (tags.spans.as_slice(), Ok(())),
            Err(reason) => (&[][..], Err(reason)),
        };
        let mut entities = merge(text, &recognise(text), spans);
        entities.iter_mut().for_each(|entity| entity.bytes = need.original(entity.bytes.clone()));
        Ok(EntityReading { entities, tagger })
    }
}
