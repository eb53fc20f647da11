//! An MCP server that is reached over HTTP: each message a POST, each answer JSON or a stream of events.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use vsr_protocol::sse::Decoder;
use vsr_upstream::{Client, Response};

use super::rpc::{self, Incoming};
use crate::{
    endpoint::{ANSWER_BYTES, Server},
    error::CallError,
};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The way to a server.
#[derive(Debug)]
pub(super) struct Channel {
    client: Client,
    server: Arc<Server>,
    /// The session that the server gave, and the revision agreed on.
    headers: RefCell<HeaderMap>,
    next_id: Cell<u64>,
    is_alive: Cell<bool>,
}

// === impl Channel

impl Channel {
    pub(super) fn new(client: Client, server: Arc<Server>) -> Self {
        Self { client, server, headers: RefCell::default(), next_id: Cell::new(1), is_alive: Cell::new(true) }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.is_alive.get()
    }

    /// Says the revision with every further message.
    pub(super) fn agree(&self, revision: &str) -> Result<(), CallError> {
        let value = HeaderValue::from_str(revision);
        let value = value.map_err(|_| CallError::Protocol("the server names no revision of MCP"))?;
        self.headers.borrow_mut().insert(REVISION, value);
        Ok(())
    }

    pub(super) async fn request(
        &self,
        method: &str,
        params: &Value,
        until: Instant,
    ) -> Result<Value, CallError> {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let response = self.post(rpc::request(id, method, params), until).await?;
        if let Some(session) = response.headers.get(SESSION) {
            let mut session = session.clone();
            session.set_sensitive(true);
            self.headers.borrow_mut().insert(SESSION, session);
        }
        let kind = response.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_stream = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"));
        let result = match is_stream {
            true => self.streamed(response, id, until).await?,
            false => {
                let body = response.body.collect(ANSWER_BYTES).await?;
                find(rpc::parse(&body), id).ok_or(CallError::Protocol("the answer is no JSON-RPC"))?
            }
        };
        result.map_err(|_| CallError::Refused("the server refuses the call"))
    }

    pub(super) async fn notify(&self, method: &str, until: Instant) -> Result<(), CallError> {
        let response = self.post(rpc::notification(method, &json!({})), until).await?;
        response.body.collect(ANSWER_BYTES).await?;
        Ok(())
    }

    async fn post(&self, body: Vec<u8>, until: Instant) -> Result<Response, CallError> {
        let limit = until.saturating_duration_since(Instant::now());
        let headers = self.headers.borrow().clone();
        let has_session = headers.contains_key(SESSION);
        let response = self.server.post(&self.client, headers, Bytes::from(body), limit).await;
        // A server that was started anew knows no session of before.
        if has_session && matches!(response, Err(CallError::Status(400 | 404))) {
            self.is_alive.set(false);
            return Err(CallError::Transport("the server has forgotten the session".to_owned()));
        }
        response
    }

    /// The answer among the events of a stream. What the server asks meanwhile is answered.
    async fn streamed(
        &self,
        response: Response,
        id: u64,
        until: Instant,
    ) -> Result<Result<Value, i64>, CallError> {
        let mut body = response.body;
        let mut decoder = Decoder::new(ANSWER_BYTES);
        let mut left = ANSWER_BYTES;
        let too_long = || CallError::Protocol("the answer is longer than accepted");
        while let Some(chunk) = body.frame().await.transpose()? {
            left = left.checked_sub(chunk.len()).ok_or_else(too_long)?;
            decoder.push(chunk);
            while let Some(frame) = decoder.next_frame().map_err(|_| too_long())? {
                let Some(data) = frame.event().data else { continue };
                let messages = rpc::parse(&data);
                for message in &messages {
                    if let Incoming::Request { id, is_ping } = message {
                        Box::pin(self.post(rpc::answer(id, *is_ping), until)).await?;
                    }
                }
                if let Some(result) = find(messages, id) {
                    return Ok(result);
                }
            }
        }
        Err(CallError::Protocol("the stream ends without the answer"))
    }
}

fn find(messages: Vec<Incoming>, id: u64) -> Option<Result<Value, i64>> {
    messages.into_iter().find_map(|message| match message {
        Incoming::Response { id: of, result } if of == id => Some(result),
        _ => None,
    })
}
