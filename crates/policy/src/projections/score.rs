//! Scores: weighted sums of evidence.

use std::{collections::HashMap, sync::Arc};

use vsr_config::{self as contract, ScoreInput, ValueSource, closest};
use vsr_types::{
    AtomId, Diagnostic, Diagnostics, Evidence, Path, ProjectionTrace, ScoreValue, Severity, SignalFamily,
    UnavailableReason,
};

use super::{mapping::Mapping, order::evaluation_order};
use crate::{
    reading::Reading,
    references::{References, Want, metric_atom},
};

/// A weighted sum, and the mappings that read it.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    name: Arc<str>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) mappings: Vec<Mapping>,
}

/// One summand.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    weight: f64,
    pub(crate) source: Source,
}

/// Where a summand's value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// One number if the atom matched, another if not.
    Binary { atom: AtomId, matched: f64, miss: f64 },
    /// The confidence of the atom if it matched, else 0.
    Confidence(AtomId),
    /// The raw value of the atom, matched or not.
    Value(AtomId),
    /// Another score: its position in the configuration while compiling, then in evaluation order.
    Score(usize),
    /// What names nothing that could match always misses.
    Never { miss: f64 },
}

/// What is known of a number: exactly what it is, or between which ends it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    /// The number with unavailable evidence counted as a miss.
    pub(crate) estimate: f64,
    /// The least it can be, whatever the unavailable evidence would say.
    pub(crate) low: f64,
    /// The most it can be.
    pub(crate) high: f64,
    /// Why it is not known exactly.
    pub(crate) reason: Option<UnavailableReason>,
}

// === impl Value

impl Value {
    fn exact(number: f64) -> Self {
        Self { estimate: number, low: number, high: number, reason: None }
    }

    /// This number times `weight`.
    fn weighted(self, weight: f64) -> Self {
        if weight == 0.0 {
            return Self { reason: self.reason, ..Self::exact(0.0) };
        }
        let (one, other) = (weight * self.low, weight * self.high);
        Self { estimate: weight * self.estimate, low: one.min(other), high: one.max(other), ..self }
    }
}

// === impl Score

impl Score {
    /// Computes the score from the evidence and the scores before it, and applies its mappings.
    pub(crate) fn evaluate(
        &self,
        evidence: &mut Evidence,
        reading: Reading,
        before: &[Value],
        trace: &mut ProjectionTrace,
    ) -> Value {
        let mut value = Value::exact(0.0);
        let mut contributions = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let found = input.source.read(evidence, reading, before).weighted(input.weight);
            contributions.push(found.reason.is_none().then_some(found.estimate));
            value.estimate += found.estimate;
            value.low += found.low;
            value.high += found.high;
            value.reason = value.reason.or(found.reason);
        }
        if reading.v0_3 && contributions.iter().any(Option::is_some) {
            // The release took what it had not evaluated for a miss.
            value = Value::exact(value.estimate);
        }
        trace.scores.push(ScoreValue { score: self.name.clone(), value: value.estimate, contributions });
        trace.mappings.extend(self.mappings.iter().map(|mapping| mapping.apply(value, evidence)));
        value
    }
}

// === impl Source

impl Source {
    /// The atom it reads, if it reads one.
    pub(crate) fn atom(&self) -> Option<AtomId> {
        match self {
            Source::Binary { atom, .. } | Source::Confidence(atom) | Source::Value(atom) => Some(*atom),
            Source::Score(_) | Source::Never { .. } => None,
        }
    }

    /// Its value; where the evidence is unavailable, all that it could be.
    fn read(&self, evidence: &Evidence, reading: Reading, before: &[Value]) -> Value {
        if let Some(id) = self.atom().filter(|id| evidence.is_unavailable(*id)) {
            let (estimate, low, high) = match *self {
                Source::Binary { matched, miss, .. } => (miss, miss.min(matched), miss.max(matched)),
                Source::Value(_) => (0.0, f64::NEG_INFINITY, f64::INFINITY),
                Source::Confidence(_) | Source::Score(_) | Source::Never { .. } => (0.0, 0.0, 1.0),
            };
            let reason = Some(evidence.reason(id).unwrap_or(UnavailableReason::Failed));
            return Value { estimate, low, high, reason };
        }
        Value::exact(match *self {
            Source::Binary { atom, matched, .. } if evidence.is_matched(atom) => matched,
            Source::Binary { miss, .. } | Source::Never { miss } => miss,
            Source::Confidence(atom) if evidence.is_matched(atom) => reading.confidence(evidence, atom),
            Source::Confidence(_) => 0.0,
            Source::Value(atom) => evidence.value(atom).unwrap_or(0.0),
            Source::Score(position) => {
                return before.get(position).copied().unwrap_or(Value::exact(0.0));
            }
        })
    }
}

/// Compiles all scores with their mappings, in evaluation order.
pub(crate) fn compile_all(
    references: References<'_>,
    reading: Reading,
    diagnostics: &mut Diagnostics,
) -> Vec<Score> {
    let compiler = Compiler::new(references, reading, diagnostics);
    let mut scores = compiler.scores(diagnostics);
    compiler.attach_mappings(&mut scores, diagnostics);
    compiler.sort(scores, diagnostics)
}

/// Reads scores that may name one another.
struct Compiler<'c> {
    references: References<'c>,
    reading: Reading,
    written: &'c contract::Projections,
    path: Path,
    by_name: HashMap<&'c str, usize>,
    /// The score behind each output.
    by_output: HashMap<&'c str, usize>,
}

// === impl Compiler

impl<'c> Compiler<'c> {
    fn new(references: References<'c>, reading: Reading, diagnostics: &mut Diagnostics) -> Self {
        let written = &references.config.routing.projections;
        let path = Path::keys("routing.projections");
        let mut by_name = HashMap::new();
        for (index, score) in written.scores.iter().enumerate() {
            let place = path.key("scores").index(index).key("name");
            if score.name.is_empty() {
                diagnostics.error(place, "a score needs a name");
            } else if let Some(first) = by_name.get(score.name.as_str()) {
                diagnostics.push(
                    Diagnostic::error(place, format!("there is another score `{}`", score.name))
                        .help(format!("the first is scores[{first}]; names of scores are unique")),
                );
            } else {
                by_name.insert(score.name.as_str(), index);
            }
        }
        let of_mapping = |mapping: &'c contract::Mapping| {
            let score = by_name.get(mapping.source.as_str()).copied();
            mapping.outputs.iter().filter_map(move |output| Some((output.name.as_str(), score?)))
        };
        let by_output = written.mappings.iter().flat_map(of_mapping).collect();
        Self { references, reading, written, path, by_name, by_output }
    }

    /// The scores in the order declared, without mappings.
    fn scores(&self, diagnostics: &mut Diagnostics) -> Vec<Score> {
        let scores = self.written.scores.iter().enumerate();
        scores
            .map(|(index, score)| {
                let place = self.path.key("scores").index(index).key("inputs");
                if score.inputs.is_empty() {
                    diagnostics.error(place.clone(), "a score needs inputs");
                }
                let inputs = score.inputs.iter().enumerate().filter_map(|(index, input)| {
                    let source = self.source(input, &place.index(index), diagnostics)?;
                    Some(Input { weight: input.weight, source })
                });
                let inputs = inputs.collect();
                Score { name: score.name.as_str().into(), inputs, mappings: Vec::new() }
            })
            .collect()
    }

    fn attach_mappings(&self, scores: &mut [Score], diagnostics: &mut Diagnostics) {
        for (index, written) in self.written.mappings.iter().enumerate() {
            let place = self.path.key("mappings").index(index);
            let mapping = Mapping::compile(written, self.references, &place, diagnostics);
            match self.by_name.get(written.source.as_str()) {
                Some(score) => scores[*score].mappings.push(mapping),
                None => diagnostics.push(self.unknown_score(&written.source, place.key("source"))),
            }
        }
    }

    fn sort(&self, scores: Vec<Score>, diagnostics: &mut Diagnostics) -> Vec<Score> {
        let dependencies: Vec<Vec<usize>> =
            self.written.scores.iter().map(|it| self.dependencies(it)).collect();
        let order = evaluation_order(&dependencies, |cycle| {
            let names: Vec<&str> =
                cycle.iter().map(|score| self.written.scores[*score].name.as_str()).collect();
            let place = self.path.key("scores").index(cycle[0]);
            let problem = format!("scores depend on each other in a circle: {}", names.join(" -> "));
            diagnostics.push(Diagnostic::error(place, problem).help("remove one of these inputs"));
        });
        let mut positions = vec![0; order.len()];
        for (position, score) in order.iter().enumerate() {
            positions[*score] = position;
        }
        let mut scores: Vec<Option<Score>> = scores.into_iter().map(Some).collect();
        let sorted = order.into_iter().filter_map(|score| scores[score].take());
        sorted
            .map(|mut score| {
                for input in &mut score.inputs {
                    if let Source::Score(index) = &mut input.source {
                        *index = positions[*index];
                    }
                }
                score
            })
            .collect()
    }

    /// The scores that must be known first.
    fn dependencies(&self, score: &contract::Score) -> Vec<usize> {
        let inputs =
            score.inputs.iter().filter(|input| word(&input.kind) == SignalFamily::Projection.as_str());
        inputs
            .filter_map(|input| {
                let known = match input.value_source {
                    ValueSource::Confidence => &self.by_output,
                    _ => &self.by_name,
                };
                known.get(input.name.as_deref()?).copied()
            })
            .collect()
    }

    fn source(&self, input: &ScoreInput, path: &Path, diagnostics: &mut Diagnostics) -> Option<Source> {
        let is_metric = word(&input.kind) == "kb_metric";
        let source =
            if is_metric { self.metric(input, path) } else { self.evidence(input, path, diagnostics) };
        let source = source.map_err(|problem| diagnostics.push(problem)).ok()?;
        let mut unused = |key: &str, problem: String| diagnostics.warning(path.key(key), problem);
        for (key, is_unused) in [
            ("name", is_metric && input.name.is_some()),
            ("kb", !is_metric && input.kb.is_some()),
            ("metric", !is_metric && input.metric.is_some()),
        ] {
            if is_unused {
                unused(key, format!("`{key}` means nothing for type {}", word(&input.kind)));
            }
        }
        let is_binary = matches!(source, Source::Binary { .. } | Source::Never { .. });
        for (key, written) in [("match", input.matched), ("miss", input.miss)] {
            if written.is_some() && !is_binary {
                let found = input.value_source.as_str();
                unused(key, format!("`{key}` does nothing with `value_source: {found}`"));
            }
        }
        Some(source)
    }

    fn metric(&self, input: &ScoreInput, path: &Path) -> Result<Source, Diagnostic> {
        let required = |key: &str, value: &'_ Option<String>| match value.as_deref() {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(Diagnostic::error(path.clone(), format!("type kb_metric needs `{key}`"))),
        };
        let (kb, metric) = (required("kb", &input.kb)?, required("metric", &input.metric)?);
        if !matches!(input.value_source, ValueSource::Default | ValueSource::Score) {
            return Err(wrong_source(input, path, "`score`"));
        }
        let name = metric_atom(&kb, &metric);
        if let Some(id) = self.references.atoms.find(SignalFamily::Kb, &name) {
            return Ok(Source::Value(id));
        }
        let prefix = metric_atom(&kb, "");
        let names = self.references.atoms.names(SignalFamily::Kb);
        let metrics: Vec<&str> = names.filter_map(|name| name.strip_prefix(&prefix)).collect();
        if metrics.is_empty() {
            let problem = format!("there is no knowledge base `{kb}` with metrics");
            let problem = Diagnostic::error(path.key("kb"), problem);
            return Err(match closest(&kb, self.references.knowledge_bases()) {
                Some(suggestion) => problem.help(format!("did you mean `{suggestion}`?")),
                None => problem.help("declare it under global.model_catalog.kbs"),
            });
        }
        let problem = format!("knowledge base `{kb}` has no metric `{metric}`");
        let help = match closest(&metric, metrics.iter().copied()) {
            Some(suggestion) => format!("did you mean `{suggestion}`?"),
            None => format!("it has {}", metrics.join(", ")),
        };
        Err(Diagnostic::error(path.key("metric"), problem).help(help))
    }

    fn evidence(
        &self,
        input: &ScoreInput,
        path: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Result<Source, Diagnostic> {
        let family = self.references.family(&input.kind, &path.key("type"), &["kb_metric"])?;
        let name = input.name.as_deref().filter(|name| !name.is_empty()).ok_or_else(|| {
            Diagnostic::error(path.clone(), format!("an input of type {family} needs a name"))
        })?;
        let place = path.key("name");
        if family == SignalFamily::Projection {
            return self.projection(input, name, path);
        }
        let want = match input.value_source {
            ValueSource::Default | ValueSource::Binary | ValueSource::Confidence => Want::Match,
            ValueSource::Raw => Want::Value,
            ValueSource::Score => return Err(wrong_source(input, path, "`binary`, `confidence` or `raw`")),
        };
        let matched = input.matched.filter(|matched| !self.reading.v0_3 || *matched != 0.0).unwrap_or(1.0);
        let miss = input.miss.unwrap_or(0.0);
        let atom = match self.references.atom(family, name, want, &place) {
            Ok(atom) => atom,
            Err(mut problem) if self.reading.v0_3 && self.references.is_bare_complexity(family, name) => {
                problem.severity = Severity::Warning;
                problem.message.push_str("; without one it never matches");
                diagnostics.push(problem);
                let is_binary = matches!(input.value_source, ValueSource::Default | ValueSource::Binary);
                return Ok(Source::Never { miss: if is_binary { miss } else { 0.0 } });
            }
            Err(problem) => return Err(problem),
        };
        Ok(match input.value_source {
            ValueSource::Raw => Source::Value(atom),
            ValueSource::Confidence => Source::Confidence(atom),
            _ => Source::Binary { atom, matched, miss },
        })
    }

    fn projection(&self, input: &ScoreInput, name: &str, path: &Path) -> Result<Source, Diagnostic> {
        match input.value_source {
            ValueSource::Default | ValueSource::Score => match self.by_name.get(name) {
                Some(index) => Ok(Source::Score(*index)),
                None => Err(self.unknown_score(name, path.key("name"))),
            },
            ValueSource::Confidence
                if self.by_name.contains_key(name) && !self.by_output.contains_key(name) =>
            {
                let problem = format!("`{name}` is a score, which has no confidence");
                Err(Diagnostic::error(path.key("name"), problem)
                    .help("write `value_source: score`, or name an output of a mapping"))
            }
            ValueSource::Confidence => self
                .references
                .atom(SignalFamily::Projection, name, Want::Match, &path.key("name"))
                .map(Source::Confidence),
            ValueSource::Binary | ValueSource::Raw => {
                Err(wrong_source(input, path, "`score` or `confidence`"))
            }
        }
    }

    fn unknown_score(&self, name: &str, path: Path) -> Diagnostic {
        let problem = Diagnostic::error(path, format!("there is no score `{name}`"));
        if self.by_output.contains_key(name) {
            return problem.help(format!("`{name}` is an output: write `value_source: confidence`"));
        }
        match closest(name, self.by_name.keys().copied()) {
            Some(suggestion) => problem.help(format!("did you mean `{suggestion}`?")),
            None => problem.help("declare it under routing.projections.scores"),
        }
    }
}

fn wrong_source(input: &ScoreInput, path: &Path, allowed: &str) -> Diagnostic {
    let (written, kind) = (input.value_source.as_str(), word(&input.kind));
    Diagnostic::error(path.key("value_source"), format!("`{written}` cannot be had of type {kind}"))
        .help(format!("write {allowed}"))
}

/// A type as it is compared.
fn word(kind: &str) -> String {
    kind.trim().to_lowercase()
}
