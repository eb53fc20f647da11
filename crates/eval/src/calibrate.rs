//! Thresholds fitted to half of the probes, and what they do to the other half.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    EvalError, Judged, Policy, Probe, Probes,
    thresholds::{Threshold, find, replace},
};

/// How often every threshold is gone through.
const SWEEPS: usize = 2;
/// The most values that are tried for one threshold.
const MOST_TRIED: usize = 12;

/// What was fitted, and what it does.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// The thresholds that changed.
    pub changes: Vec<Change>,
    /// The probes that thresholds were fitted to.
    pub fitted: Half,
    /// The probes that were kept apart.
    pub held_out: Half,
    /// The configuration with the new thresholds.
    #[serde(skip)]
    pub text: String,
}

/// A new threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// `family:rule`.
    pub rule: String,
    /// As it was.
    pub before: f64,
    /// As it is proposed.
    pub after: f64,
    /// The line of the configuration, from 1.
    pub line: u32,
}

/// What becomes of one half of the probes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Half {
    /// How many there are.
    pub probes: usize,
    /// How many reached the expected decision before.
    pub passed_before: usize,
    /// How many do now.
    pub passed_after: usize,
    /// Those that do not: the probe, and the decision reached.
    pub failing: Vec<(String, String)>,
}

/// Fits the thresholds that `text` writes to every second probe of each decision, by going through them one by one and
/// keeping what lets more of those probes reach their decision, the smallest change among equals; and tells what that does
/// to the other probes.
///
/// # Errors
/// If the configuration cannot run or a model fails.
pub async fn calibrate(policy: &Policy<'_>, text: &str, probes: &Probes) -> Result<Calibration, EvalError> {
    let (fitted, held_out): (Vec<&Probe>, Vec<&Probe>) =
        probes.list.iter().partition(|probe| probe.place % 2 == 0);
    let before = policy.judge(text, &fitted).await?;
    let held_out_before = passed(&held_out, &policy.judge(text, &held_out).await?);
    let passed_before = passed(&fitted, &before);
    let originals = find(text);
    let (mut current, mut best, mut judged) = (text.to_owned(), passed_before, before);
    for _ in 0..SWEEPS {
        let best_before = best;
        for (index, original) in originals.iter().enumerate() {
            if best == fitted.len() {
                break;
            }
            let mut winner: Option<(usize, f64, String, Vec<Judged>)> = None;
            for value in candidates(&original.rule, &judged) {
                let Some(threshold) = find(&current).into_iter().nth(index) else { break };
                let Some(changed) = replace(&current, &threshold, &value.to_string()) else { break };
                let outcome = policy.judge(&changed, &fitted).await?;
                let (passes, distance) = (passed(&fitted, &outcome), (value - original.value).abs());
                let is_better = match &winner {
                    Some((most, least, ..)) => passes > *most || passes == *most && distance < *least,
                    None => passes > best,
                };
                if is_better {
                    winner = Some((passes, distance, changed, outcome));
                }
            }
            if let Some((passes, _, changed, outcome)) = winner {
                (best, current, judged) = (passes, changed, outcome);
            }
        }
        if best == best_before {
            break;
        }
    }
    let held_out_after = policy.judge(&current, &held_out).await?;
    Ok(Calibration {
        changes: changes(&originals, &find(&current)),
        fitted: half(&fitted, passed_before, &judged),
        held_out: half(&held_out, held_out_before, &held_out_after),
        text: current,
    })
}

fn reaches(probe: &Probe, judged: &Judged) -> bool {
    probe.expected_decision == judged.decision
}

fn passed(probes: &[&Probe], judged: &[Judged]) -> usize {
    probes.iter().zip(judged).filter(|(probe, judged)| reaches(probe, judged)).count()
}

fn half(probes: &[&Probe], passed_before: usize, judged: &[Judged]) -> Half {
    let failing = probes.iter().zip(judged).filter(|(probe, judged)| !reaches(probe, judged));
    Half {
        probes: probes.len(),
        passed_before,
        passed_after: passed(probes, judged),
        failing: failing.map(|(probe, judged)| (probe.id.clone(), judged.decision.clone())).collect(),
    }
}

/// The middles between neighbouring values of the rule over the probes, with two decimals, evenly thinned out.
fn candidates(rule: &str, judged: &[Judged]) -> Vec<f64> {
    let mut values: Vec<f64> =
        judged.iter().filter_map(|judged| judged.values.get(rule)).map(|value| value.abs()).collect();
    values.sort_by(f64::total_cmp);
    let middles: BTreeSet<i64> = values
        .windows(2)
        .map(|pair| ((pair[0] + pair[1]) * 50.0).round() as i64)
        .filter(|middle| *middle > 0)
        .collect();
    let step = middles.len().div_ceil(MOST_TRIED).max(1);
    middles.into_iter().step_by(step).map(|middle| middle as f64 / 100.0).collect()
}

fn changes(before: &[Threshold], after: &[Threshold]) -> Vec<Change> {
    let pairs = before.iter().zip(after).filter(|(before, after)| before.value != after.value);
    let change = |(before, after): (&Threshold, &Threshold)| Change {
        rule: before.rule.clone(),
        before: before.value,
        after: after.value,
        line: before.span.line,
    };
    pairs.map(change).collect()
}
