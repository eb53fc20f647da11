//! Partitions: of the members that matched, one stays.

use std::{collections::HashSet, sync::Arc};

use vsr_config::{self as contract, PartitionSemantics, closest};
use vsr_types::{AtomId, Diagnostic, Diagnostics, Evidence, PartitionOutcome, Path, SignalFamily};

use crate::{
    reading::Reading,
    references::{References, Want},
};

/// A group of rules of one family of which one wins.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    name: Arc<str>,
    members: Vec<AtomId>,
    default: AtomId,
    /// Set for softmax semantics.
    temperature: Option<f64>,
    dropped_note: Arc<str>,
    default_note: Arc<str>,
}

// === impl Partition

impl Partition {
    /// Reads the partition at `path`. `None` if it is wrong, or has one member and so nothing to do.
    pub(crate) fn compile(
        written: &contract::Partition,
        references: References<'_>,
        path: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let temperature = temperature(written, path, diagnostics);
        let members = members(written, references, path, diagnostics);
        let position = written.members.iter().position(|member| *member == written.default);
        if position.is_none() && !written.members.is_empty() {
            let place = path.key("default");
            let problem = if written.default.is_empty() {
                Diagnostic::error(place, "a partition needs a default").help("name one of its members")
            } else {
                let problem = Diagnostic::error(place, format!("`{}` is not a member", written.default));
                match closest(&written.default, written.members.iter().map(String::as_str)) {
                    Some(member) => problem.help(format!("did you mean `{member}`?")),
                    None => problem.help("name one of the partition's members"),
                }
            };
            diagnostics.push(problem);
        }
        let (members, temperature) = (members?, temperature.ok()?);
        let default = *members.get(position?)?;
        let mut seen = HashSet::new();
        let members: Vec<AtomId> = members.into_iter().filter(|id| seen.insert(*id)).collect();
        if members.len() < 2 {
            diagnostics.warning(path.key("members"), "a partition of one member does nothing");
            return None;
        }
        Some(Self {
            name: written.name.as_str().into(),
            members,
            default,
            temperature,
            dropped_note: format!("dropped by partition `{}`", written.name).into(),
            default_note: format!("the default of partition `{}`", written.name).into(),
        })
    }

    /// Keeps one member. `None` if nothing changed.
    pub(crate) fn apply(&self, evidence: &mut Evidence, reading: Reading) -> Option<PartitionOutcome> {
        let contends = |evidence: &Evidence, id: AtomId| {
            evidence.is_matched(id) && (!reading.v0_3 || evidence.confidence(id).is_some())
        };
        let mut contenders = self.members.iter().copied().filter(|id| contends(evidence, *id));
        let Some(first) = contenders.next() else { return self.take_default(evidence, reading) };
        let rest: Vec<AtomId> = contenders.collect();
        if rest.is_empty() {
            return None;
        }
        let raw = |id: AtomId| evidence.confidence(id).unwrap_or(1.0);
        let winner = rest.iter().copied().fold(first, |best, id| if raw(id) > raw(best) { id } else { best });
        let share = |temperature: f64| {
            let weight = |id| ((raw(id) - raw(winner)) / temperature).exp();
            1.0 / (weight(first) + rest.iter().map(|id| weight(*id)).sum::<f64>())
        };
        let confidence = self.temperature.map_or_else(|| raw(winner), share);
        let everyone = std::iter::once(first).chain(rest.iter().copied());
        let dropped: Vec<AtomId> = everyone.filter(|id| *id != winner).collect();
        for id in &dropped {
            evidence.set_not_matched(*id);
            evidence.note(*id, || self.dropped_note.clone());
        }
        evidence.set_matched(winner, confidence);
        Some(PartitionOutcome {
            partition: self.name.clone(),
            winner,
            confidence,
            dropped,
            by_default: false,
        })
    }

    fn take_default(&self, evidence: &mut Evidence, reading: Reading) -> Option<PartitionOutcome> {
        let nothing_is_known = self.members.iter().all(|id| evidence.is_unavailable(*id));
        if nothing_is_known || evidence.is_matched(self.default) {
            return None;
        }
        let stored = if reading.v0_3 { f64::NAN } else { 0.0 };
        evidence.set_matched(self.default, stored);
        evidence.note(self.default, || self.default_note.clone());
        Some(PartitionOutcome {
            partition: self.name.clone(),
            winner: self.default,
            confidence: reading.confidence(evidence, self.default),
            dropped: Vec::new(),
            by_default: true,
        })
    }
}

fn temperature(
    written: &contract::Partition,
    path: &Path,
    diagnostics: &mut Diagnostics,
) -> Result<Option<f64>, ()> {
    let place = path.key("temperature");
    match (written.semantics, written.temperature) {
        (PartitionSemantics::Exclusive, None) => Ok(None),
        (PartitionSemantics::Exclusive, Some(_)) => {
            diagnostics.push(
                Diagnostic::warning(place, "the temperature does nothing under `semantics: exclusive`")
                    .help("write `semantics: softmax_exclusive`, or remove it"),
            );
            Ok(None)
        }
        (PartitionSemantics::SoftmaxExclusive, Some(temperature)) if temperature > 0.0 => {
            Ok(Some(temperature))
        }
        (PartitionSemantics::SoftmaxExclusive, Some(temperature)) => {
            diagnostics.error(place, format!("the temperature must be above 0, found {temperature}"));
            Err(())
        }
        (PartitionSemantics::SoftmaxExclusive, None) => {
            diagnostics.push(
                Diagnostic::error(path.clone(), "`softmax_exclusive` needs a temperature")
                    .help("write `temperature:`, such as 0.2: the lower, the surer the winner"),
            );
            Err(())
        }
    }
}

/// The members, in the order written: all embedding rules, or else all domains.
fn members(
    written: &contract::Partition,
    references: References<'_>,
    path: &Path,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<AtomId>> {
    let place = path.key("members");
    if written.members.is_empty() {
        diagnostics.error(place, "a partition needs members: domains, or embedding rules");
        return None;
    }
    let all_of = |family| written.members.iter().map(|name| references.atoms.find(family, name)).collect();
    let complete: Option<Vec<AtomId>> = all_of(SignalFamily::Embedding);
    if let Some(members) = complete.or_else(|| all_of(SignalFamily::Domain)) {
        return Some(members);
    }
    let is_known = |family, name: &str| references.atoms.find(family, name).is_some();
    let mut all_known = true;
    for (index, name) in written.members.iter().enumerate() {
        if is_known(SignalFamily::Embedding, name) || is_known(SignalFamily::Domain, name) {
            continue;
        }
        all_known = false;
        let problem = Diagnostic::error(
            place.index(index),
            format!("there is no embedding rule and no domain `{name}`"),
        );
        let embeddings = references.names(SignalFamily::Embedding, Want::Match);
        let names = embeddings.chain(references.names(SignalFamily::Domain, Want::Match));
        diagnostics.push(match closest(name, names) {
            Some(suggestion) => problem.help(format!("did you mean `{suggestion}`?")),
            None => problem,
        });
    }
    if all_known {
        diagnostics.push(
            Diagnostic::error(place, "the members mix embedding rules and domains")
                .help("make one partition of each family"),
        );
    }
    None
}
