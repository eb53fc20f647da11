//! Where the tokens of a request are counted: at the backend that would answer it, if that can count.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use vsr_config::ApiFormat;
use vsr_protocol::{ApiError, Edits, Protocol, Target, ViewedRequest};
use vsr_types::{Evidence, Identity, ModelName, RequestId};

use crate::{
    Backend, Draw, Read, Router, Snapshot,
    route::{Arrival, Stop},
};

/// A count of tokens on its way to a backend.
pub struct Counting {
    /// Where it goes.
    pub backend: Arc<Backend>,
    /// The model that would answer.
    pub model: ModelName,
    /// The path that is posted to.
    pub path: PathAndQuery,
    /// What is sent there.
    pub body: Bytes,
}

// === impl Snapshot

impl Snapshot {
    /// Whether any backend can count tokens: those that speak Messages can.
    pub fn counts_tokens(&self) -> bool {
        self.models().iter().any(|model| model.api_format == ApiFormat::Anthropic)
    }
}

// === impl Router

impl Router {
    /// Where the tokens of `request`, which is one of Messages, are counted; none if the backend that
    /// would answer it speaks another protocol, or none would. Nothing is recorded.
    ///
    /// # Errors
    ///
    /// The request would be refused.
    pub fn counting(
        &self,
        snapshot: &Snapshot,
        request: &ViewedRequest,
        identity: Identity,
        read: Option<&Read>,
    ) -> Result<Option<Counting>, ApiError> {
        let (request, view) = (request.request(), request.view());
        let evidence = Evidence::new(snapshot.atoms()).without_notes();
        let mut trace = self.blank_trace(snapshot, evidence, request, identity, RequestId::from("count"));
        let arrival = self
            .decide(snapshot, (view, read), &mut trace, snapshot.families())
            .map_err(|Stop { error, .. }| error)?;
        let Arrival::Model { model, .. } = arrival else { return Ok(None) };
        if model.api_format != ApiFormat::Anthropic {
            return Ok(None);
        }
        let draw = Draw { point: self.next_point(), now: trace.at, caller: None };
        let Some(backend) = model.pick(draw) else { return Ok(None) };
        let Some(path) = backend.count_path() else { return Ok(None) };
        let target = Target {
            signatures: Some(self.signatures()),
            keeps_unknown_signatures: !trace.routed || snapshot.has_one_signer(),
            ..Target::new(Protocol::Messages, backend.upstream_model.as_str())
        };
        let mut edits = Edits::default();
        edits.set_model(target.model);
        let body = request.outgoing(&target, &edits)?.body;
        let (backend, model) = (Arc::clone(backend), model.name.clone());
        Ok(Some(Counting { backend, model, path, body }))
    }
}
