//! A classifier that is a tool of an MCP server: what it takes, and what it gives.

use serde_json::{Map, Value};

use super::{UnreadableAnswer, json_object};

/// The most classes of an answer.
const MOST_CLASSES: usize = 1024;

/// What the tool says of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// The class: its name, or its position among the tool's categories.
    pub class: ToolClass,
    /// How sure, 0..=1.
    pub confidence: f64,
    /// One probability per category, if the tool gives them.
    pub probabilities: Vec<f64>,
}

/// A class as a tool names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolClass {
    /// By its name.
    Name(String),
    /// By its position.
    Index(usize),
}

/// The arguments of a call about `text`; `probabilities` asks for all of them.
pub fn arguments(text: &str, probabilities: bool) -> Map<String, Value> {
    Map::from_iter([
        ("text".to_owned(), Value::from(text)),
        ("with_probabilities".to_owned(), Value::from(probabilities)),
    ])
}

/// What the text of a tool's result says: `{"class": 3, "confidence": 0.9, "probabilities": […]}`.
///
/// # Errors
/// If it has no class, or numbers that are no probabilities.
pub fn parse(result: &str) -> Result<ToolAnswer, UnreadableAnswer> {
    let unreadable = UnreadableAnswer { parser: "mcp" };
    let object = json_object(result).ok_or(unreadable)?;
    let is_share = |value: &f64| (0.0..=1.0).contains(value);
    let probabilities: Vec<f64> = match object.get("probabilities") {
        Some(Value::Array(values)) if values.len() <= MOST_CLASSES => values
            .iter()
            .map(|value| value.as_f64().filter(is_share))
            .collect::<Option<_>>()
            .ok_or(unreadable)?,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err(unreadable),
    };
    let named = object.get("class").or_else(|| object.get("category")).or_else(|| object.get("label"));
    let class = match named {
        Some(Value::String(name)) if !name.trim().is_empty() => ToolClass::Name(name.trim().to_owned()),
        Some(Value::Number(number)) => {
            let index = number.as_u64().and_then(|index| usize::try_from(index).ok()).ok_or(unreadable)?;
            ToolClass::Index(index)
        }
        _ => return Err(unreadable),
    };
    let confidence = match (object.get("confidence").and_then(Value::as_f64), &class) {
        (Some(confidence), _) => confidence,
        (None, ToolClass::Index(index)) => *probabilities.get(*index).ok_or(unreadable)?,
        (None, ToolClass::Name(_)) => return Err(unreadable),
    };
    is_share(&confidence).then_some(ToolAnswer { class, confidence, probabilities }).ok_or(unreadable)
}

/// The categories that the tool's list names: `{"categories": ["math", …]}`.
///
/// # Errors
/// If there is no such list, or a name in it is blank.
pub fn parse_categories(result: &str) -> Result<Vec<String>, UnreadableAnswer> {
    let unreadable = UnreadableAnswer { parser: "mcp" };
    let object = json_object(result).ok_or(unreadable)?;
    let Some(Value::Array(listed)) = object.get("categories") else { return Err(unreadable) };
    let name =
        |value: &Value| value.as_str().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let names: Option<Vec<String>> = listed.iter().take(MOST_CLASSES).map(name).collect();
    names.filter(|names| !names.is_empty()).ok_or(unreadable)
}
