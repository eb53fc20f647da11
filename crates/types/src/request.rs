//! The one view of a request that all signals read, whatever protocol the client spoke.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions of the application.
    System,
    /// Instructions of the developer, where the protocol tells them from the system's.
    Developer,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// A role that no known protocol defines.
    Other,
}

/// How many messages each role wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoleCounts {
    /// System messages.
    pub system: u32,
    /// Developer messages.
    pub developer: u32,
    /// User messages.
    pub user: u32,
    /// Assistant messages.
    pub assistant: u32,
    /// Tool results.
    pub tool: u32,
    /// Messages of unknown roles.
    pub other: u32,
}

/// What a request holds beside its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContentFacts {
    /// Messages per role.
    pub roles: RoleCounts,
    /// The role of the last message.
    pub last_role: Option<Role>,
    /// Tools the client declared.
    pub tool_definitions: u32,
    /// Bytes of the tool declarations as sent.
    pub tool_definition_bytes: u64,
    /// Tool calls in assistant messages.
    pub assistant_tool_calls: u32,
    /// Bytes of the tool calls as sent.
    pub assistant_tool_call_bytes: u64,
    /// Whether an assistant message with text or with tool calls precedes the last user message.
    pub has_prior_assistant_reply: bool,
    /// Image parts in all messages.
    pub images: u32,
    /// Audio parts in all messages.
    pub audios: u32,
    /// File and document parts in all messages.
    pub files: u32,
}

/// The texts and facts of one request, borrowed from its envelope.
///
/// The text of a message is its string content, or its text parts joined by one space; messages
/// without text appear in no list. Field by field this is what `spec` calls the signal inputs,
/// with tool results added: injected content in a tool result must be visible to signals.
#[derive(Debug, Clone, Default)]
pub struct RequestView<'a> {
    /// The last user message that has text; empty if there is none.
    pub current_user: Cow<'a, str>,
    /// Earlier user texts, oldest first.
    pub prior_user: Vec<Cow<'a, str>>,
    /// How many of `prior_user`, from the end, the user wrote in one go with the current text: no assistant message
    /// stands between.
    pub prior_user_of_turn: usize,
    /// System, assistant and developer texts, in message order.
    pub non_user: Vec<Cow<'a, str>>,
    /// Tool results, in message order.
    pub tool_results: Vec<Cow<'a, str>>,
    /// How many of `tool_results`, from the end, are new to the model: no assistant message follows them.
    pub new_tool_results: usize,
    /// What the assistant gave to tools, in message order: JSON text for functions.
    pub tool_arguments: Vec<Cow<'a, str>>,
    /// The first image of a user message that is an inline `data:` URI of a known image type.
    pub first_image: Option<Cow<'a, str>>,
    /// The first sound of a user message that is inline: its base64, or a `data:` URI.
    pub first_audio: Option<Cow<'a, str>>,
    /// Counts and sizes.
    pub facts: ContentFacts,
    /// The end-user id the client stated in the body. Untrusted.
    pub stated_user: Option<Cow<'a, str>>,
}

// === impl RoleCounts

impl RoleCounts {
    /// Adds one message of `role`.
    pub fn add(&mut self, role: Role) {
        let count = match role {
            Role::System => &mut self.system,
            Role::Developer => &mut self.developer,
            Role::User => &mut self.user,
            Role::Assistant => &mut self.assistant,
            Role::Tool => &mut self.tool,
            Role::Other => &mut self.other,
        };
        *count = count.saturating_add(1);
    }

    /// All messages.
    pub fn total(&self) -> u32 {
        self.system + self.developer + self.user + self.assistant + self.tool + self.other
    }
}

// === impl RequestView

impl<'a> RequestView<'a> {
    /// Notes that an assistant message stands here, so that what comes before it is of an earlier turn. For whoever fills
    /// the view in message order; not for a message that the model is to go on with.
    pub fn end_turn(&mut self) {
        if self.current_user.is_empty() {
            self.prior_user_of_turn = 0;
        }
        self.new_tool_results = 0;
    }

    /// Adds an earlier user text.
    pub fn push_prior_user(&mut self, text: Cow<'a, str>) {
        self.prior_user.push(text);
        self.prior_user_of_turn += 1;
    }

    /// Adds a tool's result.
    pub fn push_tool_result(&mut self, text: Cow<'a, str>) {
        self.tool_results.push(text);
        self.new_tool_results += 1;
    }

    /// A view of a single user prompt.
    pub fn from_prompt(prompt: &'a str) -> Self {
        let mut facts = ContentFacts { last_role: Some(Role::User), ..ContentFacts::default() };
        facts.roles.add(Role::User);
        Self { current_user: Cow::Borrowed(prompt), facts, ..Self::default() }
    }

    /// The text that content signals evaluate: the current user text or, where there is none,
    /// all non-user texts joined by one space.
    pub fn evaluation_text(&self) -> Cow<'_, str> {
        if self.current_user.trim().is_empty() && !self.non_user.is_empty() {
            return Cow::Owned(self.non_user.join(" "));
        }
        Cow::Borrowed(&self.current_user)
    }

    /// Bytes of every text of the request, prior user turns and tool results included.
    pub fn text_bytes(&self) -> u64 {
        let sum = |texts: &[Cow<'_, str>]| texts.iter().map(|text| text.len() as u64).sum::<u64>();
        self.current_user.len() as u64 + sum(&self.prior_user) + sum(&self.non_user) + sum(&self.tool_results)
    }
}
