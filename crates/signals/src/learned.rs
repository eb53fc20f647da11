//! The families that need a learned model: declared and checked, and unavailable in this version.

use std::collections::HashMap;

use vsr_config::{Config, RuleNode, Signals};
use vsr_types::{
    Atom, AtomId, AtomTable, Diagnostic, Diagnostics, Evidence, FamilySet, OnError, Path, SignalFamily,
    UnavailableReason,
};

use crate::rules;

/// The levels that a complexity rule emits.
const LEVELS: [&str; 3] = ["easy", "medium", "hard"];
/// The raw values of a complexity rule, beside its levels.
const COMPLEXITY_VALUES: [&str; 7] = [
    "margin",
    "text_margin",
    "text_hard_score",
    "text_easy_score",
    "image_margin",
    "image_hard_score",
    "image_easy_score",
];
/// The metrics that every knowledge base has.
const KB_METRICS: [&str; 2] = ["best_score", "best_matched_score"];
/// The rules of all learned families.
#[derive(Debug, Default)]
pub(crate) struct LearnedFamilies {
    families: Vec<(SignalFamily, Vec<(AtomId, OnError)>)>,
    /// Atoms that only carry a raw value: margins and metrics.
    values: Vec<(SignalFamily, AtomId)>,
}

/// The name, within the `kb` family, of the value-only atom behind a knowledge base's metric.
pub fn kb_metric_name(kb: &str, metric: &str) -> String {
    format!("kb_metric:{}:{}", kb.to_lowercase(), metric.to_lowercase())
}

// === impl LearnedFamilies

impl LearnedFamilies {
    /// Declares the atoms, checks what can be checked without a model, and says what is not active.
    pub(crate) fn compile(config: &Config, atoms: &mut AtomTable, diagnostics: &mut Diagnostics) -> Self {
        let signals = &config.routing.signals;
        let mut learned = Self::default();
        for (family, rules) in named_rules(signals) {
            let ids = rules::declare(family, rules.iter().map(|(name, _)| *name), atoms, diagnostics);
            let on_errors = rules.iter().map(|(_, on_error)| *on_error);
            learned.add(family, ids.into_iter().zip(on_errors).collect(), diagnostics);
        }
        learned.declare_domains_of_decisions(config, atoms, diagnostics);
        learned.declare_complexity(signals, atoms, diagnostics);
        for name in kb_metrics(config) {
            let atom = atoms.declare(Atom::new(SignalFamily::Kb, name));
            learned.values.push((SignalFamily::Kb, atom));
        }
        check(signals, diagnostics);
        learned
    }

    /// The families that have rules.
    pub(crate) fn families(&self) -> impl Iterator<Item = SignalFamily> + '_ {
        self.families.iter().map(|(family, _)| *family)
    }

    /// Marks the rules of the learned families among `families` as what their `on_error` says, and
    /// their raw values as unavailable: a value that nobody measured is not 0.
    pub(crate) fn evaluate(&self, families: FamilySet, evidence: &mut Evidence) {
        for (_, rules) in self.families.iter().filter(|(family, _)| families.contains(*family)) {
            for (atom, on_error) in rules {
                evidence.set_unavailable(*atom, UnavailableReason::NotActive, *on_error);
            }
        }
        for (_, atom) in self.values.iter().filter(|(family, _)| families.contains(*family)) {
            evidence.set_unavailable(*atom, UnavailableReason::NotActive, OnError::Unavailable);
        }
    }

    fn add(&mut self, family: SignalFamily, rules: Vec<(AtomId, OnError)>, diagnostics: &mut Diagnostics) {
        if rules.is_empty() {
            return;
        }
        let path = rules::family_path(family);
        report_inactive(family, path, rules.len(), diagnostics);
        self.families.push((family, rules));
    }

    /// Where no domains are configured, those that decisions name exist.
    fn declare_domains_of_decisions(
        &mut self,
        config: &Config,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) {
        if !config.routing.signals.domains.is_empty() {
            return;
        }
        let mut names = Vec::new();
        for decision in &config.routing.decisions {
            if let Some(rules) = &decision.rules {
                collect_domains(rules, &mut names);
            }
        }
        let declare = |name: &&str| {
            let atom = atoms.declare(Atom::new(SignalFamily::Domain, *name));
            (atom, OnError::Unavailable)
        };
        self.add(SignalFamily::Domain, names.iter().map(declare).collect(), diagnostics);
    }

    fn declare_complexity(
        &mut self,
        signals: &Signals,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) {
        let family = SignalFamily::Complexity;
        let path = rules::family_path(family);
        rules::check_names(&path, signals.complexity.iter().map(|rule| rule.name.as_str()), diagnostics);
        let mut levels = Vec::new();
        for (index, rule) in signals.complexity.iter().enumerate() {
            if rule.name.contains(':') {
                let message = "the name has a `:`, which separates a rule from its level in `name:hard`";
                diagnostics.error(path.index(index).key("name"), message);
            }
            let mut declare =
                |suffix: &str| atoms.declare(Atom::new(family, format!("{}:{suffix}", rule.name)));
            levels.extend(LEVELS.map(|level| (declare(level), OnError::from(rule.on_error))));
            self.values.extend(COMPLEXITY_VALUES.map(|value| (family, declare(value))));
        }
        if !levels.is_empty() {
            report_inactive(family, path, signals.complexity.len(), diagnostics);
            self.families.push((family, levels));
        }
    }
}

fn report_inactive(family: SignalFamily, path: Path, rules: usize, diagnostics: &mut Diagnostics) {
    let noun = if rules == 1 { "rule is" } else { "rules are" };
    diagnostics
        .not_active(path, format!("the {family} family needs a learned model; {rules} {noun} unavailable"));
}

/// The rules of every learned family whose atoms are its rule names.
fn named_rules(signals: &Signals) -> Vec<(SignalFamily, Vec<(&str, OnError)>)> {
    macro_rules! rules {
        ($field:ident) => {
            signals.$field.iter().map(|rule| (rule.name.as_str(), rule.on_error.into())).collect()
        };
    }
    vec![
        (SignalFamily::Embedding, rules!(embeddings)),
        (SignalFamily::Domain, rules!(domains)),
        (SignalFamily::FactCheck, rules!(fact_check)),
        (SignalFamily::UserFeedback, rules!(user_feedbacks)),
        (SignalFamily::Reask, rules!(reasks)),
        (SignalFamily::Preference, rules!(preferences)),
        (SignalFamily::Modality, rules!(modality)),
        (SignalFamily::Jailbreak, rules!(jailbreak)),
        (SignalFamily::Pii, rules!(pii)),
        (SignalFamily::Kb, rules!(kb)),
    ]
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

/// The raw values of every configured knowledge base.
fn kb_metrics(config: &Config) -> impl Iterator<Item = String> + '_ {
    config.global.model_catalog.kbs.iter().flat_map(|kb| {
        let own = kb.metrics.iter().map(|metric| metric.name.as_str());
        KB_METRICS.into_iter().chain(own).map(|metric| kb_metric_name(&kb.name, metric))
    })
}

fn check(signals: &Signals, diagnostics: &mut Diagnostics) {
    macro_rules! shares {
        ($family:ident, $field:ident) => {
            for (index, rule) in signals.$field.iter().enumerate() {
                let path = rules::family_path(SignalFamily::$family).index(index);
                rules::check_share(&path, "threshold", Option::from(rule.threshold), diagnostics);
            }
        };
    }
    shares!(Embedding, embeddings);
    shares!(Reask, reasks);
    shares!(Preference, preferences);
    shares!(Jailbreak, jailbreak);
    shares!(Pii, pii);
    check_domains(signals, diagnostics);
}

/// A label of the domain classifier means one domain: the last that lists it.
fn check_domains(signals: &Signals, diagnostics: &mut Diagnostics) {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for (index, rule) in signals.domains.iter().enumerate() {
        let path = rules::family_path(SignalFamily::Domain).index(index).key("mmlu_categories");
        for (position, category) in rule.mmlu_categories.iter().enumerate() {
            let earlier = owners.insert(category.trim().to_lowercase(), &rule.name);
            if let Some(earlier) = earlier.filter(|earlier| *earlier != rule.name) {
                let message = format!("the category `{category}` is taken from the domain `{earlier}`");
                let help = "list each category under one domain";
                diagnostics.push(Diagnostic::warning(path.index(position), message).help(help));
            }
        }
    }
}
