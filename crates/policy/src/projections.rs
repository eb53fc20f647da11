//! The projection stage: what is derived from signals before decisions are evaluated.

mod composer;
mod mapping;
mod order;
mod score;

use vsr_config::Config;
use vsr_types::{AtomId, AtomTable, Diagnostics, Evidence, Path, ProjectionTrace, SignalFamily};

pub(crate) use composer::Composer;
pub(crate) use mapping::Mapping;
pub(crate) use score::{Score, Source};

use crate::{partition::Partition, reading::Reading, references::References};

/// All of `routing.projections`, the composers, and the embedding top-k.
#[derive(Debug, Clone, Default)]
pub(crate) struct Projections {
    partitions: Vec<Partition>,
    pub(crate) composers: Vec<Composer>,
    /// All embedding rules, by name.
    embeddings: Vec<AtomId>,
    /// How many of them may match at once.
    embedding_limit: Option<usize>,
    /// In evaluation order, each with its mappings.
    pub(crate) scores: Vec<Score>,
}

// === impl Projections

impl Projections {
    /// Compiles everything; declares an atom for each output of a mapping.
    pub(crate) fn compile(
        config: &Config,
        atoms: &mut AtomTable,
        reading: Reading,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let written = &config.routing.projections;
        let place = Path::keys("routing.projections");
        mapping::declare_outputs(&written.mappings, &place.key("mappings"), atoms, diagnostics);
        let references = References { config, atoms };
        let partitions = written.partitions.iter().enumerate();
        let partitions = partitions
            .filter_map(|(index, partition)| {
                let place = place.key("partitions").index(index);
                Partition::compile(partition, references, &place, diagnostics)
            })
            .collect();
        let composers = Composer::compile_all(references, reading, diagnostics);
        let scores = score::compile_all(references, reading, diagnostics);
        let embeddings = atoms.iter().filter(|(_, atom)| atom.family == SignalFamily::Embedding);
        let mut embeddings: Vec<AtomId> = embeddings.map(|(id, _)| id).collect();
        embeddings.sort_by_key(|id| atoms.atom(*id).name.clone());
        let embedding_limit = match config.global.model_catalog.embeddings.semantic.embedding_config.top_k {
            0 => None,
            limit => Some(usize::try_from(limit).unwrap_or(1)),
        };
        Self { partitions, composers, embeddings, embedding_limit, scores }
    }

    /// Derives what there is to derive, in place.
    pub(crate) fn evaluate(&self, evidence: &mut Evidence, reading: Reading) -> ProjectionTrace {
        let mut trace = ProjectionTrace::default();
        trace.partitions.extend(self.partitions.iter().filter_map(|it| it.apply(evidence, reading)));
        for composer in &self.composers {
            composer.apply(evidence);
        }
        if let Some(limit) = self.embedding_limit {
            self.keep_top_embeddings(evidence, limit);
        }
        let mut values = Vec::with_capacity(self.scores.len());
        for score in &self.scores {
            let value = score.evaluate(evidence, reading, &values, &mut trace);
            values.push(value);
        }
        trace
    }

    /// Drops all but the `limit` most confident embedding rules that matched; of equals, the first by name.
    fn keep_top_embeddings(&self, evidence: &mut Evidence, limit: usize) {
        let matched = self.embeddings.iter().copied().filter(|id| evidence.is_matched(*id));
        if matched.clone().nth(limit).is_none() {
            return;
        }
        let scored = matched.map(|id| (evidence.confidence(id).unwrap_or(0.0), id));
        let mut ranked: Vec<(f64, AtomId)> = scored.collect();
        ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        for (_, id) in ranked.drain(limit..) {
            evidence.set_not_matched(id);
            evidence.note(id, || "dropped by the embedding top_k");
        }
    }
}
