//! Errors of upstreams: read in whatever shape they come, and told without the keys in them.

use std::borrow::Cow;

use bytes::Bytes;

use super::{ApiError, CONTEXT_LENGTH, ErrorType, TOO_LONG};
use crate::json::{JsonLimits, Kind, Mode, Tape, Value, event_data, named_event, quote};
use crate::protocol::Protocol;

/// The code for an answer that the upstream's filter kept back.
const CONTENT_FILTER: &str = "content_filter";

/// Words of an unknown shape are told up to this many characters.
const MAX_WORDS: usize = 1024;

/// An error that comes from an upstream of the client's own protocol, as the client gets it: the upstream's bytes, with
/// what looks like a key masked, if they have the protocol's shape; else its words in that shape. None if the body says
/// nothing readable.
pub fn own_error(status: u16, body: &[u8], protocol: Protocol) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?;
    let mut tape = Tape::default();
    tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
    let root = tape.root(text);
    if has_shape(root, protocol) {
        return Some(masked(root).map_or_else(|| Bytes::copy_from_slice(body), Bytes::from));
    }
    Some(ApiError::of_any_shape(status, root)?.to_body(protocol))
}

/// The same for `data` of an event of a stream that tells of an error. None if the event can pass as it is.
pub(crate) fn own_event(name: Option<&[u8]>, data: &[u8], protocol: Protocol) -> Option<Bytes> {
    let text = String::from_utf8_lossy(data);
    let mut tape = Tape::default();
    if tape.scan(&text, &JsonLimits::default(), Mode::Tolerant).is_err() {
        return Some(ApiError::of_words(&text).to_event(protocol));
    }
    let root = tape.root(&text);
    // A failed response of the Responses protocol is more than an error.
    if protocol != Protocol::Responses && !has_shape(root, protocol) {
        return Some(ApiError::of_event(root).to_event(protocol));
    }
    let masked = masked(root)?;
    Some(match name.and_then(|name| std::str::from_utf8(name).ok()) {
        Some(name) => named_event(name, &masked),
        None => event_data(&masked),
    })
}

/// Whether clients of `protocol` find what they look for in an error.
fn has_shape(root: Value<'_>, protocol: Protocol) -> bool {
    let is_text = |value: Option<Value<'_>>| value.is_some_and(|value| value.kind() == Kind::String);
    let Some(error) = root.get("error") else { return false };
    let is_openai = is_text(error.get("message"));
    match protocol {
        Protocol::Chat | Protocol::Responses => is_openai,
        Protocol::Messages => {
            is_openai
                && is_text(error.get("type"))
                && root.get("type").and_then(Value::as_str).as_deref() == Some("error")
        }
    }
}

/// The document with what looks like a key masked in all of its texts; none if there is nothing to mask.
fn masked(root: Value<'_>) -> Option<String> {
    let mut patches = Vec::new();
    find_secrets(root, &mut patches);
    if patches.is_empty() {
        return None;
    }
    let (text, start) = (root.raw(), root.span().start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, masked) in patches {
        out.push_str(&text[at..range.start - start]);
        out.push_str(&masked);
        at = range.end - start;
    }
    out.push_str(&text[at..]);
    Some(out)
}

fn find_secrets(value: Value<'_>, patches: &mut Vec<(std::ops::Range<usize>, String)>) {
    if let Some(text) = value.as_str() {
        let shown = redacted(&text);
        if shown != *text {
            patches.push((value.span(), quote(&shown)));
        }
        return;
    }
    for item in value.items() {
        find_secrets(item, patches);
    }
    for member in value.members() {
        find_secrets(member.value, patches);
    }
}

// === impl ApiError

impl ApiError {
    /// Reads what an upstream says went wrong, in whatever shape it says it: OpenAI's,
    /// Anthropic's, or the plain `{"message"}` and `{"detail"}` of other servers. None if the body
    /// says nothing. `status` is that of the response, or 0 for an event in a stream.
    ///
    /// The upstream's words are kept, but for what looks like a key in them.
    pub fn from_upstream(status: u16, body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut tape = Tape::default();
        tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
        Self::of_any_shape(status, tape.root(text))
    }

    /// What an event that tells of an error says.
    pub(crate) fn of_event(event: Value<'_>) -> Self {
        let stated = Self::from_value(0, event);
        stated.unwrap_or_else(|| Self::new(500, "the model failed without saying why"))
    }

    /// What an error in place of an answer says; none if it says nothing.
    pub(crate) fn of_answer(told: Value<'_>) -> Option<Self> {
        let error = Self::from_value(0, told)?;
        // Who states neither a status nor a kind failed in a way that nobody but the upstream can know.
        Some(if error.status == 500 { Self { status: 502, ..error } } else { error })
    }

    /// What an event that tells of an error says in plain words.
    pub(crate) fn of_words(words: &str) -> Self {
        Self::new(500, redacted(words))
    }

    /// What a body says; where it is of no known shape, the body itself.
    fn of_any_shape(status: u16, body: Value<'_>) -> Option<Self> {
        // Some servers put the one error into a list.
        let body = if body.kind() == Kind::Array { body.items().next().unwrap_or(body) } else { body };
        let says_nothing = match body.kind() {
            Kind::Object => body.members().next().is_none(),
            Kind::Array => body.items().next().is_none(),
            Kind::String => body.as_str().is_none_or(|text| text.trim().is_empty()),
            Kind::Null | Kind::Bool | Kind::Number => true,
        };
        if says_nothing {
            return None;
        }
        let stated = Self::from_value(status, body);
        Some(stated.unwrap_or_else(|| {
            let words = body.as_str().unwrap_or(Cow::Borrowed(body.raw()));
            let words: String = redacted(&words).chars().take(MAX_WORDS).collect();
            Self::new(status, words)
        }))
    }

    pub(crate) fn from_value(status: u16, body: Value<'_>) -> Option<Self> {
        let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        let words = error.as_str().or_else(|| text("message")).or_else(|| text("detail"));
        let message = words.or_else(|| error.get("detail").and_then(words_of_checks))?;
        let stated_type = text("type").as_deref().and_then(ErrorType::of_name);
        let stated_code = text("code");
        // Some servers write the status there.
        let code_status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let status = match (status, code_status) {
            (0, Some(code)) if (400..600).contains(&code) => code,
            (0, _) => stated_type.unwrap_or(ErrorType::Api).status(),
            (status, _) => status,
        };
        let mut read = Self::new(status, redacted(&message));
        // Some servers call everything an invalid request, whatever its status says.
        if matches!(read.error_type, ErrorType::InvalidRequest | ErrorType::Api) {
            read.error_type = stated_type.unwrap_or(read.error_type);
        }
        read.param = text("param").map(|param| redacted(&param));
        if let Some(code) = stated_code {
            read.code = Some(Cow::Owned(redacted(&code)));
        } else if is_context_length(&read.message) {
            read.code = Some(Cow::Borrowed(CONTEXT_LENGTH));
        } else if read.message.contains("content filtering policy") {
            read.code = Some(Cow::Borrowed(CONTENT_FILTER));
        }
        Some(read)
    }
}

/// The words of a list of failed checks, as several servers state them: `[{"loc": […], "msg": "…"}]`.
fn words_of_checks(list: Value<'_>) -> Option<Cow<'_, str>> {
    let mut words = Vec::new();
    for check in list.items() {
        let message = check.get("msg").and_then(Value::as_str)?;
        let place = check.get("loc").into_iter().flat_map(Value::items);
        let place: Vec<Cow<'_, str>> =
            place.map(|step| step.as_str().unwrap_or(Cow::Borrowed(step.raw()))).collect();
        words.push(if place.is_empty() {
            message.into_owned()
        } else {
            format!("{}: {message}", place.join("."))
        });
    }
    (!words.is_empty()).then(|| Cow::Owned(words.join("; ")))
}

/// Whether an upstream's words mean that the request is too long for the model.
fn is_context_length(message: &str) -> bool {
    message.starts_with(TOO_LONG)
        || message.contains("maximum context length")
        || message.contains("context window")
        || message.contains("available context size")
        || message.contains("exceed context limit")
}

/// `message` without what looks like a key: long words that begin as keys do.
fn redacted(message: &str) -> String {
    const SHOWN_CHARS: usize = 3;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.' | '+' | '/' | '=');
    let mut out = String::with_capacity(message.len());
    let mut after_bearer = false;
    let mut rest = message;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..first]);
            rest = &rest[first..];
            continue;
        }
        let word = &rest[..length];
        match secret_at(word, after_bearer) {
            Some(at) => {
                out.push_str(&word[..at + SHOWN_CHARS]);
                out.push_str("...");
            }
            None => out.push_str(word),
        }
        after_bearer = word.eq_ignore_ascii_case("bearer");
        rest = &rest[length..];
    }
    out
}

/// Where in `word` something begins that looks like a key: at its start, or after `=` and the like.
fn secret_at(word: &str, after_bearer: bool) -> Option<usize> {
    const PREFIXES: [&str; 12] =
        ["sk-", "sk_", "pk-", "key-", "xai-", "gsk_", "hf_", "nvapi-", "AIza", "AKIA", "eyJ", "ghp_"];
    const LEAST_CHARS: usize = 8;
    let starts = word.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'=' | b'/' | b'.'));
    let mut starts = std::iter::once(0).chain(starts.map(|(at, _)| at + 1));
    let begins = |at: &usize| PREFIXES.iter().any(|prefix| word[*at..].starts_with(prefix));
    if after_bearer && word.len() >= LEAST_CHARS {
        return Some(0);
    }
    starts.find(begins).filter(|at| word.len() - at >= LEAST_CHARS)
}
