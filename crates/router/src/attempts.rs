//! What follows a call to a backend: what it tells of the backend's health, and whether the request is sent again.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use vsr_protocol::{ClientRequest, Edits, Protocol, RequestLimits, Target};
use vsr_types::Timestamp;

use crate::{Backend, Exchange, Model, balance::Draw, resilience::Failed};

/// The longest that a backend is left alone because it asked for it.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// How a call to a backend went, as far as the head of its answer.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// The backend answered.
    Answered {
        /// The status.
        status: u16,
        /// When to come again, if it said so.
        retry_after: Option<Duration>,
    },
    /// It did not.
    Failed(&'a vsr_upstream::Error),
}

/// The request is sent again.
#[derive(Debug)]
pub struct Again {
    /// Where.
    pub backend: Arc<Backend>,
    /// What must pass before.
    pub wait: Duration,
}

/// One of the repetitions that a model may have at one time.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicU32>);

// === impl Attempt

impl Attempt<'_> {
    /// The failure, and the word for it in metrics; none if the backend did what it should.
    fn failure(&self) -> Option<(Failed, &'static str)> {
        match *self {
            Self::Answered { status: 429, retry_after } => {
                Some((Failed::Status(429, retry_after.is_some()), "rate_limited"))
            }
            Self::Answered { status, retry_after } if status >= 400 => {
                let word = if status >= 500 { "upstream_5xx" } else { "upstream_4xx" };
                Some((Failed::Status(status, retry_after.is_some()), word))
            }
            Self::Answered { .. } => None,
            Self::Failed(error) if error.is_before_request_sent() => {
                Some((Failed::BeforeSent, error.kind().as_str()))
            }
            Self::Failed(error) => Some((Failed::Unanswered, error.kind().as_str())),
        }
    }

    /// Whether it says that the backend is not well.
    fn is_unwell(&self) -> bool {
        !matches!(*self, Self::Answered { status, .. } if status < 500)
    }
}

// === impl Exchange

impl Exchange {
    /// A call to `backend` went so. What it tells of the backend is kept; what is returned says that, and where, the
    /// request must be sent again, for which `left` is left. An answer that is not sent again goes to the client.
    pub fn attempted(
        &mut self,
        backend: &Arc<Backend>,
        attempt: Attempt<'_>,
        left: Duration,
    ) -> Option<Again> {
        let Some((failed, reason)) = attempt.failure() else {
            backend.health.succeeded(self.trace().at, backend.calm);
            return None;
        };
        let snapshot = Arc::clone(self.snapshot());
        let name = self.trace().choice.as_ref().map(|choice| choice.model.clone())?;
        let model = snapshot.models().find(name.as_str())?;
        let now = self.router().clock().now();
        self.note_health(model, backend, attempt, now);
        let settings = &model.resilience;
        let repetition = self.trace().outcome.attempts;
        if !backend.may_repeat
            || repetition == 0
            || repetition > settings.retries
            || !settings.repeats(failed)
        {
            return None;
        }
        self.tried(backend.identity);
        let random = random();
        let draw = Draw { point: self.router().next_point(), now, caller: None };
        let other = model.pick_other(draw, backend, self.tried_so_far());
        let (next, wait) = match (other, attempt) {
            (Some(other), _) if repetition == 1 => (other, Duration::ZERO),
            (Some(other), _) => (other, settings.wait(repetition - 1, random)),
            (None, _) if !settings.same_backend => return None,
            (None, Attempt::Answered { retry_after: Some(after), .. }) => {
                // A little more than asked for, and not the same for all that were asked.
                (backend, after + settings.wait(repetition, random))
            }
            (None, _) => (backend, settings.wait(repetition, random)),
        };
        let asked_to_wait = matches!(attempt, Attempt::Answered { retry_after: Some(after), .. }
            if Arc::ptr_eq(next, backend) && after > settings.max_retry_after);
        if asked_to_wait || wait >= left {
            return None;
        }
        let Some(permit) = Permit::of(model) else {
            self.router().metrics().attempts().over_budget(name.as_str());
            return None;
        };
        let elsewhere = !Arc::ptr_eq(next, backend);
        self.router().metrics().attempts().repeated(&backend.name, reason, elsewhere);
        let next = Arc::clone(next);
        self.repeat_at(&next, permit);
        Some(Again { backend: next, wait })
    }

    fn note_health(&self, model: &Model, backend: &Backend, attempt: Attempt<'_>, now: Timestamp) {
        if let Attempt::Answered { status: 429 | 503, retry_after: Some(after) } = attempt {
            backend.health.pause(now, after.min(MAX_PAUSE));
        }
        if !attempt.is_unwell() {
            backend.health.succeeded(now, backend.calm);
            return;
        }
        let settings = &model.resilience;
        let failures = backend.health.failed();
        if settings.consecutive_failures == 0 || failures < settings.consecutive_failures {
            return;
        }
        let is_ejected = model
            .leave_out(now, || backend.health.eject(now, settings.ejection_time, settings.max_ejection_time));
        if is_ejected {
            tracing::warn!(backend = %backend.name, failures, "a backend is left out after failures in a row");
            self.router().metrics().attempts().ejected(&backend.name);
        }
    }
}

// === impl Backend

impl Backend {
    /// `body`, which was written for `meant_for` in `protocol`, for this backend: it may know the model by another id.
    pub fn body_meant_for(&self, meant_for: &Self, protocol: Protocol, body: Bytes) -> Bytes {
        if self.upstream_model == meant_for.upstream_model {
            return body;
        }
        let Ok(request) = ClientRequest::parse(protocol, body.clone(), &RequestLimits::default()) else {
            return body;
        };
        let target = Target::new(protocol, self.upstream_model.as_str());
        let mut edits = Edits::default();
        edits.set_model(target.model);
        request.outgoing(&target, &edits).map_or(body, |outgoing| outgoing.body)
    }
}

// === impl Permit

impl Permit {
    fn of(model: &Model) -> Option<Self> {
        let limit = model.resilience.budget(model.in_flight());
        let permit = Self(Arc::clone(&model.repeating));
        let before = permit.0.fetch_add(1, Ordering::Relaxed);
        (u64::from(before) < limit).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From 0 to 1, from the keys that the standard library draws for its maps.
fn random() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}
