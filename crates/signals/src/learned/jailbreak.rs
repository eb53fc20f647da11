//! The `jailbreak` family: attacks on the model, in what users, tools and documents say.

use vsr_config::{Compatibility, Config, JailbreakMethod, JailbreakRule};
use vsr_types::{AtomTable, Diagnostics, Evidence, Path, SignalFamily, UnavailableReason};

use super::{
    bank::{Bank, PrototypeVectors, Scoring},
    phrases::{Phrases, words},
    plan::{Scan, Wants},
    reading::{Head, TextReadings, TrunkReading, Window},
    scan::{Coverage, Demand, describe},
    target::{Target, excerpt},
};
use crate::{
    external::{RemoteFailure, RemoteOutcome, RemoteReading, RemoteRoles, RemoteTask, guardrail::ATTACKS},
    rules,
};

/// The contrast from which a text counts as an attack, where a contrastive rule names none.
const CONTRAST: f64 = 0.1;
/// The share of a hybrid rule's threshold from which the classifier counts if the contrast agrees.
const HALF_SURE: f64 = 0.5;

/// Every jailbreak rule.
#[derive(Debug)]
pub(super) struct JailbreakFamily {
    rules: Vec<Rule>,
}

/// What classifies texts.
#[derive(Debug, Clone, Copy)]
enum Classifier {
    /// The router's own.
    Own,
    /// A guardrail served elsewhere.
    Guardrail {
        /// Whether only what it calls an attack counts, whatever the threshold.
        v0_3: bool,
    },
}

#[derive(Debug)]
struct Rule {
    target: Target,
    method: JailbreakMethod,
    classifier: Classifier,
    threshold: f64,
    include_history: bool,
    demand: Demand,
    attacks: Bank,
    harmless: Bank,
    phrases: Phrases,
}

/// What was found in the texts of one rule.
#[derive(Debug, Default)]
struct Findings {
    /// The highest probability of an attack, and where.
    probability: Option<(f64, Scan)>,
    /// The highest contrast, where, and the attack it is like.
    contrast: Option<(f64, Scan, String)>,
    /// A phrase, and where.
    phrase: Option<(String, Scan)>,
    /// Why a text could not be judged.
    failure: Option<UnavailableReason>,
    /// The same of a text that the guardrail was asked about.
    guardrail: Option<RemoteFailure>,
    coverage: Coverage,
}

// === impl JailbreakFamily

impl JailbreakFamily {
    /// `roles` says whether a guardrail classifies in place of the router's own model.
    pub(super) fn compile(
        config: &Config,
        roles: RemoteRoles,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let v0_3 = config.global.router.compatibility == Some(Compatibility::V0_3);
        let written = &config.routing.signals.jailbreak;
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Jailbreak, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Jailbreak);
        let classifier = roles.guardrail.map_or(Classifier::Own, |_| Classifier::Guardrail { v0_3 });
        let threshold = roles.attack_threshold(config);
        let compile = |((index, rule), atom)| {
            let place = path.index(index);
            check(rule, &place, diagnostics);
            Rule::compile(
                rule,
                Target::new(atom, rule.on_error),
                (classifier, threshold, v0_3),
                &place,
                diagnostics,
            )
        };
        Self { rules: written.iter().enumerate().zip(ids).map(compile).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn banks(&self) -> impl Iterator<Item = &Bank> {
        self.rules.iter().filter(|rule| rule.compares()).flat_map(|rule| [&rule.attacks, &rule.harmless])
    }

    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        for rule in &self.rules {
            rule.attacks.install(vectors);
            rule.harmless.install(vectors);
        }
    }

    /// What is wanted of every scanned text.
    pub(super) fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        for rule in &self.rules {
            match rule.classifier {
                _ if !rule.classifies() => {}
                Classifier::Own => wants = wants.union(Wants::head(Head::Jailbreak)),
                Classifier::Guardrail { .. } => wants = wants.union(Wants::remote(RemoteTask::Guardrail)),
            }
            if rule.compares() {
                wants = wants.union(Wants::EMBEDDINGS);
            }
        }
        wants
    }

    pub(super) fn reads_history(&self) -> bool {
        self.rules.iter().any(|rule| rule.include_history)
    }

    /// How many rules cannot do without a model.
    pub(super) fn needing_models(&self) -> usize {
        self.rules.iter().filter(|rule| rule.method != JailbreakMethod::Pattern).count()
    }

    /// Whether a rule works without a model.
    pub(super) fn reads_phrases(&self) -> bool {
        self.rules.iter().any(Rule::searches)
    }

    pub(super) fn evaluate(&self, readings: &TextReadings, evidence: &mut Evidence) {
        let searched = self.searched(readings);
        for rule in &self.rules {
            let findings = rule.read(readings, &searched);
            rule.judge(&findings, readings, evidence);
        }
    }
}

impl JailbreakFamily {
    /// The words of the scanned texts that patterns are searched in, in the order of the scans; empty where no rule
    /// has patterns.
    fn searched(&self, readings: &TextReadings) -> Vec<Option<String>> {
        if !self.reads_phrases() {
            return Vec::new();
        }
        let scans = readings.plan.routes.scans.iter();
        let words = |scan: &Scan| scan.is_searched.then(|| words(&readings.plan.needs()[scan.need].text));
        scans.map(words).collect()
    }
}

// === impl Rule

impl Rule {
    fn compile(
        rule: &JailbreakRule,
        target: Target,
        (classifier, module_threshold, v0_3): (Classifier, f64, bool),
        place: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let own = rule.threshold.filter(|threshold| *threshold > 0.0);
        let default = if rule.method == JailbreakMethod::Contrastive { CONTRAST } else { module_threshold };
        let searches = matches!(rule.method, JailbreakMethod::Pattern | JailbreakMethod::Hybrid);
        let patterns: &[String] = if searches { &rule.jailbreak_patterns } else { &[] };
        let phrases = Phrases::compile(patterns).unwrap_or_else(|error| {
            let message = format!("the patterns are too many for one automaton: {error}");
            diagnostics.error(place.key("jailbreak_patterns"), message);
            Phrases::default()
        });
        let bank = |texts: &[String]| Bank::new(texts.iter().map(String::as_str), Scoring::MAX);
        Self {
            target,
            method: rule.method,
            classifier,
            threshold: own.unwrap_or(default),
            include_history: rule.include_history,
            demand: Demand::of(rule.require_full_scan, v0_3),
            attacks: bank(&rule.jailbreak_patterns),
            harmless: bank(&rule.benign_patterns),
            phrases,
        }
    }

    fn classifies(&self) -> bool {
        matches!(self.method, JailbreakMethod::Classifier | JailbreakMethod::Hybrid)
    }

    fn reads_head(&self) -> bool {
        self.classifies() && matches!(self.classifier, Classifier::Own)
    }

    fn asks_guardrail(&self) -> bool {
        self.classifies() && !self.reads_head()
    }

    fn compares(&self) -> bool {
        matches!(self.method, JailbreakMethod::Contrastive | JailbreakMethod::Hybrid)
            && !self.attacks.is_empty()
    }

    fn searches(&self) -> bool {
        !self.phrases.is_empty()
    }

    fn read(&self, readings: &TextReadings, searched: &[Option<String>]) -> Findings {
        let routes = &readings.plan.routes;
        let coverage = Coverage::new(routes.dropped, self.include_history);
        let mut found = Findings { coverage, ..Findings::default() };
        let scans = routes.scans.iter().enumerate();
        for (index, scan) in scans.filter(|(_, scan)| self.include_history || !scan.is_history()) {
            found.coverage.texts += usize::from(scan.for_attack || scan.is_searched);
            if found.phrase.is_none()
                && let Some(Some(words)) = searched.get(index)
                && let Some(phrase) = self.phrases.find(words)
            {
                found.phrase = Some((phrase.to_owned(), *scan));
            }
            if !scan.for_attack {
                continue;
            }
            if self.asks_guardrail() {
                self.read_answers(*scan, readings, &mut found);
            }
            if !self.reads_head() && !self.compares() {
                continue;
            }
            match readings.trunk(scan.need) {
                Ok(trunk) => {
                    found.coverage.add(*scan, trunk.tokens_seen, trunk.tokens_present);
                    self.read_windows(*scan, trunk, readings, &mut found);
                }
                Err(reason) => found.failure = found.failure.or(Some(reason)),
            }
        }
        found
    }

    /// What the guardrail said of one text.
    fn read_answers(&self, scan: Scan, readings: &TextReadings, found: &mut Findings) {
        let text = &readings.plan.needs()[scan.need].text;
        let answers = match readings.remote(scan.need, RemoteTask::Guardrail) {
            Ok(answers) => answers,
            Err(failure) => {
                found.guardrail = found.guardrail.take().or(Some(failure));
                return;
            }
        };
        let mut shown = 0;
        for RemoteReading { bytes, outcome, .. } in answers {
            match outcome {
                Ok(RemoteOutcome::Guardrail { probability, is_attack }) => {
                    shown += bytes;
                    let is_strict = matches!(self.classifier, Classifier::Guardrail { v0_3: true });
                    let probability = if *is_attack || !is_strict { *probability } else { 0.0 };
                    if found.probability.is_none_or(|(most, _)| probability > most) {
                        found.probability = Some((probability, scan));
                    }
                }
                Ok(_) => found.failure = found.failure.or(Some(UnavailableReason::Failed)),
                Err(failure) => found.guardrail = found.guardrail.take().or(Some(failure.clone())),
            }
        }
        found.coverage.add_bytes(scan, shown, text.len());
    }

    fn read_windows(&self, scan: Scan, trunk: &TrunkReading, readings: &TextReadings, found: &mut Findings) {
        for window in &trunk.windows {
            if self.reads_head() {
                match attack_probability(window) {
                    Ok(probability) if found.probability.is_none_or(|(most, _)| probability > most) => {
                        found.probability = Some((probability, scan));
                    }
                    Ok(_) => {}
                    Err(reason) => found.failure = found.failure.or(Some(reason)),
                }
            }
            if self.compares() {
                match window.embedding.as_deref().and_then(|query| self.contrast(query, readings)) {
                    Some((contrast, _))
                        if found.contrast.as_ref().is_some_and(|(most, ..)| contrast <= *most) => {}
                    Some((contrast, attack)) => found.contrast = Some((contrast, scan, attack)),
                    None => found.failure = found.failure.or(Some(UnavailableReason::Failed)),
                }
            }
        }
    }

    /// The similarity to the nearest attack less that to the nearest harmless request; 0 where the rule
    /// has no harmless ones.
    fn contrast(&self, query: &[f32], readings: &TextReadings) -> Option<(f64, String)> {
        let attack = self.attacks.nearness(query, readings.fingerprint())?;
        let harmless = match self.harmless.is_empty() {
            true => 0.0,
            false => self.harmless.nearness(query, readings.fingerprint())?.best,
        };
        Some((attack.best - harmless, excerpt(&attack.nearest).to_owned()))
    }

    fn judge(&self, found: &Findings, readings: &TextReadings, evidence: &mut Evidence) {
        let (atom, target) = (self.target.atom, self.target);
        if found.coverage.texts == 0 {
            return target.fail(readings.nothing(), evidence);
        }
        let probability = found.probability.map(|(probability, _)| probability);
        let contrast = found.contrast.as_ref().map(|(contrast, ..)| *contrast);
        let confidence = match self.method {
            JailbreakMethod::Pattern => None,
            JailbreakMethod::Contrastive => contrast.filter(|contrast| *contrast >= self.threshold),
            JailbreakMethod::Classifier => probability.filter(|probability| *probability >= self.threshold),
            JailbreakMethod::Hybrid => probability.filter(|probability| {
                let agrees = contrast.is_some_and(|contrast| contrast >= CONTRAST);
                let needed = if agrees { self.threshold * HALF_SURE } else { self.threshold };
                *probability >= needed
            }),
        };
        let confidence = if found.phrase.is_some() { Some(1.0) } else { confidence };
        let value = if self.method == JailbreakMethod::Contrastive { contrast } else { probability };
        if let Some(value) = value.or(confidence) {
            evidence.set_value(atom, value);
        }
        let failure = found.failure.or(found.guardrail.as_ref().map(|failure| failure.reason));
        match (confidence, failure) {
            (None, Some(reason)) => target.fail(reason, evidence),
            (None, None) if !found.coverage.satisfies(self.demand) => {
                target.fail(UnavailableReason::PartlyRead, evidence);
            }
            (confidence, _) => target.settle(confidence, evidence),
        }
        if let Some((phrase, scan)) = &found.phrase {
            evidence.note(atom, || format!("pattern in {}: {}", describe(*scan), excerpt(phrase)));
        }
        if let Some((probability, scan)) = found.probability {
            evidence.note(atom, || format!("probability {probability:.3} in {}", describe(scan)));
        }
        if let Some((contrast, scan, attack)) = &found.contrast {
            evidence
                .note(atom, || format!("contrast {contrast:.3} in {}, nearest: {attack}", describe(*scan)));
        }
        if let Some(failure) = &found.guardrail {
            evidence.note(atom, || failure.detail.clone());
        }
        found.coverage.note(atom, evidence);
    }
}

/// How probable it is that the window attacks the model.
pub(super) fn attack_probability(window: &Window) -> Result<f64, UnavailableReason> {
    let output = window.output(Head::Jailbreak)?;
    let is_attack = |label: &str| ATTACKS.iter().any(|attack| label.eq_ignore_ascii_case(attack));
    if !output.labels.iter().any(|label| is_attack(label)) {
        return Err(UnavailableReason::Failed);
    }
    let classes = output.labels.iter().zip(output.probabilities.iter());
    Ok(classes.filter(|(label, _)| is_attack(label)).map(|(_, p)| f64::from(*p)).sum())
}

fn check(rule: &JailbreakRule, place: &Path, diagnostics: &mut Diagnostics) {
    rules::check_share(place, "threshold", rule.threshold, diagnostics);
    let method = rule.method.as_str();
    let (attacks, harmless) = (!rule.jailbreak_patterns.is_empty(), !rule.benign_patterns.is_empty());
    match rule.method {
        JailbreakMethod::Classifier if attacks || harmless => {
            let message = "the method `classifier` reads no patterns; use `hybrid` for both";
            diagnostics.warning(place.key("method"), message);
        }
        JailbreakMethod::Pattern | JailbreakMethod::Contrastive if !attacks => {
            let message = format!("the method `{method}` needs `jailbreak_patterns`; the rule never matches");
            diagnostics.warning(place.key("jailbreak_patterns"), message);
        }
        JailbreakMethod::Pattern if harmless => {
            let message = "the method `pattern` does not read them; `contrastive` and `hybrid` do";
            diagnostics.warning(place.key("benign_patterns"), message);
        }
        _ => {}
    }
}
