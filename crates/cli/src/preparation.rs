//! What happens before the router is ready: models come from a hub, are loaded, and embed the configuration's examples, on
//! a thread of their own.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::runtime::Runtime;
use vsr_gateway::{Download, Status};
use vsr_live::{Cause, Live, Reload};
use vsr_router::{Router, Snapshot};
use vsr_types::{Clock, SystemClock};

use crate::hub::Log;

/// How long to wait before what failed is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What prepares a router.
struct Preparation {
    router: Arc<Router>,
    status: Arc<Status>,
    runtime: Runtime,
    /// What the process was started with.
    snapshot: Arc<Snapshot>,
}

/// Starts the thread, if there is anything to do. `live` is what downloads, where there is a configuration file.
pub(crate) fn start(
    router: &Arc<Router>,
    status: &Arc<Status>,
    live: Option<&Arc<Live>>,
) -> anyhow::Result<()> {
    let snapshot = router.snapshot();
    let live = live.filter(|live| live.wants_downloads()).cloned();
    if live.is_none() && !snapshot.needs_preparation() {
        return Ok(());
    }
    status.load_models(snapshot.reader().facts().into_iter().map(|facts| facts.name).collect());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.context("cannot start a runtime for the models")?;
    let (router, status) = (Arc::clone(router), Arc::clone(status));
    let preparation = Preparation { router, status, runtime, snapshot };
    let prepare = move || {
        let started = Instant::now();
        match live {
            Some(live) => preparation.download(&live),
            None => preparation.load(),
        }
        preparation.status.models_ready();
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(seconds, "the router's models are ready");
    };
    thread::Builder::new()
        .name("models".into())
        .spawn(prepare)
        .context("cannot start a thread for the models")?;
    Ok(())
}

// === impl Preparation

impl Preparation {
    /// Puts the same configuration in force with the models that it names, once they are here and loaded.
    fn download(&self, live: &Live) {
        let log = Log::default();
        let progress = |progress: &vsr_hub::Progress<'_>| {
            log.write(progress);
            self.status.downloading(Download {
                model: progress.model.to_string(),
                file: progress.file.to_owned(),
                bytes: progress.bytes,
                total_bytes: progress.total_bytes,
            });
        };
        self.until(|| match live.reload_telling(Cause::Download, &progress) {
            Reload::Applied { .. } | Reload::Unchanged => Ok(()),
            Reload::Refused { message, .. } => Err(message),
        });
    }

    /// Loads the models and embeds the examples.
    fn load(&self) {
        let progress = |done, total| self.status.examples_embedded(done, total);
        let store = Some((&**self.router.store(), &SystemClock as &dyn Clock));
        self.until(|| {
            let prepared = self.runtime.block_on(self.snapshot.prepare(store, &progress));
            prepared.map_err(|error| error.to_string())
        });
    }

    /// Tries until it succeeds, or another configuration has taken the place of the first, with its models ready.
    fn until(&self, attempt: impl Fn() -> Result<(), String>) {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = attempt() {
            tracing::error!(
                error,
                "rules that need the router's models are unavailable, and the router is not ready"
            );
            self.status.models_failed(error);
            self.runtime.block_on(tokio::time::sleep(pause));
            if !Arc::ptr_eq(&self.router.snapshot(), &self.snapshot) {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
