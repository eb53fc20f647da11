//! `POST /api/v1/eval`: how a request would be routed, without sending it anywhere.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vsr_protocol::{ChatRequest, ClientRequest, RequestLimits, ViewedRequest};
use vsr_router::{Explanation, Router};
use vsr_types::{Identity, IdentitySource};
use vsr_upstream::Client;

use crate::ApiFailure;

/// What is to be evaluated: a text, or messages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalRequest {
    /// A single user prompt.
    #[serde(default)]
    pub text: Option<String>,
    /// A conversation, in the shape of chat completions.
    #[serde(default)]
    pub messages: Option<Vec<Value>>,
    /// Tools the client declares.
    #[serde(default)]
    pub tools: Option<Vec<Value>>,
    /// The model the client names; `auto` if absent.
    #[serde(default)]
    pub model: Option<String>,
    /// Who is assumed to ask.
    #[serde(default)]
    pub identity: EvalIdentity,
    /// The release's options: every signal is always evaluated and traced, so that they change nothing.
    #[serde(default)]
    pub options: Option<Value>,
    /// The same, where some clients put it.
    #[serde(default)]
    pub evaluate_all_signals: Option<bool>,
}

/// Who is assumed to ask.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalIdentity {
    /// The user.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// The answer: the explanation.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct EvalResponse(pub Box<Explanation>);

// === impl EvalRequest

impl EvalRequest {
    /// Evaluates against the router's current snapshot.
    ///
    /// # Errors
    /// If there is neither text nor a conversation that could be sent.
    pub async fn evaluate(self, router: &Arc<Router>) -> Result<EvalResponse, ApiFailure> {
        let identity = Identity {
            user: self.identity.user.as_deref().map(Into::into),
            groups: self.identity.groups.iter().map(|group| group.as_str().into()).collect(),
            source: IdentitySource::Operator,
            ..Identity::default()
        };
        let request = ClientRequest::Chat(Box::new(self.into_chat_request()?));
        let request = ViewedRequest::new(request);
        let snapshot = router.snapshot();
        // Evaluations are rare: their connections to models served elsewhere need not be kept.
        let client = Client::new(snapshot.client_config());
        let read = Box::pin(snapshot.full_reading(&request).run(&client)).await;
        Ok(EvalResponse(Box::new(router.explain(&snapshot, &request, identity, &read))))
    }

    fn into_chat_request(self) -> Result<ChatRequest, ApiFailure> {
        let messages = match (self.text, self.messages) {
            (_, Some(messages)) if !messages.is_empty() => messages,
            (Some(text), _) if !text.trim().is_empty() => vec![json!({ "role": "user", "content": text })],
            _ => return Err(ApiFailure::invalid("give `text`, or `messages` that are not empty")),
        };
        let mut body = json!({
            "model": self.model.as_deref().unwrap_or("auto"),
            "messages": messages,
        });
        if let Some(tools) = self.tools {
            body["tools"] = tools.into();
        }
        ChatRequest::parse(Bytes::from(body.to_string()), &RequestLimits::default())
            .map_err(|error| ApiFailure::invalid(error.to_string()))
    }
}
