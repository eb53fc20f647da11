//! How often calls to backends were repeated, and backends left out. Labels hold configured names and fixed words.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRetry {
    backend: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByBackend {
    backend: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByModel {
    model: String,
}

#[derive(Debug, Default)]
pub(crate) struct AttemptSeries {
    retries: Family<ByRetry, Counter>,
    failovers: Family<ByBackend, Counter>,
    ejections: Family<ByBackend, Counter>,
    over_budget: Family<ByModel, Counter>,
}

// === impl AttemptSeries

impl AttemptSeries {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Calls that failed at the backend and were repeated, there or elsewhere";
        registry.register("vsr_upstream_retries", help, self.retries.clone());
        let help = "Calls that failed at the backend and were repeated at another";
        registry.register("vsr_upstream_failovers", help, self.failovers.clone());
        let help = "Times the backend was left out after failures in a row";
        registry.register("vsr_upstream_ejections", help, self.ejections.clone());
        let help = "Calls that were not repeated because too many others were";
        registry.register("vsr_upstream_retries_over_budget", help, self.over_budget.clone());
    }

    pub(crate) fn repeated(&self, backend: &str, reason: &'static str, elsewhere: bool) {
        self.retries.get_or_create(&ByRetry { backend: backend.into(), reason }).inc();
        if elsewhere {
            self.failovers.get_or_create(&ByBackend { backend: backend.into() }).inc();
        }
    }

    pub(crate) fn ejected(&self, backend: &str) {
        self.ejections.get_or_create(&ByBackend { backend: backend.into() }).inc();
    }

    pub(crate) fn over_budget(&self, model: &str) {
        self.over_budget.get_or_create(&ByModel { model: model.into() }).inc();
    }
}
