//! OpenClaw's file: the models it knows, and the same file with the router in front of them.

use std::{collections::HashMap, ops::Range};

use super::ImportedModel;
use crate::node::{Node, Span, Value, parse};

/// An OpenClaw configuration (JSON).
pub struct OpenClaw {
    text: String,
    root: Node,
    models: Vec<Model>,
}

/// A model of a provider.
struct Model {
    provider: String,
    imported: ImportedModel,
}

/// The file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct OpenClawError {
    /// The line, from one.
    pub line: u32,
    /// The column, from one, in characters.
    pub column: u32,
    /// What is wrong, and what to do.
    pub message: String,
}

// === impl OpenClaw

impl OpenClaw {
    /// Reads the models under `models.providers` whose API is OpenAI's.
    ///
    /// # Errors
    /// If the text is no JSON, a provider speaks another protocol or has no address, or a model's id is
    /// missing or there twice.
    pub fn read(text: &str) -> Result<Self, OpenClawError> {
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            let span = Span { line: error.line() as u32, column: error.column() as u32 };
            return Err(wrong(span, "not JSON here; comments and trailing commas are not read"));
        }
        let root = parse(text).map_err(|errors| match errors.into_iter().next() {
            Some(error) => wrong(error.span, error.message),
            None => wrong(Span { line: 1, column: 1 }, "not JSON"),
        })?;
        let providers = root.get("models").and_then(|models| models.get("providers"));
        let providers = providers.and_then(Node::entries).unwrap_or_default();
        let mut models = Vec::new();
        for entry in providers {
            provider(&entry.key, &entry.value, &mut models)?;
        }
        if models.is_empty() {
            return Err(wrong(root.span, "no models under models.providers"));
        }
        name(&mut models);
        Ok(Self { text: text.to_owned(), root, models })
    }

    /// The models, under names that are unique.
    pub fn models(&self) -> Vec<ImportedModel> {
        self.models.iter().map(|model| model.imported.clone()).collect()
    }

    /// The same text with every provider's address replaced by the router's, and ids that had to be
    /// renamed replaced, in the models and wherever `provider/id` names one. All else stays as it is.
    pub fn behind_router(&self, base_url: &str) -> String {
        let lines = Lines::of(&self.text);
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut replace = |span: Span, text: &str| {
            if let Some(range) = lines.string_at(span) {
                edits.push((range, serde_json::Value::from(text).to_string()));
            }
        };
        let mut renamed = HashMap::new();
        for Model { provider, imported } in &self.models {
            if imported.name != imported.id {
                renamed
                    .insert(format!("{provider}/{}", imported.id), format!("{provider}/{}", imported.name));
            }
        }
        let providers = self.root.get("models").and_then(|models| models.get("providers"));
        for provider in providers.and_then(Node::entries).unwrap_or_default() {
            if let Some(url) = provider.value.get("baseUrl") {
                replace(url.span, base_url);
            }
            for model in provider.value.get("models").and_then(Node::items).unwrap_or_default() {
                let Some(id) = model.get("id") else { continue };
                let name = id.text().and_then(|text| renamed.get(&format!("{}/{text}", provider.key)));
                if let Some(name) = name.and_then(|name| name.strip_prefix(&format!("{}/", provider.key))) {
                    replace(id.span, name);
                }
            }
        }
        references(&self.root, &renamed, &mut replace);
        edits.sort_by_key(|(range, _)| range.start);
        edits.dedup_by_key(|(range, _)| range.start);
        let mut text = self.text.clone();
        for (range, put) in edits.into_iter().rev() {
            text.replace_range(range, &put);
        }
        text
    }
}

/// Reads a provider's models.
fn provider(key: &str, node: &Node, models: &mut Vec<Model>) -> Result<(), OpenClawError> {
    let text =
        |name: &str| node.get(name).and_then(Node::text).map(str::trim).filter(|text| !text.is_empty());
    if let Some(api) = text("api").filter(|api| !api.starts_with("openai")) {
        let message = format!("the provider `{key}` speaks `{api}`; only openai APIs are imported");
        return Err(wrong(node.span, message));
    }
    let Some(base_url) = text("baseUrl") else {
        return Err(wrong(node.span, format!("the provider `{key}` has no baseUrl")));
    };
    let api_key = text("apiKey").filter(|key| *key != "not-needed").map(str::to_owned);
    if node.get("apiKey").is_some_and(|key| key.text().is_none() && !key.is_null()) {
        let message =
            format!("the apiKey of the provider `{key}` is no text; write the key, or ${{VARIABLE}}");
        return Err(wrong(node.span, message));
    }
    let headers = node.get("headers").and_then(Node::entries).unwrap_or_default();
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned())))
        .collect();
    let first = models.len();
    for model in node.get("models").and_then(Node::items).unwrap_or_default() {
        let Some(id) = model.get("id").and_then(Node::text).filter(|id| !id.trim().is_empty()) else {
            return Err(wrong(model.span, format!("a model of the provider `{key}` has no id")));
        };
        if models.iter().skip(first).any(|known| known.imported.id == id) {
            return Err(wrong(model.span, format!("the provider `{key}` has the model `{id}` twice")));
        }
        models.push(Model {
            provider: key.to_owned(),
            imported: ImportedModel {
                name: id.to_owned(),
                id: id.to_owned(),
                base_url: base_url.to_owned(),
                api_key: api_key.clone(),
                api_key_env: None,
                headers: headers.clone(),
                context_window: model
                    .get("contextWindow")
                    .and_then(Node::text)
                    .and_then(|text| text.parse().ok()),
                capabilities: capabilities(model),
            },
        });
    }
    Ok(())
}

fn capabilities(model: &Node) -> Vec<String> {
    let inputs = model.get("input").and_then(Node::items).unwrap_or_default();
    let of_input = |input: &Node| match input.text()? {
        "text" => Some("chat"),
        "image" => Some("vision"),
        "audio" => Some("audio"),
        _ => None,
    };
    let reasons = model.get("reasoning").and_then(Node::text) == Some("true");
    let found = inputs.iter().filter_map(of_input).chain(reasons.then_some("reasoning"));
    found.map(str::to_owned).collect()
}

/// Gives models whose id several providers have the provider's name too.
fn name(models: &mut [Model]) {
    let mut count: HashMap<String, usize> = HashMap::new();
    for model in models.iter() {
        *count.entry(model.imported.id.clone()).or_default() += 1;
    }
    for Model { provider, imported } in models {
        if count.get(&imported.id).is_some_and(|count| *count > 1) {
            imported.name = format!("{provider}/{}", imported.id);
        }
    }
}

/// Replaces texts and keys that name a renamed model.
fn references(node: &Node, renamed: &HashMap<String, String>, replace: &mut impl FnMut(Span, &str)) {
    match &node.value {
        Value::Null => {}
        Value::Scalar { text, .. } => {
            if let Some(name) = renamed.get(text) {
                replace(node.span, name);
            }
        }
        Value::List(items) => items.iter().for_each(|item| references(item, renamed, replace)),
        Value::Map(entries) => {
            for entry in entries {
                if let Some(name) = renamed.get(&entry.key) {
                    replace(entry.key_span, name);
                }
                references(&entry.value, renamed, replace);
            }
        }
    }
}

/// Where lines begin in a text.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1));
        Self { text, starts: starts.collect() }
    }

    /// The bytes of the JSON string that begins at `span`.
    fn string_at(&self, span: Span) -> Option<Range<usize>> {
        let line = *self.starts.get((span.line as usize).checked_sub(1)?)?;
        let rest = self.text.get(line..)?;
        let start = line + rest.char_indices().nth((span.column as usize).checked_sub(1)?)?.0;
        let mut is_escaped = false;
        let inner = self.text.get(start..)?.strip_prefix('"')?;
        for (offset, character) in inner.char_indices() {
            match character {
                '"' if !is_escaped => return Some(start..start + offset + 2),
                '\\' => is_escaped = !is_escaped,
                _ => is_escaped = false,
            }
        }
        None
    }
}

fn wrong(span: Span, message: impl Into<String>) -> OpenClawError {
    OpenClawError { line: span.line, column: span.column, message: message.into() }
}
