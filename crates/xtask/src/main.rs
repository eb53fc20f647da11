//! The project's own tasks: `cargo xtask <task>`.

use std::{fs, path::Path};

use anyhow::Context;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the JSON Schema of the configuration to config/schema
    Schema,
}

fn main() -> anyhow::Result<()> {
    match Args::parse().task {
        Task::Schema => write_schema(),
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn write_schema() -> anyhow::Result<()> {
    let path = root().join("config/schema/vllm-sr.schema.json");
    fs::create_dir_all(path.parent().context("the schema has a folder")?)?;
    fs::write(&path, format!("{:#}\n", vsr_config::json_schema()))
        .with_context(|| format!("cannot write {}", path.display()))
}
