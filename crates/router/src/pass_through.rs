//! Requests that are no conversation: embeddings, completions, audio, images, reranking. They go to the model they name, by
//! the same policy on who may name it, and are recorded as any other.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::uri::PathAndQuery;
use vsr_config::ApiFormat;
use vsr_protocol::{ApiError, ClientRequest, Losses, Protocol, RequestLimits, Target};
use vsr_signals::SignalInput;
use vsr_types::{Evidence, FamilySet, Identity, RequestId, SignalFamily};

use crate::{
    Backend, Draw, Exchange, Forward, Refusal, Router, Snapshot, balance,
    route::{Stop, pinned_model, plain_choice},
};

/// A request that is no conversation.
pub struct Passing<'r> {
    /// The model it names.
    pub model: &'r str,
    /// Its path, below `/v1`: `/embeddings`.
    pub path: &'r str,
    /// Who asks.
    pub identity: Identity,
    /// The request's id.
    pub request_id: RequestId,
    /// The session it belongs to.
    pub session: Option<&'r [u8]>,
    /// When its head was received.
    pub received: Instant,
}

// === impl Router

impl Router {
    /// Where a request that is no conversation goes. Its body is left to whoever sends it.
    ///
    /// # Errors
    ///
    /// The model's name is no name. A refusal instead of a way is for a caller that may not name the model, or a model that
    /// has no backend for such requests.
    pub fn pass_through(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        passing: Passing<'_>,
    ) -> Result<Result<Box<Forward>, Box<Refusal>>, ApiError> {
        // Roles are judged by the caller alone: there are no words to look at.
        let body =
            serde_json::json!({ "model": passing.model, "messages": [{ "role": "user", "content": "" }] });
        let body = Bytes::from(body.to_string());
        let parsed = ClientRequest::parse(Protocol::Chat, body, &RequestLimits::default());
        let evidence = Evidence::new(snapshot.atoms()).without_notes();
        let request = parsed.map_err(ApiError::from)?;
        let trace = self.blank_trace(snapshot, evidence, &request, passing.identity, passing.request_id);
        let mut exchange = Exchange::new(Arc::clone(self), Arc::clone(snapshot), trace, passing.received);
        let asked = (passing.path, passing.session);
        Ok(match self.place(snapshot, &request, asked, &mut exchange) {
            Ok(backend) => {
                let target = Target::new(Protocol::Chat, backend.upstream_model.as_str());
                let created = exchange.trace().at.seconds();
                let context = request.answer_context(&target, "", created);
                let (body, losses) = (Bytes::new(), Losses::default());
                Ok(Box::new(Forward {
                    exchange,
                    backend,
                    body,
                    stream: false,
                    usage_injected: false,
                    choices: 1,
                    context,
                    losses,
                }))
            }
            Err(Stop { error, reason }) => Err(Box::new(Refusal { exchange, error, reason })),
        })
    }

    fn place(
        &self,
        snapshot: &Snapshot,
        request: &ClientRequest,
        (path, session): (&str, Option<&[u8]>),
        exchange: &mut Exchange,
    ) -> Result<Arc<Backend>, Stop> {
        let trace = exchange.trace_mut();
        if trace.routed {
            let message = format!(
                "`{}` chooses among models for conversations only; name the model that takes /v1{path}",
                trace.requested_model
            );
            let error = ApiError::new(400, message).with_param("model").with_code("model_required");
            return Err(Stop { error, reason: "model_required" });
        }
        let model = pinned_model(snapshot, &trace.requested_model)?;
        if snapshot.families().contains(SignalFamily::Authz) {
            let mut families = FamilySet::default();
            families.insert(SignalFamily::Authz);
            let view = request.view();
            let input = SignalInput {
                request: &view,
                identity: &trace.identity,
                tokens: self.calibration(),
                authz_fail_open: snapshot.config().global.services.authz.fail_open,
                readings: None,
            };
            if snapshot.signals().evaluate(&input, families, &mut trace.evidence).is_err() {
                let message = "the caller's identity is required for this policy and nobody vouched for one";
                return Err(Stop::new("authz_denied", 403, message));
            }
        }
        if !snapshot.permits(model, &trace.evidence) {
            let message = format!("the caller's roles do not permit model `{}`", model.name);
            return Err(Stop::new("authz_denied", 403, message));
        }
        let draw = Draw {
            point: self.next_point(),
            now: trace.at,
            caller: balance::caller(session, &trace.identity),
        };
        trace.choice = Some(plain_choice(model, "pinned", None));
        let Some(backend) = model.pick(draw) else {
            let message = format!("model `{}` has no backend that takes requests", model.name);
            return Err(Stop::new("no_backend", 503, message));
        };
        if model.api_format == ApiFormat::Anthropic || backend.path_beside(path).is_none() {
            let message = format!("model `{}` has no backend that takes /v1{path}", model.name);
            let error = ApiError::new(400, message).with_param("model").with_code("unsupported_endpoint");
            return Err(Stop { error, reason: "unsupported_endpoint" });
        }
        trace.backend = Some(Arc::clone(&backend.name));
        trace.upstream_model = Some(backend.upstream_model.clone());
        trace.upstream_protocol = Some(Protocol::Chat.vendor());
        self.metrics().record_choice(snapshot, trace);
        exchange.begin(&model.name, backend);
        Ok(Arc::clone(backend))
    }
}

// === impl Backend

impl Backend {
    /// Where requests to `path` go: beside its chat completions. None if those have a path of their own kind.
    pub fn path_beside(&self, path: &str) -> Option<PathAndQuery> {
        let base = self.chat_path.path().strip_suffix("/chat/completions")?;
        let query = self.chat_path.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{base}{path}{query}").parse().ok()
    }
}
