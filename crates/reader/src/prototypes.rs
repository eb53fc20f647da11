//! Embeddings of texts that are not part of a request: a configuration's examples, and what the API is asked for.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use vsr_encoder::Fingerprint;
use vsr_signals::{Cover, PrototypeVectors, ReadingPlan, Wants, is_inline};
use vsr_store::KeyValue;
use vsr_types::{Clock, UnavailableReason};

use crate::{Reader, ReaderError, media::embedded, weights::Weights};

const SPACE: &str = "embeddings";
/// How long a batch of examples may take; they are embedded while nobody waits.
const LIMIT: Duration = Duration::from_secs(120);
/// How many examples are handed to the threads at once.
const BATCH: usize = 64;
/// How much of a text is read.
const MOST_TOKENS: u32 = 16_384;

/// One embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// The vector, of length 1.
    pub vector: Arc<[f32]>,
    /// How many tokens were read.
    pub tokens: u32,
}

// === impl Reader

impl Reader {
    /// The embedding of a text as signals would see it.
    ///
    /// # Errors
    /// If there is no model, it is busy, or it fails.
    pub async fn embedding(&self, text: &str, limit: Duration) -> Result<Embedding, ReaderError> {
        let plan = ReadingPlan::for_text(text, Wants::EMBEDDING, Cover::Ends, MOST_TOKENS);
        let readings = self.read(plan, limit).await;
        let vector = readings.text_embedding().map_err(|reason| match reason {
            UnavailableReason::NotActive => ReaderError::Absent("embedding model"),
            UnavailableReason::Overloaded => ReaderError::Overloaded,
            UnavailableReason::NoInput => ReaderError::Failed("the text is empty".to_owned()),
            other => ReaderError::Failed(format!("{other:?}")),
        })?;
        let tokens = readings.outputs().first().and_then(|output| output.trunk.as_ref().ok());
        Ok(Embedding { vector: vector.into(), tokens: tokens.map_or(0, |trunk| trunk.tokens_seen) })
    }

    /// The embedding of an example: of an inline image where the model sees images, else of the text.
    async fn example(&self, example: &Arc<str>) -> Result<Embedding, ReaderError> {
        let sees_images = self.models.embedder().is_some_and(Weights::sees_images);
        let (Some(pool), true) = (self.pool(), sees_images && is_inline(example)) else {
            return self.embedding(example, LIMIT).await;
        };
        let deadline = Instant::now() + LIMIT;
        let looking = self.look(example, pool.caller(), deadline);
        match embedded(looking, deadline).await {
            Ok(vector) => Ok(Embedding { vector, tokens: 0 }),
            Err(UnavailableReason::Overloaded) => Err(ReaderError::Overloaded),
            Err(_) => Err(ReaderError::Failed("an image among the examples cannot be used".to_owned())),
        }
    }

    /// The embeddings of a configuration's examples, each taken from `store` if this model made it before. `progress` is
    /// told how many of how many there are. The store blocks: not for threads that serve requests.
    ///
    /// # Errors
    /// If the model fails; a store that fails only costs time.
    pub async fn embed(
        &self,
        texts: &[Arc<str>],
        store: Option<(&dyn KeyValue, &dyn Clock)>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<PrototypeVectors, ReaderError> {
        let Some(weights) = self.models.embedder() else { return Ok(PrototypeVectors::default()) };
        let fingerprint = self.models.fingerprint();
        let key = |text: &str| format!("{fingerprint}:{}", Fingerprint::of([text.as_bytes()]));
        let model = weights.model().map_err(ReaderError::of)?;
        let dimension = model.dimension();
        let mut vectors: HashMap<Arc<str>, Arc<[f32]>> = HashMap::new();
        if let Some((store, clock)) = store {
            for text in texts {
                if let Ok(Some(bytes)) = store.get(SPACE, &key(text), clock.now())
                    && let Some(vector) = vector_of(&bytes, dimension)
                {
                    vectors.insert(Arc::clone(text), vector);
                }
            }
        }
        let missing: Vec<&Arc<str>> = texts.iter().filter(|text| !vectors.contains_key(*text)).collect();
        for batch in missing.chunks(BATCH) {
            progress(vectors.len(), texts.len());
            let embeddings = try_join_all(batch.iter().map(|text| self.example(text))).await?;
            for (text, Embedding { vector, .. }) in batch.iter().zip(embeddings) {
                if let Some((store, clock)) = store
                    && let Err(error) = store.put(SPACE, &key(text), &bytes_of(&vector), None, clock.now())
                {
                    tracing::debug!(%error, "an example's embedding could not be kept");
                }
                vectors.insert(Arc::clone(text), vector);
            }
        }
        progress(texts.len(), texts.len());
        Ok(PrototypeVectors::new(fingerprint, vectors))
    }
}

fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn vector_of(bytes: &[u8], dimension: usize) -> Option<Arc<[f32]>> {
    let (values, rest) = bytes.as_chunks::<4>();
    let vector: Arc<[f32]> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
    let is_sound =
        rest.is_empty() && vector.len() == dimension && vector.iter().all(|value| value.is_finite());
    is_sound.then_some(vector)
}
