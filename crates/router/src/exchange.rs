//! The guard that follows a request to its end and records it exactly once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use vsr_protocol::{AnswerContext, ApiError, Losses};
use vsr_types::{ModelName, RouteTrace, Stage, Usage};

use crate::{Backend, Router, Snapshot, attempts::Permit, losses};

/// Follows one request from the routing to the last byte of the answer.
///
/// [`Exchange::end`] records how it ended; an exchange that is dropped without it is recorded as
/// abandoned by the client, or in a panic as failed, so that nothing goes uncounted.
pub struct Exchange {
    router: Arc<Router>,
    snapshot: Arc<Snapshot>,
    trace: Box<RouteTrace>,
    received: Instant,
    sent: Option<Instant>,
    in_flight: Option<ModelName>,
    /// The backend that works on it.
    at: Option<Arc<Backend>>,
    /// Backends that failed at it.
    tried: Vec<u64>,
    permit: Option<Permit>,
    is_recorded: bool,
}

// === impl Exchange

impl Exchange {
    pub(crate) fn new(
        router: Arc<Router>,
        snapshot: Arc<Snapshot>,
        trace: Box<RouteTrace>,
        received: Instant,
    ) -> Self {
        Self {
            router,
            snapshot,
            trace,
            received,
            sent: None,
            in_flight: None,
            at: None,
            tried: Vec::new(),
            permit: None,
            is_recorded: false,
        }
    }

    /// The trace so far.
    pub fn trace(&self) -> &RouteTrace {
        &self.trace
    }

    pub(crate) fn trace_mut(&mut self) -> &mut RouteTrace {
        &mut self.trace
    }

    /// The snapshot that routed the request.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.router
    }

    pub(crate) fn tried(&mut self, identity: u64) {
        self.tried.push(identity);
    }

    pub(crate) fn tried_so_far(&self) -> &[u64] {
        &self.tried
    }

    /// The request goes out again, to this backend.
    pub(crate) fn repeat_at(&mut self, backend: &Arc<Backend>, permit: Permit) {
        self.permit = Some(permit);
        self.trace.backend = Some(Arc::clone(&backend.name));
        self.trace.upstream_model = Some(backend.upstream_model.clone());
        self.move_to(backend);
    }

    fn move_to(&mut self, backend: &Arc<Backend>) {
        self.trace.outcome.attempts += 1;
        backend.health.begin(|| self.router.clock().now(), backend.calm);
        if let Some(left) = self.at.replace(Arc::clone(backend)) {
            left.health.end();
        }
    }

    pub(crate) fn begin(&mut self, model: &ModelName, backend: &Arc<Backend>) {
        self.move_to(backend);
        self.router.metrics().in_flight(&self.snapshot, model, 1);
        self.in_flight = Some(model.clone());
        self.sent = Some(Instant::now());
    }

    /// The head of the backend's response arrived.
    pub fn upstream_head(&mut self) {
        if let Some(sent) = self.sent {
            self.trace.stages.add(Stage::Upstream, sent.elapsed());
        }
    }

    /// The status that the client is sent.
    pub fn status(&mut self, status: u16) {
        self.trace.outcome.status = status;
    }

    /// The first byte of the answer's body goes to the client; later calls change nothing.
    pub fn first_byte(&mut self) {
        if self.trace.outcome.first_byte.is_none() {
            self.trace.outcome.first_byte = Some(self.received.elapsed());
        }
    }

    /// The backend reported usage.
    pub fn usage(&mut self, usage: Usage) {
        self.trace.outcome.usage = Some(usage);
    }

    /// Translating the answer lost something.
    pub fn lost(&self, context: &AnswerContext, losses: &Losses) {
        self.router.metrics().lost(context.upstream, context.client, losses);
    }

    /// Sending the request loses something that its body does not tell of. The error is that of a policy that does
    /// not accept it: then the request must not be sent.
    ///
    /// # Errors
    ///
    /// The configuration refuses such a loss.
    pub fn lost_in_request(&self, context: &AnswerContext, losses: &Losses) -> Result<(), ApiError> {
        self.router.metrics().lost(context.client, context.upstream, losses);
        match losses.refused_by(self.snapshot.loss_policy()) {
            Some(loss) => Err(losses::refusal(loss)),
            None => Ok(()),
        }
    }

    /// Signatures of reasoning passed to the client without a mark.
    pub fn signed(&self, context: &AnswerContext, signatures: &[u64]) {
        if !signatures.is_empty() {
            self.router.signatures().note(&context.upstream_model, signatures);
        }
    }

    /// How long ago the request was received.
    pub fn elapsed(&self) -> Duration {
        self.received.elapsed()
    }

    /// The request is over; `error` is the reason code if it failed.
    pub fn end(mut self, error: Option<&'static str>) {
        self.trace.outcome.error = error;
        self.record();
    }

    fn record(&mut self) {
        if std::mem::replace(&mut self.is_recorded, true) {
            return;
        }
        self.trace.outcome.total = self.received.elapsed();
        self.permit = None;
        if let Some(backend) = self.at.take() {
            backend.health.end();
        }
        if let Some(model) = self.in_flight.take() {
            self.router.metrics().in_flight(&self.snapshot, &model, -1);
        }
        self.router.record(&self.snapshot, &self.trace);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_recorded {
            let is_panic = std::thread::panicking();
            if is_panic {
                self.trace.outcome.status = 500;
            }
            self.trace.outcome.error = Some(if is_panic { "internal_error" } else { "client_gone" });
            self.record();
        }
    }
}
