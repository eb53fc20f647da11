//! What translation could not carry over, and how it is told.

use std::fmt::Write as _;

use bytes::Bytes;

/// How bad a loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Said in another way, or without effect on the answer.
    Info,
    /// Something the client asked for does not happen.
    Lossy,
    /// Something is wrong with the request itself, and was put right as well as could be.
    Error,
}

/// Declares the reasons once: variant, code, severity, what it means.
macro_rules! reasons {
    ($($variant:ident = $code:literal, $severity:ident, $what:literal;)+) => {
        /// Why something was lost. The codes are stable; `docs/protocols.md` lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $what] $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code in headers, metrics and policies.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// What it means, as a sentence.
            pub fn described(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }
        }
    };
}

reasons! {
    UnsupportedField = "unsupported_field", Lossy, "A field of the request that the other protocol has no place for.";
    UnsupportedRole = "unsupported_role", Lossy, "A message of an unknown role is sent as the user's.";
    UnsupportedBlock = "unsupported_block_type", Lossy, "A content part of a type that cannot be translated is left out.";
    UnsupportedTool = "unsupported_tool", Lossy, "A tool that the provider of the client's protocol would run itself is left out.";
    UnsupportedToolChoice = "unsupported_tool_choice", Lossy, "A tool choice that cannot be said becomes the nearest one.";
    ToolChoiceRelaxed = "tool_choice_relaxed", Info, "A forced tool call is left to the model, because thinking forbids forcing it.";
    MissingSource = "missing_source", Error, "An image or document without a source is left out.";
    IncompleteBase64 = "incomplete_base64", Error, "A data URI that cannot be read is left out.";
    UnsupportedImage = "unsupported_image_source", Lossy, "An image of a type that the other side does not take.";
    FileId = "file_id_unresolved", Lossy, "A file id means nothing to another provider; the file is left out.";
    DocumentUrl = "document_url_dropped", Lossy, "A document by URL cannot be sent in this protocol.";
    DocumentAsText = "document_as_text", Info, "A text document is sent as plain text.";
    DocumentDetails = "document_details_dropped", Info, "A document's title, context or citations are left out.";
    ImageDetail = "image_detail_dropped", Info, "An image's level of detail is left out.";
    Audio = "audio_dropped", Lossy, "Audio cannot be sent in this protocol and is left out.";
    CacheControl = "cache_control_dropped", Info, "Cache breakpoints are left out.";
    SystemMoved = "system_moved", Info, "System messages inside the conversation are sent with those at its start.";
    NameDropped = "name_dropped", Info, "The name of a message's author is left out.";
    EmptyMessage = "empty_message", Info, "An empty message is left out, or filled where it must stay.";
    ToolIdRewritten = "tool_id_rewritten", Info, "A tool-call id that the other protocol does not accept is rewritten.";
    MissingToolId = "missing_tool_use_id", Error, "A tool call or result without an id gets one.";
    MissingName = "missing_name", Error, "A tool or a call without a name is left out.";
    OrphanResult = "orphan_tool_result", Error, "A tool result without its call is sent as text.";
    MissingResult = "missing_tool_result", Error, "A tool call without a result gets one that says so.";
    InvalidArguments = "invalid_tool_arguments", Error, "Tool arguments that are no JSON object are wrapped in one.";
    InvalidSchema = "invalid_schema", Error, "A tool's schema that is no object is replaced by an empty one.";
    ToolResultError = "tool_result_is_error", Info, "That a tool failed is said by its result's text alone.";
    ToolResultImage = "tool_result_image_moved", Info, "Images and files of a tool result are sent in a user message after it.";
    CustomTool = "custom_tool_as_function", Info, "A free-form tool is declared as a function with one text argument.";
    CustomToolFormat = "custom_tool_format_dropped", Lossy, "The grammar of a free-form tool is left out.";
    Thinking = "thinking_dropped", Info, "Earlier reasoning is left out.";
    Redacted = "redacted_thinking_dropped", Info, "Encrypted reasoning is left out: only its provider can read it.";
    Signature = "signature_dropped", Info, "A reasoning signature of another model or provider is left out.";
    ReasoningOff = "reasoning_dropped", Lossy, "Reasoning is not asked for, because the request leaves it no room or history.";
    ReasoningBudget = "reasoning_budget_coarsened", Info, "A thinking budget becomes the nearest effort, or the other way.";
    TemperatureClamped = "temperature_clamped", Lossy, "A temperature above the other protocol's range becomes its maximum.";
    SamplingDropped = "sampling_dropped", Lossy, "A sampling parameter that the other side refuses in this request is left out.";
    TopK = "top_k_dropped", Lossy, "`top_k` is left out.";
    StopDropped = "stop_dropped", Lossy, "Stop sequences beyond what the other side takes are left out.";
    JsonMode = "json_mode_dropped", Lossy, "JSON without a schema cannot be demanded in this protocol.";
    SchemaDetails = "schema_details_dropped", Info, "Name, description or strictness of an output schema are left out.";
    Logprobs = "logprobs_dropped", Lossy, "Log probabilities cannot be asked for or told in this protocol.";
    Choices = "choices_dropped", Lossy, "Only one answer is given: the protocol has no way to say more.";
    ServiceTier = "service_tier_dropped", Lossy, "A service tier that the other side does not have is left out.";
    MaxTokensDefault = "max_tokens_defaulted", Info, "The protocol demands a limit of tokens; the default is used.";
    Prefill = "prefill_kept", Info, "The conversation ends with the assistant's words; not every model goes on from there.";
    StopReason = "stop_reason_coerced", Info, "The answer's stop reason has no counterpart; the nearest one is told.";
    Citations = "citations_dropped", Info, "Citations of the answer are left out.";
    AnswerBlock = "answer_block_dropped", Lossy, "A part of the answer of an unknown type is left out.";
    ClosingEvent = "closing_event_missing", Info, "The answer is finished, but its stream ended without the closing event.";
    RepeatedKeys = "repeated_argument_keys", Info, "Arguments of a call state a key twice and pass as text: readers take the last one.";
    UnreadableEvent = "unreadable_event", Lossy, "An event of the stream that is no JSON is left out.";
    Beta = "beta_dropped", Info, "Features asked for by `anthropic-beta` are not asked of this backend.";
    UnknownEvent = "unknown_event", Info, "An event of an unknown type in the stream is left out.";
    ServerTool = "server_tool_result_dropped", Lossy, "Results of a tool that the provider ran are left out.";
    Detail = "detail_dropped", Info, "A field that changes nothing about the answer is left out.";
    UserHashed = "user_hashed", Info, "A user's id that is longer than the other protocol takes is sent as its hash.";
    BillingHeader = "billing_header_dropped", Info, "What Claude Code puts before its system prompt for its vendor's accounts is left out.";
    PreviousTurns = "previous_turns_unknown", Error, "An item refers to something that is not known here.";
    HistoryLeftOut = "history_left_out", Lossy, "Parts of earlier turns are left out: the oldest, or what only its upstream can read.";
}

/// One thing that was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub reason: Reason,
    /// The field of the client's document, or of the upstream's for answers.
    pub field: String,
}

/// All that was lost in one translation: the first of each reason by name, the others counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    list: Vec<Loss>,
    /// Losses that are not in the list, because their reason is there often enough.
    uncounted: u32,
}

/// Which losses are not accepted: requests that would suffer them are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LossPolicy {
    /// Refuse everything at least this bad.
    pub refuse_from: Option<Severity>,
    /// Refuse these reasons, whatever their severity.
    pub refuse: Vec<Reason>,
}

/// So many losses of one reason are named; a conversation can have thousands alike.
const NAMED_PER_REASON: usize = 4;

/// The longest header value.
const MAX_HEADER_BYTES: usize = 4096;

/// Names that an upstream's events state are told up to this many characters.
const MAX_NAME_CHARS: usize = 128;

// === impl Severity

impl Severity {
    /// The name in headers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Lossy => "lossy",
            Self::Error => "error",
        }
    }
}

// === impl Reason

impl Reason {
    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

// === impl Losses

impl Losses {
    /// Notes one more.
    pub fn add(&mut self, reason: Reason, field: impl Into<String>) {
        if self.list.iter().filter(|loss| loss.reason == reason).count() < NAMED_PER_REASON {
            self.list.push(Loss { reason, field: field.into() });
        } else {
            self.uncounted = self.uncounted.saturating_add(1);
        }
    }

    /// Notes one more unless its reason is known already. The field may be an upstream's own word, and is kept while its
    /// stream lasts.
    pub(crate) fn add_once(&mut self, reason: Reason, field: &str) {
        if self.list.iter().all(|loss| loss.reason != reason) {
            self.list.push(Loss { reason, field: field.chars().take(MAX_NAME_CHARS).collect() });
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        for loss in other.list {
            self.add(loss.reason, loss.field);
        }
        self.uncounted = self.uncounted.saturating_add(other.uncounted);
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The losses that have a name, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Loss> {
        self.list.iter()
    }

    /// Losses beyond those that [`Losses::iter`] names; all of reasons that it names.
    pub fn unnamed(&self) -> u32 {
        self.uncounted
    }

    /// The first loss that `policy` does not accept.
    pub fn refused_by(&self, policy: &LossPolicy) -> Option<&Loss> {
        self.list.iter().find(|loss| {
            policy.refuse_from.is_some_and(|least| loss.reason.severity() >= least)
                || policy.refuse.contains(&loss.reason)
        })
    }

    /// The value of `x-vsr-lossiness-warnings`: `severity;reason;field`, comma-joined, at most
    /// 4096 bytes; what does not fit, or is not named, is counted in a last entry. None if
    /// nothing was lost.
    pub fn header_value(&self) -> Option<String> {
        let trailer_room = "error;warnings_truncated;count=4294967295,".len();
        let mut value = String::new();
        let mut dropped = self.uncounted;
        for loss in &self.list {
            let entry = loss.to_entry();
            if value.len() + 1 + entry.len() > MAX_HEADER_BYTES - trailer_room {
                dropped = dropped.saturating_add(1);
                continue;
            }
            if !value.is_empty() {
                value.push(',');
            }
            value.push_str(&entry);
        }
        if dropped > 0 {
            let comma = if value.is_empty() { "" } else { "," };
            let _ = write!(value, "{comma}error;warnings_truncated;count={dropped}");
        }
        (!value.is_empty()).then_some(value)
    }

    /// The losses as a comment of an event stream, which clients skip; none if nothing was lost.
    pub fn comment(&self) -> Option<Bytes> {
        let value = self.header_value()?;
        Some(Bytes::from([": x-vsr-lossiness-warnings: ", &value, "\n\n"].concat()))
    }
}

// === impl Loss

impl Loss {
    /// `severity;reason;field`, with what would end an entry or a header escaped in the field.
    pub fn to_entry(&self) -> String {
        let mut entry = format!("{};{};", self.reason.severity().name(), self.reason.code());
        for c in self.field.chars() {
            match c {
                ',' | ';' | '%' => {
                    let _ = write!(entry, "%{:02X}", c as u32);
                }
                ' '..='~' => entry.push(c),
                other => {
                    for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(entry, "%{byte:02X}");
                    }
                }
            }
        }
        entry
    }
}
