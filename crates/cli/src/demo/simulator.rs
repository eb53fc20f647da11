//! A simulated model: answers chat completions with words of its own, streamed or not.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures_util::stream;
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vsr_types::{Clock, SystemClock};

/// A simulated model, bound to a loopback port of the system's choice.
pub(crate) struct Simulator {
    listener: TcpListener,
    model: Model,
}

#[derive(Clone, Copy)]
struct Model {
    name: &'static str,
    first_token: Duration,
    per_token: Duration,
}

// === impl Simulator

impl Simulator {
    /// A model that answers after `first_token` and then speaks a word every `per_token`.
    ///
    /// # Errors
    /// If no loopback port can be bound.
    pub(crate) async fn bind(
        name: &'static str,
        first_token: Duration,
        per_token: Duration,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self { listener, model: Model { name, first_token, per_token } })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not know it.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// If the listener fails.
    pub(crate) async fn serve(self) -> io::Result<()> {
        let routes = Router::new().route("/v1/chat/completions", post(complete)).with_state(self.model);
        axum::serve(self.listener, routes).await
    }
}

/// The words of one answer, and what they cost.
struct Answer {
    id: String,
    created: u64,
    model: String,
    words: Vec<String>,
    prompt_tokens: u64,
}

// === impl Answer

impl Answer {
    fn new(model: Model, request: &Value) -> Self {
        let texts: Vec<String> = request["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|message| match &message["content"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect();
        let asked: String = texts.last().map(|text| text.chars().take(60).collect()).unwrap_or_default();
        let reply = format!(
            "This is the simulated model `{}`. You wrote: {asked:?}. A real backend would answer here.",
            model.name
        );
        let now = SystemClock.now();
        Self {
            id: format!("chatcmpl-sim-{}", now.0),
            created: now.seconds(),
            model: request["model"].as_str().unwrap_or(model.name).to_owned(),
            words: reply.split_inclusive(' ').map(str::to_owned).collect(),
            prompt_tokens: texts.iter().map(|text| text.len() as u64 / 4 + 4).sum(),
        }
    }

    fn usage(&self) -> Value {
        let completion_tokens = self.words.len() as u64;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        })
    }

    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": self.words.concat() },
                "finish_reason": "stop",
            }],
            "usage": self.usage(),
        })
    }

    fn chunk(&self, choices: &Value, usage: Option<Value>) -> String {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    }

    /// The events of a streamed answer, one word each.
    fn events(&self, include_usage: bool) -> Vec<String> {
        let choice = |delta: Value, finish: Option<&str>| {
            self.chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), None)
        };
        let mut events = vec![choice(json!({ "role": "assistant", "content": "" }), None)];
        events.extend(self.words.iter().map(|word| choice(json!({ "content": word }), None)));
        events.push(choice(json!({}), Some("stop")));
        if include_usage {
            events.push(self.chunk(&json!([]), Some(self.usage())));
        }
        events.push("data: [DONE]\n\n".into());
        events
    }
}

async fn complete(State(model): State<Model>, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let answer = Answer::new(model, &request);
    tokio::time::sleep(model.first_token).await;
    if request["stream"] != true {
        tokio::time::sleep(model.per_token * u32::try_from(answer.words.len()).unwrap_or(1)).await;
        return Json(answer.body()).into_response();
    }
    let include_usage = request["stream_options"]["include_usage"] == true;
    let events = answer.events(include_usage).into_iter();
    let paced = stream::unfold(events, move |mut events| async move {
        let event = events.next()?;
        tokio::time::sleep(model.per_token).await;
        Some((Ok::<_, Infallible>(Bytes::from(event)), events))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced)).into_response()
}
