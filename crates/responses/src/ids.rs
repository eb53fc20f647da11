//! Ids: the router's own, from the system's randomness, so that knowing one tells nothing of another.

use crate::Error;

/// The random part of a response's id. Ids of its items are made of it, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseId(String);

const RESPONSE: &str = "resp_";
const CONVERSATION: &str = "conv_";
pub(crate) const NODE: &str = "node_";
const RANDOM_BYTES: usize = 24;

// === impl ResponseId

impl ResponseId {
    /// A new one: 192 random bits.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn fresh() -> Result<Self, Error> {
        random().map(Self)
    }

    /// The random part: lower-case hexadecimal digits.
    pub fn stem(&self) -> &str {
        &self.0
    }

    /// The whole id.
    pub fn id(&self) -> String {
        format!("{RESPONSE}{}", self.0)
    }
}

/// A new id of a conversation.
///
/// # Errors
/// If the system has no randomness.
pub fn conversation_id() -> Result<String, Error> {
    Ok(format!("{CONVERSATION}{}", random()?))
}

/// A new id of a turn that only holds items.
pub(crate) fn node_id() -> Result<String, Error> {
    Ok(format!("{NODE}{}", random()?))
}

/// Whether `text` has the form of a response's id. Nothing else is ever looked up.
pub fn is_response_id(text: &str) -> bool {
    is_id(text, RESPONSE)
}

/// Whether `text` has the form of a conversation's id.
pub fn is_conversation_id(text: &str) -> bool {
    is_id(text, CONVERSATION)
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(is_stem)
}

/// Whether `text` is the random part of an id.
pub(crate) fn is_stem(text: &str) -> bool {
    text.len() == 2 * RANDOM_BYTES && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn random() -> Result<String, Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(hex(&bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
