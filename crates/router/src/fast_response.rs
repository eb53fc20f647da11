//! The `fast_response` plugin: an answer without a model.

use std::sync::Arc;

use bytes::Bytes;
use vsr_config::{Decision, Plugin};
use vsr_protocol::{ChatRequest, openai_chat::Completion};
use vsr_types::{RequestId, Timestamp};

/// The text that a decision answers with.
#[derive(Debug, Clone)]
pub(crate) struct FastResponse(Arc<str>);

// === impl FastResponse

impl FastResponse {
    /// The answer of `decision`, if it has the plugin.
    pub(crate) fn of(decision: &Decision) -> Option<Self> {
        decision.plugins.iter().find_map(|plugin| match plugin {
            Plugin::FastResponse(plugin) => Some(Self(plugin.message.as_str().into())),
            _ => None,
        })
    }

    /// The answer to `request`, streamed if it asks for that.
    pub(crate) fn render(&self, request: &ChatRequest, id: &RequestId, at: Timestamp) -> Bytes {
        let id = format!("chatcmpl-{id}");
        let completion =
            Completion { id: &id, model: request.model(), created_seconds: at.seconds(), content: &self.0 };
        if request.stream() {
            completion.to_events(request.include_usage() == Some(true))
        } else {
            completion.to_body()
        }
    }
}
