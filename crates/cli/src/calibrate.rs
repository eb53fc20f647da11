//! `vllm-sr calibrate`: thresholds for this router's own models, fitted to probes.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use vsr_eval::{Half, Policy, Probes, calibrate, unified_diff};

use crate::{
    args::CalibrateArgs,
    load::{complain, print, variable},
    models,
};

pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (text, probes) = (read(&args.config)?, read(&args.probes)?);
    let probes = Probes::parse(&probes).with_context(|| args.probes.display().to_string())?;
    let name = args.config.display().to_string();
    let directory = args.config.parent().unwrap_or(Path::new("."));
    let policy = Policy::new(&name, directory, &variable, models::reader()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    complain(format_args!("fitting thresholds to half of {} probes", probes.list.len()));
    let calibration = runtime.block_on(calibrate(&policy, &text, &probes))?;
    if args.json {
        print(format_args!("{}\n", serde_json::to_string_pretty(&calibration)?))?;
    } else {
        let diff = unified_diff(&name, &text, &calibration.text);
        print(format_args!("{diff}"))?;
        complain(format_args!("{}", summary("fitted to", &calibration.fitted)));
        complain(format_args!("{}", summary("held out", &calibration.held_out)));
        for (probe, decision) in calibration.fitted.failing.iter().chain(&calibration.held_out.failing) {
            let reached = if decision.is_empty() { "no decision" } else { decision };
            complain(format_args!("  {probe} reaches {reached}"));
        }
        if calibration.changes.is_empty() {
            complain(format_args!("no threshold lets more of the probes reach their decision"));
        }
    }
    if let Some(output) = &args.output {
        std::fs::write(output, &calibration.text)
            .with_context(|| format!("cannot write {}", output.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(what: &str, half: &Half) -> String {
    format!(
        "{what}: {} of {} probes reach their decision, {} before",
        half.passed_after, half.probes, half.passed_before
    )
}
