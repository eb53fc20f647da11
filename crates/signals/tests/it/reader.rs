//! A stand-in for the router's own models: embeddings of words, heads that look for words.

use std::{collections::BTreeMap, sync::Arc};

use vsr_config::Document;
use vsr_signals::{
    Head, HeadOutput, HeadReading, KnowledgeManifest, ModelSupport, PrototypeVectors, ReadingPlan,
    SignalInput, SignalSet, TagReading, TaggedSpan, TextNeed, TextReading, TextReadings, TokenCalibration,
    TrunkReading, Window,
};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, UnavailableReason};

use crate::policy::{Found, Policy};

/// The dimension of the stand-in's embeddings.
const DIMENSION: usize = 64;
/// The words of a window.
const WINDOW: usize = 8;

/// A head: the probability of each class, by the words of a window.
type Judge = Box<dyn Fn(&str) -> Result<Vec<(&'static str, f32)>, UnavailableReason>>;

/// Reads texts: a token is a word, a window eight words, and windows do not overlap.
pub(crate) struct Reader {
    heads: BTreeMap<Head, Judge>,
    /// Words that the tagger knows, and their types.
    tags: Vec<(&'static str, &'static str, f32)>,
    /// Why texts with a word are not read.
    failures: Vec<(&'static str, UnavailableReason)>,
    /// Overrides the plan's budget.
    budget: Option<u32>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { heads: BTreeMap::new(), tags: Vec::new(), failures: Vec::new(), budget: None }
    }

    /// Adds a head.
    pub(crate) fn head(
        mut self,
        head: Head,
        judge: impl Fn(&str) -> Vec<(&'static str, f32)> + 'static,
    ) -> Self {
        self.heads.insert(head, Box::new(move |text| Ok(judge(text))));
        self
    }

    /// Adds a head that answers nothing.
    pub(crate) fn silent_head(mut self, head: Head, reason: UnavailableReason) -> Self {
        self.heads.insert(head, Box::new(move |_| Err(reason)));
        self
    }

    /// Lets the tagger find a word.
    pub(crate) fn tag(mut self, word: &'static str, kind: &'static str, probability: f32) -> Self {
        self.tags.push((word, kind, probability));
        self
    }

    /// Lets texts that have a word fail.
    pub(crate) fn fails_on(mut self, word: &'static str, reason: UnavailableReason) -> Self {
        self.failures.push((word, reason));
        self
    }

    /// Reads fewer tokens than the plan allows.
    pub(crate) fn budget(mut self, tokens: u32) -> Self {
        self.budget = Some(tokens);
        self
    }

    pub(crate) fn read(&self, plan: ReadingPlan) -> TextReadings {
        let mut left = self.budget.unwrap_or(plan.budget_tokens());
        let outputs = plan.needs().iter().map(|need| self.read_text(need, &mut left)).collect();
        TextReadings::new(plan, "stand-in", outputs)
    }

    fn read_text(&self, need: &TextNeed, left: &mut u32) -> TextReading {
        if let Some((_, reason)) = self.failures.iter().find(|(word, _)| need.text.contains(word)) {
            return TextReading::unavailable(*reason);
        }
        let words: Vec<(usize, &str)> = need
            .text
            .split_whitespace()
            .map(|word| (word.as_ptr() as usize - need.text.as_ptr() as usize, word))
            .collect();
        let present = words.len() as u32;
        let mut trunk = TrunkReading { tokens_present: present, ..TrunkReading::default() };
        for chunk in words.chunks(WINDOW) {
            let tokens = chunk.len() as u32;
            if tokens > *left {
                break;
            }
            *left -= tokens;
            trunk.tokens_seen += tokens;
            let (start, (last, word)) = (chunk[0].0, chunk[chunk.len() - 1]);
            trunk.windows.push(self.window(need, start..last + word.len(), tokens));
        }
        let spans = self.tags.iter().flat_map(|(word, kind, probability)| {
            need.text.match_indices(word).map(|(start, word)| TaggedSpan {
                bytes: start..start + word.len(),
                kind: (*kind).into(),
                probability: *probability,
            })
        });
        let tags =
            TagReading { spans: spans.collect(), tokens_seen: trunk.tokens_seen, tokens_present: present };
        TextReading { trunk: Ok(trunk), tags: Ok(tags) }
    }

    fn window(&self, need: &TextNeed, bytes: std::ops::Range<usize>, tokens: u32) -> Window {
        let text = &need.text[bytes.clone()];
        let embedding = need.wants.embedding.is_some().then(|| embed(text));
        let heads = need.wants.heads.iter().map(|head| {
            let output = match self.heads.get(&head) {
                Some(judge) => judge(text).map(|classes| HeadOutput {
                    labels: classes.iter().map(|(label, _)| Arc::from(*label)).collect(),
                    probabilities: classes.iter().map(|(_, probability)| *probability).collect(),
                }),
                None => Err(UnavailableReason::NotActive),
            };
            HeadReading { head, output }
        });
        Window { bytes, tokens, embedding, heads: heads.collect() }
    }
}

/// The words of a text as a vector of length 1: the more words two texts share, the nearer they are.
pub(crate) fn embed(text: &str) -> Arc<[f32]> {
    let mut vector = vec![0.0_f32; DIMENSION];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word
            .to_lowercase()
            .bytes()
            .fold(17_usize, |hash, byte| hash.wrapping_mul(131).wrapping_add(byte.into()));
        vector[hash % DIMENSION] += 1.0;
    }
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter().map(|value| value / norm).collect()
}

/// Everything that a model could do.
fn full_support() -> ModelSupport<'static> {
    let subjects = ["math", "law", "physics", "chemistry"].map(Arc::from).to_vec();
    let heads = Head::ALL.into_iter().map(|head| match head {
        Head::Domain => (head, subjects.clone()),
        _ => (head, Vec::new()),
    });
    let heads = heads.collect();
    ModelSupport {
        embeddings: true,
        images: false,
        sounds: false,
        heads,
        tagger: true,
        remote: true,
        manifests: &|kb| (kb.name == "pets").then(pets),
        pictures: &|file| (file == "proof.png").then(|| Ok("data:image/png;base64,proof".into())),
    }
}

fn pets() -> Result<KnowledgeManifest, String> {
    KnowledgeManifest::parse(
        r#"{"labels": {
            "cats": {"exemplars": ["cats purr softly", "cats chase mice"]},
            "dogs": {"exemplars": ["dogs bark loudly", "dogs fetch sticks"]},
            "fish": {"exemplars": ["fish swim quietly"]}
        }}"#,
    )
}

impl Policy {
    /// Compiles the block under `routing.signals` and the lines under `global` for a router with models,
    /// and installs the embeddings of its examples.
    pub(crate) fn learned(signals: &str, global: &str) -> Self {
        let policy = Self::learned_unchecked(signals, global);
        assert!(!policy.diagnostics.has_errors(), "{}", policy.problems().join("\n"));
        let texts = policy.set.prototype_texts();
        policy.set.install(&PrototypeVectors::new(
            "stand-in",
            texts.into_iter().map(|text| (text.clone(), embed(&text))),
        ));
        policy
    }

    /// The same, whatever the problems, and without embeddings.
    pub(crate) fn learned_unchecked(signals: &str, global: &str) -> Self {
        let indented: String = signals.lines().map(|line| format!("    {line}\n")).collect();
        let global: String = global.lines().map(|line| format!("  {line}\n")).collect();
        let global = if global.trim().is_empty() { String::new() } else { format!("global:\n{global}") };
        let yaml = format!("version: v0.3\nrouting:\n  signals:\n{indented}{global}");
        let document = Document::parse("config.yaml", &yaml, &|_| None);
        let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
        let config = document.config().unwrap_or_else(|| panic!("{}", problems.join("\n")));
        let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
        let set = SignalSet::compile_for(config, &full_support(), &mut atoms, &mut diagnostics);
        Self { atoms, set, diagnostics }
    }

    /// Evaluates a request that `reader` read.
    pub(crate) fn read_by(&self, reader: &Reader, request: &RequestView<'_>) -> Found<'_> {
        let readings = reader.read(self.set.plan(request, FamilySet::ALL));
        self.with(&readings, request)
    }

    /// Evaluates a request with given readings.
    pub(crate) fn with(&self, readings: &TextReadings, request: &RequestView<'_>) -> Found<'_> {
        let mut evidence = Evidence::new(&self.atoms);
        let tokens = TokenCalibration::new();
        let identity = Identity { user: Some("ann".into()), ..Identity::default() };
        let input = SignalInput {
            request,
            identity: &identity,
            tokens: &tokens,
            authz_fail_open: false,
            readings: Some(readings),
        };
        let summary = self.set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
        Found::new(self, evidence, summary)
    }
}
