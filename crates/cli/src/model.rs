//! `vllm-sr model`.

use std::process::ExitCode;

use serde_json::{Value, json};
use vsr_router::Model;

use crate::{
    args::ModelCommand,
    load::{print, require},
};

pub(crate) fn run(command: &ModelCommand) -> anyhow::Result<ExitCode> {
    let ModelCommand::List { config, json } = command;
    let snapshot = require(config)?;
    if *json {
        let models: Vec<Value> = snapshot.models().iter().map(describe).collect();
        print(format_args!("{:#}\n", Value::from(models)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let default = snapshot.default_model().map(|model| model.name.clone());
    for model in snapshot.models().iter() {
        let mark = if default.as_ref() == Some(&model.name) { " (default)" } else { "" };
        print(format_args!("{}{mark}\n", model.name))?;
        if model.name != model.card {
            print(format_args!("  adapter of {}\n", model.card))?;
        }
        for backend in &model.backends {
            print(format_args!(
                "  {} {}{} as {}\n",
                backend.name,
                backend.endpoint,
                backend.chat_path.path(),
                backend.upstream_model
            ))?;
        }
        if let Some(pricing) = &model.pricing {
            print(format_args!(
                "  {} {} prompt, {} completion per million tokens\n",
                pricing.currency,
                pricing.prompt_per_1m.unwrap_or(0.0),
                pricing.completion_per_1m.unwrap_or(0.0),
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The model without credentials: endpoints hold none, and queries are left out.
fn describe(model: &Model) -> Value {
    let backends: Vec<Value> = model
        .backends
        .iter()
        .map(|backend| {
            json!({
                "name": &*backend.name,
                "url": format!("{}{}", backend.endpoint, backend.chat_path.path()),
                "model": backend.upstream_model.as_str(),
                "authenticated": backend.has_credential,
            })
        })
        .collect();
    json!({
        "name": model.name.as_str(),
        "card": model.card.as_str(),
        "api_format": model.api_format.as_str(),
        "reasoning_family": model.reasoning.as_ref().map(|(name, _)| &**name),
        "backends": backends,
    })
}
