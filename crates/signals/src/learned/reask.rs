//! The `reask` family: the user asks the same again.

use vsr_config::{Config, ReaskRule};
use vsr_types::{AtomTable, Diagnostics, Evidence, SignalFamily, UnavailableReason};

use super::{bank::similarity, reading::TextReadings, target::Target};
use crate::rules;

/// The similarity from which two turns count as the same, where a rule names none.
const THRESHOLD: f64 = 0.8;
/// The most turns that a rule can look back.
const MOST_TURNS: usize = 32;

/// Every reask rule.
#[derive(Debug)]
pub(super) struct ReaskFamily {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    target: Target,
    threshold: f64,
    /// How many turns in a row must be similar.
    turns: usize,
}

// === impl ReaskFamily

impl ReaskFamily {
    pub(super) fn compile(config: &Config, atoms: &mut AtomTable, diagnostics: &mut Diagnostics) -> Self {
        let written = &config.routing.signals.reasks;
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Reask, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Reask);
        let compile = |((index, rule), atom): ((usize, &ReaskRule), _)| {
            let place = path.index(index);
            rules::check_share(&place, "threshold", rule.threshold, diagnostics);
            let turns = rule.lookback_turns.filter(|turns| *turns > 0).unwrap_or(1) as usize;
            if turns > MOST_TURNS {
                diagnostics.error(
                    place.key("lookback_turns"),
                    format!("{turns} is above {MOST_TURNS}, the most turns compared"),
                );
            }
            let threshold = rule.threshold.filter(|threshold| *threshold > 0.0).unwrap_or(THRESHOLD);
            Rule { target: Target::new(atom, rule.on_error), threshold, turns: turns.min(MOST_TURNS) }
        };
        Self { rules: written.iter().enumerate().zip(ids).map(compile).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// How many earlier turns are compared.
    pub(super) fn turns(&self) -> usize {
        self.rules.iter().map(|rule| rule.turns).max().unwrap_or(0)
    }

    /// A rule matches if its turns in a row, the newest first, are all similar to the current one. Of the
    /// rules that match, those that look back furthest stay. A turn that was not read matters only to a rule that needs
    /// it.
    pub(super) fn evaluate(&self, readings: &TextReadings, evidence: &mut Evidence) {
        let current = match readings.embedding(readings.plan.routes.full) {
            Ok(current) => current,
            Err(reason) => return self.rules.iter().for_each(|rule| rule.target.fail(reason, evidence)),
        };
        let compare = |turn: &Option<usize>| {
            let turn = readings.embedding(Some(turn.ok_or(UnavailableReason::PartlyRead)?))?;
            Ok(similarity(&current, &turn))
        };
        let turns: Vec<Similarity> = readings.plan.routes.turns.iter().map(compare).collect();
        let streaks: Vec<Result<usize, UnavailableReason>> =
            self.rules.iter().map(|rule| rule.streak(&turns)).collect();
        let is_match = |(rule, streak): &(&Rule, &Result<usize, _>)| streak.is_ok_and(|it| it >= rule.turns);
        let matching = self.rules.iter().zip(&streaks).filter(is_match);
        let furthest = matching.map(|(rule, _)| rule.turns).max();
        for (rule, streak) in self.rules.iter().zip(&streaks) {
            let streak = match streak {
                Ok(streak) => *streak,
                Err(reason) => {
                    rule.target.fail(*reason, evidence);
                    continue;
                }
            };
            evidence.set_value(rule.target.atom, streak as f64);
            let matched = streak >= rule.turns && Some(rule.turns) == furthest;
            let least = turns.iter().take(rule.turns).flatten().copied().fold(f64::INFINITY, f64::min);
            rule.target.settle(matched.then_some(least), evidence);
            if let Some(Ok(newest)) = turns.first() {
                evidence.note(rule.target.atom, || format!("similarity to the turn before {newest:.3}"));
            }
        }
    }
}

/// How similar a turn is to the current one, or why that is not known.
type Similarity = Result<f64, UnavailableReason>;

// === impl Rule

impl Rule {
    /// How many turns in a row are similar, the newest first, as far as is known.
    ///
    /// # Errors
    /// If a turn that the rule needs was not read.
    fn streak(&self, turns: &[Similarity]) -> Result<usize, UnavailableReason> {
        for (index, turn) in turns.iter().enumerate() {
            match turn {
                Ok(value) if *value >= self.threshold => {}
                Err(reason) if index < self.turns => return Err(*reason),
                _ => return Ok(index),
            }
        }
        Ok(turns.len())
    }
}
