//! The neutral view of a conversation that all signals read.

use std::borrow::Cow;

use vsr_types::{ContentFacts, RequestView, Role};

use super::{Content, Conversation, Part, Source, Turn};

/// Image types that can be inlined in a request.
const IMAGE_TYPES: [&str; 5] = ["image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"];

// === impl Conversation

impl Conversation {
    /// What signals read: the same rules as for a chat request, so that a policy decides alike
    /// whatever protocol a client speaks. Text in parts of unknown types is in sight too.
    pub fn view(&self) -> RequestView<'_> {
        let texts: Vec<Cow<'_, str>> = self.turns.iter().map(|turn| text_of(&turn.parts)).collect();
        let has_text = |index: usize| !texts[index].trim().is_empty();
        let is_user = |turn: &Turn| turn.role == Role::User;
        let current = (0..texts.len()).rfind(|&index| is_user(&self.turns[index]) && has_text(index));
        let mut view = RequestView {
            facts: self.facts(&texts),
            first_image: self.first_inline_image(),
            first_audio: self.first_audio(),
            stated_user: self.settings.user.as_deref().map(Cow::Borrowed),
            ..RequestView::default()
        };
        for (index, text) in texts.into_iter().enumerate() {
            let turn = &self.turns[index];
            if turn.role == Role::Assistant && index + 1 < self.turns.len() {
                view.end_turn();
            }
            let arguments =
                turn.tool_uses().map(|call| &*call.input).filter(|input| !input.trim().is_empty());
            view.tool_arguments.extend(arguments.map(Cow::Borrowed));
            if text.trim().is_empty() {
                continue;
            }
            match turn.role {
                Role::User if Some(index) == current => view.current_user = text,
                Role::User => view.push_prior_user(text),
                Role::Tool => view.push_tool_result(text),
                Role::System | Role::Developer | Role::Assistant | Role::Other => view.non_user.push(text),
            }
        }
        view
    }

    fn facts(&self, texts: &[Cow<'_, str>]) -> ContentFacts {
        let last_user = self.turns.iter().rposition(|turn| turn.role == Role::User);
        let before = last_user.unwrap_or(self.turns.len());
        let mut facts = ContentFacts {
            last_role: self.turns.last().map(|turn| turn.role),
            tool_definitions: self.tools.len() as u32,
            tool_definition_bytes: self.tools.iter().map(|tool| tool.byte_length).sum(),
            has_prior_assistant_reply: self.turns[..before].iter().zip(texts).any(|(turn, text)| {
                turn.role == Role::Assistant && (!text.trim().is_empty() || turn.tool_uses().next().is_some())
            }),
            ..ContentFacts::default()
        };
        for turn in &self.turns {
            facts.roles.add(turn.role);
            for call in turn.tool_uses() {
                facts.assistant_tool_calls += 1;
                facts.assistant_tool_call_bytes += call.byte_length;
            }
            count_media(&turn.parts, &mut facts);
        }
        facts
    }

    fn first_audio(&self) -> Option<Cow<'_, str>> {
        let of_users = self.turns.iter().filter(|turn| turn.role == Role::User);
        of_users.flat_map(|turn| &turn.parts).find_map(|part| match &part.content {
            Content::Audio { data, .. } => Some(Cow::Borrowed(&**data)),
            _ => None,
        })
    }

    fn first_inline_image(&self) -> Option<Cow<'_, str>> {
        let of_users = self.turns.iter().filter(|turn| turn.role == Role::User);
        of_users.flat_map(|turn| &turn.parts).find_map(|part| match &part.content {
            Content::Image(image) => match &image.source {
                Source::Base64 { media_type, data } if IMAGE_TYPES.contains(&&**media_type) => {
                    Some(Cow::Owned(format!("data:{media_type};base64,{data}")))
                }
                _ => None,
            },
            _ => None,
        })
    }
}

fn count_media(parts: &[Part], facts: &mut ContentFacts) {
    for part in parts {
        match &part.content {
            Content::Image(_) => facts.images += 1,
            Content::Document(_) => facts.files += 1,
            Content::Audio { .. } => facts.audios += 1,
            Content::ToolResult(result) => count_media(&result.parts, facts),
            _ => {}
        }
    }
}

/// The texts of the parts that are not empty, joined by one space.
pub(super) fn text_of(parts: &[Part]) -> Cow<'_, str> {
    let mut texts = Vec::new();
    collect_texts(parts, &mut texts);
    match texts.as_slice() {
        [] => Cow::Borrowed(""),
        [only] => Cow::Borrowed(only),
        _ => Cow::Owned(texts.join(" ")),
    }
}

fn collect_texts<'p>(parts: &'p [Part], texts: &mut Vec<&'p str>) {
    for part in parts {
        match &part.content {
            Content::Text(text) if !text.is_empty() => texts.push(text),
            Content::Unknown { text: Some(text), .. } if !text.is_empty() => texts.push(text),
            // Text of a document is read by the model as any other.
            Content::Document(document) => match &document.source {
                Source::Text(text) if !text.is_empty() => texts.push(text),
                _ => {}
            },
            Content::ToolResult(result) => collect_texts(&result.parts, texts),
            _ => {}
        }
    }
}
