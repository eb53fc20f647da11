//! The `fast_response` plugin: an answer without a model.

use std::sync::Arc;

use bytes::Bytes;
use vsr_config::{Decision, Plugin};
use vsr_protocol::{ClientRequest, own_answer};
use vsr_types::Timestamp;

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

    /// The answer to `request` in its own protocol, streamed if it asks for that.
    pub(crate) fn render(&self, request: &ClientRequest, id: &str, at: Timestamp) -> Bytes {
        own_answer(request, id, at.seconds(), &self.0)
    }
}
