//! The reader: the models, the threads they run on, and the reading of a plan.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::time::timeout_at;
use vsr_encoder::{Blob, Counters, Encoded, EncoderPool, Error, Package, PoolOptions, Ticket};
use vsr_signals::{
    Head, ManifestSource, ModelSupport, ReadingPlan, TagReading, TextNeed, TextReading, TextReadings,
    TrunkReading,
};
use vsr_types::UnavailableReason;

use crate::{
    ReaderError,
    cut::{Cut, Portion, cut},
    error::reason,
    tagger::Tagger,
    trunk::Trunk,
};

/// Texts with more bytes together are cut on a thread of their own: cutting tokenises.
const INLINE_BYTES: usize = 4096;

/// The models of a reader, packed; see [`vsr_encoder::pack`].
#[derive(Debug, Clone, Default)]
pub struct ReaderModels {
    /// Embeds and classifies.
    pub trunk: Option<Blob>,
    /// Finds personal data.
    pub tagger: Option<Blob>,
}

/// How a reader works.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReaderOptions {
    /// Threads, queue and cache.
    pub pool: PoolOptions,
}

/// The router's own models and the threads they run on. Clones share both.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) models: Arc<Models>,
    pool: Option<Arc<EncoderPool>>,
}

#[derive(Debug, Default)]
pub(crate) struct Models {
    pub(crate) trunk: Option<Trunk>,
    pub(crate) tagger: Option<Tagger>,
}

/// What one model is, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelFacts {
    /// `trunk` or `tagger`.
    pub role: &'static str,
    /// What whoever packed it calls it.
    pub name: String,
    /// What runs it.
    pub engine: &'static str,
    /// How the weights are held: `f32`, `bf16`, `int8`.
    pub precision: &'static str,
    /// Tells its vectors from all others'.
    pub fingerprint: String,
    /// Values of an embedding.
    pub dimension: usize,
    /// The longest sequence, in tokens.
    pub max_tokens: usize,
    /// Classes by head, or the types of entities under `entities`.
    pub labels: Vec<(String, Vec<String>)>,
}

// === impl Reader

impl Reader {
    /// A reader over these models. Their headers are read now, the rest when it is first needed, or by
    /// [`Reader::warm`].
    ///
    /// # Errors
    /// If a model is none, or no thread can be started.
    pub fn open(models: ReaderModels, options: ReaderOptions) -> Result<Self, ReaderError> {
        let load = |model: &'static str| move |source: Error| ReaderError::Load { model, source };
        let trunk = models.trunk.map(|bytes| Trunk::new(Package::open(&bytes)?)).transpose();
        let tagger = models.tagger.map(|bytes| Tagger::new(Package::open(&bytes)?)).transpose();
        let models = Models { trunk: trunk.map_err(load("trunk"))?, tagger: tagger.map_err(load("tagger"))? };
        let pool = match models.trunk.is_some() || models.tagger.is_some() {
            true => Some(Arc::new(EncoderPool::start(options.pool).map_err(ReaderError::of)?)),
            false => None,
        };
        Ok(Self { models: Arc::new(models), pool })
    }

    /// A reader that reads nothing: every rule that needs a model is unavailable.
    pub fn without_models() -> Self {
        Self { models: Arc::default(), pool: None }
    }

    /// Loads what has not been needed yet. Blocks.
    ///
    /// # Errors
    /// If a model cannot be loaded.
    pub fn warm(&self) -> Result<(), ReaderError> {
        if let Some(trunk) = &self.models.trunk {
            trunk.weights.model().map_err(|source| ReaderError::Load { model: "trunk", source })?;
        }
        if let Some(tagger) = &self.models.tagger {
            tagger.weights.model().map_err(|source| ReaderError::Load { model: "tagger", source })?;
        }
        Ok(())
    }

    /// What rules can count on.
    pub fn support<'s>(&self, manifests: &'s ManifestSource<'s>) -> ModelSupport<'s> {
        let trunk = self.models.trunk.as_ref();
        let heads = trunk.into_iter().flat_map(Trunk::heads);
        ModelSupport {
            embeddings: trunk.is_some(),
            heads: heads.map(|(head, facts)| (head, facts.labels.to_vec())).collect(),
            tagger: self.models.tagger.is_some(),
            manifests,
        }
    }

    /// The models.
    pub fn facts(&self) -> Vec<ModelFacts> {
        let trunk = self.models.trunk.as_ref().map(|trunk| {
            let strings = |labels: &[Arc<str>]| labels.iter().map(ToString::to_string).collect();
            let labels =
                trunk.heads().map(|(head, facts)| (head.as_str().to_owned(), strings(&facts.labels)));
            facts("trunk", trunk.weights.name(), trunk.weights.package(), labels.collect())
        });
        let tagger = self.models.tagger.as_ref().map(|tagger| {
            let types = tagger.types().iter().map(ToString::to_string).collect();
            let labels = vec![("entities".to_owned(), types)];
            facts("tagger", tagger.weights.name(), tagger.weights.package(), labels)
        });
        trunk.into_iter().chain(tagger).collect()
    }

    /// What the threads have done so far.
    pub fn counters(&self) -> Counters {
        self.pool.as_ref().map(|pool| pool.counters()).unwrap_or_default()
    }

    /// Whether there is a head of this kind.
    pub fn has_head(&self, head: Head) -> bool {
        self.models.trunk.as_ref().is_some_and(|trunk| trunk.head(head).is_some())
    }

    pub(crate) fn pool(&self) -> Option<&EncoderPool> {
        self.pool.as_deref()
    }

    /// Reads the texts of `plan`, each at most once per model, in windows that are read by as many threads as are
    /// free. What is not read within `limit` is unavailable: [`UnavailableReason::Overloaded`].
    pub async fn read(&self, plan: ReadingPlan, limit: Duration) -> TextReadings {
        let Some(pool) = self.pool() else {
            return TextReadings::unavailable(plan, UnavailableReason::NotActive);
        };
        let fingerprint = self.models.trunk.as_ref().map(|trunk| Arc::clone(trunk.fingerprint()));
        let fingerprint = fingerprint.unwrap_or_default();
        if !plan.wants_models() {
            return TextReadings::new(plan, fingerprint, Vec::new());
        }
        let Some(deadline) = Instant::now().checked_add(limit) else {
            return TextReadings::unavailable(plan, UnavailableReason::Failed);
        };
        let bytes: usize = plan.needs().iter().map(|need| need.text.len()).sum();
        let (plan, portions) = if bytes <= INLINE_BYTES {
            let portions = cut(&plan, &self.models);
            (plan, portions)
        } else {
            let models = Arc::clone(&self.models);
            let blocked = tokio::task::spawn_blocking(move || {
                let portions = cut(&plan, &models);
                (plan, portions)
            });
            match blocked.await {
                Ok(done) => done,
                // It panicked, and took the plan along; what has no plan was not read.
                Err(_) => {
                    return TextReadings::unavailable(ReadingPlan::default(), UnavailableReason::Failed);
                }
            }
        };
        let pending: Vec<Pending> =
            portions.into_iter().map(|portion| self.submit(pool, portion, deadline)).collect();
        let mut outputs = Vec::with_capacity(pending.len());
        for (need, pending) in plan.needs().iter().zip(pending) {
            outputs.push(self.collect(need, pending, deadline).await);
        }
        TextReadings::new(plan, fingerprint, outputs)
    }

    fn submit(&self, pool: &EncoderPool, portion: Portion, deadline: Instant) -> Pending {
        let Portion { trunk, tagger, language } = portion;
        // A model that cannot be loaded is told by the cut.
        let trunk_model = self.models.trunk.as_ref().and_then(|trunk| trunk.weights.model().ok());
        let tagger_model = self.models.tagger.as_ref().and_then(|tagger| tagger.weights.model().ok());
        let ask = |cut: Option<Result<Cut, Error>>, model: Option<&Arc<vsr_encoder::Model>>| {
            let (cut, model) = (cut?, model?);
            Some(cut.map(|cut| {
                let tickets = cut.windows.iter().map(|window| match window.is_embedded {
                    true => pool.submit(model, window.text.clone(), deadline),
                    false => pool.submit_heads(model, window.text.clone(), deadline),
                });
                (tickets.collect(), cut)
            }))
        };
        Pending { trunk: ask(trunk, trunk_model), tagger: ask(tagger, tagger_model), language }
    }

    async fn collect(&self, need: &TextNeed, pending: Pending, deadline: Instant) -> TextReading {
        let trunk = match (pending.trunk, &self.models.trunk) {
            (Some(Ok((tickets, cut))), Some(trunk)) => {
                let results = wait(tickets, deadline).await;
                let first_error = results.iter().find_map(|result| result.as_ref().err());
                let is_partial = results.iter().any(Result::is_ok) && !need.wants.heads.is_empty();
                match first_error {
                    Some(error) if !is_partial => Err(reason(error)),
                    _ => Ok(trunk_reading(trunk, need, &cut, &results, pending.language)),
                }
            }
            (Some(Err(error)), _) => Err(reason(&error)),
            _ if need.wants.reads_trunk() => Err(UnavailableReason::NotActive),
            _ => Ok(TrunkReading::default()),
        };
        let tags = match (pending.tagger, &self.models.tagger) {
            (Some(Ok((tickets, cut))), Some(tagger)) => {
                tag_reading(tagger, need, &cut, &wait(tickets, deadline).await)
            }
            (Some(Err(error)), _) => Err(reason(&error)),
            _ if need.wants.tags => Err(UnavailableReason::NotActive),
            _ => Ok(TagReading::default()),
        };
        TextReading { trunk, tags }
    }
}

/// Windows that were asked for.
struct Pending {
    trunk: Option<Result<(Vec<Ticket>, Cut), Error>>,
    tagger: Option<Result<(Vec<Ticket>, Cut), Error>>,
    language: Option<&'static str>,
}

async fn wait(tickets: Vec<Ticket>, deadline: Instant) -> Vec<Result<Arc<Encoded>, Error>> {
    let mut results = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        let result = timeout_at(deadline.into(), ticket).await;
        results.push(
            result.unwrap_or(Err(Error::Overloaded("the deadline passed before the text was encoded"))),
        );
    }
    results
}

fn trunk_reading(
    trunk: &Trunk,
    need: &TextNeed,
    cut: &Cut,
    results: &[Result<Arc<Encoded>, Error>],
    language: Option<&str>,
) -> TrunkReading {
    let windows = cut.windows.iter().zip(results);
    let windows = windows.map(|(window, result)| trunk.window(window, need.wants.heads, language, result));
    let (tokens_seen, tokens_present) = cover(cut, results);
    TrunkReading { windows: windows.collect(), tokens_seen, tokens_present }
}

/// The entities of all windows, or why one could not be read.
fn tag_reading(
    tagger: &Tagger,
    need: &TextNeed,
    cut: &Cut,
    results: &[Result<Arc<Encoded>, Error>],
) -> Result<TagReading, UnavailableReason> {
    let mut spans = Vec::new();
    for (window, result) in cut.windows.iter().zip(results) {
        match result {
            Ok(encoded) => spans.extend(tagger.spans(&need.text, &window.bytes, encoded)),
            Err(error) => return Err(reason(error)),
        }
    }
    let (tokens_seen, tokens_present) = cover(cut, results);
    Ok(TagReading { spans, tokens_seen, tokens_present })
}

/// Tokens seen of tokens present.
fn cover(cut: &Cut, results: &[Result<Arc<Encoded>, Error>]) -> (u32, u32) {
    if cut.is_whole && results.iter().all(Result::is_ok) {
        return (cut.present, cut.present);
    }
    let seen: usize = results.iter().flatten().map(|encoded| encoded.token_count).sum();
    let seen = u32::try_from(seen).unwrap_or(u32::MAX).min(cut.present.saturating_sub(1));
    (seen, cut.present)
}

fn facts(
    role: &'static str,
    name: &str,
    package: &Package,
    labels: Vec<(String, Vec<String>)>,
) -> ModelFacts {
    ModelFacts {
        role,
        name: name.to_owned(),
        engine: "native",
        precision: package.weights().as_str(),
        fingerprint: package.fingerprint().to_string(),
        dimension: package.architecture().hidden,
        max_tokens: package.max_tokens(),
        labels,
    }
}
