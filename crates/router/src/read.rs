//! The reading of a request's texts, with the router's own models and by models served elsewhere, before it is routed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join;
use vsr_protocol::ViewedRequest;
use vsr_reader::{Reader, ReaderError};
use vsr_remote::RemoteModels;
use vsr_signals::{ReadingPlan, TextReadings};
use vsr_store::KeyValue;
use vsr_types::{Clock, FamilySet, Identity, SignalFamily};
use vsr_upstream::Client;

use crate::{Snapshot, route::pinned_model};

/// What must be read of a request before it is routed.
#[derive(Debug)]
pub struct Reading {
    plan: ReadingPlan,
    reader: Reader,
    remote: Arc<RemoteModels>,
    limit: Duration,
    planned: Duration,
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    pub(crate) texts: TextReadings,
    /// How long it took.
    pub(crate) took: Duration,
}

// === impl Reading

impl Reading {
    /// Reads, within the times that the configuration allows; `client` calls models served elsewhere. Whoever drops
    /// this gives up the reading.
    pub async fn run(self, client: &Client) -> Read {
        let started = Instant::now();
        let limit = self.limit.saturating_sub(self.planned);
        let texts = if self.plan.wants_remote() {
            let plan = self.plan.clone();
            let deadline = started + self.remote.longest_call();
            let elsewhere = self.remote.read(client, &plan, deadline);
            let (texts, elsewhere) = join(self.reader.read(self.plan, limit), elsewhere).await;
            texts.with_remote(elsewhere)
        } else {
            self.reader.read(self.plan, limit).await
        };
        Read { texts, took: self.planned + started.elapsed() }
    }
}

// === impl Read

impl Read {
    /// What was read of the texts.
    pub fn into_texts(self) -> TextReadings {
        self.texts
    }
}

// === impl Snapshot

impl Snapshot {
    /// Loads the models that rules need and embeds the rules' examples, taking from `store` those it has. Blocks the
    /// thread at times. Rules are unavailable until their part is done.
    ///
    /// # Errors
    /// If a model cannot be loaded or fails.
    pub async fn prepare(
        &self,
        store: Option<(&dyn KeyValue, &dyn Clock)>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), ReaderError> {
        self.reader().warm()?;
        let texts = self.prototype_texts();
        if !texts.is_empty() {
            self.install(&self.reader().embed(&texts, store, progress).await?);
        }
        Ok(())
    }

    /// Whether [`Self::prepare`] has anything to do that requests depend on.
    pub fn needs_preparation(&self) -> bool {
        self.reads_texts() && self.reader().has_models()
    }

    /// What must be read before [`Router::route`](crate::Router::route); `None` where no decision depends on it, or the
    /// request is going to be refused whatever it says.
    pub fn reading(&self, request: &ViewedRequest, identity: &Identity) -> Option<Reading> {
        if !self.reads_texts()
            || self.refuses_caller(identity)
            || self.refuses_model(request.request().model())
        {
            return None;
        }
        Some(self.reading_for(request, self.families()))
    }

    /// Whether roles are asked for and nobody vouched for a user.
    fn refuses_caller(&self, identity: &Identity) -> bool {
        let asks_for_roles = self.families().contains(SignalFamily::Authz)
            && self.signals().families().contains(SignalFamily::Authz);
        asks_for_roles && identity.user.is_none() && !self.config().global.services.authz.fail_open
    }

    fn refuses_model(&self, name: &str) -> bool {
        !self.is_auto(name) && pinned_model(self, name).is_err()
    }

    /// What must be read before [`Router::explain`](crate::Router::explain), which evaluates all rules.
    pub fn full_reading(&self, request: &ViewedRequest) -> Reading {
        self.reading_for(request, FamilySet::ALL)
    }

    /// The reading of texts that belong to no request, within `limit`.
    pub fn reading_of(&self, plan: ReadingPlan, limit: Duration) -> Reading {
        let (reader, remote) = (self.reader().clone(), Arc::clone(self.remote()));
        Reading { plan, reader, remote, limit, planned: Duration::ZERO }
    }

    fn reading_for(&self, request: &ViewedRequest, families: FamilySet) -> Reading {
        let started = Instant::now();
        let plan = self.signals().plan(request.view(), families);
        let limit = self.config().global.model_catalog.modules.scan.timeout.0;
        Reading { planned: started.elapsed(), ..self.reading_of(plan, limit) }
    }
}
