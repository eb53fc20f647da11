//! `vllm-sr validate`.

use std::process::ExitCode;

use serde_json::json;
use vsr_types::Severity;

use crate::{
    args::ValidateArgs,
    load::{compile_file, print},
};

pub(crate) fn run(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    let (document, snapshot) = compile_file(&args.config)?;
    let problems = document.problems();
    let count = |severity| problems.iter().filter(|problem| problem.diagnostic.severity == severity).count();
    let (errors, warnings, inactive) =
        (count(Severity::Error), count(Severity::Warning), count(Severity::NotActive));
    if args.json {
        let report = json!({
            "valid": snapshot.is_some(),
            "errors": errors,
            "warnings": warnings,
            "not_active": inactive,
            "problems": problems,
        });
        print(format_args!("{report:#}\n"))?;
    } else {
        for problem in &problems {
            print(format_args!("{problem}\n"))?;
        }
        let config = args.config.display();
        let result = if snapshot.is_some() { "valid" } else { "not valid" };
        print(format_args!(
            "{config} is {result}: {errors} errors, {warnings} warnings, {inactive} features accepted but not active\n"
        ))?;
        if let Some(snapshot) = &snapshot {
            let routing = &snapshot.config().routing;
            print(format_args!(
                "{} models, {} decisions, {} signal and projection atoms\n",
                snapshot.models().iter().count(),
                routing.decisions.len(),
                snapshot.atoms().len(),
            ))?;
        }
    }
    Ok(if snapshot.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
