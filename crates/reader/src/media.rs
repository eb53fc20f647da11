//! The image and the sound of a request: decoded from base64 and embedded. Nothing is fetched.

use std::{sync::Arc, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{task::JoinHandle, time::timeout_at};
use vsr_encoder::{Caller, Lane, Model, Pass, Query, Ticket};
use vsr_types::UnavailableReason;

use crate::{Reader, error::reason};

/// The longest base64 that is decoded.
const MOST_BYTES: usize = 44 << 20;

/// An image or a sound on its way to the encoder's queue.
pub(crate) type Looking = JoinHandle<Result<Ticket, UnavailableReason>>;

/// What a file is.
#[derive(Clone, Copy)]
enum Medium {
    Image,
    Sound,
}

impl Reader {
    /// Asks for the embedding of an inline image, on a thread of its own: decoding and hashing take a while.
    pub(crate) fn look(&self, image: &Arc<str>, caller: Caller, deadline: Instant) -> Looking {
        self.embed_medium(Medium::Image, image, caller, deadline)
    }

    /// The same for a sound.
    pub(crate) fn listen(&self, sound: &Arc<str>, caller: Caller, deadline: Instant) -> Looking {
        self.embed_medium(Medium::Sound, sound, caller, deadline)
    }

    fn embed_medium(&self, medium: Medium, file: &Arc<str>, caller: Caller, deadline: Instant) -> Looking {
        let (reader, file) = (self.clone(), Arc::clone(file));
        tokio::task::spawn_blocking(move || reader.ask(medium, &file, caller, deadline))
    }

    fn ask(
        &self,
        medium: Medium,
        file: &str,
        caller: Caller,
        deadline: Instant,
    ) -> Result<Ticket, UnavailableReason> {
        let pool = self.pool().ok_or(UnavailableReason::NotActive)?;
        let weights = self.models.embedder().ok_or(UnavailableReason::NotActive)?;
        let model = weights.model().map_err(|error| reason(&error))?;
        if !medium.suits(model) {
            return Err(UnavailableReason::NotActive);
        }
        let payload = match (file.split_once(";base64,"), medium) {
            (Some((_, payload)), _) => payload,
            // Sounds come as bare base64, and never by a URL.
            (None, Medium::Sound) => file,
            (None, Medium::Image) => return Err(UnavailableReason::Failed),
        };
        if file.len() > MOST_BYTES {
            return Err(UnavailableReason::Failed);
        }
        let file = STANDARD.decode(payload).map_err(|_malformed| UnavailableReason::Failed)?.into();
        let query = match medium {
            Medium::Image => Query::Image(file),
            Medium::Sound => Query::Audio(file),
        };
        let pass = Pass { heads_only: false, lane: Lane::First, caller: Some(caller) };
        Ok(pool.submit_as(model, query, pass, deadline))
    }
}

impl Medium {
    fn suits(self, model: &Model) -> bool {
        match self {
            Self::Image => model.sees_images(),
            Self::Sound => model.hears_sounds(),
        }
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
