//! The `kb` family: nearness to the labels and groups of knowledge bases.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use vsr_config::{Config, KbMatch, KbRule, KbTargetKind, KnowledgeBase, closest};
use vsr_types::{
    Atom, AtomId, AtomTable, Diagnostic, Diagnostics, Evidence, OnError, Path, SignalFamily,
    UnavailableReason,
};

use super::{
    bank::{Bank, PrototypeVectors, Scoring},
    manifest::KnowledgeManifest,
    reading::TextReadings,
    target::{Target, excerpt},
};
use crate::rules;

/// The metrics that every knowledge base has.
const METRICS: [&str; 2] = ["best_score", "best_matched_score"];

/// Where manifests of knowledge bases come from: `None` where there is none to be had, an error where it
/// cannot be read.
pub type ManifestSource<'s> = dyn Fn(&KnowledgeBase) -> Option<Result<KnowledgeManifest, String>> + 's;

/// Every rule over knowledge bases, and the bases that rules or scores refer to.
#[derive(Debug)]
pub(super) struct KbFamily {
    rules: Vec<Rule>,
    bases: Vec<Base>,
}

#[derive(Debug)]
struct Rule {
    target: Target,
    /// The base, if it is known.
    base: Option<usize>,
    kind: KbTargetKind,
    value: String,
    matching: KbMatch,
}

#[derive(Debug)]
struct Base {
    labels: Vec<Label>,
    groups: BTreeMap<String, Vec<usize>>,
    best_score: AtomId,
    best_matched_score: AtomId,
    /// Group margins: the atom, the group that counts for it and that against it.
    margins: Vec<(AtomId, String, String)>,
    /// Whether a rule or a score refers to it.
    is_used: bool,
    v0_3: bool,
}

#[derive(Debug)]
struct Label {
    name: String,
    threshold: f64,
    bank: Bank,
}

/// The scores of one base's labels and groups.
struct Scores {
    labels: Vec<(f64, bool)>,
    groups: HashMap<String, (f64, bool)>,
    best_label: Option<usize>,
    best_group: Option<String>,
    /// Per label, its highest similarity and the example with it.
    nearest: Vec<(f64, Arc<str>)>,
}

/// The name, within the `kb` family, of the value-only atom behind a knowledge base's metric.
pub fn kb_metric_name(kb: &str, metric: &str) -> String {
    format!("kb_metric:{}:{}", kb.to_lowercase(), metric.to_lowercase())
}

// === impl KbFamily

impl KbFamily {
    pub(super) fn compile(
        config: &Config,
        v0_3: bool,
        manifests: &ManifestSource<'_>,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let written = &config.routing.signals.kb;
        let ids = rules::declare(
            SignalFamily::Kb,
            written.iter().map(|rule| rule.name.as_str()),
            atoms,
            diagnostics,
        );
        let kbs = &config.global.model_catalog.kbs;
        let list = Path::keys("global.model_catalog.kbs");
        let bases: Vec<Base> = kbs
            .iter()
            .enumerate()
            .map(|(index, kb)| {
                Base::compile(config, kb, v0_3, manifests, (atoms, &list.index(index)), diagnostics)
            })
            .collect();
        let compile = |((index, rule), atom): ((usize, &KbRule), AtomId)| {
            let base = kbs.iter().position(|kb| kb.name == rule.kb);
            if let Some(base) = base.map(|base| &bases[base]) {
                base.check_label(rule, index, diagnostics);
            }
            Rule {
                target: Target::new(atom, rule.on_error),
                base,
                kind: rule.target.kind,
                value: rule.target.value.clone(),
                matching: rule.matching,
            }
        };
        let rules = written.iter().enumerate().zip(ids).map(compile).collect();
        Self { rules, bases }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn reads_text(&self) -> bool {
        self.bases.iter().any(|base| base.is_used && !base.labels.is_empty())
    }

    pub(super) fn banks(&self) -> impl Iterator<Item = &Bank> {
        self.bases
            .iter()
            .filter(|base| base.is_used)
            .flat_map(|base| base.labels.iter().map(|label| &label.bank))
    }

    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        let used = self.bases.iter().filter(|base| base.is_used);
        used.flat_map(|base| &base.labels).for_each(|label| label.bank.install(vectors));
    }

    pub(super) fn evaluate(&self, readings: &TextReadings, need: Option<usize>, evidence: &mut Evidence) {
        let query = readings.embedding(need);
        let scores: Vec<Result<Scores, UnavailableReason>> = self
            .bases
            .iter()
            .map(|base| match &query {
                _ if !base.is_used || base.labels.is_empty() => Err(UnavailableReason::NotActive),
                Ok(query) => base.score(query, readings),
                Err(reason) => Err(*reason),
            })
            .collect();
        for (base, scores) in self.bases.iter().zip(&scores) {
            base.emit_metrics(scores, evidence);
        }
        for rule in &self.rules {
            let base = rule.base.map(|base| (&self.bases[base], &scores[base]));
            match base {
                Some((base, Ok(scores))) => rule.judge(base, scores, evidence),
                Some((_, Err(reason))) => rule.target.fail(*reason, evidence),
                None => rule.target.fail(UnavailableReason::NotActive, evidence),
            }
        }
    }
}

// === impl Base

impl Base {
    fn compile(
        config: &Config,
        kb: &KnowledgeBase,
        v0_3: bool,
        manifests: &ManifestSource<'_>,
        (atoms, place): (&mut AtomTable, &Path),
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut metric =
            |name: &str| atoms.declare(Atom::new(SignalFamily::Kb, kb_metric_name(&kb.name, name)));
        let [best_score, best_matched_score] = METRICS.map(&mut metric);
        let margins: Vec<(AtomId, String, String)> = kb
            .metrics
            .iter()
            .map(|own| (metric(&own.name), own.positive_group.clone(), own.negative_group.clone()))
            .collect();
        let is_used = is_used(config, &kb.name);
        let manifest = match is_used.then(|| manifests(kb)).flatten() {
            Some(Ok(manifest)) => manifest,
            Some(Err(message)) => {
                diagnostics.error(place.key("source"), message);
                KnowledgeManifest::default()
            }
            None => KnowledgeManifest::default(),
        };
        let labels: Vec<Label> = manifest
            .labels
            .iter()
            .map(|(name, label)| Label {
                name: name.clone(),
                threshold: kb.label_thresholds.get(name).copied().unwrap_or(kb.threshold),
                bank: Bank::new(
                    label.exemplars.iter().map(String::as_str),
                    Scoring::blend(&kb.prototype_scoring),
                ),
            })
            .collect();
        let mut base =
            Self { labels, groups: BTreeMap::new(), best_score, best_matched_score, margins, is_used, v0_3 };
        base.group(kb, place, diagnostics);
        base
    }

    /// Finds the labels of groups, and reports those that are not there.
    fn group(&mut self, kb: &KnowledgeBase, place: &Path, diagnostics: &mut Diagnostics) {
        if self.labels.is_empty() {
            return;
        }
        for label in kb.label_thresholds.keys().filter(|label| self.position(label).is_none()) {
            diagnostics.push(self.unknown_label(label, place.key("label_thresholds").key(label.as_str())));
        }
        for (name, written) in &kb.groups {
            let path = place.key("groups").key(name.as_str());
            let mut members = Vec::with_capacity(written.len());
            for (index, label) in written.iter().enumerate() {
                match self.position(label) {
                    Some(position) => members.push(position),
                    None => diagnostics.push(self.unknown_label(label, path.index(index))),
                }
            }
            self.groups.insert(name.clone(), members);
        }
    }

    fn position(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|known| known.name == label)
    }

    fn unknown_label(&self, label: &str, path: Path) -> Diagnostic {
        let problem = Diagnostic::error(path, format!("the knowledge base has no label `{label}`"));
        match closest(label, self.labels.iter().map(|label| label.name.as_str())) {
            Some(known) => problem.help(format!("did you mean `{known}`?")),
            None => problem,
        }
    }

    fn check_label(&self, rule: &KbRule, index: usize, diagnostics: &mut Diagnostics) {
        let is_label = rule.target.kind == KbTargetKind::Label;
        if is_label && !self.labels.is_empty() && self.position(&rule.target.value).is_none() {
            let path = rules::family_path(SignalFamily::Kb).index(index).key("target").key("value");
            diagnostics.push(self.unknown_label(&rule.target.value, path));
        }
    }

    fn score(&self, query: &[f32], readings: &TextReadings) -> Result<Scores, UnavailableReason> {
        let mut labels = Vec::with_capacity(self.labels.len());
        let mut nearest = Vec::with_capacity(self.labels.len());
        for label in &self.labels {
            let nearness =
                label.bank.nearness(query, readings.fingerprint()).ok_or(UnavailableReason::Failed)?;
            labels.push((nearness.score, nearness.score >= label.threshold));
            nearest.push((nearness.best, nearness.nearest));
        }
        let groups: HashMap<String, (f64, bool)> = self
            .groups
            .iter()
            .map(|(name, members)| {
                let score = members.iter().map(|member| labels[*member].0).fold(0.0, f64::max);
                (name.clone(), (score, members.iter().any(|member| labels[*member].1)))
            })
            .collect();
        // Labels are in alphabetical order: of equals the first stays.
        let best_label =
            (0..labels.len()).reduce(|best, next| if labels[next].0 > labels[best].0 { next } else { best });
        let best_group = self.groups.keys().reduce(|best, next| {
            let (best_score, next_score) = (groups[best].0, groups[next].0);
            let is_more_specific = !self.v0_3 && self.groups[next].len() < self.groups[best].len();
            if next_score > best_score || next_score == best_score && is_more_specific { next } else { best }
        });
        let best_group = best_group.cloned();
        Ok(Scores { labels, groups, best_label, best_group, nearest })
    }

    fn emit_metrics(&self, scores: &Result<Scores, UnavailableReason>, evidence: &mut Evidence) {
        let scores = match scores {
            Ok(scores) => scores,
            Err(reason) => {
                let atoms = [self.best_score, self.best_matched_score].into_iter();
                for atom in atoms.chain(self.margins.iter().map(|(atom, ..)| *atom)) {
                    evidence.set_unavailable(atom, *reason, OnError::Unavailable);
                }
                return;
            }
        };
        let best = scores.labels.iter().map(|(score, _)| *score).reduce(f64::max).unwrap_or(0.0);
        let matched = scores.labels.iter().filter(|(_, matched)| *matched).map(|(score, _)| *score);
        evidence.set_value(self.best_score, best);
        evidence.set_value(self.best_matched_score, matched.reduce(f64::max).unwrap_or(0.0));
        let score_of = |group: &String| scores.groups.get(group).map_or(0.0, |(score, _)| *score);
        for (atom, positive, negative) in &self.margins {
            evidence.set_value(*atom, score_of(positive) - score_of(negative));
        }
    }
}

// === impl Rule

impl Rule {
    /// A label or group matches above its threshold; with `match: best` it must also be the nearest of
    /// all. The release let the nearest match below its threshold.
    fn judge(&self, base: &Base, scores: &Scores, evidence: &mut Evidence) {
        let (score, is_above, is_best, nearest) =
            match self.kind {
                KbTargetKind::Label => {
                    let Some(position) = base.position(&self.value) else {
                        return self.target.settle(None, evidence);
                    };
                    let (score, is_above) = scores.labels[position];
                    (score, is_above, scores.best_label == Some(position), Some(position))
                }
                KbTargetKind::Group => {
                    let Some((score, is_above)) = scores.groups.get(&self.value) else {
                        return self.target.settle(None, evidence);
                    };
                    let members = base.groups.get(&self.value).into_iter().flatten().copied();
                    let nearest = members.reduce(|best, next| {
                        if scores.labels[next].0 > scores.labels[best].0 { next } else { best }
                    });
                    (*score, *is_above, scores.best_group.as_ref() == Some(&self.value), nearest)
                }
            };
        let matched = match self.matching {
            KbMatch::Threshold => is_above,
            KbMatch::Best => is_best && (is_above || base.v0_3),
        };
        evidence.set_value(self.target.atom, score);
        self.target.settle(matched.then_some(score), evidence);
        if let Some(nearest) = nearest {
            let (best, example) = &scores.nearest[nearest];
            let label = &base.labels[nearest].name;
            evidence.note(self.target.atom, || format!("nearest {label} {best:.3}: {}", excerpt(example)));
        }
    }
}

/// Whether a rule or a score refers to the knowledge base.
fn is_used(config: &Config, kb: &str) -> bool {
    let by_rule = config.routing.signals.kb.iter().any(|rule| rule.kb == kb);
    let mut inputs = config.routing.projections.scores.iter().flat_map(|score| &score.inputs);
    by_rule || inputs.any(|input| input.kb.as_deref().is_some_and(|named| named.eq_ignore_ascii_case(kb)))
}
