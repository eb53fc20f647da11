//! Active health checks: which backends are asked, how, and what follows from what they say. Whoever owns sockets asks.

use std::{sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use vsr_config::Reliability;
use vsr_types::{Diagnostic, Diagnostics, Path};

use crate::{Backend, CheckState, Model, Models, Router};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// More often than this nobody is asked.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// How the backends of a model are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for, at the server's root.
    pub path: PathAndQuery,
    /// The time from one check to the next.
    pub interval: Duration,
    /// The time that a check may take.
    pub timeout: Duration,
    /// Failed checks in a row that leave a backend out.
    unhealthy: u32,
    /// Passed checks in a row that bring it back.
    healthy: u32,
}

/// A backend that is asked.
#[derive(Debug, Clone)]
pub struct CheckedBackend {
    /// The backend.
    pub backend: Arc<Backend>,
    /// How it is asked.
    pub check: HealthCheck,
}

// === impl HealthCheck

impl HealthCheck {
    /// Reads the settings; `path` is that of `reliability`.
    pub(crate) fn compile(
        settings: &Reliability,
        path: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let written = settings.health_check_path.as_deref()?;
        let parsed = Some(written).filter(|written| written.starts_with('/')).map(str::parse);
        let Some(Ok(parsed)) = parsed else {
            let message = format!("`{written}` is no path that can be asked for");
            let help = "begin with a slash, as in /health";
            diagnostics.push(Diagnostic::error(path.key("health_check_path"), message).help(help));
            return None;
        };
        let span = |written: Option<vsr_config::TimeSpan>, default| written.map_or(default, |span| span.0);
        Some(Self {
            path: parsed,
            interval: span(settings.health_check_interval, DEFAULT_INTERVAL).max(SHORTEST_INTERVAL),
            timeout: span(settings.health_check_timeout, DEFAULT_TIMEOUT),
            unhealthy: settings.health_check_unhealthy_threshold,
            healthy: settings.health_check_healthy_threshold,
        })
    }
}

// === impl Models

impl Models {
    /// What tells the backends apart that are asked whether they are well.
    pub fn checked_backends(&self) -> Vec<u64> {
        self.checks().map(|(_, backend, _)| backend.identity).collect()
    }

    /// The backend, if it is there and asked.
    pub fn checked_backend(&self, identity: u64) -> Option<CheckedBackend> {
        let (_, backend, check) = self.checks().find(|(_, backend, _)| backend.identity == identity)?;
        Some(CheckedBackend { backend: Arc::clone(backend), check: check.clone() })
    }

    /// Adapters have their card's backends.
    fn checks(&self) -> impl Iterator<Item = (&Model, &Arc<Backend>, &HealthCheck)> {
        let cards = self.iter().filter(|model| model.name == model.card);
        cards
            .filter_map(|model| Some((model, model.resilience.check.as_ref()?)))
            .flat_map(|(model, check)| model.backends.iter().map(move |backend| (model, backend, check)))
            .filter(|(_, backend, _)| backend.weight > 0.0)
    }
}

// === impl Router

impl Router {
    /// The backend was asked, and is well, or is not for a reason. After enough in a row it is left out or brought back;
    /// never so many are left out that failures of requests could not have left out as many.
    pub fn checked(&self, identity: u64, result: Result<(), &str>) {
        let snapshot = self.snapshot();
        let Some((model, backend, check)) =
            snapshot.models().checks().find(|(_, backend, _)| backend.identity == identity)
        else {
            return;
        };
        let (name, health) = (&backend.name, &backend.health);
        let enough = if result.is_ok() { check.healthy } else { check.unhealthy };
        let (state, is_new) = health.checked(result.is_ok(), enough);
        match state {
            CheckState::Failing if !health.is_checked_out() => {
                let is_out = model.leave_out(self.clock().now(), || {
                    health.check_out(true);
                    true
                });
                let reason = result.err().unwrap_or("earlier checks failed");
                if is_out {
                    tracing::warn!(backend = %name, reason, "a backend is left out: its health checks fail");
                } else if is_new {
                    let kept = "the health checks of a backend fail; it stays in, for too few would be left";
                    tracing::warn!(backend = %name, reason, "{kept}");
                }
            }
            CheckState::Passing if is_new => {
                health.check_out(false);
                tracing::info!(backend = %name, "the health checks of a backend pass");
            }
            CheckState::Unknown | CheckState::Passing | CheckState::Failing => {}
        }
        let is_well = (state != CheckState::Unknown).then_some(state == CheckState::Passing);
        self.metrics().attempts().checked(name, result.is_ok(), is_well);
    }

    /// The backend is asked no more: what was found counts for nothing.
    pub fn checked_no_more(&self, backend: &Backend) {
        backend.health.forget_checks();
        let snapshot = self.snapshot();
        if !snapshot.models().checks().any(|(_, other, _)| other.name == backend.name) {
            self.metrics().attempts().checked_no_more(&backend.name);
        }
    }

    /// The backends that are left out now, and those whose health checks fail.
    pub fn unwell_backends(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (snapshot, now) = (self.snapshot(), self.clock().now());
        let cards = snapshot.models().iter().filter(|model| model.name == model.card);
        let (mut left_out, mut failing) = (Vec::new(), Vec::new());
        for backend in cards.flat_map(|model| &model.backends) {
            if !backend.health.is_available(now) {
                left_out.push(Arc::clone(&backend.name));
            }
            if backend.health.check_state() == CheckState::Failing {
                failing.push(Arc::clone(&backend.name));
            }
        }
        (left_out, failing)
    }
}
