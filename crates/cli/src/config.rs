//! `vllm-sr config`.

use std::process::ExitCode;

use crate::{
    args::ConfigCommand,
    import,
    load::{compile_file, complain, print},
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
