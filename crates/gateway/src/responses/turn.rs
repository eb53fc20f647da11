//! One turn on its way: what is known of it before its answer, and how the answer is told and kept.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use vsr_protocol::{
    Edits, Losses, Protocol, Reason, RequestError, RequestLimits,
    json::{Document, Kind, Value},
    openai_responses::ResponsesRequest,
};
use vsr_responses::{
    Kept, Owner, Progress, Record, ResponseId, Responses, Upstream, is_self_contained, unnamed,
};
use vsr_router::Forward;

/// A turn whose answer is stored, or that goes on from one that is.
pub(crate) struct Turn {
    pub(crate) responses: Arc<Responses>,
    pub(crate) owner: Owner,
    pub(crate) id: ResponseId,
    /// The response that the client continues.
    pub(crate) previous: Option<String>,
    /// The conversation that it belongs to.
    pub(crate) conversation: Option<String>,
    /// Whether the client wants the response kept.
    pub(crate) stores: bool,
    /// The client's own items.
    pub(crate) input: Arc<Vec<String>>,
    /// The same for a backend that keeps some of them to itself.
    pub(crate) referring: Option<Referring>,
    /// The turns before it, the newest first.
    pub(crate) chain: Vec<String>,
    pub(crate) depth: u32,
    /// Where the turn before it is kept upstream.
    pub(crate) before: Option<Upstream>,
    /// Whether parts of the earlier turns are left out: the oldest, or those that only their upstream can read.
    pub(crate) is_shortened: bool,
    pub(crate) has_sealed_parts: bool,
    /// Where this one goes, if it is a backend that speaks Responses.
    pub(crate) native: Option<Native>,
    pub(crate) created_seconds: u64,
}

/// A backend that speaks Responses.
pub(crate) struct Native {
    backend: String,
    model: String,
    /// Whether it was told of the earlier turns by the id that it gave the last of them.
    is_mapped: bool,
}

/// A client's items of which some are only named, for the backend that knows them.
pub(crate) struct Referring {
    pub(crate) backend: String,
    pub(crate) model: String,
    pub(crate) items: Vec<String>,
}

/// How a backend is told of the earlier turns.
#[derive(Default)]
pub(crate) struct Earlier {
    /// The body that refers to them by the backend's own id, where it may still know it.
    pub(crate) shorter: Option<Bytes>,
    /// What of them is left out.
    pub(crate) lost: Losses,
}

// === impl Turn ===

impl Turn {
    /// Notes where the turn goes, and says how the earlier ones go with it. Where they cannot be said anew, because the same backend keeps a part of
    /// them to itself, gives the body that refers to them by the backend's own id.
    pub(crate) fn sent_to(&mut self, forward: &Forward) -> Earlier {
        let shorter = self.mapped(forward);
        let mut lost = Losses::default();
        if self.is_shortened || self.has_sealed_parts && shorter.is_none() {
            lost.add(Reason::HistoryLeftOut, "input");
        }
        Earlier { shorter, lost }
    }

    fn mapped(&mut self, forward: &Forward) -> Option<Bytes> {
        if forward.context.upstream != Protocol::Responses {
            return None;
        }
        let (backend, model) = (&*forward.backend.name, forward.backend.upstream_model.as_str());
        let known = self
            .before
            .as_ref()
            .filter(|before| !before.is_portable && before.backend == backend && before.model == model);
        let with = |own: &[String], before: Option<&str>| {
            let document = Document::parse_tolerant(forward.body.clone())?;
            let mut edits = Edits::default();
            edits.set_json(&["input"], format!("[{}]", own.join(",")));
            if let Some(before) = before {
                edits.set(&["previous_response_id"], &json!(before));
            }
            Some(edits.apply_to_document(&document))
        };
        let mapped = known.and_then(|before| {
            let own: Vec<String> = self.input.iter().map(|item| unnamed(item)).collect();
            with(&own, Some(&before.id))
        });
        let is_mapped = mapped.is_some();
        let referring = self.referring.as_ref().filter(|own| own.backend == backend && own.model == model);
        let shorter = mapped.or_else(|| with(&referring?.items, None));
        self.native = Some(Native { backend: backend.to_owned(), model: model.to_owned(), is_mapped });
        shorter
    }

    /// Whether anything of the answer is kept.
    pub(crate) fn keeps(&self) -> bool {
        self.stores || self.conversation.is_some()
    }

    /// Whether a later turn can go on from what `output`, a response's, says.
    pub(crate) fn can_go_on_from(&self, output: Option<Value<'_>>) -> bool {
        let Some(output) = output.filter(|_| self.native.is_some()) else { return true };
        if output.kind() != Kind::Array {
            return false;
        }
        let said = output.items().map(|item| item.raw().to_owned()).collect::<Vec<_>>();
        said.iter().all(|item| item.starts_with('{')) && check_items(&said).is_ok()
    }

    /// What the response object under `path` says of the service.
    pub(crate) fn edits(&self, path: &[&str], is_stored: bool) -> Edits {
        let mut edits = Edits::default();
        let mut set = |key, value: serde_json::Value| {
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            edits.set(&path, &value);
        };
        set("id", json!(self.id.id()));
        set("previous_response_id", json!(self.previous));
        set("conversation", json!(self.conversation.as_ref().map(|id| json!({"id": id}))));
        set("store", json!(is_stored));
        edits
    }

    /// Begins to tell of a response that is being made, as `response` says it stands.
    pub(crate) fn begin(&self, response: Value<'_>) -> Option<Progress> {
        let response = Document::parse_tolerant(Bytes::from(response.raw().to_owned()))?;
        let body = self.edits(&[], true).apply_to_document(&response);
        let body = String::from_utf8(body.to_vec()).ok()?;
        Some(self.responses.begin(&self.owner, &self.id.id(), Arc::clone(&self.input), body))
    }

    /// The turn with its response, ready to be kept. `upstream_id` is the id that the backend gave it, if the backend
    /// keeps it as well.
    pub(crate) fn kept(&self, body: String, upstream_id: Option<String>, progress: Option<Progress>) -> Kept {
        let upstream = self.native.as_ref().zip(upstream_id).map(|(native, id)| {
            let bound = native.is_mapped && self.before.as_ref().is_some_and(|before| !before.is_portable);
            Upstream {
                backend: native.backend.clone(),
                model: native.model.clone(),
                id,
                is_portable: !bound && can_be_said_anew(&body),
            }
        });
        let mut record = Record {
            previous: self.chain.first().cloned(),
            conversation: self.conversation.clone(),
            depth: self.depth,
            created_seconds: self.created_seconds,
            input: self.input.as_ref().clone(),
            body: Some(body),
            kept_output: Vec::new(),
            upstream,
        };
        if !self.stores {
            // The conversation goes on, but nobody can ask for the response.
            record.kept_output = record.output().unwrap_or_default();
            record.body = None;
        }
        Kept { owner: self.owner.clone(), id: self.id.id(), record, chain: self.chain.clone(), progress }
    }
}

/// Whether `items` can be part of a request.
pub(crate) fn check_items(items: &[String]) -> Result<(), RequestError> {
    const BEFORE: &str = r#"{"model":"m","input":"x"}"#;
    if items.is_empty() {
        return Ok(());
    }
    let limits = RequestLimits::default();
    ResponsesRequest::parse(Bytes::from_static(BEFORE.as_bytes()), &limits)?
        .with_input(items, &limits)
        .map(drop)
}

/// The id under which a backend keeps a response; none if it does not.
pub(crate) fn upstream_id(response: Value<'_>) -> Option<String> {
    let is_kept = response.get("store").and_then(Value::as_bool) != Some(false);
    response.get("id").and_then(Value::as_str).filter(|_| is_kept).map(|id| id.into_owned())
}

fn can_be_said_anew(body: &str) -> bool {
    let Some(document) = Document::parse_tolerant(Bytes::from(body.to_owned())) else { return false };
    let output = document.root().get("output").filter(|output| output.kind() == Kind::Array);
    output.is_some_and(|output| output.items().all(|item| is_self_contained(item.raw())))
}
