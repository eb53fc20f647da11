//! `vllm-sr eval`: why a request goes where it goes.

use std::{fmt::Write, io::Read, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use vsr_api::EvalRequest;
use vsr_router::{Metrics, Router, RouterParts, Snapshot};
use vsr_store::MemoryStore;
use vsr_types::SystemClock;

use crate::{
    args::EvalArgs,
    chat::post_json,
    demo,
    load::{print, printable, require, variable},
    models,
};

pub(crate) fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    let request = request(args)?;
    let explanation = if let Some(config) = &args.config {
        evaluate_here(&require(config)?, request)?
    } else if args.demo {
        evaluate_here(&demo::snapshot_without_models(&models::reader()?)?, request)?
    } else {
        ask(args, &request)?
    };
    if args.json {
        print(format_args!("{explanation:#}\n"))?;
    } else {
        print(format_args!("{}", render(&explanation)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: &EvalArgs) -> anyhow::Result<Value> {
    let mut request = match (&args.prompt, &args.messages) {
        (Some(prompt), _) => json!({ "text": prompt }),
        (None, Some(file)) => from_file(file)?,
        (None, None) => bail!("give --prompt or --messages"),
    };
    if args.model != "auto" || request.get("model").is_none() {
        request["model"] = args.model.as_str().into();
    }
    request["identity"] = json!({ "user": args.user, "groups": args.groups });
    Ok(request)
}

/// A list of messages, or a request with `messages` and perhaps `tools` and `model`.
fn from_file(file: &Path) -> anyhow::Result<Value> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    let document: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    match document {
        Value::Array(messages) => Ok(json!({ "messages": messages })),
        Value::Object(request) if request.contains_key("messages") => Ok(json!({
            "messages": request["messages"],
            "tools": request.get("tools"),
            "model": request.get("model").cloned().unwrap_or_else(|| "auto".into()),
        })),
        _ => bail!("{} holds neither a list of messages nor a request with `messages`", file.display()),
    }
}

fn evaluate_here(snapshot: &Arc<Snapshot>, request: Value) -> anyhow::Result<Value> {
    let parts = RouterParts {
        clock: Arc::new(SystemClock),
        store: Arc::new(MemoryStore::new(1)),
        metrics: Metrics::default(),
    };
    let router = Router::new(Arc::clone(snapshot), parts);
    let request: EvalRequest = serde_json::from_value(request)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("cannot start the runtime")?;
    let response = runtime.block_on(async {
        snapshot.prepare(None, &|_, _| {}).await?;
        request.evaluate(&router).await.map_err(|failure| anyhow::anyhow!(failure.message))
    })?;
    Ok(serde_json::to_value(response)?)
}

fn ask(args: &EvalArgs, request: &Value) -> anyhow::Result<Value> {
    let token = match &args.token_env {
        Some(name) => Some(variable(name).with_context(|| format!("the variable `{name}` is not set"))?),
        None => None,
    };
    let url = format!("{}/api/v1/eval", args.endpoint.trim_end_matches('/'));
    let timeout = Duration::from_secs(args.timeout);
    let (status, _, body) = post_json(&url, token.as_deref(), request, timeout).with_context(|| {
        format!(
            "no router answers at {}; start one, or evaluate here with --config FILE or --demo",
            args.endpoint
        )
    })?;
    let answer: Value = serde_json::from_slice(&body).context("the router's answer is no JSON")?;
    if !status.is_success() {
        bail!(
            "the router refused ({status}): {}",
            answer["error"]["message"].as_str().unwrap_or("no reason given")
        );
    }
    Ok(answer)
}

/// The explanation for people.
fn render(explanation: &Value) -> String {
    let text = |value: &Value| printable(value.as_str().unwrap_or("-"));
    let mut out = String::new();
    let result = &explanation["decision_result"];
    let decision = match result["decision_name"].as_str() {
        Some("") | None => "none matched".to_owned(),
        Some(name) => {
            let (confidence, won_by) = (number(&result["confidence"]), text(&result["won_by"]));
            format!("{} (confidence {confidence:.4}, {won_by})", printable(name))
        }
    };
    let model = &explanation["model"];
    // Writing to a String cannot fail.
    let _ = writeln!(out, "decision   {decision}");
    if let Some(second) = result["runner_up"]["decision_name"].as_str() {
        let _ = writeln!(
            out,
            "runner-up  {second} (confidence {:.4})",
            number(&result["runner_up"]["confidence"])
        );
    }
    match model["refusal"].as_str() {
        Some(refusal) => {
            let _ = writeln!(out, "refused    {refusal}");
        }
        None => {
            let _ = writeln!(
                out,
                "model      {} (chosen by {}, reasoning {})",
                text(&model["name"]),
                text(&model["method"]),
                text(&model["reasoning"]),
            );
        }
    }
    let _ = writeln!(out, "tokens     about {}", explanation["context_tokens"]);
    let _ = writeln!(out, "\nsignals");
    for signal in explanation["signals"].as_array().into_iter().flatten() {
        let mut line =
            format!("  {:<11} {}:{}", text(&signal["state"]), text(&signal["type"]), text(&signal["name"]));
        if let Some(confidence) = signal["confidence"].as_f64() {
            let _ = write!(line, "  confidence {confidence:.4}");
        }
        if let Some(value) = signal["value"].as_f64() {
            let _ = write!(line, "  value {value:.4}");
        }
        if let Some(reason) = signal["reason"].as_str() {
            let _ = write!(line, "  ({reason})");
        }
        for note in signal["notes"].as_array().into_iter().flatten() {
            let _ = write!(line, "  [{}]", text(note));
        }
        let _ = writeln!(out, "{line}");
    }
    render_projections(&explanation["projections"], &mut out);
    let _ = writeln!(out, "\ndecisions");
    for decision in explanation["eval_trace"].as_array().into_iter().flatten() {
        render_node(decision, 1, &mut out);
    }
    out
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

fn render_projections(projections: &Value, out: &mut String) {
    let lists = ["partitions", "scores", "mappings"].map(|key| projections[key].as_array());
    if lists.iter().flatten().all(|list| list.is_empty()) {
        return;
    }
    let _ = writeln!(out, "\nprojections");
    for entry in lists.into_iter().flatten().flatten() {
        let _ = writeln!(out, "  {entry}");
    }
}

/// One node of an explained rule tree, and what is below it.
fn render_node(node: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let scalars: Vec<String> = node
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_array() && !value.is_object() && !value.is_null())
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}={}", printable(text)),
            other => format!("{key}={other}"),
        })
        .collect();
    let _ = writeln!(out, "{indent}{}", scalars.join("  "));
    for value in node.as_object().into_iter().flatten().map(|(_, value)| value) {
        match value {
            Value::Object(_) => render_node(value, depth + 1, out),
            Value::Array(children) => {
                for child in children.iter().filter(|child| child.is_object()) {
                    render_node(child, depth + 1, out);
                }
            }
            _ => {}
        }
    }
}
