//! `vllm-sr model`.

use std::process::ExitCode;

use serde_json::{Value, json};
use vsr_reader::ModelFacts;
use vsr_router::{HubUse, Model, Snapshot};

use crate::{
    args::ModelCommand,
    hub,
    load::{print, require},
};

pub(crate) fn run(command: &ModelCommand) -> anyhow::Result<ExitCode> {
    let (config, json) = match command {
        ModelCommand::Download { models, config } => return hub::download(models, config),
        ModelCommand::List { config, own: true, json } => return own(&*require(config)?, *json),
        ModelCommand::List { config, own: false, json } => (config, json),
    };
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

/// The router's own models, and where each comes from.
fn own(snapshot: &Snapshot, json: bool) -> anyhow::Result<ExitCode> {
    let facts = snapshot.reader().facts();
    let mut models: Vec<Value> = facts.iter().map(|facts| origin(facts, snapshot.hub_models())).collect();
    let absent = snapshot.hub_models().iter().filter(|used| used.found.is_none());
    models.extend(
        absent.map(|used| json!({ "source": "hub", "model": used.model.to_string(), "state": "absent" })),
    );
    if json {
        print(format_args!("{:#}\n", Value::from(models)))?;
        return Ok(ExitCode::SUCCESS);
    }
    for model in &models {
        let text = |key: &str| model[key].as_str().unwrap_or_default();
        match text("source") {
            "hub" if text("state") == "absent" => {
                print(format_args!(
                    "{}\n  not on this machine; `vllm-sr model download` brings it\n",
                    text("model")
                ))?;
            }
            "hub" => print(format_args!(
                "{}\n  {} at {}, commit {}\n",
                text("role"),
                text("model"),
                text("path"),
                text("commit")
            ))?,
            "directory" => print(format_args!("{}\n  {}\n", text("role"), text("path")))?,
            _ => print(format_args!("{}\n  {}, part of this binary\n", text("role"), text("name")))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn origin(facts: &ModelFacts, hub_models: &[HubUse]) -> Value {
    let heads: Vec<&str> = facts.labels.iter().map(|(head, _)| head.as_str()).collect();
    let mut model = json!({ "role": facts.role, "heads": heads, "name": facts.name, "state": "present" });
    let Some(path) = &facts.path else {
        model["source"] = "embedded".into();
        return model;
    };
    model["path"] = path.as_str().into();
    let found = hub_models.iter().find_map(|used| {
        let found = used.found.as_ref()?;
        (found.directory.display().to_string() == *path).then_some((&used.model, &found.commit))
    });
    match found {
        Some((named, commit)) => {
            model["source"] = "hub".into();
            model["model"] = named.to_string().into();
            model["commit"] = commit.as_str().into();
        }
        None => model["source"] = "directory".into(),
    }
    model
}
