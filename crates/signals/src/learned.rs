//! The families that read texts with the router's own models: what they need read, and what they make
//! of it. No model runs here: [`SignalSet::plan`](crate::SignalSet::plan) says which texts are needed,
//! somebody reads them, and evaluation is a function of what came out.

mod bank;
mod classes;
mod complexity;
mod domain;
mod embedding;
mod jailbreak;
mod kb;
mod manifest;
mod modality;
mod phrases;
mod pictures;
mod pii;
mod plan;
mod preference;
mod reading;
mod reask;
mod scan;
mod single;
mod support;
mod target;

use std::{collections::HashSet, sync::Arc};

use vsr_config::{Compatibility, Config};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, RequestView, SignalFamily, UnavailableReason};

pub use bank::PrototypeVectors;
pub use classes::class_of;
pub use kb::{ManifestSource, kb_metric_name};
pub use manifest::{KnowledgeLabel, KnowledgeManifest};
pub use pictures::{PictureSource, is_inline};
pub use plan::{Cover, Omission, ReadingPlan, Share, TextNeed, TextSource, TextView, Wants};
pub use reading::{
    Head, HeadOutput, HeadReading, HeadSet, TagReading, TaggedSpan, TextReading, TextReadings, TrunkReading,
    Window,
};
pub use single::{AttackReading, EntityReading};
pub use support::ModelSupport;

use classes::ClassFamily;
use complexity::ComplexityFamily;
use domain::DomainFamily;
use embedding::EmbeddingFamily;
use jailbreak::JailbreakFamily;
use kb::KbFamily;
use modality::ModalityFamily;
use pii::PiiFamily;
use plan::Demand;
use preference::PreferenceFamily;
use reask::ReaskFamily;

use crate::{compression::Compressor, external::RemoteRoles, set::Laps};

/// The rules of all learned families.
#[derive(Debug)]
pub(crate) struct LearnedFamilies {
    embedding: EmbeddingFamily,
    domain: DomainFamily,
    fact_check: ClassFamily,
    user_feedback: ClassFamily,
    reask: ReaskFamily,
    preference: PreferenceFamily,
    complexity: ComplexityFamily,
    modality: ModalityFamily,
    jailbreak: JailbreakFamily,
    pii: PiiFamily,
    kb: KbFamily,
    embedding_rules: usize,
    compressor: Option<Compressor>,
    /// The families that read the whole text where it is shortened for the others.
    uncompressed: FamilySet,
    budget_tokens: u32,
}

// === impl LearnedFamilies

impl LearnedFamilies {
    /// Declares the atoms, checks the rules, and says which of them cannot work with these models.
    pub(crate) fn compile(
        config: &Config,
        support: &ModelSupport<'_>,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let v0_3 = config.global.router.compatibility == Some(Compatibility::V0_3);
        let modules = &config.global.model_catalog.modules;
        let roles = RemoteRoles::of(config);
        // The classes of a classifier served elsewhere are not known yet.
        let labels = if roles.domain.is_some() { &[] } else { support.labels(Head::Domain) };
        let ids = embedding::declare(config, atoms, diagnostics);
        let skipped = modules.prompt_compression.skip_signals.iter();
        let mut uncompressed = FamilySet::default();
        skipped.filter_map(|name| name.parse().ok()).for_each(|family| uncompressed.insert(family));
        let learned = Self {
            embedding: EmbeddingFamily::compile(config, (v0_3, support), &ids, diagnostics),
            domain: DomainFamily::compile(config, v0_3, labels, atoms, diagnostics)
                .asking(roles.domain, config),
            fact_check: ClassFamily::fact_check(config, v0_3, atoms, diagnostics),
            user_feedback: ClassFamily::user_feedback(config, v0_3, atoms, diagnostics),
            reask: ReaskFamily::compile(config, atoms, diagnostics),
            preference: PreferenceFamily::compile(config, v0_3, atoms, diagnostics)
                .asking(roles.preference.is_some()),
            complexity: ComplexityFamily::compile(config, support, atoms, diagnostics),
            modality: ModalityFamily::compile(config, v0_3, atoms, diagnostics),
            jailbreak: JailbreakFamily::compile(config, roles, atoms, diagnostics),
            pii: PiiFamily::compile(config, v0_3, atoms, diagnostics),
            kb: KbFamily::compile(config, v0_3, support.manifests, atoms, diagnostics),
            embedding_rules: ids.len(),
            compressor: Compressor::new(&modules.prompt_compression, v0_3),
            uncompressed,
            budget_tokens: modules.scan.max_tokens,
        };
        support::report(&learned, support, diagnostics);
        learned
    }

    /// How many rules each family has.
    fn sizes(&self) -> [(SignalFamily, usize); 11] {
        [
            (SignalFamily::Embedding, self.embedding_rules),
            (SignalFamily::Domain, self.domain.len()),
            (SignalFamily::FactCheck, self.fact_check.len()),
            (SignalFamily::UserFeedback, self.user_feedback.len()),
            (SignalFamily::Reask, self.reask.len()),
            (SignalFamily::Preference, self.preference.len()),
            (SignalFamily::Complexity, self.complexity.len()),
            (SignalFamily::Modality, self.modality.len()),
            (SignalFamily::Jailbreak, self.jailbreak.len()),
            (SignalFamily::Pii, self.pii.len()),
            (SignalFamily::Kb, self.kb.len()),
        ]
    }

    /// The families that have rules.
    pub(crate) fn families(&self) -> impl Iterator<Item = SignalFamily> {
        self.sizes().into_iter().filter(|(_, size)| *size > 0).map(|(family, _)| family)
    }

    /// Every text or inline image whose embedding the rules compare with, once.
    pub(crate) fn prototype_texts(&self) -> Vec<Arc<str>> {
        let banks = self
            .embedding
            .banks()
            .chain(self.preference.banks())
            .chain(self.complexity.banks())
            .chain(self.jailbreak.banks())
            .chain(self.kb.banks());
        let mut seen: HashSet<&Arc<str>> = HashSet::new();
        banks.flat_map(|bank| bank.texts()).filter(|text| seen.insert(text)).cloned().collect()
    }

    /// Makes prototypes of the vectors. Rules whose examples lack one stay unavailable.
    pub(crate) fn install(&self, vectors: &PrototypeVectors) {
        self.embedding.install(vectors);
        self.preference.install(vectors);
        self.complexity.install(vectors);
        self.jailbreak.install(vectors);
        self.kb.install(vectors);
    }

    /// Which texts must be read for `families`.
    pub(crate) fn plan(&self, request: &RequestView<'_>, families: FamilySet) -> ReadingPlan {
        plan::plan(request, &self.demand(families), self.compressor.as_ref(), self.budget_tokens)
    }

    fn demand(&self, families: FamilySet) -> Demand {
        let mut demand = Demand::default();
        for (family, wants) in [
            (SignalFamily::Embedding, self.embedding.reads_text().then_some(Wants::EMBEDDING)),
            (SignalFamily::Preference, self.preference.wants()),
            (SignalFamily::Kb, self.kb.reads_text().then_some(Wants::EMBEDDING)),
            (SignalFamily::Complexity, self.complexity.wants()),
            (SignalFamily::Domain, self.domain.wants()),
            (SignalFamily::FactCheck, (self.fact_check.len() > 0).then(|| Wants::head(Head::FactCheck))),
            (
                SignalFamily::UserFeedback,
                (self.user_feedback.len() > 0).then(|| Wants::head(Head::UserFeedback)),
            ),
            (SignalFamily::Modality, self.modality.reads_head().then(|| Wants::head(Head::Modality))),
        ] {
            let Some(wants) = wants.filter(|_| families.contains(family)) else { continue };
            let place = if self.uncompressed.contains(family) { &mut demand.full } else { &mut demand.short };
            *place = place.union(wants);
        }
        demand.image = families.contains(SignalFamily::Embedding) && self.embedding.reads_image()
            || families.contains(SignalFamily::Complexity) && self.complexity.reads_image();
        demand.audio = families.contains(SignalFamily::Embedding) && self.embedding.reads_audio();
        if families.contains(SignalFamily::Reask) && self.reask.len() > 0 {
            demand.full = demand.full.union(Wants::EMBEDDING);
            demand.turns = self.reask.turns();
        }
        if families.contains(SignalFamily::Jailbreak) && self.jailbreak.len() > 0 {
            demand.attack = Some(self.jailbreak.wants());
            demand.searches = self.jailbreak.reads_phrases();
            demand.attack_history = self.jailbreak.reads_history();
        }
        demand.pii = families.contains(SignalFamily::Pii) && self.pii.len() > 0;
        demand.pii_history = self.pii.reads_history();
        demand
    }

    /// Evaluates the learned families among `families`. Without readings, what needs no model is
    /// evaluated all the same.
    pub(crate) fn evaluate(
        &self,
        request: &RequestView<'_>,
        readings: Option<&TextReadings>,
        laps: &mut Laps<'_>,
    ) {
        let families = laps.families;
        // A knowledge base has values even where no rule names it.
        let is_asked = |(family, size): &(SignalFamily, usize)| {
            families.contains(*family) && (*size > 0 || *family == SignalFamily::Kb)
        };
        let mut asked = self.sizes().into_iter().filter(is_asked).peekable();
        if asked.peek().is_none() {
            return;
        }
        let absent;
        let readings = match readings {
            Some(readings) => readings,
            None => {
                absent = TextReadings::unavailable(
                    self.plan_without_models(request, families),
                    UnavailableReason::NotActive,
                );
                &absent
            }
        };
        for (family, _) in asked {
            laps.run(family, |evidence| self.evaluate_family(family, request, readings, evidence));
        }
    }

    /// The texts for rules that need no model.
    fn plan_without_models(&self, request: &RequestView<'_>, families: FamilySet) -> ReadingPlan {
        let mut without = FamilySet::default();
        if self.pii.len() > 0 {
            without.insert(SignalFamily::Pii);
        }
        if self.jailbreak.reads_phrases() {
            without.insert(SignalFamily::Jailbreak);
        }
        let asked = without.iter().filter(|family| families.contains(*family));
        let mut wanted = FamilySet::default();
        asked.for_each(|family| wanted.insert(family));
        self.plan(request, wanted)
    }

    fn evaluate_family(
        &self,
        family: SignalFamily,
        request: &RequestView<'_>,
        readings: &TextReadings,
        evidence: &mut Evidence,
    ) {
        let routes = &readings.plan.routes;
        let need = if self.uncompressed.contains(family) { routes.full } else { routes.short };
        match family {
            SignalFamily::Embedding => self.embedding.evaluate(readings, need, evidence),
            SignalFamily::Domain => self.domain.evaluate(readings, need, evidence),
            SignalFamily::FactCheck => self.fact_check.evaluate_fact_check(readings, need, evidence),
            SignalFamily::UserFeedback => {
                self.user_feedback.evaluate_user_feedback(request, readings, need, evidence);
            }
            SignalFamily::Reask => self.reask.evaluate(readings, evidence),
            SignalFamily::Preference => self.preference.evaluate(readings, need, evidence),
            SignalFamily::Complexity => self.complexity.evaluate(readings, need, evidence),
            SignalFamily::Modality => {
                self.modality.evaluate(&request.evaluation_text(), readings, need, evidence);
            }
            SignalFamily::Jailbreak => self.jailbreak.evaluate(readings, evidence),
            SignalFamily::Pii => self.pii.evaluate(readings, evidence),
            SignalFamily::Kb => self.kb.evaluate(readings, need, evidence),
            _ => {}
        }
    }
}
