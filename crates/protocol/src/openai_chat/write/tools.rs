//! The tools that are declared, and what the model is to do about them.

use crate::conversation::{Conversation, Tool, ToolChoice, ToolKind, ToolSpec};
use crate::json::Writer;
use crate::loss::{Losses, Reason};
use crate::translate::is_object;

pub(super) fn write_tools(tools: &[&Tool], out: &mut Writer, losses: &mut Losses) {
    out.array_field("tools", |list| {
        for tool in tools {
            if tool.cache_control.is_some() {
                losses.add_once(Reason::CacheControl, &tool.place.dot("cache_control"));
            }
            list.object(|out| write_tool(tool, out, losses));
        }
    });
}

fn write_tool(tool: &Tool, out: &mut Writer, losses: &mut Losses) {
    let head = |out: &mut Writer| {
        out.string_field("name", &tool.name);
        if let Some(description) = &tool.description {
            out.string_field("description", description);
        }
    };
    match &tool.spec {
        ToolSpec::Function { schema, strict } => {
            out.string_field("type", "function");
            out.object_field("function", |function| {
                head(function);
                match schema.as_deref() {
                    Some(schema) if is_object(schema) => function.raw_field("parameters", schema),
                    Some(_) => losses.add(Reason::InvalidSchema, tool.place.to_string()),
                    None => {}
                }
                if let Some(strict) = strict {
                    function.bool_field("strict", *strict);
                }
            });
        }
        ToolSpec::Custom { format } => {
            out.string_field("type", "custom");
            out.object_field("custom", |custom| {
                head(custom);
                if let Some(format) = format {
                    custom.key("format");
                    write_custom_format(format, custom);
                }
            });
        }
        ToolSpec::Hosted { .. } => {}
    }
}

/// Responses writes `{type, syntax, definition}`, Chat Completions nests the last two.
fn write_custom_format(format: &str, out: &mut Writer) {
    let read: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(format).ok();
    let grammar = read.filter(|format| format.contains_key("definition"));
    let Some(grammar) = grammar else { return out.raw(format) };
    out.object(|out| {
        out.string_field("type", "grammar");
        out.object_field("grammar", |inner| {
            for key in ["definition", "syntax"] {
                if let Some(value) = grammar.get(key) {
                    inner.raw_field(key, &value.to_string());
                }
            }
        });
    });
}

pub(super) fn write_tool_choice(conversation: &Conversation, out: &mut Writer, losses: &mut Losses) {
    let word = match &conversation.tool_choice {
        None => return,
        Some(ToolChoice::Auto | ToolChoice::Allowed { is_required: false, .. }) => "auto",
        Some(ToolChoice::None) => "none",
        Some(ToolChoice::Required | ToolChoice::Allowed { is_required: true, .. }) => "required",
        Some(ToolChoice::Named { name, kind }) => {
            let is_custom = *kind == ToolKind::Custom || conversation.custom_tools().any(|tool| tool == name);
            let kind = if is_custom { "custom" } else { "function" };
            out.object_field("tool_choice", |choice| {
                choice.string_field("type", kind);
                choice.object_field(kind, |inner| inner.string_field("name", name));
            });
            return;
        }
        Some(ToolChoice::Other(_)) => {
            losses.add(Reason::UnsupportedToolChoice, "tool_choice");
            "auto"
        }
    };
    out.string_field("tool_choice", word);
}
