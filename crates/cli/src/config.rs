//! `vllm-sr config`.

use std::process::ExitCode;

use crate::{
    args::ConfigCommand,
    envoy, import,
    load::{compile_file, complain, print, require},
    migrate,
};

pub(crate) fn run(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Schema => {
            print(format_args!("{:#}\n", vsr_config::json_schema()))?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Migrate(args) => migrate::run(&args),
        ConfigCommand::Import(args) => import::run(&args),
        ConfigCommand::Envoy { config, port_offset } => {
            let snapshot = require(&config)?;
            let bootstrap = envoy::bootstrap(snapshot.config(), &snapshot.listeners(), port_offset)?;
            print(format_args!("{}", vsr_config::json_to_yaml(&bootstrap)))?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Show { config } => {
            let (document, snapshot) = compile_file(&config)?;
            if snapshot.is_none() {
                for problem in document.problems() {
                    complain(format_args!("{problem}"));
                }
                return Ok(ExitCode::FAILURE);
            }
            print(format_args!("{}", document.effective_yaml()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
