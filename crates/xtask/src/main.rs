//! The project's own tasks: `cargo xtask <task>`.

use std::fs;

use anyhow::Context;
use clap::{Parser, Subcommand};
use xtask::{configuration, root};

#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the JSON Schema of the configuration to config/schema
    Schema,
    /// Write docs/configuration.md
    Docs,
}

fn main() -> anyhow::Result<()> {
    match Args::parse().task {
        Task::Schema => {
            write("config/schema/vllm-sr.schema.json", &format!("{:#}\n", vsr_config::json_schema()))
        }
        Task::Docs => write("docs/configuration.md", &configuration()?),
    }
}

fn write(file: &str, text: &str) -> anyhow::Result<()> {
    let path = root().join(file);
    fs::create_dir_all(path.parent().context("the file has a folder")?)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
