//! The reading of a request's texts with the router's own models, before it is routed.

use std::time::{Duration, Instant};

use vsr_protocol::ClientRequest;
use vsr_reader::{Reader, ReaderError};
use vsr_signals::{ReadingPlan, TextReadings};
use vsr_store::KeyValue;
use vsr_types::{Clock, FamilySet};

use crate::Snapshot;

/// What must be read of a request before it is routed.
#[derive(Debug)]
pub struct Reading {
    plan: ReadingPlan,
    reader: Reader,
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
    /// Reads, within the time that the configuration allows. Whoever drops this gives up the reading.
    pub async fn run(self) -> Read {
        let started = Instant::now();
        let texts = self.reader.read(self.plan, self.limit).await;
        Read { texts, took: self.planned + started.elapsed() }
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
        self.reads_texts() && !self.reader().facts().is_empty()
    }

    /// What must be read before [`Router::route`](crate::Router::route); `None` where no decision depends on it.
    pub fn reading(&self, request: &ClientRequest) -> Option<Reading> {
        self.reads_texts().then(|| self.reading_for(request, self.families()))
    }

    /// What must be read before [`Router::explain`](crate::Router::explain), which evaluates all rules.
    pub fn full_reading(&self, request: &ClientRequest) -> Reading {
        self.reading_for(request, FamilySet::ALL)
    }

    fn reading_for(&self, request: &ClientRequest, families: FamilySet) -> Reading {
        let started = Instant::now();
        let plan = self.signals().plan(&request.view(), families);
        let limit = self.config().global.model_catalog.modules.scan.timeout.0;
        Reading { plan, reader: self.reader().clone(), limit, planned: started.elapsed() }
    }
}
