//! Responses as a stateful service: chained turns, stored answers, and the endpoints that read them.

mod conversations;
mod copy;
mod endpoints;
mod fields;
mod keep;
mod open;
mod place;
mod recorder;
mod turn;

use std::{io, sync::Arc, time::Duration};

use vsr_config::{Config, ResponseBackend};
use vsr_responses::{Bounds, Event, Responses};
use vsr_router::Router;
use vsr_store::{KeyValue, MemoryStore};

pub(crate) use endpoints::{Asked, serve};
pub(crate) use keep::keep;
pub(crate) use open::open;
pub(crate) use place::Place;
pub(crate) use recorder::Recorder;
pub(crate) use turn::{Earlier, Turn};

/// The most bytes of one stored response.
const MAX_RESPONSE_BYTES: u64 = 16 * 1024 * 1024;

/// Opens the stored responses, where they are switched on.
pub(crate) fn start(router: &Arc<Router>, config: &Config) -> io::Result<Option<Arc<Responses>>> {
    let settings = &config.global.services.response_api;
    if !settings.enabled {
        return Ok(None);
    }
    let max_entries = usize::try_from(settings.max_responses).unwrap_or(usize::MAX);
    let store: Arc<dyn KeyValue> = match settings.store_backend {
        // One transaction may add before it takes away.
        ResponseBackend::Memory => Arc::new(MemoryStore::new(max_entries.saturating_add(256))),
        ResponseBackend::Embedded | ResponseBackend::Redis => Arc::clone(router.store()),
    };
    let bounds = Bounds {
        max_entries,
        max_bytes: settings.max_bytes,
        max_entry_bytes: settings.max_bytes.min(MAX_RESPONSE_BYTES),
        time_to_live: Duration::from_secs(settings.ttl_seconds),
    };
    let counted = Arc::clone(router);
    let count = move |event| {
        counted.metrics().stored_response(match event {
            Event::Kept => "kept",
            Event::TooLarge => "too_large",
            Event::Failed => "failed",
            Event::Evicted => "evicted",
            Event::Expired => "expired",
        });
    };
    let started = Responses::start(store, Arc::clone(router.clock()), bounds, Box::new(count))?;
    Ok(Some(Arc::new(started)))
}
