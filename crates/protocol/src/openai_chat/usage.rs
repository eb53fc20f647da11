//! Token counts of an answer.

use vsr_types::Usage;

use crate::json::{JsonLimits, Kind, Mode, Tape, Value};

/// The usage that the body of an answer reports, if it is JSON and reports one. Takes the names
/// of Chat Completions and of Responses.
pub fn read_usage(body: &[u8]) -> Option<Usage> {
    let text = std::str::from_utf8(body).ok()?;
    let mut tape = Tape::default();
    tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
    usage_of(tape.root(text).get("usage")?)
}

/// Reads a `usage` object; none if it counts neither prompt nor completion.
pub(crate) fn usage_of(usage: Value<'_>) -> Option<Usage> {
    if usage.kind() != Kind::Object {
        return None;
    }
    let prompt = first_count(usage, &["prompt_tokens", "input_tokens"]);
    let completion = first_count(usage, &["completion_tokens", "output_tokens"]);
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let detail = |groups: [&str; 2], name: &str| {
        groups.iter().find_map(|group| first_count(usage.get(group)?, &[name]))
    };
    let cached = detail(["prompt_tokens_details", "input_tokens_details"], "cached_tokens");
    let cached = cached.or_else(|| first_count(usage, &["prompt_cache_hit_tokens"]));
    let reasoning = detail(["completion_tokens_details", "output_tokens_details"], "reasoning_tokens");
    Some(Usage {
        prompt_tokens: prompt.unwrap_or(0),
        completion_tokens: completion.unwrap_or(0),
        cached_tokens: cached.unwrap_or(0),
        reasoning_tokens: reasoning.unwrap_or(0),
    })
}

/// The first of `names` that holds a number. Some servers write counts as `12.0`.
fn first_count(object: Value<'_>, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| {
        let value = object.get(name).filter(|value| value.kind() == Kind::Number)?;
        value.as_u64().or_else(|| value.raw().parse::<f64>().ok().map(|count| count as u64))
    })
}
