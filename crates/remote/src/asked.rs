//! One model with what stands in front of it: its limits and its breaker.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, time::timeout_at};
use vsr_config::{ExternalModel, McpModule};
use vsr_signals::external::{RemoteFailure, RemoteOutcome};
use vsr_types::UnavailableReason;

use crate::{breaker::Breaker, endpoint::Server, error::CallError, mcp::McpClient, models::RemoteLimits};

/// The time of a call where the configuration says 0.
const CALL_SECONDS: u64 = 30;
/// The longest time of a call, whatever the configuration says.
const MOST_CALL_SECONDS: u64 = 3600;

/// A model with what stands in front of it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Option<ExternalModel>,
    pub(crate) kind: Kind,
    pub(crate) timeout: Duration,
    origin: Origin,
    breaker: Breaker,
    permits: Semaphore,
}

/// What a model was made from: two that were made from the same are the same model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    External(ExternalModel),
    Mcp(McpModule),
}

/// How a model is asked.
#[derive(Debug)]
pub(crate) enum Kind {
    /// By a chat completion.
    Chat(Server),
    /// At a classify endpoint.
    Classify(Server),
    /// As a tool of an MCP server.
    Tool(McpClient),
}

// === impl Asked

impl Asked {
    pub(crate) fn new(name: &str, settings: ExternalModel, kind: Kind, limits: &RemoteLimits) -> Self {
        let (seconds, origin) = (settings.llm_timeout_seconds, Origin::External(settings.clone()));
        Self { settings: Some(settings), ..Self::bare(name, kind, seconds, origin, limits) }
    }

    pub(crate) fn tool(client: McpClient, seconds: u64, module: &McpModule, limits: &RemoteLimits) -> Self {
        let origin = Origin::Mcp(module.clone());
        Self::bare("the MCP classifier", Kind::Tool(client), seconds, origin, limits)
    }

    fn bare(name: &str, kind: Kind, seconds: u64, origin: Origin, limits: &RemoteLimits) -> Self {
        Self {
            name: name.into(),
            settings: None,
            kind,
            timeout: call_limit(seconds),
            origin,
            breaker: Breaker::new(limits.breaker),
            permits: Semaphore::new(limits.calls_per_model.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// Whether `other` is the same model, asked in the same way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.origin == other.origin
    }

    pub(crate) fn model_name(&self) -> &str {
        self.settings.as_ref().map_or("", |settings| &settings.llm_model_name)
    }

    /// Makes one call within its own limit and the request's, if the breaker lets it.
    pub(crate) async fn guarded<F>(
        &self,
        deadline: Instant,
        call: impl FnOnce(Duration) -> F,
    ) -> Result<RemoteOutcome, RemoteFailure>
    where
        F: Future<Output = Result<RemoteOutcome, CallError>>,
    {
        let failure = |error: CallError| error.into_failure(&self.name);
        let started = Instant::now();
        let end = deadline.min(started + self.timeout);
        let Ok(Ok(_running)) = timeout_at(end.into(), self.permits.acquire()).await else {
            return Err(failure(CallError::Busy));
        };
        let now = Instant::now();
        let Some(permit) = self.breaker.admit(now) else {
            let detail = format!("{}: failed too often of late; it is asked again soon", self.name);
            return Err(RemoteFailure::new(UnavailableReason::CircuitOpen, detail));
        };
        let limit = end.saturating_duration_since(now);
        let outcome = match timeout_at(end.into(), Box::pin(call(limit))).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::Late),
        };
        match outcome {
            Ok(outcome) => {
                permit.succeed();
                Ok(outcome)
            }
            Err(error) => {
                if error.counts() {
                    tracing::debug!(model = &*self.name, %error, "a model served elsewhere failed");
                    permit.fail(Instant::now());
                } else if !matches!(error, CallError::Busy | CallError::Pausing) {
                    permit.succeed();
                }
                Err(failure(error))
            }
        }
    }
}

/// The time that a call may take; 0 means the release's.
pub(crate) fn call_limit(seconds: u64) -> Duration {
    Duration::from_secs(if seconds == 0 { CALL_SECONDS } else { seconds.min(MOST_CALL_SECONDS) })
}
