//! Writes a conversation as a Messages request.

mod messages;
mod sources;
mod thinking;

use bytes::Bytes;
use bytestring::ByteString;
use vsr_types::Role;

use messages::Messages;
use thinking::{Thinking, plan_thinking};

use super::DEFAULT_MAX_TOKENS;
use crate::conversation::{
    Arranged, Content, Conversation, Format, IdRules, Part, Text, Tool, ToolChoice, ToolSpec, Turn, arrange,
};
use crate::json::Writer;
use crate::loss::{Losses, Reason};
use crate::translate::{Target, callable_tools, is_object, report_extras};

pub use thinking::ThinkingStyle;

const IDS: IdRules = IdRules { is_plain: true, is_unique: true };

/// The schema of a tool that takes free text.
const CUSTOM_SCHEMA: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// The body for a backend that speaks Messages, with `turns` as those of the conversation. It is of
/// about `size` bytes.
pub(crate) fn write_request(
    conversation: &Conversation,
    turns: Vec<Turn>,
    target: &Target<'_>,
    size: usize,
    losses: &mut Losses,
) -> Bytes {
    let turns = arrange(turns, IDS, losses);
    let settings = &conversation.settings;
    let thinking = plan_thinking(conversation, target, &turns, losses);
    let mut out = Writer::with_capacity(size);
    out.open('{');
    out.string_field("model", target.model);
    let max_tokens = max_tokens(conversation, &thinking, losses);
    out.number_field("max_tokens", max_tokens);
    if settings.stream {
        out.bool_field("stream", true);
    }
    write_turns(turns, target.model, &mut out, losses);
    let tools = callable_tools(conversation, losses);
    write_tools(&tools, &mut out, losses);
    if !tools.is_empty() {
        write_tool_choice(conversation, &thinking, &mut out, losses);
    }
    write_sampling(conversation, &thinking, &mut out, losses);
    write_output(conversation, &thinking, &mut out, losses);
    let mut carried: &[&str] = &[];
    let safety_identifier = conversation.extras.iter().find(|(name, _)| name == "safety_identifier");
    match (&settings.user, safety_identifier) {
        (Some(user), _) => out.object_field("metadata", |metadata| metadata.string_field("user_id", user)),
        (None, Some((_, user))) if user.starts_with('"') => {
            carried = &["safety_identifier"];
            out.object_field("metadata", |metadata| metadata.raw_field("user_id", user));
        }
        _ => {}
    }
    match settings.service_tier.as_deref() {
        None => {}
        Some("auto") => out.string_field("service_tier", "auto"),
        Some("default" | "standard_only") => out.string_field("service_tier", "standard_only"),
        Some(_) => losses.add(Reason::ServiceTier, "service_tier"),
    }
    if settings.logprobs.is_some() {
        losses.add(Reason::Logprobs, "logprobs");
    }
    if settings.verbosity.is_some() {
        losses.add(Reason::UnsupportedField, "verbosity");
    }
    report_extras(conversation, carried, losses);
    out.close('}');
    out.finish()
}

fn max_tokens(conversation: &Conversation, thinking: &Thinking, losses: &mut Losses) -> u64 {
    if let Some(limit) = conversation.settings.max_tokens {
        return limit;
    }
    losses.add(Reason::MaxTokensDefault, "max_tokens");
    match thinking {
        Thinking::Budget(budget) => DEFAULT_MAX_TOKENS + budget,
        _ => DEFAULT_MAX_TOKENS,
    }
}

fn write_turns(turns: Arranged, model: &str, out: &mut Writer, losses: &mut Losses) {
    let is_system = |turn: &Turn| matches!(turn.role, Role::System | Role::Developer);
    let (mut system, mut others): (Vec<Turn>, Vec<Turn>) = (Vec::new(), Vec::new());
    for turn in turns {
        if !is_system(&turn) {
            others.push(turn);
            continue;
        }
        if !others.is_empty() {
            losses.add(Reason::SystemMoved, turn.place.to_string());
        }
        system.push(turn);
    }
    if others.is_empty()
        && let Some(mut last) = system.pop()
    {
        // Messages must not be empty: the last instruction is what is asked.
        losses.add(Reason::SystemMoved, last.place.to_string());
        last.role = Role::User;
        others.push(last);
    }
    write_system(&system, out, losses);
    trim_prefill(&mut others, losses);
    out.key("messages").open('[');
    let mut messages = Messages::new(out, losses, model);
    for turn in &others {
        messages.turn(turn);
    }
    messages.finish();
    out.close(']');
}

fn write_system(system: &[Turn], out: &mut Writer, losses: &mut Losses) {
    let mut blocks: Vec<(&Text, Option<&ByteString>)> = Vec::new();
    for turn in system {
        if turn.name.is_some() {
            losses.add(Reason::NameDropped, turn.place.dot("name"));
        }
        for part in &turn.parts {
            match &part.content {
                Content::Text(text) if text.is_blank() => {}
                Content::Text(text) => blocks.push((text, part.cache_control.as_ref())),
                _ => losses.add(Reason::UnsupportedBlock, part.place.to_string()),
            }
        }
    }
    match blocks.as_slice() {
        [] => {}
        [(text, None)] => out.text_field("system", text),
        _ => out.array_field("system", |list| {
            for (text, cache_control) in blocks {
                list.object(|block| {
                    block.string_field("type", "text");
                    block.text_field("text", text);
                    if let Some(cache_control) = cache_control {
                        block.raw_field("cache_control", cache_control);
                    }
                });
            }
        }),
    }
}

/// Words that the model is to go on from must not end with white space.
fn trim_prefill(turns: &mut [Turn], losses: &mut Losses) {
    let is_blank = |part: &Part| matches!(&part.content, Content::Text(text) if text.is_blank());
    let is_prefill = |turn: &&mut Turn| turn.role == Role::Assistant && !turn.parts.iter().all(is_blank);
    let Some(last) = turns.last_mut().filter(is_prefill) else { return };
    losses.add(Reason::Prefill, last.place.to_string());
    if let Some(Part { content: Content::Text(text), .. }) = last.parts.last_mut() {
        *text = text.trimmed_end();
    }
}

fn write_tools(tools: &[&Tool], out: &mut Writer, losses: &mut Losses) {
    if tools.is_empty() {
        return;
    }
    out.array_field("tools", |list| {
        for tool in tools {
            list.object(|out| {
                out.string_field("name", &tool.name);
                if let Some(description) = &tool.description {
                    out.string_field("description", description);
                }
                match &tool.spec {
                    ToolSpec::Function { schema, strict } => {
                        let schema = schema.as_deref().filter(|schema| {
                            let is_fine = is_object(schema);
                            if !is_fine {
                                losses.add(Reason::InvalidSchema, tool.place.to_string());
                            }
                            is_fine
                        });
                        out.key("input_schema");
                        write_schema(schema, out);
                        if *strict == Some(true) {
                            out.bool_field("strict", true);
                        }
                    }
                    ToolSpec::Custom { format } => {
                        losses.add(Reason::CustomTool, tool.place.to_string());
                        if format.as_ref().is_some_and(|format| format.contains("grammar")) {
                            losses.add(Reason::CustomToolFormat, tool.place.dot("format"));
                        }
                        out.raw_field("input_schema", CUSTOM_SCHEMA);
                    }
                    ToolSpec::Hosted { .. } => {}
                }
                if let Some(cache_control) = &tool.cache_control {
                    out.raw_field("cache_control", cache_control);
                }
            });
        }
    });
}

/// A schema, which Anthropic demands to be of type `object`.
fn write_schema(schema: Option<&str>, out: &mut Writer) {
    let Some(schema) = schema else {
        return out.raw(r#"{"type":"object","properties":{}}"#);
    };
    let inside = schema.trim().trim_start_matches('{').trim_start();
    let states_type = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(schema)
        .is_ok_and(|object| object.contains_key("type"));
    match (states_type, inside == "}") {
        (true, _) => out.raw(schema),
        (false, true) => out.raw(r#"{"type":"object","properties":{}}"#),
        (false, false) => out.raw(&[r#"{"type":"object","#, inside].concat()),
    }
}

fn write_tool_choice(
    conversation: &Conversation,
    thinking: &Thinking,
    out: &mut Writer,
    losses: &mut Losses,
) {
    let is_serial = conversation.parallel_tool_calls == Some(false);
    let mut name = None;
    let mut kind = match &conversation.tool_choice {
        None if !is_serial => return,
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { is_required: false, .. }) => "auto",
        Some(ToolChoice::None) => "none",
        Some(ToolChoice::Required | ToolChoice::Allowed { is_required: true, .. }) => "any",
        Some(ToolChoice::Named { name: named, .. }) => {
            name = Some(named);
            "tool"
        }
        Some(ToolChoice::Other(_)) => {
            losses.add(Reason::UnsupportedToolChoice, "tool_choice");
            "auto"
        }
    };
    // While a model thinks by budget it may not be forced to call.
    if matches!(thinking, Thinking::Budget(_)) && matches!(kind, "any" | "tool") {
        losses.add(Reason::ToolChoiceRelaxed, "tool_choice");
        kind = "auto";
        name = None;
    }
    out.object_field("tool_choice", |choice| {
        choice.string_field("type", kind);
        if let Some(name) = name {
            choice.string_field("name", name);
        }
        if is_serial && kind != "none" {
            choice.bool_field("disable_parallel_tool_use", true);
        }
    });
}

fn write_sampling(conversation: &Conversation, thinking: &Thinking, out: &mut Writer, losses: &mut Losses) {
    let settings = &conversation.settings;
    let thinks = matches!(thinking, Thinking::Budget(_) | Thinking::Adaptive(_));
    let number = |text: &ByteString| text.parse::<f64>().unwrap_or(1.0);
    let mut has_temperature = false;
    if let Some(temperature) = &settings.temperature {
        if thinks {
            if number(temperature) != 1.0 {
                losses.add(Reason::SamplingDropped, "temperature");
            }
        } else if number(temperature) > 1.0 {
            losses.add(Reason::TemperatureClamped, "temperature");
            out.raw_field("temperature", "1");
            has_temperature = true;
        } else {
            out.raw_field("temperature", temperature);
            has_temperature = true;
        }
    }
    if let Some(top_p) = settings.top_p.as_ref().filter(|top_p| number(top_p) != 1.0) {
        // Newer models refuse the two together, and a thinking one takes no cut below 0.95.
        if has_temperature || thinks && number(top_p) < 0.95 {
            losses.add(Reason::SamplingDropped, "top_p");
        } else {
            out.raw_field("top_p", top_p);
        }
    }
    if let Some(top_k) = &settings.top_k {
        if thinks {
            losses.add(Reason::SamplingDropped, "top_k");
        } else {
            out.raw_field("top_k", top_k);
        }
    }
    let stops: Vec<&ByteString> = settings.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
    if stops.len() < settings.stop.len() {
        losses.add(Reason::StopDropped, "stop");
    }
    if !stops.is_empty() {
        out.array_field("stop_sequences", |list| stops.iter().for_each(|stop| list.string(stop)));
    }
}

fn write_output(conversation: &Conversation, thinking: &Thinking, out: &mut Writer, losses: &mut Losses) {
    match thinking {
        Thinking::Unstated => {}
        Thinking::Off => out.object_field("thinking", |thinking| thinking.string_field("type", "disabled")),
        Thinking::Budget(budget) => out.object_field("thinking", |thinking| {
            thinking.string_field("type", "enabled");
            thinking.number_field("budget_tokens", *budget);
        }),
        Thinking::Adaptive(_) => {
            out.object_field("thinking", |thinking| thinking.string_field("type", "adaptive"));
        }
    }
    let effort = match thinking {
        Thinking::Adaptive(effort) => effort.as_ref(),
        _ => None,
    };
    let schema = match &conversation.format {
        Format::Text => None,
        Format::Json => {
            losses.add(Reason::JsonMode, "response_format");
            None
        }
        Format::Schema { name, description, schema, .. } => {
            if name.is_some() || description.is_some() {
                losses.add(Reason::SchemaDetails, "response_format");
            }
            Some(schema)
        }
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    out.object_field("output_config", |config| {
        if let Some(effort) = effort {
            config.string_field("effort", effort);
        }
        if let Some(schema) = schema {
            config.object_field("format", |format| {
                format.string_field("type", "json_schema");
                format.raw_field("schema", schema);
            });
        }
    });
}
