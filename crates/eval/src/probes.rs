//! Probes: requests with the decision that each is expected to reach.

use bytes::Bytes;
use serde_json::{Value, json};
use vsr_config::{Node, Span, parse_tree};
use vsr_protocol::{ClientRequest, Protocol, RequestLimits};

use crate::EvalError;

/// A file of probes.
#[derive(Debug, Clone, Default)]
pub struct Probes {
    /// All of them, in the order of the file.
    pub list: Vec<Probe>,
}

/// A request with the decision it is expected to reach.
#[derive(Debug, Clone)]
pub struct Probe {
    /// `decision/variant`.
    pub id: String,
    /// The decision; empty if none is to match.
    pub expected_decision: String,
    /// Its place among the probes of its decision, from 0.
    pub place: usize,
    /// The request.
    pub request: ClientRequest,
}

// === impl Probes

impl Probes {
    /// Reads a file of the public release's form: `decisions[].{id, expected_decision, variants[].{id, query or messages}}`.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(text: &str) -> Result<Self, EvalError> {
        let root = parse_tree(text).map_err(|errors| {
            let first = errors.into_iter().next();
            let (span, message) = first
                .map_or((Span { line: 1, column: 1 }, String::new()), |error| (error.span, error.message));
            problem(span, message)
        })?;
        let mut list = Vec::new();
        let decisions = root.get("decisions").and_then(Node::items);
        for decision in decisions.ok_or_else(|| problem(root.span, "no list `decisions`"))? {
            let text = |key: &str| decision.get(key).and_then(Node::text);
            let id = text("id").or(text("expected_decision")).unwrap_or_default().to_owned();
            let expected = text("expected_decision")
                .ok_or_else(|| problem(decision.span, format!("`{id}` has no `expected_decision`")))?;
            let variants = decision.get("variants").and_then(Node::items);
            let variants =
                variants.ok_or_else(|| problem(decision.span, format!("`{id}` has no `variants`")))?;
            for (place, variant) in variants.iter().enumerate() {
                let name =
                    variant.get("id").and_then(Node::text).map_or_else(|| place.to_string(), str::to_owned);
                let id = format!("{id}/{name}");
                let request = request(variant, &id)?;
                list.push(Probe { id, expected_decision: expected.to_owned(), place, request });
            }
        }
        if list.is_empty() {
            return Err(problem(root.span, "there are no probes"));
        }
        Ok(Self { list })
    }
}

fn problem(span: Span, message: impl Into<String>) -> EvalError {
    EvalError::Probes { line: span.line, column: span.column, message: message.into() }
}

fn request(variant: &Node, id: &str) -> Result<ClientRequest, EvalError> {
    let messages: Vec<Value> = match (variant.get("messages"), variant.get("query").and_then(Node::text)) {
        (Some(messages), _) => {
            let items = messages.items().unwrap_or_default().iter();
            let text = |message: &Node, key: &str| {
                message.get(key).and_then(Node::text).unwrap_or_default().to_owned()
            };
            items.map(|it| json!({ "role": text(it, "role"), "content": text(it, "content") })).collect()
        }
        (None, Some(query)) => vec![json!({ "role": "user", "content": query })],
        (None, None) => {
            return Err(problem(variant.span, format!("`{id}` has neither `query` nor `messages`")));
        }
    };
    let body = json!({ "model": "auto", "messages": messages }).to_string();
    ClientRequest::parse(Protocol::Chat, Bytes::from(body), &RequestLimits::default())
        .map_err(|error| EvalError::Request { probe: id.to_owned(), reason: error.to_string() })
}
