//! A router compiled from a text.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::Value;
use vsr_config::Document;
use vsr_protocol::{ClientRequest, Protocol, RequestLimits, ViewedRequest};
use vsr_router::{Explanation, Metrics, RouteInput, Routed, Router, RouterParts, Snapshot};
use vsr_store::{KeyValue, MemoryStore};
use vsr_types::{FixedClock, Identity, IdentitySource, RequestId, Timestamp, Via};

/// A router and its snapshot.
pub(crate) struct Scene {
    pub(crate) router: Arc<Router>,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// Where a request went.
pub(crate) struct Sent {
    pub(crate) model: String,
    pub(crate) decision: Option<String>,
    pub(crate) method: &'static str,
    pub(crate) backend: String,
    pub(crate) bytes: Bytes,
}

/// Compiles `text`, or shows its problems.
pub(crate) fn compile(text: &str) -> Result<Arc<Snapshot>, Vec<String>> {
    let mut document = Document::parse("test", text, &|_| None);
    let snapshot = vsr_router::compile(
        &mut document,
        &vsr_router::Surroundings { variables: &|_| None, reader: &vsr_reader::Reader::without_models() },
    );
    snapshot.ok_or_else(|| document.problems().iter().map(ToString::to_string).collect())
}

/// A chat request.
fn chat(body: &Value) -> ViewedRequest {
    let body = Bytes::from(body.to_string());
    ClientRequest::parse(Protocol::Chat, body, &RequestLimits::default()).unwrap().into()
}

/// A caller that a trusted peer named.
pub(crate) fn user(name: &str, groups: &[&str]) -> Identity {
    Identity {
        user: Some(name.into()),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        source: IdentitySource::TrustedPeer,
        ..Identity::default()
    }
}

impl Scene {
    pub(crate) fn new(text: &str) -> Self {
        Self::with_store(text, Arc::new(MemoryStore::new(10)))
    }

    pub(crate) fn with_store(text: &str, store: Arc<dyn KeyValue>) -> Self {
        let snapshot = compile(text).unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
        let clock = Arc::new(FixedClock::new(Timestamp(1_000)));
        let parts = RouterParts { clock, store, metrics: Metrics::default() };
        Self { router: Router::new(Arc::clone(&snapshot), parts), snapshot }
    }

    pub(crate) fn route(&self, body: &Value, identity: Identity) -> Routed {
        let request = chat(body);
        self.router.route(
            &self.snapshot,
            RouteInput {
                request: &request,
                identity,
                via: Via::default(),
                request_id: RequestId::from("r1"),
                answer_id: "a1",
                received: Instant::now(),
                parse: Duration::ZERO,
                session: None,
                read: None,
            },
        )
    }

    /// The request is sent to a backend.
    pub(crate) fn sent(&self, body: &Value, identity: Identity) -> Sent {
        match self.route(body, identity) {
            Routed::Forward(forward) => {
                let trace = forward.exchange.trace();
                let choice = trace.choice.as_ref().unwrap();
                Sent {
                    model: choice.model.to_string(),
                    decision: trace.verdict.winner.as_ref().map(|winner| winner.name.to_string()),
                    method: choice.method,
                    backend: forward.backend.name.to_string(),
                    bytes: forward.body.clone(),
                }
            }
            Routed::Shortcut(_) => panic!("answered by the router"),
            Routed::Refusal(refusal) => panic!("refused: {:?}", refusal.error),
        }
    }

    /// The request is refused: status and message.
    pub(crate) fn refused(&self, body: &Value, identity: Identity) -> (u16, String) {
        match self.route(body, identity) {
            Routed::Refusal(refusal) => (refusal.error.status, refusal.error.message.clone()),
            _ => panic!("not refused"),
        }
    }

    pub(crate) fn explain(&self, body: &Value, identity: Identity) -> Explanation {
        let request = chat(body);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = vsr_upstream::Client::new(&vsr_upstream::ClientConfig::default());
        let read = runtime.block_on(self.snapshot.full_reading(&request).run(&client));
        self.router.explain(&self.snapshot, &request, identity, &read)
    }
}
