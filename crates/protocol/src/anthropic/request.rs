//! A client's Messages request: its bytes, and the conversation in it.

use bytes::Bytes;
use vsr_types::RequestView;

use super::read;
use crate::conversation::Conversation;
use crate::envelope::RequestLimits;
use crate::error::RequestError;
use crate::json::{Document, Value};

/// An Anthropic Messages request.
///
/// The bytes are kept as a [`ChatRequest`](crate::ChatRequest) keeps them: keys written with
/// escapes are in plain form, everything else is as the client sent it.
#[derive(Debug, Clone)]
pub struct MessagesRequest {
    document: Document,
    conversation: Conversation,
}

// === impl MessagesRequest

impl MessagesRequest {
    /// Reads a request body, of `/v1/messages` or of `/v1/messages/count_tokens`.
    ///
    /// # Errors
    ///
    /// Every error is the client's: the body is not acceptable JSON, a field that routing
    /// reads is missing or of a wrong type, or the conversation is said to be held by a server.
    pub fn parse(body: Bytes, limits: &RequestLimits) -> Result<Self, RequestError> {
        let document = Document::parse(body, &limits.json)?.with_plain_keys(&limits.json)?;
        // Each turn may go to another model, so no provider may keep what it builds on.
        if document.root().get("thread").is_some_and(|thread| !thread.is_null()) {
            return Err(RequestError::Thread);
        }
        let conversation = read::conversation(&document, limits.max_items)?;
        Ok(Self { document, conversation })
    }

    /// The body to send if nothing is edited.
    pub fn body(&self) -> &Bytes {
        self.document.bytes()
    }

    /// The body as a document.
    pub fn root(&self) -> Value<'_> {
        self.document.root()
    }

    /// What it says.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// What signals read of it.
    pub fn view(&self) -> RequestView<'_> {
        self.conversation.view()
    }
}
