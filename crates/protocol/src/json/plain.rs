//! JSON that every reader understands alike, of JSON that only some do.

use std::borrow::Cow;

use super::{JsonLimits, Kind, Mode, Tape, Value, Writer};

/// `json` as strict readers take it: where a key comes twice the last one counts, and half of a surrogate pair becomes
/// U+FFFD. What is no JSON at all, or is strict already, stays as it is.
pub(crate) fn plain_json(json: &str) -> Cow<'_, str> {
    let limits = JsonLimits::default();
    let mut tape = Tape::default();
    if tape.scan(json, &limits, Mode::Strict).is_ok() || tape.scan(json, &limits, Mode::Tolerant).is_err() {
        return Cow::Borrowed(json);
    }
    let mut out = Writer::with_capacity(json.len());
    write(tape.root(json), &mut out);
    Cow::Owned(out.into_string())
}

fn write(value: Value<'_>, out: &mut Writer) {
    match value.kind() {
        Kind::String => out.string(&value.as_str().unwrap_or_default()),
        Kind::Array => out.array(|list| value.items().for_each(|item| write(item, list))),
        Kind::Object => out.object(|object| {
            let mut members: Vec<(Cow<'_, str>, Value<'_>)> = Vec::new();
            for member in value.members() {
                match members.iter_mut().find(|(key, _)| *key == member.key) {
                    Some((_, value)) => *value = member.value,
                    None => members.push((member.key, member.value)),
                }
            }
            for (key, value) in members {
                write(value, object.key(&key));
            }
        }),
        Kind::Null | Kind::Bool | Kind::Number => out.raw(value.raw()),
    }
}
