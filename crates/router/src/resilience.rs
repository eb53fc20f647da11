//! The `reliability` of a model, ready to be asked: how its backends are picked, what is tried again, who is left out.

use std::time::Duration;

use vsr_config::Reliability;
use vsr_types::{Diagnostic, Diagnostics, Path};

use crate::checks::HealthCheck;

/// How a backend is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Policy {
    /// In proportion to the weights.
    #[default]
    Weighted,
    /// The one with the fewest calls in flight for its weight.
    LeastRequest,
    /// The same one for the same session, else user, else key.
    ConsistentHash,
}

/// What of a failed call decides whether it is repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failed {
    /// Nothing of it can have reached the backend.
    BeforeSent,
    /// No head of an answer came.
    Unanswered,
    /// The backend answered with this status, and said or did not say when to come again.
    Status(u16, bool),
}

/// Which failures are repeated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct RetryOn {
    connect_failure: bool,
    unanswered: bool,
    gateway_error: bool,
    any_5xx: bool,
    rate_limited: bool,
    statuses: Vec<u16>,
}

/// The settings of one model.
#[derive(Debug, Clone)]
pub(crate) struct Resilience {
    pub(crate) policy: Policy,
    retry_on: RetryOn,
    /// How often a call is repeated.
    pub(crate) retries: u32,
    /// Whether the backend that failed may be asked again.
    pub(crate) same_backend: bool,
    pub(crate) backoff: Duration,
    pub(crate) max_retry_after: Duration,
    budget_percent: u32,
    min_concurrency: u32,
    /// Failures in a row that eject; 0 for none.
    pub(crate) consecutive_failures: u32,
    pub(crate) ejection_time: Duration,
    pub(crate) max_ejection_time: Duration,
    max_ejection_percent: u32,
    /// How its backends are asked whether they are well, if they are.
    pub(crate) check: Option<HealthCheck>,
}

// === impl Resilience

impl Resilience {
    /// Reads the settings; `path` is that of the model.
    pub(crate) fn compile(written: Option<&Reliability>, path: &Path, diagnostics: &mut Diagnostics) -> Self {
        let defaults = Reliability::default();
        let settings = written.unwrap_or(&defaults);
        let path = path.key("reliability");
        let policy = settings.lb_policy.as_deref().map_or(Ok(Policy::default()), Policy::parse);
        let policy = policy.unwrap_or_else(|problem| {
            let known = "use weighted, least_request or consistent_hash";
            diagnostics.push(Diagnostic::error(path.key("lb_policy"), problem).help(known));
            Policy::default()
        });
        let retry_on = RetryOn::parse(settings.retry_on.as_deref().unwrap_or("connect-failure,rate-limited"));
        let retry_on = retry_on.unwrap_or_else(|problem| {
            let known =
                "use connect-failure, reset, gateway-error, 5xx, retriable-4xx, rate-limited, or a status from 400 to 599";
            diagnostics.push(Diagnostic::error(path.key("retry_on"), problem).help(known));
            RetryOn::default()
        });
        Self {
            policy,
            retry_on,
            retries: settings.retry_count.unwrap_or(2),
            same_backend: settings.retry_count.is_some(),
            backoff: settings.retry_backoff.0,
            max_retry_after: settings.max_retry_after.0,
            budget_percent: settings.retry_budget_percent,
            min_concurrency: settings.min_retry_concurrency,
            consecutive_failures: settings.consecutive_5xx.unwrap_or(5),
            ejection_time: settings.base_ejection_time.map_or(Duration::from_secs(30), |time| time.0),
            max_ejection_time: settings.max_ejection_time.0,
            max_ejection_percent: settings.max_ejection_percent.unwrap_or(50),
            check: HealthCheck::compile(settings, &path, diagnostics),
        }
    }

    pub(crate) fn repeats(&self, failed: Failed) -> bool {
        let on = &self.retry_on;
        match failed {
            Failed::BeforeSent => on.connect_failure || on.unanswered || on.gateway_error || on.any_5xx,
            Failed::Unanswered => on.unanswered || on.gateway_error || on.any_5xx,
            Failed::Status(status, says_when) => {
                on.any_5xx && status >= 500
                    || on.gateway_error && matches!(status, 502..=504)
                    || on.rate_limited && (status == 429 || status == 503 && says_when)
                    || on.statuses.contains(&status)
            }
        }
    }

    /// How many calls may be repetitions while so many are in flight.
    pub(crate) fn budget(&self, in_flight: u64) -> u64 {
        (in_flight * u64::from(self.budget_percent) / 100).max(u64::from(self.min_concurrency))
    }

    /// Whether one more of `all` backends may be left out when `ejected` are.
    pub(crate) fn may_eject(&self, ejected: usize, all: usize) -> bool {
        ejected + 1 < all
            && (ejected == 0 || (ejected + 1) * 100 <= all * self.max_ejection_percent as usize)
            && self.max_ejection_percent > 0
    }

    /// The wait before the repetition with this number, from 1; `random` is from 0 to 1. At most ten times the base.
    pub(crate) fn wait(&self, repetition: u32, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(repetition.saturating_sub(1)).unwrap_or(10).min(10);
        self.backoff.saturating_mul(factor).mul_f64(random)
    }
}

// === impl Policy

impl Policy {
    fn parse(written: &str) -> Result<Self, String> {
        match written.trim().to_ascii_lowercase().as_str() {
            "weighted" | "round_robin" | "random" => Ok(Self::Weighted),
            "least_request" => Ok(Self::LeastRequest),
            "consistent_hash" | "ring_hash" | "maglev" => Ok(Self::ConsistentHash),
            other => Err(format!("unknown balancing policy `{other}`")),
        }
    }
}

// === impl RetryOn

impl RetryOn {
    fn parse(written: &str) -> Result<Self, String> {
        let mut on = Self::default();
        for word in written.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "connect-failure" | "reset-before-request" | "refused-stream" => on.connect_failure = true,
                "reset" => on.unanswered = true,
                "gateway-error" => on.gateway_error = true,
                "5xx" => on.any_5xx = true,
                "rate-limited" => on.rate_limited = true,
                "retriable-4xx" => on.statuses.push(409),
                other => match other.parse() {
                    Ok(status @ 400..=599) => on.statuses.push(status),
                    _ => return Err(format!("`{other}` is nothing that a request can be tried again on")),
                },
            }
        }
        Ok(on)
    }
}
