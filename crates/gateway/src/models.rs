//! `GET /v1/models`: the router itself, and the models that may be named.

use bytes::Bytes;
use http::HeaderMap;
use vsr_config::ExplicitModels;
use vsr_protocol::{ModelEntry, Protocol, anthropic, model_list};
use vsr_router::Snapshot;

const OWNER: &str = "vllm-semantic-router";
const AUTO_DESCRIPTION: &str = "Intelligent Router for Mixture-of-Models";

/// Whose shape the descriptions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    OpenAi,
    Anthropic,
}

// === impl Shape ===

impl Shape {
    /// Clients of Anthropic always send their protocol's version.
    pub(crate) fn wanted_by(headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") { Self::Anthropic } else { Self::OpenAi }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::OpenAi => Protocol::Chat,
            Self::Anthropic => Protocol::Messages,
        }
    }

    fn body_of(self, entry: &ModelEntry) -> Bytes {
        match self {
            Self::OpenAi => entry.to_body(),
            Self::Anthropic => anthropic::model_body(entry),
        }
    }
}

/// The list: the name that routes first, then the models if the configuration wants them listed.
pub(crate) fn list(snapshot: &Snapshot, created_seconds: u64, shape: Shape) -> Bytes {
    let mut entries = vec![auto_entry(snapshot.auto_name(), created_seconds)];
    if snapshot.config().global.router.include_config_models_in_list {
        entries.extend(card_names(snapshot).into_iter().map(|name| model_entry(name, created_seconds)));
    }
    match shape {
        Shape::OpenAi => model_list(&entries),
        Shape::Anthropic => anthropic::model_list(&entries),
    }
}

/// The description of one model, if a client may know of it: it is listed, or may be named.
pub(crate) fn describe(snapshot: &Snapshot, name: &str, created_seconds: u64, shape: Shape) -> Option<Bytes> {
    if snapshot.is_auto(name) {
        return Some(shape.body_of(&auto_entry(name, created_seconds)));
    }
    let router = &snapshot.config().global.router;
    let is_listed = || router.include_config_models_in_list && card_names(snapshot).contains(&name);
    let may_be_named =
        router.explicit_models == ExplicitModels::Allow && snapshot.models().find(name).is_some();
    (may_be_named || is_listed()).then(|| shape.body_of(&model_entry(name, created_seconds)))
}

fn card_names(snapshot: &Snapshot) -> Vec<&str> {
    let cards = &snapshot.config().routing.model_cards;
    let mut names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn auto_entry(name: &str, created_seconds: u64) -> ModelEntry {
    ModelEntry { description: Some(AUTO_DESCRIPTION.to_owned()), ..model_entry(name, created_seconds) }
}

fn model_entry(name: &str, created_seconds: u64) -> ModelEntry {
    ModelEntry {
        id: name.to_owned(),
        owned_by: OWNER.to_owned(),
        created_seconds,
        description: None,
        logo_url: None,
    }
}
