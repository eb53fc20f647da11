//! How often calls to backends were repeated, and backends left out or found unwell. Labels hold configured names and fixed words.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCheck {
    backend: String,
    result: &'static str,
}

#[derive(Debug, Default)]
pub(crate) struct AttemptSeries {
    retries: Family<ByRetry, Counter>,
    failovers: Family<ByBackend, Counter>,
    ejections: Family<ByBackend, Counter>,
    over_budget: Family<ByModel, Counter>,
    checks: Family<ByCheck, Counter>,
    passing: Family<ByBackend, Gauge>,
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
        let help = "Health checks of the backend";
        registry.register("vsr_upstream_health_checks", help, self.checks.clone());
        let help = "Whether the health checks of the backend pass, of those that are checked";
        registry.register("vsr_upstream_health_checks_passing", help, self.passing.clone());
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

    /// The backend was checked. Once enough checks say the same, it is told whether it is well.
    pub(crate) fn checked(&self, backend: &str, is_passed: bool, is_well: Option<bool>) {
        let result = if is_passed { "passed" } else { "failed" };
        self.checks.get_or_create(&ByCheck { backend: backend.into(), result }).inc();
        if let Some(is_well) = is_well {
            self.passing.get_or_create(&ByBackend { backend: backend.into() }).set(i64::from(is_well));
        }
    }

    pub(crate) fn checked_no_more(&self, backend: &str) {
        self.passing.remove(&ByBackend { backend: backend.into() });
    }

    pub(crate) fn over_budget(&self, model: &str) {
        self.over_budget.get_or_create(&ByModel { model: model.into() }).inc();
    }
}
