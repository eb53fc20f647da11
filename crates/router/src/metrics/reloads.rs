//! How often the configuration was read again, and what became of it.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use vsr_types::Timestamp;

/// What became of a configuration that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// It is in force.
    Applied,
    /// It is not, and the one before stays.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct ReloadSeries {
    reloads: Family<ByResult, Counter>,
    last_success: Gauge,
    is_current: Gauge,
    waiting_for_restart: Gauge,
}

// === impl ReloadResult

impl ReloadResult {
    /// The word in metrics and on the management API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

// === impl ReloadSeries

impl ReloadSeries {
    pub(super) fn register(&self, registry: &mut Registry) {
        // Alerts on an increase need the series from the start.
        for result in [ReloadResult::Applied, ReloadResult::Refused] {
            let _series = self.reloads.get_or_create(&ByResult { result: result.as_str() });
        }
        self.is_current.set(1);
        registry.register(
            "vsr_config_reload",
            "Times the configuration was read again, by what became of it",
            self.reloads.clone(),
        );
        for (name, help, gauge) in [
            (
                "vsr_config_last_success_timestamp_seconds",
                "When the configuration in force was read",
                &self.last_success,
            ),
            (
                "vsr_config_current",
                "1 if the configuration that was read last is in force, 0 if it was refused",
                &self.is_current,
            ),
            (
                "vsr_config_restart_needed",
                "Keys of the configuration that take effect after a restart",
                &self.waiting_for_restart,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    pub(super) fn succeeded(&self, at: Timestamp, waiting_for_restart: usize) {
        self.last_success.set(i64::try_from(at.seconds()).unwrap_or(i64::MAX));
        self.waiting_for_restart.set(i64::try_from(waiting_for_restart).unwrap_or(i64::MAX));
    }

    pub(super) fn count(&self, result: ReloadResult) {
        self.reloads.get_or_create(&ByResult { result: result.as_str() }).inc();
        self.is_current.set(i64::from(result == ReloadResult::Applied));
    }
}
