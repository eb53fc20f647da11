//! Models served elsewhere that judge a text: what they are asked, and what their answers mean. Nothing
//! is sent from here.

pub mod classify;
pub mod guardrail;
pub mod preference;
mod reading;
mod roles;
pub mod tool;

pub use reading::{RemoteFailure, RemoteOutcome, RemoteReading, RemoteReadings, RemoteSet, RemoteTask};
pub use roles::{DomainSource, RemoteRoles};

/// Who says a message of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptRole {
    /// The router's instructions.
    System,
    /// The text to judge.
    User,
}

/// A message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptMessage {
    /// Who says it.
    pub role: PromptRole,
    /// What is said.
    pub content: String,
}

/// An answer that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model's answer is not in a form that the parser `{parser}` reads")]
pub struct UnreadableAnswer {
    /// The parser, as the configuration calls it.
    pub parser: &'static str,
}

/// The JSON object in an answer, prose and fences around it left out.
fn json_object(answer: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    let (start, end) = (answer.find('{')?, answer.rfind('}')?);
    let written = answer.get(start..=end)?;
    let parsed =
        serde_json::from_str(written).or_else(|_| serde_json::from_str(&written.replace('\'', "\"")));
    match parsed.ok()? {
        serde_json::Value::Object(object) => Some(object),
        _ => None,
    }
}
