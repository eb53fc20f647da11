//! The neutral view of a chat request that all signals read.

use std::borrow::Cow;

use bytestring::ByteString;
use serde::Deserialize;
use vsr_types::{ContentFacts, RequestView, Role};

use super::{ChatRequest, Message, ToolCall};

/// Image types that can be inlined in a request.
const IMAGE_TYPES: [&str; 5] = ["png", "jpeg", "jpg", "gif", "webp"];

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Quoted<'t>(#[serde(borrow)] Cow<'t, str>);

// === impl ChatRequest

impl ChatRequest {
    /// What signals read of this request. A message counts as having text if it holds anything
    /// but white space. Texts of unknown roles are listed with the non-user ones, so that no
    /// text is out of sight.
    pub fn view(&self) -> RequestView<'_> {
        let messages = self.messages();
        let current = messages.iter().rposition(|message| message.role == Role::User && message.has_text());
        let mut view = RequestView {
            facts: self.facts(),
            first_image: first_inline_image(messages).map(borrowed),
            first_audio: first_audio(messages).map(borrowed),
            stated_user: self.user().map(Cow::Borrowed),
            ..RequestView::default()
        };
        for (index, message) in messages.iter().enumerate() {
            if message.role == Role::Assistant && index + 1 < messages.len() {
                view.end_turn();
            }
            view.tool_arguments.extend(message.tool_calls.iter().filter_map(|call| self.arguments(call)));
            if !message.has_text() {
                continue;
            }
            let text = borrowed(&message.text);
            match message.role {
                Role::User if Some(index) == current => view.current_user = text,
                Role::User => view.push_prior_user(text),
                Role::Tool => view.push_tool_result(text),
                Role::System | Role::Developer | Role::Assistant | Role::Other => view.non_user.push(text),
            }
        }
        view
    }

    /// The arguments of a call: the string that most clients send, or whatever else stands there as it stands.
    fn arguments(&self, call: &ToolCall) -> Option<Cow<'_, str>> {
        let written = std::str::from_utf8(self.body().get(call.arguments.clone())?).ok()?;
        let text = match written.starts_with('"') {
            true => serde_json::from_str::<Quoted<'_>>(written).ok()?.0,
            false => Cow::Borrowed(written),
        };
        (!text.trim().is_empty()).then_some(text)
    }

    fn facts(&self) -> ContentFacts {
        let messages = self.messages();
        let mut facts = ContentFacts {
            last_role: messages.last().map(|message| message.role),
            tool_definitions: self.tools.count,
            tool_definition_bytes: self.tools.byte_length,
            has_prior_assistant_reply: has_prior_assistant_reply(messages),
            ..ContentFacts::default()
        };
        for message in messages {
            facts.roles.add(message.role);
            facts.images += message.images.len() as u32;
            facts.audios += message.audios;
            facts.files += message.files;
            facts.assistant_tool_calls += message.tool_calls.len() as u32;
            facts.assistant_tool_call_bytes +=
                message.tool_calls.iter().map(|call| call.byte_length).sum::<u64>();
        }
        facts
    }
}

fn borrowed(text: &ByteString) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Whether the assistant said or did something before the last user message.
fn has_prior_assistant_reply(messages: &[Message]) -> bool {
    let last_user = messages.iter().rposition(|message| message.role == Role::User);
    messages[..last_user.unwrap_or(messages.len())].iter().any(|message| {
        message.role == Role::Assistant && (message.has_text() || !message.tool_calls.is_empty())
    })
}

fn first_inline_image(messages: &[Message]) -> Option<&ByteString> {
    let of_users = messages.iter().filter(|message| message.role == Role::User);
    of_users.flat_map(|message| &message.images).find(|url| is_inline_image(url))
}

fn first_audio(messages: &[Message]) -> Option<&ByteString> {
    let of_users = messages.iter().filter(|message| message.role == Role::User);
    of_users.filter_map(|message| message.first_audio.as_ref()).next()
}

/// Whether `url` is a base64 `data:` URI of a known image type.
fn is_inline_image(url: &str) -> bool {
    let Some((media_type, _payload)) = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(','))
    else {
        return false;
    };
    media_type.strip_suffix(";base64").is_some_and(|subtype| IMAGE_TYPES.contains(&subtype))
}
