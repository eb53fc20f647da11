//! `vllm-sr`: the command line.

mod args;
mod chat;
mod config;
mod demo;
mod eval;
mod load;
mod logging;
mod model;
mod models;
mod serve;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

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
        Command::Validate(args) => validate::run(&args),
        Command::Config(args) => config::run(args),
        Command::Eval(args) => eval::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Model(args) => model::run(&args),
    }
}
