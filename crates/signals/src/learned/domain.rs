//! The `domain` family: subject areas.

use std::{collections::HashMap, sync::Arc};

use vsr_config::{Config, RuleNode};
use vsr_types::{
    Atom, AtomTable, Diagnostic, Diagnostics, Evidence, OnError, Path, SignalFamily, UnavailableReason,
};

use super::{
    plan::Wants,
    reading::{Head, TextReadings},
    target::Target,
};
use crate::{
    external::{DomainSource, RemoteFailure, RemoteOutcome, RemoteTask},
    rules,
};

/// The normalised entropy below which only the most probable subject counts.
const LOW_ENTROPY: f64 = 0.4;

/// Every domain rule.
#[derive(Debug)]
pub(super) struct DomainFamily {
    rules: Vec<Target>,
    /// Which rule a label of the classifier belongs to.
    by_label: HashMap<String, usize>,
    threshold: f64,
    /// The rule that matches when none is probable enough.
    fallback: Option<usize>,
    /// Whether a domain's probability is that of one label, not the sum of all its labels.
    v0_3: bool,
    /// Whether a classifier served elsewhere names the subject.
    is_remote: bool,
}

// === impl DomainFamily

impl DomainFamily {
    pub(super) fn compile(
        config: &Config,
        v0_3: bool,
        labels: &[Arc<str>],
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let module = &config.global.model_catalog.modules.classifier.domain;
        let written = &config.routing.signals.domains;
        let mut family = Self {
            rules: Vec::new(),
            by_label: HashMap::new(),
            threshold: module.threshold,
            fallback: None,
            v0_3,
            is_remote: false,
        };
        if written.is_empty() {
            family.declare_domains_of_decisions(config, atoms);
        } else {
            let names = written.iter().map(|rule| rule.name.as_str());
            let ids = rules::declare(SignalFamily::Domain, names, atoms, diagnostics);
            family.rules.extend(written.iter().zip(ids).map(|(rule, atom)| Target::new(atom, rule.on_error)));
            for (index, rule) in
                written.iter().enumerate().filter(|(_, rule)| rule.mmlu_categories.is_empty())
            {
                family.by_label.insert(plain(&rule.name), index);
                if !labels.is_empty() && !labels.iter().any(|label| plain(label) == plain(&rule.name)) {
                    let path = rules::family_path(SignalFamily::Domain).index(index).key("name");
                    let message = format!(
                        "`{}` is no class of the classifier and lists none, so it never matches",
                        rule.name
                    );
                    let help = "list what it stands for under `mmlu_categories`";
                    diagnostics.push(Diagnostic::warning(path, message).help(help));
                }
            }
            family.claim_categories(config, diagnostics);
        }
        let fallback = module.fallback_category.as_deref().filter(|category| !category.trim().is_empty());
        family.fallback = fallback.and_then(|category| {
            let by_name = written.iter().position(|rule| rule.name == category);
            by_name.or_else(|| family.by_label.get(&plain(category)).copied())
        });
        if let Some(category) = fallback.filter(|_| family.fallback.is_none() && !written.is_empty()) {
            let path = Path::keys("global.model_catalog.modules.classifier.domain.fallback_category");
            diagnostics.warning(path, format!("no domain has the name or the category `{category}`"));
        }
        family
    }

    /// A label of the classifier means one domain: the last that lists it.
    fn claim_categories(&mut self, config: &Config, diagnostics: &mut Diagnostics) {
        let written = &config.routing.signals.domains;
        let mut owners: HashMap<String, usize> = HashMap::new();
        for (index, rule) in written.iter().enumerate() {
            let path = rules::family_path(SignalFamily::Domain).index(index).key("mmlu_categories");
            for (position, category) in rule.mmlu_categories.iter().enumerate() {
                let earlier = owners.insert(plain(category), index).map(|earlier| &written[earlier].name);
                if let Some(earlier) = earlier.filter(|earlier| **earlier != rule.name) {
                    let message = format!("the category `{category}` is taken from the domain `{earlier}`");
                    let help = "list each category under one domain";
                    diagnostics.push(Diagnostic::warning(path.index(position), message).help(help));
                }
            }
        }
        self.by_label.extend(owners);
    }

    /// Where no domains are configured, those that decisions name exist.
    fn declare_domains_of_decisions(&mut self, config: &Config, atoms: &mut AtomTable) {
        let mut names = Vec::new();
        for decision in &config.routing.decisions {
            if let Some(rules) = &decision.rules {
                collect_domains(rules, &mut names);
            }
        }
        for name in names {
            let atom = atoms.declare(Atom::new(SignalFamily::Domain, name));
            self.by_label.insert(plain(name), self.rules.len());
            self.rules.push(Target::new(atom, OnError::Unavailable));
        }
    }

    /// The same, but a classifier served elsewhere names the subject, and its threshold counts. Its classes are not
    /// those of the router's own: a domain's name is a class as well, unless another domain lists it.
    pub(super) fn asking(mut self, source: Option<DomainSource>, config: &Config) -> Self {
        let catalog = &config.global.model_catalog;
        let threshold = match source {
            None => return self,
            Some(DomainSource::Mcp) => catalog.modules.classifier.mcp.threshold,
            Some(DomainSource::Classify(index)) => catalog.external[index].threshold,
        };
        self.is_remote = true;
        self.threshold = threshold.unwrap_or(self.threshold);
        for (index, rule) in config.routing.signals.domains.iter().enumerate() {
            self.by_label.entry(plain(&rule.name)).or_insert(index);
        }
        self
    }

    pub(super) fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// What is wanted of the current text.
    pub(super) fn wants(&self) -> Option<Wants> {
        match (self.rules.is_empty(), self.is_remote) {
            (true, _) => None,
            (false, true) => Some(Wants::remote(RemoteTask::Domain)),
            (false, false) => Some(Wants::head(Head::Domain)),
        }
    }

    /// The probabilities of the classes, from whoever is asked.
    fn classes(
        &self,
        readings: &TextReadings,
        need: Option<usize>,
    ) -> Result<Vec<(Arc<str>, f64)>, RemoteFailure> {
        if !self.is_remote {
            return readings
                .probabilities(need, Head::Domain)
                .map_err(|reason| RemoteFailure::new(reason, ""));
        }
        match readings.remote_answer(need, RemoteTask::Domain)? {
            RemoteOutcome::Classes(classes) => Ok(classes.clone()),
            _ => Err(RemoteFailure::new(UnavailableReason::Failed, "the answer has no classes")),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn evaluate(&self, readings: &TextReadings, need: Option<usize>, evidence: &mut Evidence) {
        let classes = match self.classes(readings, need) {
            Ok(classes) => classes,
            Err(failure) => {
                return self.rules.iter().for_each(|rule| rule.fail_remotely(&failure, evidence));
            }
        };
        let mut probabilities = vec![0.0_f64; self.rules.len()];
        // A label that no domain lists competes, and nothing matches if it wins.
        let mut strongest_other = 0.0_f64;
        for (label, probability) in &classes {
            match self.by_label.get(&plain(label)) {
                Some(rule) if self.v0_3 => probabilities[*rule] = probabilities[*rule].max(*probability),
                Some(rule) => probabilities[*rule] += probability,
                None => strongest_other = strongest_other.max(*probability),
            }
        }
        let top = probabilities.iter().copied().fold(strongest_other, f64::max);
        let is_sure = entropy(&classes) < LOW_ENTROPY;
        let mut any = false;
        let mut is_taken = false;
        for (rule, probability) in self.rules.iter().zip(&probabilities) {
            let is_top = *probability >= top && !is_taken;
            let matched = *probability >= self.threshold && *probability > 0.0 && (!is_sure || is_top);
            is_taken |= matched && is_sure;
            any |= matched;
            evidence.set_value(rule.atom, *probability);
            rule.settle(matched.then_some(*probability), evidence);
        }
        if let Some(fallback) = self.fallback.filter(|_| !any) {
            let rule = self.rules[fallback];
            rule.settle(Some(probabilities[fallback]), evidence);
            evidence.note(rule.atom, || "no subject is probable enough: the fallback category");
        }
        for (rule, probability) in self.rules.iter().zip(&probabilities) {
            if evidence.is_matched(rule.atom) {
                evidence.note(rule.atom, || format!("probability {probability:.3}"));
            }
        }
    }
}

fn plain(label: &str) -> String {
    label.trim().to_lowercase().replace('_', " ")
}

/// The entropy of a distribution, divided by the most it could be.
fn entropy(classes: &[(Arc<str>, f64)]) -> f64 {
    if classes.len() < 2 {
        return 0.0;
    }
    let sum: f64 = classes.iter().map(|(_, p)| *p).filter(|p| *p > 0.0).map(|p| -p * p.log2()).sum();
    sum / (classes.len() as f64).log2()
}

fn collect_domains<'n>(node: &'n RuleNode, names: &mut Vec<&'n str>) {
    let is_domain = |kind: &&str| kind.trim().eq_ignore_ascii_case(SignalFamily::Domain.as_str());
    if node.kind.as_deref().filter(is_domain).is_some()
        && let Some(name) = node.name.as_deref().filter(|name| !name.trim().is_empty())
        && !names.contains(&name)
    {
        names.push(name);
    }
    for condition in &node.conditions {
        collect_domains(condition, names);
    }
}
