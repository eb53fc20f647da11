//! The image of a request: decoded from its `data:` URI and embedded. Nothing is fetched.

use std::{sync::Arc, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{task::JoinHandle, time::timeout_at};
use vsr_encoder::{Caller, Lane, Pass, Query, Ticket};
use vsr_types::UnavailableReason;

use crate::{Reader, error::reason};

/// The longest URI that is decoded.
const MOST_BYTES: usize = 28 << 20;

/// An image on its way to the encoder's queue.
pub(crate) type Looking = JoinHandle<Result<Ticket, UnavailableReason>>;

impl Reader {
    /// Asks for the embedding of an inline image, on a thread of its own: decoding and hashing take a while.
    pub(crate) fn look(&self, image: &Arc<str>, caller: Caller, deadline: Instant) -> Looking {
        let (reader, image) = (self.clone(), Arc::clone(image));
        tokio::task::spawn_blocking(move || reader.ask(&image, caller, deadline))
    }

    fn ask(&self, image: &str, caller: Caller, deadline: Instant) -> Result<Ticket, UnavailableReason> {
        let pool = self.pool().ok_or(UnavailableReason::NotActive)?;
        let weights = self.models.embedder().ok_or(UnavailableReason::NotActive)?;
        let model = weights.model().map_err(|error| reason(&error))?;
        if !model.sees_images() {
            return Err(UnavailableReason::NotActive);
        }
        let payload = image.split_once(";base64,").filter(|_| image.len() <= MOST_BYTES);
        let (_, payload) = payload.ok_or(UnavailableReason::Failed)?;
        let file = STANDARD.decode(payload).map_err(|_malformed| UnavailableReason::Failed)?;
        let pass = Pass { heads_only: false, lane: Lane::First, caller: Some(caller) };
        Ok(pool.submit_as(model, Query::Image(file.into()), pass, deadline))
    }
}

/// Waits for the embedding, at most until `deadline`.
pub(crate) async fn embedded(looking: Looking, deadline: Instant) -> Result<Arc<[f32]>, UnavailableReason> {
    let late = |_| UnavailableReason::Overloaded;
    let asked = timeout_at(deadline.into(), looking).await.map_err(late)?;
    let ticket = asked.map_err(|_panicked| UnavailableReason::Failed)??;
    let encoded = timeout_at(deadline.into(), ticket).await.map_err(late)?;
    encoded.map(|encoded| Arc::clone(&encoded.embedding)).map_err(|error| reason(&error))
}
