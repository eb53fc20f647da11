//! The fields that readers look at, object by object.

use super::{Shape, Use};
use crate::loss::Reason;
use crate::protocol::Protocol;

use Use::{Lost, Read, Within, Words};

/// A list of fields, and what stands below some of them.
type Fields = &'static [(&'static str, Use)];

/// The fields of a request that are looked into, or lost whatever they hold.
pub(super) fn request(client: Protocol) -> Fields {
    match client {
        Protocol::Chat => CHAT,
        Protocol::Responses => RESPONSES,
        Protocol::Messages => MESSAGES,
    }
}

const DETAIL: Use = Lost(Reason::Detail);
const CITED: Use = Lost(Reason::Citations);
const BREAKPOINT: Use = Lost(Reason::CacheControl);

static NAMED: Shape = Shape::Fields(&[("type", Read), ("name", Read)]);

// === Chat Completions

const CHAT: Fields = &[
    ("messages", Within(&CHAT_MESSAGE)),
    ("tools", Within(&CHAT_TOOL)),
    ("functions", Within(&CHAT_FUNCTION)),
    ("tool_choice", Within(&CHAT_CHOICE)),
    ("response_format", Within(&CHAT_FORMAT)),
    ("stream_options", Within(&STREAM_OPTIONS)),
];

static STREAM_OPTIONS: Shape = Shape::Fields(&[
    ("include_usage", Read),
    ("include_obfuscation", DETAIL),
    ("continuous_usage_stats", DETAIL),
]);

static CHAT_MESSAGE: Shape = Shape::Fields(&[
    ("role", Read),
    ("content", Within(&CHAT_PART)),
    // The name of a tool message is the one of its call.
    ("name", Read),
    ("refusal", Read),
    ("audio", Read),
    ("tool_calls", Within(&CHAT_CALL)),
    ("function_call", Within(&CHAT_CALLED)),
    ("tool_call_id", Read),
    ("reasoning_content", Read),
    ("reasoning", Read),
    ("annotations", CITED),
    ("id", Read),
]);

static CHAT_PART: Shape = Shape::ByType {
    default: "text",
    shapes: &[
        ("text", &CHAT_TEXT),
        ("input_text", &CHAT_TEXT),
        ("output_text", &CHAT_TEXT),
        ("image_url", &CHAT_IMAGE),
        ("input_image", &CHAT_IMAGE),
        ("image", &CHAT_IMAGE),
        ("file", &CHAT_FILE),
        ("input_file", &CHAT_FILE),
    ],
    other: None,
};

static CHAT_TEXT: Shape = Shape::Fields(&[
    ("type", Read),
    ("text", Read),
    ("cache_control", Read),
    ("prompt_cache_breakpoint", BREAKPOINT),
    ("annotations", CITED),
    // Without a type, whatever has an image is one.
    ("image_url", Read),
]);

static CHAT_IMAGE: Shape = Shape::Fields(&[
    ("type", Read),
    ("image_url", Within(&Shape::Fields(&[("url", Read), ("detail", Read)]))),
    ("detail", Read),
    ("cache_control", Read),
    ("prompt_cache_breakpoint", BREAKPOINT),
]);

static CHAT_FILE: Shape = Shape::Fields(&[
    ("type", Read),
    ("file", Within(&Shape::Fields(&[("file_data", Read), ("file_id", Read), ("filename", Read)]))),
    ("file_data", Read),
    ("file_id", Read),
    ("filename", Read),
    ("cache_control", Read),
    ("prompt_cache_breakpoint", BREAKPOINT),
]);

static CHAT_CALL: Shape = Shape::Fields(&[
    ("id", Read),
    ("type", Read),
    ("index", Read),
    ("function", Within(&CHAT_CALLED)),
    ("custom", Within(&CHAT_CALLED)),
    ("name", Read),
    ("arguments", Read),
]);

static CHAT_CALLED: Shape = Shape::Fields(&[("name", Read), ("arguments", Read), ("input", Read)]);

static CHAT_TOOL: Shape = Shape::ByType {
    default: "function",
    shapes: &[("function", &CHAT_TOOL_FIELDS), ("custom", &CHAT_TOOL_FIELDS)],
    other: None,
};

static CHAT_TOOL_FIELDS: Shape = Shape::Fields(&[
    ("type", Read),
    ("function", Within(&CHAT_FUNCTION)),
    ("custom", Within(&CHAT_FUNCTION)),
    ("name", Read),
    ("description", Read),
    ("parameters", Read),
    ("strict", Read),
    ("format", Read),
    ("cache_control", Read),
]);

static CHAT_FUNCTION: Shape = Shape::Fields(&[
    ("name", Read),
    ("description", Read),
    ("parameters", Read),
    ("strict", Read),
    ("format", Read),
]);

static CHAT_CHOICE: Shape = Shape::Fields(&[
    ("type", Read),
    ("function", Within(&NAMED)),
    ("custom", Within(&NAMED)),
    ("allowed_tools", Within(&Shape::Fields(&[("mode", Read), ("tools", Read)]))),
    ("name", Read),
]);

static CHAT_FORMAT: Shape = Shape::ByType {
    default: "text",
    shapes: &[
        ("text", &Shape::Fields(&[("type", Read)])),
        ("json_object", &Shape::Fields(&[("type", Read)])),
        ("json_schema", &CHAT_SCHEMA),
    ],
    other: Some(Reason::UnsupportedField),
};

static CHAT_SCHEMA: Shape = Shape::Fields(&[
    ("type", Read),
    ("json_schema", Within(&SCHEMA)),
    ("name", Read),
    ("description", Read),
    ("schema", Read),
    ("strict", Read),
]);

static SCHEMA: Shape = Shape::Fields(&[
    ("type", Read),
    ("name", Read),
    ("description", Read),
    ("schema", Read),
    ("strict", Read),
]);

// === Responses

const RESPONSES: Fields = &[
    ("input", Within(&ITEM)),
    ("tools", Within(&RESPONSES_TOOL)),
    ("tool_choice", Within(&RESPONSES_CHOICE)),
    ("text", Within(&Shape::Fields(&[("verbosity", Read), ("format", Within(&RESPONSES_FORMAT))]))),
    // Whatever a model tells of its reasoning is the summary.
    ("reasoning", Within(&Shape::Fields(&[("effort", Read), ("summary", Read), ("generate_summary", Read)]))),
    ("include", Words(&["reasoning.encrypted_content", "message.output_text.logprobs"])),
    ("stream_options", Within(&STREAM_OPTIONS)),
    ("client_metadata", DETAIL),
];

static ITEM: Shape = Shape::ByType {
    default: "message",
    shapes: &[
        ("message", &MESSAGE_ITEM),
        ("function_call", &CALL_ITEM),
        ("custom_tool_call", &CALL_ITEM),
        ("function_call_output", &OUTPUT_ITEM),
        ("custom_tool_call_output", &OUTPUT_ITEM),
        ("reasoning", &REASONING_ITEM),
    ],
    other: None,
};

static MESSAGE_ITEM: Shape = Shape::Fields(&[
    ("type", Read),
    ("id", Read),
    ("status", Read),
    ("role", Read),
    ("content", Within(&INPUT_PART)),
    ("phase", DETAIL),
]);

static CALL_ITEM: Shape = Shape::Fields(&[
    ("type", Read),
    ("id", Read),
    ("status", Read),
    ("call_id", Read),
    ("name", Read),
    ("arguments", Read),
    ("input", Read),
    ("caller", DETAIL),
    ("namespace", DETAIL),
]);

static OUTPUT_ITEM: Shape = Shape::Fields(&[
    ("type", Read),
    ("id", Read),
    ("status", Read),
    ("call_id", Read),
    ("name", Read),
    ("output", Within(&INPUT_PART)),
    ("caller", DETAIL),
    ("namespace", DETAIL),
]);

static REASONING_ITEM: Shape = Shape::Fields(&[
    ("type", Read),
    ("id", Read),
    ("status", Read),
    ("summary", Read),
    ("content", Read),
    ("encrypted_content", Read),
]);

static INPUT_PART: Shape = Shape::ByType {
    default: "input_text",
    shapes: &[
        ("input_text", &INPUT_TEXT),
        ("output_text", &INPUT_TEXT),
        ("text", &INPUT_TEXT),
        ("input_image", &INPUT_IMAGE),
        ("input_file", &INPUT_FILE),
    ],
    other: None,
};

static INPUT_TEXT: Shape = Shape::Fields(&[
    ("type", Read),
    ("text", Read),
    ("annotations", CITED),
    // What the model thought of its own words is nothing to go on from.
    ("logprobs", Read),
    ("prompt_cache_breakpoint", BREAKPOINT),
]);

static INPUT_IMAGE: Shape = Shape::Fields(&[
    ("type", Read),
    ("image_url", Read),
    ("file_id", Read),
    ("detail", Read),
    ("prompt_cache_breakpoint", BREAKPOINT),
]);

static INPUT_FILE: Shape = Shape::Fields(&[
    ("type", Read),
    ("file_data", Read),
    ("file_url", Read),
    ("file_id", Read),
    ("filename", Read),
    ("detail", Lost(Reason::ImageDetail)),
    ("prompt_cache_breakpoint", BREAKPOINT),
]);

static RESPONSES_TOOL: Shape = Shape::ByType {
    default: "",
    shapes: &[("function", &RESPONSES_TOOL_FIELDS), ("custom", &RESPONSES_TOOL_FIELDS)],
    other: None,
};

static RESPONSES_TOOL_FIELDS: Shape = Shape::Fields(&[
    ("type", Read),
    ("name", Read),
    ("description", Read),
    ("parameters", Read),
    ("strict", Read),
    ("format", Read),
    ("function", Within(&CHAT_FUNCTION)),
    ("custom", Within(&CHAT_FUNCTION)),
    ("defer_loading", DETAIL),
    ("output_schema", DETAIL),
]);

static RESPONSES_CHOICE: Shape = Shape::Fields(&[
    ("type", Read),
    ("name", Read),
    ("function", Within(&NAMED)),
    ("custom", Within(&NAMED)),
    ("allowed_tools", Within(&Shape::Fields(&[("mode", Read), ("tools", Read)]))),
    ("mode", Read),
    ("tools", Read),
]);

static RESPONSES_FORMAT: Shape = Shape::ByType {
    default: "text",
    shapes: &[("text", &SCHEMA), ("json_object", &SCHEMA), ("json_schema", &SCHEMA)],
    other: Some(Reason::UnsupportedField),
};

// === Messages

const MESSAGES: Fields = &[
    ("system", Within(&BLOCK)),
    ("messages", Within(&Shape::Fields(&[("role", Read), ("content", Within(&BLOCK))]))),
    ("tools", Within(&MESSAGES_TOOL)),
    (
        "tool_choice",
        Within(&Shape::Fields(&[("type", Read), ("name", Read), ("disable_parallel_tool_use", Read)])),
    ),
    ("thinking", Within(&Shape::Fields(&[("type", Read), ("budget_tokens", Read), ("display", DETAIL)]))),
    ("metadata", Within(&Shape::Fields(&[("user_id", Read)]))),
    ("output_config", Within(&Shape::Fields(&[("effort", Read), ("format", Within(&SCHEMA_FORMAT))]))),
    ("output_format", Within(&SCHEMA_FORMAT)),
    ("cache_control", BREAKPOINT),
    ("betas", Lost(Reason::Beta)),
    ("anthropic_beta", Lost(Reason::Beta)),
];

static SCHEMA_FORMAT: Shape = Shape::Fields(&[("type", Read), ("schema", Read)]);

static BLOCK: Shape = Shape::ByType {
    default: "",
    shapes: &[
        ("text", &TEXT_BLOCK),
        ("image", &IMAGE_BLOCK),
        ("document", &DOCUMENT_BLOCK),
        ("thinking", &Shape::Fields(&[("type", Read), ("thinking", Read), ("signature", Read)])),
        ("tool_use", &TOOL_USE_BLOCK),
        ("tool_result", &TOOL_RESULT_BLOCK),
        ("search_result", &SEARCH_RESULT_BLOCK),
    ],
    other: None,
};

static TEXT_BLOCK: Shape =
    Shape::Fields(&[("type", Read), ("text", Read), ("cache_control", Read), ("citations", CITED)]);

static IMAGE_BLOCK: Shape =
    Shape::Fields(&[("type", Read), ("source", Within(&SOURCE)), ("cache_control", Read)]);

static DOCUMENT_BLOCK: Shape = Shape::Fields(&[
    ("type", Read),
    ("source", Within(&SOURCE)),
    ("title", Read),
    ("context", Read),
    ("citations", Read),
    ("cache_control", Read),
]);

static SOURCE: Shape = Shape::Fields(&[
    ("type", Read),
    ("media_type", Read),
    ("data", Read),
    ("url", Read),
    ("file_id", Read),
    ("content", Within(&TEXT_ONLY)),
]);

/// Blocks of which only the texts are read.
static TEXT_ONLY: Shape =
    Shape::ByType { default: "", shapes: &[("text", &JOINED_TEXT)], other: Some(Reason::UnsupportedBlock) };

static JOINED_TEXT: Shape =
    Shape::Fields(&[("type", Read), ("text", Read), ("cache_control", BREAKPOINT), ("citations", CITED)]);

static TOOL_USE_BLOCK: Shape = Shape::Fields(&[
    ("type", Read),
    ("id", Read),
    ("name", Read),
    ("input", Read),
    ("cache_control", Read),
    ("caller", DETAIL),
    ("toolset_name", DETAIL),
]);

static TOOL_RESULT_BLOCK: Shape = Shape::Fields(&[
    ("type", Read),
    ("tool_use_id", Read),
    ("content", Within(&BLOCK)),
    ("is_error", Read),
    ("cache_control", Read),
    ("toolset_name", DETAIL),
]);

static SEARCH_RESULT_BLOCK: Shape = Shape::Fields(&[
    ("type", Read),
    ("source", Read),
    ("title", Read),
    ("content", Within(&TEXT_ONLY)),
    ("citations", Read),
    ("cache_control", Read),
]);

static MESSAGES_TOOL: Shape =
    Shape::ByType { default: "custom", shapes: &[("custom", &MESSAGES_TOOL_FIELDS)], other: None };

static MESSAGES_TOOL_FIELDS: Shape = Shape::Fields(&[
    ("type", Read),
    ("name", Read),
    ("description", Read),
    ("input_schema", Read),
    ("cache_control", Read),
    ("strict", Read),
    ("defer_loading", DETAIL),
    ("eager_input_streaming", DETAIL),
]);
