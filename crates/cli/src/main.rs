//! `vllm-sr`: the command line.

mod args;
mod calibrate;
mod chat;
mod config;
mod demo;
mod envoy;
mod eval;
mod files;
mod hub;
mod import;
mod load;
mod logging;
mod migrate;
mod model;
mod models;
mod preparation;
mod serve;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// What `init` did is not needed here, and what it made is no contract.
const INIT_ADVICE: &str = "error: there is no `init`; nothing has to be generated\n\
  to see the router at work:         vllm-sr serve --demo\n\
  to begin with a server's models:   vllm-sr config import --from openai --source http://127.0.0.1:8000\n\
  to keep an older configuration:    vllm-sr config migrate OLD.yaml --output config.yaml";

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    logging::keep_panics_short();
    match run(Args::parse().command) {
        Ok(code) => code,
        Err(error) => {
            load::complain(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::Init { rest: _ } => {
            load::complain(format_args!("{INIT_ADVICE}"));
            Ok(ExitCode::from(2))
        }
        Command::Validate(args) => validate::run(&args),
        Command::Config(args) => config::run(args),
        Command::Eval(args) => eval::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Model(args) => model::run(&args),
    }
}
