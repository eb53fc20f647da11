//! The router: the current snapshot, and the state that outlives it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use vsr_protocol::SignatureMemory;
use vsr_signals::{CalibrationState, TokenCalibration};
use vsr_store::KeyValue;
use vsr_types::{Clock, RouteTrace};

use crate::{Metrics, Snapshot, access_log};

const CALIBRATION_SPACE: &str = "token_calibration";
const CALIBRATION_KEY: &str = "default";

/// So many signatures of reasoning are remembered, in about 3 MiB.
const SIGNATURES: usize = 65_536;

/// What a router is built from.
pub struct RouterParts {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where learned state is kept.
    pub store: Arc<dyn KeyValue>,
    /// What is counted.
    pub metrics: Metrics,
}

/// Routes requests by its current snapshot. Shared by all threads.
pub struct Router {
    snapshot: ArcSwap<Snapshot>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn KeyValue>,
    metrics: Metrics,
    calibration: TokenCalibration,
    picks: AtomicU64,
    signatures: SignatureMemory,
    followers: Mutex<Vec<Follower>>,
}

/// Whom it is told that another snapshot is in force.
type Follower = Box<dyn Fn() + Send + Sync>;

// === impl Router

impl Router {
    /// A router that begins with `snapshot` and with the learned state found in the store.
    pub fn new(snapshot: Arc<Snapshot>, parts: RouterParts) -> Arc<Self> {
        let RouterParts { clock, store, metrics } = parts;
        let calibration = TokenCalibration::restore(stored_calibration(&*store, &*clock));
        metrics.describe(&snapshot);
        if snapshot.reads_texts() {
            snapshot.remote().start();
        }
        Arc::new(Self {
            snapshot: ArcSwap::from(snapshot),
            clock,
            store,
            metrics,
            calibration,
            picks: AtomicU64::new(0),
            signatures: SignatureMemory::new(SIGNATURES),
            followers: Mutex::default(),
        })
    }

    /// The snapshot that new requests are routed by. A request keeps the one it began with.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// From now on requests are routed by `snapshot`; those that began before keep theirs. What was learned and counted
    /// stays.
    pub fn replace(&self, snapshot: Arc<Snapshot>) {
        self.metrics.describe(&snapshot);
        if snapshot.reads_texts() {
            snapshot.remote().start();
        }
        self.snapshot.store(snapshot);
        for follower in self.followers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            follower();
        }
    }

    /// Has `follower` called after every [`Self::replace`], for as long as the router lives. It must not block.
    pub fn on_replace(&self, follower: impl Fn() + Send + Sync + 'static) {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(follower));
    }

    /// Where learned state is kept.
    pub fn store(&self) -> &Arc<dyn KeyValue> {
        &self.store
    }

    /// Counters and histograms.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn encode_metrics(&self) -> Result<String, std::fmt::Error> {
        self.metrics.encode(self.snapshot.load().reader().counters())
    }

    /// The learned ratio of bytes to tokens.
    pub fn calibration(&self) -> &TokenCalibration {
        &self.calibration
    }

    /// Which model made the signatures that passed through.
    pub(crate) fn signatures(&self) -> &SignatureMemory {
        &self.signatures
    }

    /// Tells the time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Ends what the snapshot started, such as an MCP server. Blocks; call it off the threads that serve requests, when no
    /// more requests come.
    pub fn close(&self) {
        self.snapshot().remote().shutdown();
    }

    /// Writes learned state to the store. Blocks; call it off the threads that serve requests.
    ///
    /// # Errors
    /// If the store fails.
    pub fn save(&self) -> Result<(), vsr_store::Error> {
        let state = serde_json::to_vec(&self.calibration.snapshot())
            .map_err(|error| vsr_store::Error::Storage(error.to_string()))?;
        self.store.put(CALIBRATION_SPACE, CALIBRATION_KEY, &state, None, self.clock.now())
    }

    /// The next point of a sequence that fills 0..1 evenly (multiples of the golden ratio, Weyl
    /// 1916), so that weighted picks hold their shares from the first dozen requests on.
    pub(crate) fn next_point(&self) -> f64 {
        const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_9;
        let pick = self.picks.fetch_add(1, Ordering::Relaxed) % (1 << 48);
        (pick as f64 * GOLDEN_RATIO).fract()
    }

    /// Learns from and writes down a request that is over.
    pub(crate) fn record(&self, snapshot: &Snapshot, trace: &RouteTrace) {
        if let Some(usage) = trace.outcome.usage
            && trace.context_bytes > 0
        {
            self.calibration.observe(trace.context_bytes, usage.prompt_tokens);
        }
        self.metrics.record_outcome(snapshot, trace, &self.calibration);
        access_log::write(trace);
    }
}

/// What earlier processes learned; nothing if that cannot be read.
fn stored_calibration(store: &dyn KeyValue, clock: &dyn Clock) -> CalibrationState {
    let stored = match store.get(CALIBRATION_SPACE, CALIBRATION_KEY, clock.now()) {
        Ok(Some(stored)) => stored,
        Ok(None) => return CalibrationState::default(),
        Err(error) => {
            tracing::warn!(%error, "the token calibration cannot be read; starting afresh");
            return CalibrationState::default();
        }
    };
    serde_json::from_slice(&stored).unwrap_or_else(|error| {
        tracing::warn!(%error, "the stored token calibration makes no sense; starting afresh");
        CalibrationState::default()
    })
}
