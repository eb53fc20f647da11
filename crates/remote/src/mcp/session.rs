//! A session with an MCP server over either transport: the handshake, which tool to call, and a call.

use std::{cell::Cell, sync::Arc, time::Instant};

use serde_json::{Map, Value, json};
use vsr_signals::external::{
    UnreadableAnswer,
    tool::{self, ToolClass},
};

use super::{Classes, http::Channel, rpc::REVISION, stdio::Pipe};
use crate::error::CallError;

/// The tool that lists the categories.
const CATEGORIES_TOOL: &str = "list_categories";
/// Names of classifiers, the likeliest first.
const CLASSIFIER_NAMES: [&str; 4] = ["classify_text", "classify", "categorize", "categorize_text"];
/// The pages of a list of tools that are read.
const MOST_PAGES: usize = 16;
/// How far probabilities may be from a sum of 1: servers round.
const SLACK: f64 = 0.02;
/// The calls in a row without an answer after which a session counts as hanging.
const MOST_LATE: u32 = 3;

/// How messages go to and fro.
#[derive(Debug)]
pub(super) enum Link {
    Pipe(Pipe),
    Channel(Channel),
}

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    tool: String,
    categories: Vec<Arc<str>>,
    late: Cell<u32>,
    has_answered: Cell<bool>,
}

// === impl Link

impl Link {
    pub(super) async fn request(
        &self,
        method: &str,
        params: &Value,
        until: Instant,
    ) -> Result<Value, CallError> {
        match self {
            Self::Pipe(pipe) => pipe.request(method, params, until).await,
            Self::Channel(channel) => channel.request(method, params, until).await,
        }
    }

    async fn notify(&self, method: &str, until: Instant) -> Result<(), CallError> {
        match self {
            Self::Pipe(pipe) => pipe.notify(method),
            Self::Channel(channel) => channel.notify(method, until).await,
        }
    }

    fn is_alive(&self) -> bool {
        match self {
            Self::Pipe(pipe) => pipe.is_alive(),
            Self::Channel(channel) => channel.is_alive(),
        }
    }
}

// === impl Session

impl Session {
    /// Shakes hands and finds the tools.
    pub(super) async fn open(link: Link, tool: Option<&str>, until: Instant) -> Result<Self, CallError> {
        let hello = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": { "name": "vllm-sr", "version": env!("CARGO_PKG_VERSION") },
        });
        let server = link.request("initialize", &hello, until).await?;
        let Some(revision) = server.get("protocolVersion").and_then(Value::as_str) else {
            return Err(CallError::Protocol("the server does not shake hands as MCP prescribes"));
        };
        if let Link::Channel(channel) = &link {
            channel.agree(revision)?;
        }
        link.notify("notifications/initialized", until).await?;
        let tools = list_tools(&link, until).await?;
        let tool = match tool {
            Some(tool) if tools.iter().any(|known| known == tool) => tool.to_owned(),
            Some(_) => return Err(CallError::Protocol("the server has no tool of the configured name")),
            None => likeliest(&tools)
                .ok_or(CallError::Protocol("the server has no tool that classifies; set `tool_name`"))?,
        };
        let mut categories = Vec::new();
        if tools.iter().any(|tool| tool == CATEGORIES_TOOL) {
            let listed = call_tool(&link, CATEGORIES_TOOL, Map::new(), until).await?;
            categories = tool::parse_categories(&listed)?.into_iter().map(Arc::from).collect();
        }
        Ok(Self { link, tool, categories, late: Cell::new(0), has_answered: Cell::new(false) })
    }

    /// Whether the session can be asked on.
    pub(super) fn is_alive(&self) -> bool {
        self.link.is_alive() && self.late.get() < MOST_LATE
    }

    /// Whether it was of any use.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered.get()
    }

    pub(super) async fn classify(&self, text: &str, until: Instant) -> Result<Classes, CallError> {
        let said = call_tool(&self.link, &self.tool, tool::arguments(text, true), until).await;
        self.late.set(if matches!(said, Err(CallError::Late)) { self.late.get() + 1 } else { 0 });
        let said = said?;
        self.has_answered.set(true);
        Ok(self.classes(&said)?)
    }

    /// All classes where the tool gives every probability, else the one that it names.
    fn classes(&self, said: &str) -> Result<Classes, UnreadableAnswer> {
        let unreadable = UnreadableAnswer { parser: "mcp" };
        let answer = tool::parse(said)?;
        let sum: f64 = answer.probabilities.iter().sum();
        if !answer.probabilities.is_empty() && answer.probabilities.len() == self.categories.len() {
            let is_distribution = (sum - 1.0).abs() <= SLACK;
            let classes = self.categories.iter().cloned().zip(answer.probabilities);
            return is_distribution.then(|| classes.collect()).ok_or(unreadable);
        }
        let name = match answer.class {
            ToolClass::Name(name) => name.into(),
            ToolClass::Index(index) => self.categories.get(index).cloned().ok_or(unreadable)?,
        };
        Ok(vec![(name, answer.confidence)])
    }
}

async fn list_tools(link: &Link, until: Instant) -> Result<Vec<String>, CallError> {
    let mut names = Vec::new();
    let mut params = json!({});
    for _ in 0..MOST_PAGES {
        let page = link.request("tools/list", &params, until).await?;
        let Some(tools) = page.get("tools").and_then(Value::as_array) else {
            return Err(CallError::Protocol("the server does not list its tools"));
        };
        names.extend(tools.iter().filter_map(|tool| Some(tool.get("name")?.as_str()?.to_owned())));
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => break,
        }
    }
    Ok(names)
}

/// A classifier by its name, or the only tool there is.
fn likeliest(tools: &[String]) -> Option<String> {
    let named = CLASSIFIER_NAMES.iter().find(|name| tools.iter().any(|tool| tool == *name));
    if let Some(name) = named {
        return Some((*name).to_owned());
    }
    let mut others = tools.iter().filter(|tool| *tool != CATEGORIES_TOOL);
    let only = others.next()?;
    others.next().is_none().then(|| only.clone())
}

/// The text of a tool's result.
async fn call_tool(
    link: &Link,
    name: &str,
    arguments: Map<String, Value>,
    until: Instant,
) -> Result<String, CallError> {
    let result = link.request("tools/call", &json!({ "name": name, "arguments": arguments }), until).await?;
    if result.get("isError").and_then(Value::as_bool) == Some(true) {
        return Err(CallError::Refused("the tool reports an error"));
    }
    if let Some(structured @ Value::Object(_)) = result.get("structuredContent") {
        return Ok(structured.to_string());
    }
    let content = result.get("content").and_then(Value::as_array);
    let content = content.ok_or(CallError::Protocol("the tool's result has no content"))?;
    let texts = content.iter().filter_map(|part| part.get("text")?.as_str());
    Ok(texts.collect::<Vec<_>>().join("\n"))
}
