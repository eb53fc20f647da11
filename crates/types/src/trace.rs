//! The one record of how a request was routed. Headers, logs, metrics and `eval` only read it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{AtomTable, Choice, Evidence, Identity, ModelName, RequestId, Timestamp, Usage, Verdict};

/// A timed step of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bytes to envelope.
    Parse,
    /// Texts to what the router's own models say of them.
    Reading,
    /// Envelope and readings to evidence.
    Signals,
    /// Partitions, scores and mappings.
    Projections,
    /// Evidence to verdict.
    Decision,
    /// Verdict to choice.
    Selection,
    /// Envelope to the bytes sent upstream.
    Rewrite,
    /// From the request sent upstream to the head of its response.
    Upstream,
}

/// How long each stage took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTimings([Duration; Stage::ALL.len()]);

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The HTTP status sent to the client; 0 while there is none.
    pub status: u16,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// How many times a backend was called: more than once if calls failed and were repeated.
    pub attempts: u32,
    /// Tokens, where the backend reported them.
    pub usage: Option<Usage>,
    /// From request received to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// From request received to the end of the answer.
    pub total: Duration,
    /// The reason code of a failure, such as `upstream_5xx`, `timeout` or `client_gone`.
    pub error: Option<&'static str>,
}

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Via {
    /// Who is at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The version of HTTP, such as `HTTP/1.1`.
    pub http: Option<&'static str>,
    /// The version of TLS, if the connection has it.
    pub tls: Option<&'static str>,
}

/// Everything about the routing of one request.
#[derive(Debug, Clone)]
pub struct RouteTrace {
    /// The request's id.
    pub request_id: RequestId,
    /// When it was received.
    pub at: Timestamp,
    /// The content hash of the snapshot that routed it.
    pub snapshot: Arc<str>,
    /// Who asked.
    pub identity: Identity,
    /// How it came in.
    pub via: Via,
    /// The vendor of the protocol that the client speaks: `openai`, `anthropic`.
    pub client_protocol: &'static str,
    /// The vendor of the protocol that the backend speaks, once it is chosen.
    pub upstream_protocol: Option<&'static str>,
    /// The model the client named.
    pub requested_model: Arc<str>,
    /// Whether the router chose the model; `false` when the client pinned it.
    pub routed: bool,
    /// The names of the atoms in `evidence` and `verdict`.
    pub atoms: Arc<AtomTable>,
    /// Models that the configuration names and this machine lacks, if the request's texts were read: the embedded ones
    /// read them in their place.
    pub substituted_for: Arc<[String]>,
    /// What the signals found.
    pub evidence: Evidence,
    /// What policy made of it.
    pub verdict: Verdict,
    /// The model; `None` where the request was refused.
    pub choice: Option<Choice>,
    /// Estimated tokens of the request.
    pub context_tokens: u64,
    /// The bytes that the estimate is based on.
    pub context_bytes: u64,
    /// The backend that answered, `model_name/backend_name`, never with credentials.
    pub backend: Option<Arc<str>>,
    /// The model id sent upstream.
    pub upstream_model: Option<ModelName>,
    /// Where the time went.
    pub stages: StageTimings,
    /// How it ended.
    pub outcome: Outcome,
}

// === impl Stage

impl Stage {
    /// Every stage, in pipeline order.
    pub const ALL: [Stage; 8] = [
        Stage::Parse,
        Stage::Reading,
        Stage::Signals,
        Stage::Projections,
        Stage::Decision,
        Stage::Selection,
        Stage::Rewrite,
        Stage::Upstream,
    ];

    /// Its name in `Server-Timing` and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Parse => "parse",
            Stage::Reading => "reading",
            Stage::Signals => "signals",
            Stage::Projections => "projections",
            Stage::Decision => "decision",
            Stage::Selection => "selection",
            Stage::Rewrite => "rewrite",
            Stage::Upstream => "upstream",
        }
    }
}

// === impl StageTimings

impl StageTimings {
    /// Adds to the time of `stage`.
    pub fn add(&mut self, stage: Stage, duration: Duration) {
        self.0[stage as usize] += duration;
    }

    /// The time of `stage`.
    pub fn get(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }
}
