//! The reader: the models, the threads they run on, and the reading of a plan.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::time::timeout_at;
use vsr_encoder::{Blob, Caller, Counters, EncoderPool, Error, Lane, Package, Pass, PoolOptions, Ticket};
use vsr_signals::{
    Head, ManifestSource, ModelSupport, ReadingPlan, TagReading, TextNeed, TextReading, TextReadings,
    TrunkReading,
};
use vsr_types::UnavailableReason;

use crate::{
    ModelRole, ReaderError, Serving,
    cut::{Cut, Piece, Portion, cut},
    error::reason,
    media::embedded,
    models::{Models, Outcome, Passes},
    tagger::Tagger,
    tongue::Tongue,
    trunk::Trunk,
    weights::Weights,
};

/// Texts with more bytes together are cut on a thread of their own: cutting tokenises.
const INLINE_BYTES: usize = 4096;
/// How many windows of a request go before the other windows of all requests, for each model, so that long texts do not
/// keep short ones waiting.
const FIRST_WINDOWS: usize = 4;

/// The models of a reader, packed; see [`vsr_encoder::pack`].
#[derive(Debug, Clone, Default)]
pub struct ReaderModels {
    /// Embeds and classifies.
    pub trunk: Option<Blob>,
    /// Heads that were fitted on the trunk later, in place of its own of the same names.
    pub heads: Option<Blob>,
    /// Finds personal data.
    pub tagger: Option<Blob>,
}

impl ReaderModels {
    /// The models in a folder that is laid out as `models/` of the repository.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn in_folder(folder: &Path) -> Result<Self, ReaderError> {
        let map = |name: &str| {
            let packed = Blob::map(&folder.join(name));
            packed.map(Some).map_err(|source| ReaderError::Load { model: name.to_owned(), source })
        };
        let [trunk, heads, tagger] = ["trunk/model.bin", "trunk/heads.bin", "pii/model.bin"];
        Ok(Self { trunk: map(trunk)?, heads: map(heads)?, tagger: map(tagger)? })
    }
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

/// What one model is, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelFacts {
    /// `trunk`, `tagger`, `classifier`, `embedding` or `inference`.
    pub role: &'static str,
    /// What whoever packed it calls it.
    pub name: String,
    /// What runs it.
    pub engine: &'static str,
    /// How the weights are held: `f32`, `bf16`, `int8`, or `stored` as a graph has them.
    pub precision: &'static str,
    /// Tells its vectors from all others'.
    pub fingerprint: String,
    /// Values of an embedding.
    pub dimension: usize,
    /// Its directory, if it is not part of the binary.
    pub path: Option<String>,
    /// Whether it was needed and is loaded.
    pub loaded: bool,
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
        let load = |model: &str| {
            let model = model.to_owned();
            move |source: Error| ReaderError::Load { model, source }
        };
        let open = |bytes: Blob| match &models.heads {
            Some(heads) => Package::open(&bytes)?.with_heads(heads),
            None => Package::open(&bytes),
        };
        let trunk = models.trunk.map(|bytes| Trunk::new(open(bytes)?).map(Arc::new)).transpose();
        let tagger = models.tagger.map(|bytes| Tagger::new(Package::open(&bytes)?).map(Arc::new)).transpose();
        let (trunk, tagger) = (trunk.map_err(load("trunk"))?, tagger.map_err(load("tagger"))?);
        let models = Models { trunk, tagger, ..Models::default() };
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
    /// The same with some roles served by something else than the embedded models, if it has any. Threads and results
    /// are shared.
    #[must_use]
    pub fn with(&self, roles: &[(ModelRole, Serving)]) -> Self {
        self.with_known(roles, None)
    }

    /// The same, with the checkpoints that `known` has: what is loaded is not loaded again.
    #[must_use]
    pub fn with_known(&self, roles: &[(ModelRole, Serving)], known: Option<&Self>) -> Self {
        let mut models = Models::clone(&self.models);
        if self.has_models() {
            let known = known.map(|known| &*known.models);
            roles.iter().for_each(|(role, serving)| models.set(*role, serving, known));
        }
        Self { models: Arc::new(models), pool: self.pool.clone() }
    }

    /// Whether it reads anything.
    pub fn has_models(&self) -> bool {
        self.pool.is_some()
    }

    /// Loads what has not been needed yet. Blocks.
    ///
    /// # Errors
    /// If a model cannot be loaded.
    pub fn warm(&self) -> Result<(), ReaderError> {
        for weights in self.models.weights() {
            weights
                .model()
                .map_err(|source| ReaderError::Load { model: weights.name().to_owned(), source })?;
        }
        Ok(())
    }

    /// What rules can count on; models served elsewhere are not among it.
    pub fn support<'s>(&self, manifests: &'s ManifestSource<'s>) -> ModelSupport<'s> {
        ModelSupport {
            embeddings: self.models.embedder().is_some(),
            images: self.models.embedder().is_some_and(Weights::sees_images),
            sounds: self.models.embedder().is_some_and(Weights::hears_sounds),
            heads: self.models.heads().map(|(head, facts)| (head, facts.labels.to_vec())).collect(),
            tagger: self.models.tagger.is_some(),
            remote: false,
            manifests,
            pictures: &|_| None,
        }
    }
    /// The model that embeds.
    pub fn embedder(&self) -> Option<ModelFacts> {
        let role = if self.models.embedder.is_some() { "embedding" } else { "trunk" };
        self.models.embedder().map(|weights| facts(role, weights, Vec::new()))
    }

    /// The name of the model that a head is part of; none where nothing serves it.
    pub fn head_name(&self, head: Head) -> Option<String> {
        self.models.head(head)?;
        let own = self.models.own_heads.iter().find(|(own, _)| *own == head).map(|(_, own)| &own.weights);
        let trunk = self.models.trunk.as_ref().map(|trunk| &trunk.weights);
        own.or(trunk).map(Weights::title)
    }

    /// The name of the model that finds personal data.
    pub fn tagger_name(&self) -> Option<String> {
        self.models.tagger.as_ref().map(|tagger| tagger.weights.title())
    }

    /// The models.
    pub fn facts(&self) -> Vec<ModelFacts> {
        let strings = |labels: &[Arc<str>]| labels.iter().map(ToString::to_string).collect();
        let models = &self.models;
        let trunk = models.trunk.as_ref().map(|trunk| {
            let labels =
                trunk.heads().map(|(head, facts)| (head.as_str().to_owned(), strings(&facts.labels)));
            facts("trunk", &trunk.weights, labels.collect())
        });
        let tagger = models.tagger.as_ref().map(|tagger| {
            facts("tagger", &tagger.weights, vec![("entities".to_owned(), strings(tagger.types()))])
        });
        let own = models.own_heads.iter().map(|(head, own)| {
            facts("classifier", &own.weights, vec![(head.as_str().to_owned(), strings(&own.facts.labels))])
        });
        let embedder = models.embedder.as_ref().map(|own| facts("embedding", own, Vec::new()));
        let judge = models.judge.as_ref().map(|judge| {
            facts("inference", &judge.weights, vec![("inference".to_owned(), strings(&judge.labels))])
        });
        trunk.into_iter().chain(tagger).chain(own).chain(embedder).chain(judge).collect()
    }

    /// What the threads have done so far.
    pub fn counters(&self) -> Counters {
        self.pool.as_ref().map(|pool| pool.counters()).unwrap_or_default()
    }

    pub(crate) fn pool(&self) -> Option<&EncoderPool> {
        self.pool.as_deref()
    }

    /// Reads the texts of `plan`, each at most once per model, in windows that are read by as many threads as are
    /// free; requests that are read at once take turns. What is not read within `limit`, the cutting of texts included,
    /// is unavailable: [`UnavailableReason::Overloaded`].
    pub async fn read(&self, plan: ReadingPlan, limit: Duration) -> TextReadings {
        let Some(pool) = self.pool() else {
            return TextReadings::unavailable(plan, UnavailableReason::NotActive);
        };
        let fingerprint = self.models.fingerprint();
        if !plan.wants_models() {
            return TextReadings::new(plan, fingerprint, Vec::new());
        }
        let Some(deadline) = Instant::now().checked_add(limit) else {
            return TextReadings::unavailable(plan, UnavailableReason::Failed);
        };
        let bytes: usize = plan.needs().iter().map(|need| need.text.len()).sum();
        let portions = if bytes <= INLINE_BYTES {
            cut(&plan, &self.models, deadline)
        } else {
            let (models, copy) = (Arc::clone(&self.models), plan.clone());
            let blocked = tokio::task::spawn_blocking(move || cut(&copy, &models, deadline));
            match timeout_at(deadline.into(), blocked).await {
                Ok(Ok(portions)) => portions,
                Ok(Err(_panicked)) => return TextReadings::unavailable(plan, UnavailableReason::Failed),
                Err(_late) => return TextReadings::unavailable(plan, UnavailableReason::Overloaded),
            }
        };
        let needs = plan.needs().iter();
        let mut turn = Turn { deadline, caller: pool.caller(), trunk: 0, tagger: 0 };
        let image = plan.image().map(|image| self.look(image, turn.caller, deadline));
        let audio = plan.audio().map(|audio| self.listen(audio, turn.caller, deadline));
        let pending: Vec<Pending> =
            needs.zip(portions).map(|(need, portion)| self.submit(pool, need, portion, &mut turn)).collect();
        let mut outputs = Vec::with_capacity(pending.len());
        for (need, pending) in plan.needs().iter().zip(pending) {
            outputs.push(self.collect(need, pending, deadline).await);
        }
        let mut readings = TextReadings::new(plan, fingerprint, outputs);
        if let Some(image) = image {
            readings = readings.with_image(embedded(image, deadline).await);
        }
        if let Some(audio) = audio {
            readings = readings.with_audio(embedded(audio, deadline).await);
        }
        readings
    }

    fn submit(&self, pool: &EncoderPool, need: &TextNeed, portion: Portion, turn: &mut Turn) -> Pending {
        let Portion { trunk, tagger, tongue } = portion;
        let models = &self.models;
        let trunk = trunk.map(|cut| {
            let cut = cut?;
            let windows = cut.windows.iter();
            let ask = |piece| {
                let lane = lane(&mut turn.trunk);
                models.submit(pool, need.wants.heads, (piece, lane, turn.caller), turn.deadline)
            };
            Ok((windows.map(ask).collect(), cut))
        });
        // A tagger that cannot be loaded is told by the cut.
        let tagger = tagger.zip(models.tagger.as_ref()).map(|(cut, tagger)| {
            let (cut, model) = (cut?, tagger.weights.model()?);
            let windows = cut.windows.iter();
            let ask = |piece: &Piece| {
                let (lane, caller) = (lane(&mut turn.tagger), Some(turn.caller));
                let pass = Pass { heads_only: false, lane, caller };
                pool.submit_as(model, piece.text.clone(), pass, turn.deadline)
            };
            Ok((windows.map(ask).collect(), cut))
        });
        Pending { trunk, tagger, tongue }
    }

    async fn collect(&self, need: &TextNeed, pending: Pending, deadline: Instant) -> TextReading {
        let trunk = match pending.trunk {
            Some(Ok((passes, cut))) => {
                let mut outcomes = Vec::with_capacity(passes.len());
                for passes in passes {
                    outcomes.push(passes.wait(deadline).await);
                }
                self.trunk_reading(need, &cut, &outcomes, pending.tongue)
            }
            Some(Err(error)) => Err(reason(&error)),
            None if need.wants.reads_trunk() => Err(UnavailableReason::NotActive),
            None => Ok(TrunkReading::default()),
        };
        let tags = match (pending.tagger, &self.models.tagger) {
            (Some(Ok((tickets, cut))), Some(tagger)) => {
                let mut outcomes = Vec::with_capacity(tickets.len());
                for ticket in tickets {
                    let late = Error::Overloaded("the deadline passed before the text was encoded");
                    outcomes.push(timeout_at(deadline.into(), ticket).await.unwrap_or(Err(late)));
                }
                tag_reading(tagger, need, &cut, &outcomes)
            }
            (Some(Err(error)), _) => Err(reason(&error)),
            _ if need.wants.tags => Err(UnavailableReason::NotActive),
            _ => Ok(TagReading::default()),
        };
        TextReading { trunk, tags }
    }

    /// What the windows say. Where some could not be read, the others still count for heads.
    fn trunk_reading(
        &self,
        need: &TextNeed,
        cut: &Cut,
        outcomes: &[Passes<Outcome>],
        tongue: Tongue,
    ) -> Result<TrunkReading, UnavailableReason> {
        if need.wants.embedding.is_some() && need.wants.heads.is_empty() && self.models.no_embedder {
            return Err(UnavailableReason::NotActive);
        }
        let error = outcomes.iter().find_map(Passes::error);
        let is_partial = outcomes.iter().any(Passes::has_any) && !need.wants.heads.is_empty();
        if let Some(error) = error.filter(|_| !is_partial) {
            return Err(reason(error));
        }
        let windows = cut.windows.iter().zip(outcomes);
        let seen =
            windows.clone().filter(|(_, outcomes)| outcomes.has_any()).map(|(piece, _)| piece.fresh).sum();
        let windows =
            windows.map(|(piece, outcomes)| self.models.window(piece, need.wants.heads, tongue, outcomes));
        let (tokens_seen, tokens_present) = cover(cut, seen, error.is_none());
        Ok(TrunkReading { windows: windows.collect(), tokens_seen, tokens_present })
    }
}

/// How far the submission of a request is.
struct Turn {
    deadline: Instant,
    caller: Caller,
    /// Windows that were put to the trunk model.
    trunk: usize,
    /// Windows that were put to the tagger.
    tagger: usize,
}

/// The lane of the next window.
fn lane(asked: &mut usize) -> Lane {
    *asked += 1;
    if *asked <= FIRST_WINDOWS { Lane::First } else { Lane::Later }
}

/// What was asked of the windows of a text, or why it could not be cut.
type Asked<T> = Result<(Vec<T>, Cut), Error>;

/// Windows that were asked for.
struct Pending {
    trunk: Option<Asked<Passes<Ticket>>>,
    tagger: Option<Asked<Ticket>>,
    tongue: Tongue,
}

/// The entities of all windows, or why one could not be read.
fn tag_reading(
    tagger: &Tagger,
    need: &TextNeed,
    cut: &Cut,
    outcomes: &[Outcome],
) -> Result<TagReading, UnavailableReason> {
    let (mut spans, mut seen) = (Vec::new(), 0);
    for (piece, outcome) in cut.windows.iter().zip(outcomes) {
        let encoded = outcome.as_ref().map_err(reason)?;
        spans.extend(tagger.spans(&need.text, &piece.bytes, encoded));
        seen += piece.fresh;
    }
    let (tokens_seen, tokens_present) = cover(cut, seen, true);
    Ok(TagReading { spans, tokens_seen, tokens_present })
}

/// Tokens seen of tokens present, each counted once.
fn cover(cut: &Cut, seen: u32, all_read: bool) -> (u32, u32) {
    if cut.is_whole && all_read {
        return (cut.present, cut.present);
    }
    (seen.min(cut.present.saturating_sub(1)), cut.present)
}

fn facts(role: &'static str, weights: &Weights, labels: Vec<(String, Vec<String>)>) -> ModelFacts {
    let model = weights.if_loaded();
    let fingerprint = weights.package().map(Package::fingerprint).or(model.map(|model| model.fingerprint()));
    ModelFacts {
        role,
        name: if weights.name().is_empty() { role } else { weights.name() }.to_owned(),
        engine: weights.engine(),
        precision: weights.precision(),
        fingerprint: fingerprint.map(|it| it.to_string()).unwrap_or_default(),
        dimension: match weights.package() {
            Some(package) => package.architecture().hidden,
            None => model.map_or(0, |model| model.dimension()),
        },
        path: weights.path().map(|path| path.display().to_string()),
        loaded: model.is_some(),
        labels,
    }
}
