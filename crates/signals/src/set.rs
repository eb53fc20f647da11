//! All signal rules of one configuration, compiled, and their evaluation on one request.

use std::{sync::Arc, time::Instant};

use vsr_config::{Compatibility, Config};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily};

use crate::{
    authz::AuthzFamily,
    calibration::TokenCalibration,
    context::ContextFamily,
    conversation::ConversationFamily,
    event::EventFamily,
    keyword::{self, KeywordFamily},
    language::LanguageFamily,
    learned::{LearnedFamilies, ModelSupport, PrototypeVectors, ReadingPlan, TextReadings},
    lexicon::{Lexicon, LexiconBuilder},
    pattern::Patterns,
    rules,
    structure::StructureFamily,
    text::TextIndex,
};

/// Every signal rule of a configuration.
#[derive(Debug)]
pub struct SignalSet {
    lexicon: Lexicon,
    patterns: Patterns,
    authz: AuthzFamily,
    keyword: KeywordFamily,
    structure: StructureFamily,
    event: EventFamily,
    language: LanguageFamily,
    context: ContextFamily,
    conversation: ConversationFamily,
    learned: LearnedFamilies,
}

/// What rules are evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct SignalInput<'i> {
    /// The request.
    pub request: &'i RequestView<'i>,
    /// Who asks.
    pub identity: &'i Identity,
    /// How texts become token counts.
    pub tokens: &'i TokenCalibration,
    /// Whether a request without a user passes where roles matter.
    pub authz_fail_open: bool,
    /// What the router's own models read; without it the rules that need a model are unavailable.
    pub readings: Option<&'i TextReadings>,
}

/// What an evaluation found beside the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalSummary {
    /// How many tokens the request is likely to need.
    pub context_tokens: u64,
}

/// Why a request is not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignalRefusal {
    /// Roles matter, and nobody vouched for a user.
    #[error("the request has no user, and the policy depends on roles")]
    NoSubject,
}

/// Evaluates one family after the other, with one look at the clock for each.
pub(crate) struct Laps<'e> {
    pub(crate) families: FamilySet,
    evidence: &'e mut Evidence,
    last: Instant,
}

// === impl SignalSet

impl SignalSet {
    /// Compiles the rules of all families, declares their atoms, and reports every problem. With errors
    /// reported the set can be evaluated, but rules in error never match.
    pub fn compile(config: &Config, atoms: &mut AtomTable, diagnostics: &mut Diagnostics) -> Self {
        Self::compile_for(config, &ModelSupport::none(), atoms, diagnostics)
    }

    /// The same for a router with models of its own. Rules that compare with examples are unavailable
    /// until [`Self::install`] was called.
    pub fn compile_for(
        config: &Config,
        support: &ModelSupport<'_>,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let signals = &config.routing.signals;
        let v0_3 = config.global.router.compatibility == Some(Compatibility::V0_3);
        let mut lexicon = LexiconBuilder::default();
        let mut patterns = Patterns::default();
        let keyword = keyword::compile(config, &mut lexicon, &mut patterns, atoms, diagnostics);
        let structure =
            StructureFamily::compile(&signals.structure, &mut lexicon, &mut patterns, atoms, diagnostics);
        let event = EventFamily::compile(&signals.events, &mut lexicon, atoms, diagnostics);
        Self {
            lexicon: lexicon.build().unwrap_or_else(|error| {
                let path = rules::family_path(SignalFamily::Keyword);
                diagnostics.error(
                    path,
                    format!("the keywords of all rules are too many for one automaton: {error}"),
                );
                Lexicon::default()
            }),
            patterns,
            authz: AuthzFamily::compile(&signals.role_bindings, atoms, diagnostics),
            keyword,
            structure,
            event,
            language: LanguageFamily::compile(&signals.language, v0_3, atoms, diagnostics),
            context: ContextFamily::compile(&signals.context, atoms, diagnostics),
            conversation: ConversationFamily::compile(&signals.conversation, atoms, diagnostics),
            learned: LearnedFamilies::compile(config, support, atoms, diagnostics),
        }
    }

    /// The families that have rules.
    pub fn families(&self) -> FamilySet {
        let mut families = FamilySet::default();
        for (family, is_empty) in [
            (SignalFamily::Keyword, self.keyword.is_empty()),
            (SignalFamily::Structure, self.structure.is_empty()),
            (SignalFamily::Event, self.event.is_empty()),
            (SignalFamily::Language, self.language.is_empty()),
            (SignalFamily::Context, self.context.is_empty()),
            (SignalFamily::Conversation, self.conversation.is_empty()),
            (SignalFamily::Authz, self.authz.is_empty()),
        ] {
            if !is_empty {
                families.insert(family);
            }
        }
        self.learned.families().for_each(|family| families.insert(family));
        families
    }

    /// The examples whose embeddings the rules compare with, each once: texts, and images as `data:` URIs.
    pub fn prototype_texts(&self) -> Vec<Arc<str>> {
        self.learned.prototype_texts()
    }

    /// Gives the rules the embeddings of [`Self::prototype_texts`], once. A rule of whose examples one is
    /// missing stays unavailable.
    pub fn install(&self, vectors: &PrototypeVectors) {
        self.learned.install(vectors);
    }

    /// Whether rules of `families` read texts with models or search them as those would.
    pub fn reads_texts(&self, families: FamilySet) -> bool {
        self.learned.families().any(|family| families.contains(family))
    }

    /// The texts of a request that the router's own models must read before `families` are evaluated.
    pub fn plan(&self, request: &RequestView<'_>, families: FamilySet) -> ReadingPlan {
        self.learned.plan(request, families)
    }

    /// Evaluates every rule of `families` and leaves all other evidence as it is.
    ///
    /// Time is booked on the family that causes it: what families share, such as the search for
    /// literals, on the first of them.
    ///
    /// # Errors
    /// If roles are asked for, the configuration binds any, and the caller has no user, unless
    /// `authz_fail_open` is set.
    pub fn evaluate(
        &self,
        input: &SignalInput<'_>,
        families: FamilySet,
        evidence: &mut Evidence,
    ) -> Result<SignalSummary, SignalRefusal> {
        let mut laps = Laps { families, evidence, last: Instant::now() };
        if laps.asked(SignalFamily::Authz, self.authz.is_empty()) {
            if input.identity.user.is_none() && !input.authz_fail_open {
                return Err(SignalRefusal::NoSubject);
            }
            laps.run(SignalFamily::Authz, |evidence| self.authz.evaluate(input.identity, evidence));
        }
        let context_tokens = input.tokens.estimate(input.request);
        if laps.asked(SignalFamily::Context, self.context.is_empty()) {
            laps.run(SignalFamily::Context, |evidence| self.context.evaluate(context_tokens, evidence));
        }
        if laps.asked(SignalFamily::Conversation, self.conversation.is_empty()) {
            laps.run(SignalFamily::Conversation, |evidence| {
                self.conversation.evaluate(&input.request.facts, evidence);
            });
        }
        self.evaluate_text(input.request, &mut laps);
        self.learned.evaluate(input.request, input.readings, &mut laps);
        Ok(SignalSummary { context_tokens })
    }

    fn evaluate_text(&self, request: &RequestView<'_>, laps: &mut Laps<'_>) {
        let text = TextIndex::new(request.evaluation_text(), &self.lexicon);
        if laps.asked(SignalFamily::Keyword, self.keyword.is_empty()) {
            laps.run(SignalFamily::Keyword, |evidence| {
                self.keyword.evaluate(&text, &self.patterns, evidence);
            });
        }
        if laps.asked(SignalFamily::Structure, self.structure.is_empty()) {
            laps.run(SignalFamily::Structure, |evidence| {
                self.structure.evaluate(&text, &self.lexicon, &self.patterns, evidence);
            });
        }
        if laps.asked(SignalFamily::Event, self.event.is_empty()) {
            laps.run(SignalFamily::Event, |evidence| self.event.evaluate(&text, evidence));
        }
        if laps.asked(SignalFamily::Language, self.language.is_empty()) {
            laps.run(SignalFamily::Language, |evidence| self.language.evaluate(&text, evidence));
        }
    }
}

// === impl Laps

impl Laps<'_> {
    fn asked(&self, family: SignalFamily, is_empty: bool) -> bool {
        self.families.contains(family) && !is_empty
    }

    /// Evaluates a family and books on it the time since the last one.
    pub(crate) fn run(&mut self, family: SignalFamily, evaluate: impl FnOnce(&mut Evidence)) {
        evaluate(self.evidence);
        let now = Instant::now();
        let nanos = u64::try_from((now - self.last).as_nanos()).unwrap_or(u64::MAX);
        self.evidence.add_family_nanos(family, nanos);
        self.last = now;
    }
}
