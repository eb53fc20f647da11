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
    /// rules that match, those that look back furthest stay.
    pub(super) fn evaluate(&self, readings: &TextReadings, evidence: &mut Evidence) {
        let compared = readings.embedding(readings.plan.routes.full).and_then(|current| {
            let compare = |turn: &Option<usize>| {
                let turn = readings.embedding(Some(turn.ok_or(UnavailableReason::PartlyRead)?))?;
                Ok(similarity(&current, &turn))
            };
            readings.plan.routes.turns.iter().map(compare).collect::<Result<Vec<f64>, _>>()
        });
        let similarities = match compared {
            Ok(similarities) => similarities,
            Err(reason) => return self.rules.iter().for_each(|rule| rule.target.fail(reason, evidence)),
        };
        let streak = |rule: &Rule| similarities.iter().take_while(|value| **value >= rule.threshold).count();
        let furthest =
            self.rules.iter().filter(|rule| streak(rule) >= rule.turns).map(|rule| rule.turns).max();
        for rule in &self.rules {
            let streak = streak(rule);
            evidence.set_value(rule.target.atom, streak as f64);
            let matched = streak >= rule.turns && Some(rule.turns) == furthest;
            let least = similarities.iter().take(rule.turns).copied().fold(f64::INFINITY, f64::min);
            rule.target.settle(matched.then_some(least), evidence);
            if let Some(newest) = similarities.first() {
                evidence.note(rule.target.atom, || format!("similarity to the turn before {newest:.3}"));
            }
        }
    }
}
