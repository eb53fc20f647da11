//! The fields that the service itself answers for, checked before anything is looked up.

use std::collections::BTreeMap;

use vsr_protocol::{
    ApiError,
    json::{Kind, Value},
    openai_responses::ResponsesRequest,
};

use crate::refusal::Refusal;

/// The most notes of one response or conversation, and the most characters of their names and values.
const MAX_NOTES: usize = 16;
const MAX_NAME_CHARACTERS: usize = 64;
const MAX_VALUE_CHARACTERS: usize = 512;

/// Refuses what is of a type or a value that the field does not have, whatever the backend would say of it.
pub(super) fn check(request: &ResponsesRequest) -> Result<(), Refusal> {
    let stated = |key: &str| request.root().get(key).filter(|value| !value.is_null());
    let is_id = |value: Value<'_>| value.as_str().is_some_and(|id| !id.is_empty());
    for key in ["previous_response_id", "conversation_id"] {
        if stated(key).is_some_and(|value| !is_id(value)) {
            return Err(refused(key, "the id of one, as a string"));
        }
    }
    if stated("conversation").is_some_and(|value| !is_id(value) && !value.get("id").is_some_and(is_id)) {
        return Err(refused("conversation", "an id, or an object with one as its `id`"));
    }
    if let Some(value) = stated("truncation")
        && !matches!(value.as_str().as_deref(), Some("auto" | "disabled"))
    {
        return Err(refused("truncation", "`auto` or `disabled`"));
    }
    match stated("metadata") {
        Some(value) if value.kind() == Kind::Object => check_metadata(value.raw()),
        Some(_) => Err(refused("metadata", METADATA)),
        None => Ok(()),
    }
}

const METADATA: &str = "an object of at most 16 strings of at most 512 characters, with names of at most 64";

/// Refuses what is not an object of short strings.
pub(super) fn check_metadata(json: &str) -> Result<(), Refusal> {
    let notes: BTreeMap<String, String> =
        serde_json::from_str(json).map_err(|_| refused("metadata", METADATA))?;
    let is_short = |(name, value): (&String, &String)| {
        name.chars().count() <= MAX_NAME_CHARACTERS && value.chars().count() <= MAX_VALUE_CHARACTERS
    };
    if notes.len() > MAX_NOTES || !notes.iter().all(is_short) {
        return Err(refused("metadata", METADATA));
    }
    Ok(())
}

/// The refusal of a field that must be `expected`.
pub(super) fn refused(param: &str, expected: &str) -> Refusal {
    let message = format!("`{param}` must be {expected}");
    Refusal::of(ApiError::new(400, message).with_param(param), "parse_error")
}
