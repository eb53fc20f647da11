//! Earlier reasoning in a request that passes untouched: what is of another model is left out.

use crate::conversation::read_mark;
use crate::json::{Value, Writer};
use crate::loss::{Losses, Reason};
use crate::translate::Target;

/// What stands where an assistant's message held nothing but reasoning that was left out.
const OMITTED: &str = r#"{"type":"text","text":"(reasoning omitted)"}"#;

/// `messages` with the target's own reasoning alone.
pub(super) struct OwnReasoning {
    pub(super) messages: String,
    /// The model is asked to think and to go on with a tool loop whose first step, to it, did not:
    /// Anthropic refuses that.
    pub(super) must_not_think: bool,
}

/// What becomes of a block.
enum Fate {
    Stays,
    /// It is the target's own, and loses the router's mark: as the provider knows it.
    Unmarked(String),
    Goes,
}

/// `messages` of `root` without reasoning of other models; none if nothing has to change.
pub(super) fn own_reasoning(
    root: Value<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Option<OwnReasoning> {
    let messages = root.get("messages")?;
    let text = messages.raw();
    if !text.contains("\"signature\"") && !text.contains("\"redacted_thinking\"") {
        return None;
    }
    let needs_change =
        |message: Value<'_>| blocks_of(message).any(|block| !matches!(fate(block, target), Fate::Stays));
    if !messages.items().any(needs_change) {
        return None;
    }
    let last_answer = messages.items().enumerate().filter(|(_, message)| is_of(*message, "assistant")).last();
    let last_answer = last_answer.map(|(index, _)| index);
    let mut lost_a_thought = false;
    let mut out = Writer::with_capacity(text.len());
    out.array(|list| {
        for (index, message) in messages.items().enumerate() {
            if !needs_change(message) {
                list.raw(message.raw());
                continue;
            }
            let mut kept: Vec<String> = Vec::new();
            for block in blocks_of(message) {
                match fate(block, target) {
                    Fate::Stays => kept.push(block.raw().to_owned()),
                    Fate::Unmarked(block) => kept.push(block),
                    Fate::Goes => {}
                }
            }
            if kept.len() < blocks_of(message).count() {
                losses.add(Reason::Signature, format!("messages[{index}].content"));
                lost_a_thought |=
                    Some(index) == last_answer && !kept.first().is_some_and(|it| is_thought(it));
            }
            write_message(message, &kept, list);
        }
    });
    let is_in_loop = messages.items().last().is_some_and(|last| {
        blocks_of(last)
            .any(|block| block.get("type").and_then(Value::as_str).as_deref() == Some("tool_result"))
    });
    let thinking = root.get("thinking").and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
    let must_not_think = lost_a_thought && is_in_loop && thinking.as_deref() == Some("enabled");
    Some(OwnReasoning { messages: out.into_string(), must_not_think })
}

fn write_message(message: Value<'_>, blocks: &[String], list: &mut Writer) {
    list.object(|out| {
        for member in message.members() {
            if member.key != "content" {
                out.raw_field(&member.key, member.value.raw());
                continue;
            }
            out.array_field("content", |content| {
                if blocks.is_empty() {
                    content.raw(OMITTED);
                }
                blocks.iter().for_each(|block| content.raw(block));
            });
        }
    });
}

fn is_of(message: Value<'_>, role: &str) -> bool {
    message.get("role").and_then(Value::as_str).as_deref() == Some(role)
}

fn blocks_of(message: Value<'_>) -> crate::json::Items<'_> {
    message.get("content").unwrap_or(message).items()
}

/// Whether a block, as it was written, is reasoning.
fn is_thought(block: &str) -> bool {
    block.contains("\"thinking\"") || block.contains("\"redacted_thinking\"")
}

fn fate(block: Value<'_>, target: &Target<'_>) -> Fate {
    let kind = block.get("type").and_then(Value::as_str);
    let field = match kind.as_deref() {
        Some("thinking") => "signature",
        Some("redacted_thinking") => "data",
        _ => return Fate::Stays,
    };
    let Some(sealed) = block.get(field).and_then(Value::as_str).filter(|sealed| !sealed.is_empty()) else {
        return Fate::Stays;
    };
    let Some(mark) = read_mark(&sealed) else {
        let is_own = target.signatures.and_then(|known| known.is_of(target.model, &sealed));
        return if is_own.unwrap_or(target.keeps_unknown_signatures) { Fate::Stays } else { Fate::Goes };
    };
    if !mark.is_of(target.model) || mark.payload().is_empty() {
        return Fate::Goes;
    }
    let mut out = Writer::default();
    out.object(|out| {
        for member in block.members() {
            if member.key == field {
                out.string_field(field, mark.payload());
            } else {
                out.raw_field(&member.key, member.value.raw());
            }
        }
    });
    Fate::Unmarked(out.into_string())
}
