//! One request through the pipeline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use vsr_config::{ApiFormat, ExplicitModels, ResponsesSupport};
use vsr_protocol::{
    AnswerContext, ApiError, ChatRequest, ClientRequest, Edits, LimitField, Losses, Protocol, Target,
    ViewedRequest,
};
use vsr_signals::{SignalInput, SignalRefusal, TokenCalibration};
use vsr_types::{
    Choice, Evidence, FamilySet, Identity, Outcome, ReasoningChoice, ReasoningMode, RequestId, RequestView,
    RouteTrace, SignalFamily, Stage, StageTimings, Verdict, Via,
};

use crate::{
    Backend, Draw, Exchange, Explanation, Model, Read, Router, Snapshot, balance,
    fast_response::FastResponse, losses, reasoning, resilience::Policy,
};

/// What the edge knows about a request.
pub struct RouteInput<'r> {
    /// The request.
    pub request: &'r ViewedRequest,
    /// Who asks.
    pub identity: Identity,
    /// How it came in.
    pub via: Via,
    /// The request's id.
    pub request_id: RequestId,
    /// What ids in the answer are made of: letters, digits, `_`, `-`; of no other request.
    pub answer_id: &'r str,
    /// When its head was received.
    pub received: Instant,
    /// How long its body took to parse.
    pub parse: Duration,
    /// The session it belongs to, for models whose backends are picked by that.
    pub session: Option<&'r [u8]>,
    /// What [`Snapshot::reading`] asked for; rules that need it are unavailable without.
    pub read: Option<Read>,
}

/// What to do with a request.
pub enum Routed {
    /// Send it to a backend.
    Forward(Box<Forward>),
    /// Answer it without a backend.
    Shortcut(Box<Shortcut>),
    /// Refuse it.
    Refusal(Box<Refusal>),
}

/// A request on its way to a backend.
pub struct Forward {
    /// Accompanies the request to its end.
    pub exchange: Exchange,
    /// Where it goes.
    pub backend: Arc<Backend>,
    /// What is sent there.
    pub body: Bytes,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether the router asked for a usage chunk that the client did not ask for.
    pub usage_injected: bool,
    /// How many choices the client asked for.
    pub choices: u32,
    /// What the translation of the answer needs to know of the request.
    pub context: AnswerContext,
    /// What the backend's protocol could not say.
    pub losses: Losses,
}

/// An answer of the router's own.
pub struct Shortcut {
    /// Accompanies the request to its end.
    pub exchange: Exchange,
    /// The body: a completion, or a stream of events.
    pub body: Bytes,
    /// Whether the body is a stream of events.
    pub stream: bool,
}

/// A request that goes nowhere.
pub struct Refusal {
    /// Accompanies the request to its end.
    pub exchange: Exchange,
    /// Why.
    pub error: ApiError,
    /// The reason code for metrics.
    pub reason: &'static str,
}

/// Why the pipeline stopped before a model was reached.
pub(crate) struct Stop {
    pub(crate) error: ApiError,
    pub(crate) reason: &'static str,
}

/// A request ready to be sent.
struct Prepared {
    backend: Arc<Backend>,
    body: Bytes,
    context: AnswerContext,
    losses: Losses,
}

/// Where the pipeline arrived.
pub(crate) enum Arrival<'s> {
    Answer(&'s FastResponse),
    Model { model: &'s Model, choice: Choice },
}

impl Stop {
    pub(crate) fn new(reason: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { error: ApiError::new(status, message), reason }
    }
}

// === impl Router

impl Router {
    /// Routes one request by `snapshot`.
    pub fn route(self: &Arc<Self>, snapshot: &Arc<Snapshot>, input: RouteInput<'_>) -> Routed {
        let (request, view) = (input.request.request(), input.request.view());
        let evidence = Evidence::new(snapshot.atoms()).without_notes();
        let mut trace = self.blank_trace(snapshot, evidence, request, input.identity, input.request_id);
        trace.via = input.via;
        trace.outcome.streamed = request.stream();
        trace.stages.add(Stage::Parse, input.parse);
        let arrival = self.decide(snapshot, (view, input.read.as_ref()), &mut trace, snapshot.families());
        self.metrics().record_routing(snapshot, &trace, input.received.elapsed());
        if let Some(remote) = input.read.as_ref().and_then(|read| read.texts.remote_readings()) {
            self.metrics().record_remote(remote);
        }
        let mut exchange = Exchange::new(Arc::clone(self), Arc::clone(snapshot), trace, input.received);
        match arrival {
            Err(Stop { error, reason }) => Routed::Refusal(Box::new(Refusal { exchange, error, reason })),
            Ok(Arrival::Answer(answer)) => {
                let body = answer.render(request, input.answer_id, exchange.trace().at);
                Routed::Shortcut(Box::new(Shortcut { exchange, body, stream: request.stream() }))
            }
            Ok(Arrival::Model { model, choice }) => {
                match self.forward(
                    snapshot,
                    (request, input.answer_id, input.session),
                    (model, choice),
                    &mut exchange,
                ) {
                    Ok(Prepared { backend, body, context, losses }) => Routed::Forward(Box::new(Forward {
                        exchange,
                        backend,
                        body,
                        stream: request.stream(),
                        usage_injected: request.as_chat().is_some_and(injects_usage),
                        choices: request.choices(),
                        context,
                        losses,
                    })),
                    Err(Stop { error, reason }) => {
                        Routed::Refusal(Box::new(Refusal { exchange, error, reason }))
                    }
                }
            }
        }
    }

    /// Routes a request without sending it anywhere, and says why it would go where it would go.
    /// Every signal family is evaluated, whether a decision can see it or not; `read` is what
    /// [`Snapshot::full_reading`] gave.
    pub fn explain(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &ViewedRequest,
        identity: Identity,
        read: &Read,
    ) -> Explanation {
        let (request, view) = (request.request(), request.view());
        let evidence = Evidence::new(snapshot.atoms());
        let mut trace = self.blank_trace(snapshot, evidence, request, identity, RequestId::from("eval"));
        // Roles are asked for only where a decision can see them: without a user they refuse.
        let needs_roles = snapshot.families().contains(SignalFamily::Authz) || trace.identity.user.is_some();
        let families = if needs_roles { FamilySet::ALL } else { FamilySet::ALL.without(SignalFamily::Authz) };
        let refusal = match self.decide(snapshot, (view, Some(read)), &mut trace, families) {
            Ok(Arrival::Model { choice, .. }) => {
                trace.choice = Some(choice);
                None
            }
            Ok(Arrival::Answer(_)) => None,
            Err(stop) => Some(stop.error),
        };
        Explanation::new(snapshot, &trace, &view.evaluation_text(), refusal.as_ref())
    }

    pub(crate) fn blank_trace(
        &self,
        snapshot: &Snapshot,
        evidence: Evidence,
        request: &ClientRequest,
        identity: Identity,
        request_id: RequestId,
    ) -> Box<RouteTrace> {
        // Spaces around a name that asks to choose are not looked at, and are no other name for metrics either.
        let requested_model = request.model();
        let routed = snapshot.is_auto(requested_model);
        Box::new(RouteTrace {
            request_id,
            at: self.clock().now(),
            snapshot: Arc::clone(snapshot.hash()),
            identity,
            via: Via::default(),
            client_protocol: request.protocol().vendor(),
            upstream_protocol: None,
            requested_model: if routed { requested_model.trim() } else { requested_model }.into(),
            routed,
            atoms: Arc::clone(snapshot.atoms()),
            substituted_for: Arc::default(),
            evidence,
            verdict: Verdict::default(),
            choice: None,
            context_tokens: 0,
            context_bytes: 0,
            backend: None,
            upstream_model: None,
            stages: StageTimings::default(),
            outcome: Outcome::default(),
        })
    }

    /// Signals, projections, decision, selection.
    pub(crate) fn decide<'s>(
        &self,
        snapshot: &'s Snapshot,
        (view, read): (&RequestView<'_>, Option<&Read>),
        trace: &mut RouteTrace,
        families: FamilySet,
    ) -> Result<Arrival<'s>, Stop> {
        if let Some(read) = read {
            trace.stages.add(Stage::Reading, read.took);
            trace.substituted_for = Arc::clone(snapshot.substituted_for());
        }
        let pinned = if trace.routed { None } else { Some(pinned_model(snapshot, &trace.requested_model)?) };
        let started = Instant::now();
        trace.context_bytes = calibration_bytes(view);
        let input = SignalInput {
            request: view,
            identity: &trace.identity,
            tokens: self.calibration(),
            authz_fail_open: snapshot.config().global.services.authz.fail_open,
            readings: read.map(|read| &read.texts),
        };
        let summary = snapshot.signals().evaluate(&input, families, &mut trace.evidence);
        let signalled = Instant::now();
        trace.stages.add(Stage::Signals, signalled - started);
        trace.context_tokens = match summary {
            Ok(summary) => summary.context_tokens,
            Err(SignalRefusal::NoSubject) => {
                let message = "the caller's identity is required for this policy and nobody vouched for one";
                return Err(Stop::new("authz_denied", 403, message));
            }
        };
        let projections = snapshot.policy().evaluate_projections(&mut trace.evidence);
        let projected = Instant::now();
        trace.stages.add(Stage::Projections, projected - signalled);
        trace.verdict = snapshot.policy().decide(&trace.evidence, projections);
        let decided = Instant::now();
        trace.stages.add(Stage::Decision, decided - projected);
        let arrival = choose(snapshot, trace, pinned);
        trace.stages.add(Stage::Selection, decided.elapsed());
        arrival
    }

    /// Picks a backend and writes the body it gets.
    fn forward(
        &self,
        snapshot: &Snapshot,
        (request, answer_id, session): (&ClientRequest, &str, Option<&[u8]>),
        (model, choice): (&Model, Choice),
        exchange: &mut Exchange,
    ) -> Result<Prepared, Stop> {
        let started = Instant::now();
        let chosen = exchange.trace_mut();
        let name = choice.model.clone();
        let reasoning = choice.reasoning.clone();
        chosen.choice = Some(choice);
        let by_caller = model.resilience.policy == Policy::ConsistentHash;
        let caller = by_caller.then(|| balance::caller(session, &chosen.identity)).flatten();
        let Some(backend) = model.pick(Draw { point: self.next_point(), now: chosen.at, caller }) else {
            return Err(Stop::new(
                "no_backend",
                503,
                format!("model `{name}` has no backend that takes requests"),
            ));
        };
        chosen.backend = Some(Arc::clone(&backend.name));
        chosen.upstream_model = Some(backend.upstream_model.clone());
        let is_native = model.responses == ResponsesSupport::Native;
        let protocol = match model.api_format {
            ApiFormat::OpenAi if is_native && request.protocol() == Protocol::Responses => {
                Protocol::Responses
            }
            ApiFormat::OpenAi => Protocol::Chat,
            ApiFormat::Anthropic => Protocol::Messages,
        };
        chosen.upstream_protocol = Some(protocol.vendor());
        let mut target = Target::new(protocol, backend.upstream_model.as_str());
        let mut edits = Edits::default();
        edits.set_model(target.model);
        if backend.is_openai_service {
            target.limit_field = LimitField::MaxCompletionTokens;
        }
        if protocol == Protocol::Chat {
            if request.as_chat().is_some_and(injects_usage) {
                edits.include_usage();
            }
            if chosen.routed {
                reasoning::apply(&mut edits, request, model, backend, &reasoning);
            }
        } else if chosen.routed {
            target.effort = reasoning::effort(&reasoning);
        }
        target.signatures = Some(self.signatures());
        target.keeps_unknown_signatures = !chosen.routed || snapshot.has_one_signer();
        let outgoing = request
            .outgoing(&target, &edits)
            .map_err(|error| Stop { error: error.into(), reason: "untranslatable" })?;
        let context = request.answer_context(&target, answer_id, chosen.at.seconds());
        self.metrics().lost(context.client, context.upstream, &outgoing.losses);
        if let Some(loss) = outgoing.losses.refused_by(snapshot.loss_policy()) {
            return Err(Stop { error: losses::refusal(loss), reason: "lossy_translation" });
        }
        chosen.stages.add(Stage::Rewrite, started.elapsed());
        self.metrics().record_choice(snapshot, chosen);
        exchange.begin(&name, backend);
        let (body, losses) = (outgoing.body, outgoing.losses);
        Ok(Prepared { backend: Arc::clone(backend), body, context, losses })
    }
}

/// The bytes that the backend's token count can be held against; none where media parts, whose
/// tokens no bytes tell, are in the count.
fn calibration_bytes(view: &RequestView<'_>) -> u64 {
    let facts = &view.facts;
    if facts.images + facts.audios + facts.files == 0 { TokenCalibration::prompt_bytes(view) } else { 0 }
}

fn injects_usage(request: &ChatRequest) -> bool {
    request.stream() && request.include_usage() != Some(true)
}

/// The model a client named, if it may.
pub(crate) fn pinned_model<'s>(snapshot: &'s Snapshot, name: &str) -> Result<&'s Model, Stop> {
    let Some(model) = snapshot.models().find(name) else {
        return Err(Stop { error: ApiError::model_not_found(name), reason: "model_not_found" });
    };
    let allowed = match snapshot.config().global.router.explicit_models {
        ExplicitModels::Allow => true,
        ExplicitModels::Listed => snapshot.is_listed(&model.name),
        ExplicitModels::Deny => false,
    };
    if !allowed {
        let message = format!("model `{name}` may not be named directly; use `{}`", snapshot.auto_name());
        return Err(Stop::new("explicit_model_denied", 403, message));
    }
    Ok(model)
}

/// The model for the verdict, or for the client's own choice where policy permits it.
fn choose<'s>(
    snapshot: &'s Snapshot,
    trace: &RouteTrace,
    pinned: Option<&'s Model>,
) -> Result<Arrival<'s>, Stop> {
    let winner = trace.verdict.winner.as_ref();
    if let Some(answer) = winner.and_then(|winner| snapshot.fast_response(winner.index)) {
        return Ok(Arrival::Answer(answer));
    }
    if let Some(model) = pinned {
        if !snapshot.permits(model, &trace.evidence) {
            let message = format!("the caller's roles do not permit model `{}`", model.name);
            return Err(Stop::new("authz_denied", 403, message));
        }
        return Ok(Arrival::Model { model, choice: plain_choice(model, "pinned", None) });
    }
    if let Some(winner) = winner
        && let Some(pick) = snapshot.selection().choose(winner.index)
    {
        let reference = &snapshot.config().routing.decisions[winner.index].model_refs[pick.candidate];
        let name = reference.lora_name.as_deref().unwrap_or(&reference.model);
        if let Some(model) = snapshot.models().find(name) {
            let effort = reference
                .reasoning_effort
                .as_deref()
                .or(snapshot.config().providers.defaults.default_reasoning_effort.as_deref())
                .unwrap_or("medium");
            let is_on = reference.use_reasoning == Some(true) && model.reasoning.is_some();
            let reasoning = ReasoningChoice {
                mode: match (&model.reasoning, is_on) {
                    (None, _) => ReasoningMode::Untouched,
                    (Some(_), true) => ReasoningMode::On,
                    (Some(_), false) => ReasoningMode::Off,
                },
                effort: is_on.then(|| effort.into()),
            };
            let choice = Choice {
                scores: pick.scores,
                propensity: pick.propensity,
                reasoning,
                ..plain_choice(model, pick.method, Some(pick.candidate))
            };
            return Ok(Arrival::Model { model, choice });
        }
    }
    match snapshot.default_model() {
        Some(model) => Ok(Arrival::Model { model, choice: plain_choice(model, "default", None) }),
        None => Err(Stop::new(
            "no_model",
            503,
            "no decision matched and no default model is configured; set `providers.defaults.default_model`",
        )),
    }
}

pub(crate) fn plain_choice(model: &Model, method: &'static str, model_ref: Option<usize>) -> Choice {
    Choice {
        model: model.name.clone(),
        card: model.card.clone(),
        model_ref,
        method,
        scores: Vec::new(),
        propensity: 1.0,
        reasoning: ReasoningChoice::default(),
    }
}
