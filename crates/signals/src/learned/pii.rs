//! The `pii` family: personal data and credentials that a rule does not allow.

use std::{borrow::Cow, collections::HashMap};

use vsr_config::{Config, PiiRule, closest};
use vsr_types::{AtomTable, Diagnostic, Diagnostics, Evidence, SignalFamily, UnavailableReason};

use super::{
    plan::Scan,
    reading::TextReadings,
    scan::{Coverage, Demand, describe},
    target::Target,
};
use crate::{
    pii::{Entity, contract_type, known_types, merge, recognise},
    rules,
};

/// The most entities that notes list.
const MOST_NOTES: usize = 32;

/// Every rule over personal data.
#[derive(Debug)]
pub(super) struct PiiFamily {
    rules: Vec<Rule>,
    v0_3: bool,
}

#[derive(Debug)]
struct Rule {
    target: Target,
    threshold: f64,
    allowed: Vec<Cow<'static, str>>,
    include_history: bool,
    demand: Demand,
}

/// What one text holds.
struct Scanned {
    scan: Scan,
    entities: Vec<Entity>,
    /// Tokens seen and present, or why the tagger did not read.
    read: Result<(u32, u32), UnavailableReason>,
}

// === impl PiiFamily

impl PiiFamily {
    pub(super) fn compile(
        config: &Config,
        v0_3: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let default = config.global.model_catalog.modules.classifier.pii.threshold;
        let written = &config.routing.signals.pii;
        let ids = rules::declare(
            SignalFamily::Pii,
            written.iter().map(|rule| rule.name.as_str()),
            atoms,
            diagnostics,
        );
        let path = rules::family_path(SignalFamily::Pii);
        let compile = |((index, rule), atom): ((usize, &PiiRule), _)| {
            let place = path.index(index);
            rules::check_share(&place, "threshold", rule.threshold, diagnostics);
            for (position, written) in rule.pii_types_allowed.iter().enumerate() {
                let kind = contract_type(written).unwrap_or_default();
                if known_types().any(|known| known == kind) {
                    continue;
                }
                let place = place.key("pii_types_allowed").index(position);
                let mut problem = Diagnostic::warning(
                    place,
                    format!("no recogniser finds the type `{written}`; a tagger of your own may"),
                );
                if let Some(known) = closest(&kind, known_types()) {
                    problem = problem.help(format!("did you mean `{known}`?"));
                }
                diagnostics.push(problem);
            }
            Rule {
                target: Target::new(atom, rule.on_error),
                threshold: rule.threshold.filter(|threshold| *threshold > 0.0).unwrap_or(default),
                allowed: rule.pii_types_allowed.iter().filter_map(|name| contract_type(name)).collect(),
                include_history: rule.include_history,
                demand: Demand::of(rule.require_full_scan, v0_3),
            }
        };
        Self { rules: written.iter().enumerate().zip(ids).map(compile).collect(), v0_3 }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn reads_history(&self) -> bool {
        self.rules.iter().any(|rule| rule.include_history)
    }

    pub(super) fn evaluate(&self, readings: &TextReadings, evidence: &mut Evidence) {
        let routes = &readings.plan.routes;
        let scanned: Vec<Scanned> =
            routes.scans.iter().filter(|scan| scan.for_pii).map(|scan| read(*scan, readings)).collect();
        for rule in &self.rules {
            rule.judge(&scanned, readings, self.v0_3, evidence);
        }
    }
}

/// What recognisers and the tagger find in one text.
fn read(scan: Scan, readings: &TextReadings) -> Scanned {
    let need = &readings.plan.needs()[scan.need];
    let text = &need.text;
    let recognised = recognise(text);
    let (spans, read) = match readings.tags(scan.need) {
        Ok(tags) => (tags.spans.as_slice(), Ok((tags.tokens_seen, tags.tokens_present))),
        Err(reason) => (&[][..], Err(reason)),
    };
    let mut entities = merge(text, &recognised, spans);
    entities.iter_mut().for_each(|entity| entity.bytes = need.original(entity.bytes.clone()));
    Scanned { scan, entities, read }
}

// === impl Rule

impl Rule {
    /// The rule matches if a text has an entity that is sure enough, of a type that is not allowed.
    fn judge(&self, scanned: &[Scanned], readings: &TextReadings, v0_3: bool, evidence: &mut Evidence) {
        let mut coverage = Coverage::new(readings.plan.routes.dropped, self.include_history);
        let mut failure = None;
        let mut denied: Vec<(Scan, &Entity)> = Vec::new();
        for text in scanned.iter().filter(|text| self.include_history || !text.scan.is_history()) {
            coverage.texts += 1;
            match text.read {
                Ok((seen, present)) => coverage.add(text.scan, seen, present),
                Err(reason) => failure = failure.or(Some(reason)),
            }
            let is_denied = |entity: &&Entity| {
                entity.probability >= self.threshold && !self.allowed.contains(&entity.kind)
            };
            denied.extend(text.entities.iter().filter(is_denied).map(|entity| (text.scan, entity)));
        }
        let target = self.target;
        let most = denied.iter().map(|(_, entity)| entity.probability).reduce(f64::max);
        match (most, failure) {
            _ if coverage.texts == 0 => return target.fail(readings.nothing(), evidence),
            (None, Some(reason)) => target.fail(reason, evidence),
            (None, None) if !coverage.satisfies(self.demand) => {
                target.fail(UnavailableReason::PartlyRead, evidence);
            }
            // The release exported no confidence, which counts as 1.
            (most, _) => target.settle(most.map(|most| if v0_3 { 1.0 } else { most }), evidence),
        }
        if failure.is_none() || most.is_some() {
            evidence.set_value(target.atom, most.unwrap_or(0.0));
        }
        note(&denied, target, evidence);
        coverage.note(target.atom, evidence);
    }
}

/// Says which types stand where, never what they say.
fn note(denied: &[(Scan, &Entity)], target: Target, evidence: &mut Evidence) {
    if !evidence.keeps_notes() {
        return;
    }
    for (scan, entity) in denied.iter().take(MOST_NOTES) {
        let Entity { bytes, kind, probability } = entity;
        let place = describe(*scan);
        evidence.note(target.atom, || {
            format!("{kind} {probability:.2} at bytes {}..{} of {place}", bytes.start, bytes.end)
        });
    }
    if denied.len() > MOST_NOTES {
        let mut kinds: HashMap<&str, usize> = HashMap::new();
        denied[MOST_NOTES..].iter().for_each(|(_, entity)| *kinds.entry(&entity.kind).or_default() += 1);
        let mut kinds: Vec<String> =
            kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        kinds.sort();
        evidence.note(target.atom, || format!("and {}", kinds.join(", ")));
    }
}
