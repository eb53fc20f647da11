//! A request of any client, and the same request for any backend.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use vsr_types::RequestView;

use super::{Effort, Outgoing, Target, reasoning::own_reasoning, unread};
use crate::answer::AnswerContext;
use crate::anthropic::{self, MessagesRequest};
use crate::conversation::{Conversation, read_mark};
use crate::envelope::{ChatRequest, RequestLimits};
use crate::error::RequestError;
use crate::json::{Document, JsonLimits, Kind, Value, Writer};
use crate::loss::{Losses, Reason};
use crate::openai_chat;
use crate::openai_responses::{ResponseFrame, ResponsesRequest};
use crate::protocol::Protocol;
use crate::splice::Edits;

/// A request, whatever protocol the client speaks.
#[derive(Debug, Clone)]
pub enum ClientRequest {
    /// Of Chat Completions.
    Chat(Box<ChatRequest>),
    /// Of Responses.
    Responses(Box<ResponsesRequest>),
    /// Of Messages.
    Messages(Box<MessagesRequest>),
}

// === impl ClientRequest

impl ClientRequest {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// Every error is the client's: the body is not acceptable JSON, or a field that routing
    /// reads is missing or of a wrong type.
    pub fn parse(protocol: Protocol, body: Bytes, limits: &RequestLimits) -> Result<Self, RequestError> {
        Ok(match protocol {
            Protocol::Chat => Self::Chat(Box::new(ChatRequest::parse(body, limits)?)),
            Protocol::Responses => Self::Responses(Box::new(ResponsesRequest::parse(body, limits)?)),
            Protocol::Messages => Self::Messages(Box::new(MessagesRequest::parse(body, limits)?)),
        })
    }

    /// What the client speaks.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Chat(_) => Protocol::Chat,
            Self::Responses(_) => Protocol::Responses,
            Self::Messages(_) => Protocol::Messages,
        }
    }

    /// The model the client asked for; not empty.
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(request) => request.model(),
            Self::Responses(request) => &request.conversation().settings.model,
            Self::Messages(request) => &request.conversation().settings.model,
        }
    }

    /// Whether the client wants a stream.
    pub fn stream(&self) -> bool {
        match self {
            Self::Chat(request) => request.stream(),
            Self::Responses(request) => request.conversation().settings.stream,
            Self::Messages(request) => request.conversation().settings.stream,
        }
    }

    /// What signals read of the request, by the same rules whatever the protocol.
    pub fn view(&self) -> RequestView<'_> {
        match self {
            Self::Chat(request) => request.view(),
            Self::Responses(request) => request.view(),
            Self::Messages(request) => request.view(),
        }
    }

    /// How many answers the client asked for; only Chat Completions can ask for several.
    pub fn choices(&self) -> u32 {
        let stated = self.as_chat().and_then(ChatRequest::choices);
        stated.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
    }

    /// The stated reasoning effort.
    pub fn reasoning_effort(&self) -> Option<&str> {
        match self {
            Self::Chat(request) => request.reasoning_effort(),
            Self::Responses(request) => request.conversation().settings.reasoning.effort.as_deref(),
            Self::Messages(request) => request.conversation().settings.reasoning.effort.as_deref(),
        }
    }

    /// The body as a document.
    pub fn root(&self) -> Value<'_> {
        match self {
            Self::Chat(request) => request.root(),
            Self::Responses(request) => request.root(),
            Self::Messages(request) => request.root(),
        }
    }

    /// The body to send if nothing is edited.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Chat(request) => request.body(),
            Self::Responses(request) => request.body(),
            Self::Messages(request) => request.body(),
        }
    }

    /// The request, if the client speaks Chat Completions.
    pub fn as_chat(&self) -> Option<&ChatRequest> {
        match self {
            Self::Chat(request) => Some(request),
            Self::Responses(_) | Self::Messages(_) => None,
        }
    }

    /// The request in canonical form.
    pub fn conversation(&self) -> Cow<'_, Conversation> {
        match self {
            Self::Chat(request) => Cow::Owned(openai_chat::read_conversation(request)),
            Self::Responses(request) => Cow::Borrowed(request.conversation()),
            Self::Messages(request) => Cow::Borrowed(request.conversation()),
        }
    }

    /// The request as the backend gets it: the client's bytes with the edits spliced in if both
    /// speak the same protocol, else written anew from the canonical form.
    ///
    /// `edits` are in terms of the backend's protocol.
    ///
    /// # Errors
    ///
    /// The request has to be translated, and a scalar in it is not what the client's protocol allows,
    /// or it consists of nothing but content of unknown types; or the backend speaks Responses and
    /// the client does not: that way nothing is translated.
    pub fn outgoing(&self, target: &Target<'_>, edits: &Edits) -> Result<Outgoing, RequestError> {
        let mut losses = Losses::default();
        if target.protocol == self.protocol() {
            let body = self.spliced(target, edits, &mut losses);
            return Ok(Outgoing { body, losses });
        }
        unread::report_unread(self.root(), self.protocol(), &mut losses);
        let mut conversation = self.conversation();
        if let Some(problem) = conversation.invalid.clone().or_else(|| conversation.unknown_only()) {
            return Err(problem);
        }
        match target.effort {
            Effort::AsStated => {}
            Effort::Off => {
                let reasoning = &mut conversation.to_mut().settings.reasoning;
                *reasoning = crate::Reasoning { is_off: true, ..crate::Reasoning::default() };
            }
            Effort::Level(level) => {
                let reasoning = &mut conversation.to_mut().settings.reasoning;
                *reasoning =
                    crate::Reasoning { effort: Some(ByteString::from(level)), ..crate::Reasoning::default() };
            }
        }
        // The writers put the turns in order; where nobody else needs them they are not copied.
        let turns = match &mut conversation {
            Cow::Owned(owned) => std::mem::take(&mut owned.turns),
            Cow::Borrowed(shared) => shared.turns.clone(),
        };
        // Nearly all of it is taken over, with a few words around each turn.
        let size = self.body().len() + 64 * turns.len() + 1024;
        let body = match target.protocol {
            Protocol::Chat => {
                openai_chat::write_request(&conversation, turns, self.protocol(), target, size, &mut losses)
            }
            Protocol::Messages => anthropic::write_request(&conversation, turns, target, size, &mut losses),
            Protocol::Responses => {
                let problem = "cannot be sent to a backend that speaks only the Responses protocol; \
                               send it to `/v1/responses`";
                return Err(RequestError::field("model", problem));
            }
        };
        let edits = edits.without_model();
        if edits.is_empty() {
            return Ok(Outgoing { body, losses });
        }
        // What was written here is within the limits of what was read, but for what wrapping adds.
        let limits = JsonLimits { max_depth: 256, max_values: usize::MAX };
        let document = Document::parse(body, &limits)?;
        Ok(Outgoing { body: edits.apply_to(document.root(), document.bytes()), losses })
    }

    /// What the translation of the answer needs to know. `id` is made of letters, digits, `_` and
    /// `-`; for Responses it becomes the response's id.
    pub fn answer_context(&self, target: &Target<'_>, id: &str, created_seconds: u64) -> AnswerContext {
        let translates = target.protocol != self.protocol();
        let response = match self {
            Self::Responses(request) if translates => {
                Some(ResponseFrame::new(request, format!("resp_{id}"), created_seconds))
            }
            _ => None,
        };
        let custom_tools = match target.protocol {
            Protocol::Messages if translates => self.custom_tools(),
            _ => Vec::new(),
        };
        AnswerContext {
            client: self.protocol(),
            upstream: target.protocol,
            upstream_model: ByteString::from(target.model),
            id_seed: id.to_owned(),
            created_seconds,
            custom_tools,
            include_usage: self.as_chat().and_then(ChatRequest::include_usage) == Some(true),
            response,
        }
    }

    /// The names of tools that take free text. A chat request is not read once more for them.
    fn custom_tools(&self) -> Vec<ByteString> {
        match self {
            Self::Chat(request) => openai_chat::custom_tools(request),
            Self::Responses(request) => request.conversation().custom_tools().cloned().collect(),
            Self::Messages(request) => request.conversation().custom_tools().cloned().collect(),
        }
    }

    /// The client's own bytes with the edits spliced in, and without the reasoning of other models or
    /// the marks that the router had put on it: no provider knows those.
    fn spliced(&self, target: &Target<'_>, edits: &Edits, losses: &mut Losses) -> Bytes {
        let mut edits = edits.clone();
        match self {
            Self::Chat(_) => {}
            Self::Messages(request) => {
                if let Some(owned) = own_reasoning(request.root(), target, losses) {
                    edits.set_raw("messages", owned.messages);
                    if owned.must_not_think {
                        losses.add(Reason::ReasoningOff, "thinking");
                        edits.set_raw("thinking", r#"{"type":"disabled"}"#.to_owned());
                    }
                }
                match target.effort {
                    Effort::AsStated => {}
                    Effort::Off => edits.set_raw("thinking", r#"{"type":"disabled"}"#.to_owned()),
                    Effort::Level(level) => match target.thinking {
                        anthropic::ThinkingStyle::Adaptive => {
                            edits.set_raw("thinking", r#"{"type":"adaptive"}"#.to_owned());
                            edits.set(&["output_config", "effort"], &level.into());
                        }
                        // A budget must fit the client's limit, so the client's own stands.
                        anthropic::ThinkingStyle::Budget => {}
                    },
                }
            }
            Self::Responses(request) => {
                if let Some(input) = own_input(request.root(), target.model, losses) {
                    edits.set_raw("input", input);
                }
                match target.effort {
                    Effort::AsStated => {}
                    Effort::Off => edits.set(&["reasoning", "effort"], &"none".into()),
                    Effort::Level(level) => edits.set(&["reasoning", "effort"], &level.into()),
                }
            }
        }
        edits.apply_to(self.root(), self.body())
    }
}

/// `input` with marked reasoning given back to the model that sealed it, and taken from all others; none if nothing is
/// marked.
fn own_input(root: Value<'_>, model: &str, losses: &mut Losses) -> Option<String> {
    let input = root.get("input").filter(|input| input.kind() == Kind::Array)?;
    fn sealed(item: Value<'_>) -> Option<Cow<'_, str>> {
        let sealed = item.get("encrypted_content").and_then(Value::as_str)?;
        read_mark(&sealed).is_some().then_some(sealed)
    }
    if !input.items().any(|item| sealed(item).is_some()) {
        return None;
    }
    let mut out = Writer::with_capacity(input.raw().len());
    out.array(|list| {
        for (index, item) in input.items().enumerate() {
            let Some(sealed) = sealed(item) else {
                list.raw(item.raw());
                continue;
            };
            let own = read_mark(&sealed).filter(|mark| mark.is_of(model) && !mark.payload().is_empty());
            let Some(mark) = own else {
                losses.add(Reason::Signature, format!("input[{index}]"));
                continue;
            };
            list.object(|out| {
                for member in item.members() {
                    match &*member.key {
                        "encrypted_content" => out.string_field("encrypted_content", mark.payload()),
                        key => out.raw_field(key, member.value.raw()),
                    }
                }
            });
        }
    });
    Some(out.into_string())
}
