//! `vllm-sr config import`: the models of OpenClaw, or of a running server.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;
use vsr_config::{ImportedModel, OpenClaw, add_models};

use crate::{
    args::{ImportArgs, ImportKind},
    chat, files,
    load::{complain, printable, variable},
    migrate,
};

/// The other program's file, as it is to be.
struct Behind {
    file: PathBuf,
    source: OpenClaw,
}

pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let (models, behind) = match args.from {
        ImportKind::Openclaw => {
            let file = openclaw_file(args.source.as_deref())?;
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let source =
                OpenClaw::read(&text).map_err(|error| anyhow::anyhow!("{}:{error}", file.display()))?;
            (source.models(), Some(Behind { file, source }))
        }
        ImportKind::Openai => (served(args)?, None),
    };
    let before = args.target.exists().then(|| std::fs::read_to_string(&args.target)).transpose();
    let before = before.with_context(|| format!("cannot read {}", args.target.display()))?;
    let with_models = add_models(before.as_deref(), &models).map_err(|problems| {
        for problem in problems {
            let (line, column) = (problem.span.line, problem.span.column);
            complain(format_args!("{}:{line}:{column}: error: {problem}", args.target.display()));
        }
        anyhow::anyhow!("models cannot be added to {}", args.target.display())
    })?;
    let (document, is_valid) = migrate::compile(&with_models.text, &args.target, Some(&args.target))?;
    if !is_valid {
        for problem in document.problems() {
            complain(format_args!("{problem}"));
        }
        bail!("with these models, {} could not run; no file was changed", args.target.display());
    }
    let listener = document.config().and_then(|config| config.listeners.first());
    let router = match (&behind, listener) {
        (Some(_), None) => bail!("{} has no listener; add one under listeners", args.target.display()),
        (_, listener) => listener.map(|listener| base_url(&listener.address.0, listener.port)),
    };
    if let Some(model) =
        models.iter().find(|model| Some(model.base_url.trim_end_matches('/')) == router.as_deref())
    {
        bail!(
            "the model {} is served by this router already; restore the other program's backup first",
            model.name
        );
    }
    // Both backups before either file changes, and none if one is not possible.
    let files: Vec<_> =
        std::iter::once(&args.target).chain(behind.iter().map(|behind| &behind.file)).collect();
    files.iter().try_for_each(|file| files::may_back_up(file, args.force))?;
    let mut backups = Vec::new();
    for file in files {
        backups.extend(files::back_up(file, args.force)?);
    }
    files::write(&args.target, &with_models.text, None, true)?;
    for note in &with_models.notes {
        complain(format_args!("{}: {}", args.target.display(), printable(note)));
    }
    if let (Some(Behind { file, source }), Some(url)) = (&behind, &router) {
        files::write(file, &source.behind_router(url), None, true)?;
        complain(format_args!("{}: its models are now reached through {url}", file.display()));
    }
    for backup in backups {
        complain(format_args!("the file as it was: {}", backup.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// OpenClaw's file: the named one, or the first of its usual ones that is there.
fn openclaw_file(named: Option<&str>) -> anyhow::Result<PathBuf> {
    if let Some(named) = named.map(str::to_owned).or_else(|| variable("OPENCLAW_CONFIG_PATH")) {
        return Ok(named.into());
    }
    let home = std::env::home_dir().map(|home| home.join(".openclaw").join("openclaw.json"));
    let usual: Vec<PathBuf> = std::iter::once(PathBuf::from("openclaw.json")).chain(home).collect();
    usual
        .iter()
        .find(|file| file.is_file())
        .cloned()
        .context("no openclaw.json here or in ~/.openclaw; name it with --source")
}

/// The models that a server lists.
fn served(args: &ImportArgs) -> anyhow::Result<Vec<ImportedModel>> {
    let source = args.source.as_deref().unwrap_or_default().trim_end_matches('/');
    let base = source.strip_suffix("/models").unwrap_or(source);
    let has_version = base
        .rsplit('/')
        .next()
        .is_some_and(|last| last.starts_with('v') && last[1..].starts_with(|c: char| c.is_ascii_digit()));
    let base = if has_version { base.to_owned() } else { format!("{base}/v1") };
    let key = match &args.api_key_env {
        Some(name) => Some(variable(name).with_context(|| format!("the variable `{name}` is not set"))?),
        None => None,
    };
    let url = format!("{base}/models");
    let (status, _, body) =
        chat::call(Method::GET, &url, key.as_deref(), None, Duration::from_secs(args.timeout))
            .with_context(|| format!("no server answers at {url}"))?;
    if !status.is_success() {
        bail!("{url} answers {status}; check the address and --api-key-env");
    }
    let list: Value = serde_json::from_slice(&body).with_context(|| format!("{url} answers no JSON"))?;
    let models = models_of(&list, &base, args.api_key_env.as_deref());
    if models.is_empty() {
        bail!("{url} lists no models");
    }
    Ok(models)
}

fn models_of(list: &Value, base_url: &str, api_key_env: Option<&str>) -> Vec<ImportedModel> {
    let mut models: Vec<ImportedModel> = Vec::new();
    for entry in list["data"].as_array().into_iter().flatten() {
        let Some(id) = entry["id"].as_str().filter(|id| !id.trim().is_empty()) else { continue };
        if models.iter().any(|known| known.id == id) {
            continue;
        }
        models.push(ImportedModel {
            name: id.to_owned(),
            id: id.to_owned(),
            base_url: base_url.to_owned(),
            api_key: None,
            api_key_env: api_key_env.map(str::to_owned),
            headers: Vec::new(),
            context_window: entry["max_model_len"].as_u64(),
            capabilities: Vec::new(),
        });
    }
    models
}

/// The router's own URL for clients on this machine.
fn base_url(address: &str, port: u16) -> String {
    let host = match address {
        "0.0.0.0" | "" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        address if address.contains(':') && !address.starts_with('[') => format!("[{address}]"),
        address => address.to_owned(),
    };
    format!("http://{host}:{port}/v1")
}
