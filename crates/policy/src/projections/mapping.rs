//! Mappings: bands of a score become named outputs with a confidence.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use vsr_config::{self as contract, MappingMethod};
use vsr_types::{
    Atom, AtomId, AtomTable, Diagnostic, Diagnostics, Evidence, MappingValue, OnError, Path, SignalFamily,
    UnavailableReason,
};

use super::score::Value;
use crate::{
    bounds::{self, Bounds},
    references::References,
};

/// The steepness of the confidence where the configuration gives none.
const DEFAULT_SLOPE: f64 = 12.0;

/// Bands of one score.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    name: Arc<str>,
    is_multi_emit: bool,
    slope: f64,
    outputs: Vec<(AtomId, Bounds)>,
}

// === impl Mapping

impl Mapping {
    /// Reads the mapping at `path`, whose outputs were declared before.
    pub(crate) fn compile(
        written: &contract::Mapping,
        references: References<'_>,
        path: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        if written.name.is_empty() {
            diagnostics.error(path.key("name"), "a mapping needs a name");
        }
        let is_multi_emit = written.method == MappingMethod::MultiEmit;
        match written.outputs.len() {
            0 => diagnostics.error(path.key("outputs"), "a mapping needs outputs"),
            1 if is_multi_emit => {
                diagnostics.error(path.key("outputs"), "multi_emit needs at least 2 outputs, found 1");
            }
            _ => {}
        }
        let outputs = written.outputs.iter().enumerate().filter_map(|(index, output)| {
            let place = path.key("outputs").index(index);
            let bounds = Bounds::compile(&bounds::of_output(output), &place, diagnostics)?;
            Some((references.atoms.find(SignalFamily::Projection, &output.name)?, bounds))
        });
        let outputs = outputs.collect();
        let slope = slope(written, path, diagnostics);
        Self { name: written.name.as_str().into(), is_multi_emit, slope, outputs }
    }

    /// The atoms it may emit.
    pub(crate) fn atoms(&self) -> impl Iterator<Item = AtomId> {
        self.outputs.iter().map(|(id, _)| *id)
    }

    /// Emits the outputs that hold for all that `score` can be. Where it depends on unavailable
    /// evidence whether one holds, the output is unavailable too.
    pub(crate) fn apply(&self, score: Value, evidence: &mut Evidence) -> MappingValue {
        let mut emitted = Vec::new();
        let mut may_emit = true;
        let mut is_first_known = true;
        for (id, bounds) in &self.outputs {
            if score.reason.is_none() {
                evidence.set_value(*id, score.estimate);
            }
            let holds = bounds.hold(score.low) && bounds.hold(score.high);
            let is_excluded = !may_emit || bounds.exclude(score.low, score.high);
            if is_excluded {
                evidence.set_not_matched(*id);
            } else if holds && is_first_known {
                let distance = bounds.distance(score.low).min(bounds.distance(score.high));
                let confidence = 1.0 / (1.0 + (-self.slope * distance).exp());
                evidence.set_matched(*id, confidence);
                emitted.push((*id, confidence));
                may_emit = self.is_multi_emit;
            } else {
                let reason = score.reason.unwrap_or(UnavailableReason::Failed);
                evidence.set_unavailable(*id, reason, OnError::Unavailable);
                is_first_known = self.is_multi_emit;
            }
        }
        MappingValue { mapping: self.name.clone(), outputs: emitted }
    }
}

/// Declares an atom for each output, and reports names that are missing or taken.
pub(crate) fn declare_outputs(
    mappings: &[contract::Mapping],
    path: &Path,
    atoms: &mut AtomTable,
    diagnostics: &mut Diagnostics,
) {
    let mut taken: HashMap<&str, Path> = HashMap::new();
    for (mapping_index, mapping) in mappings.iter().enumerate() {
        for (index, output) in mapping.outputs.iter().enumerate() {
            let place = path.index(mapping_index).key("outputs").index(index).key("name");
            if output.name.is_empty() {
                diagnostics.error(place, "an output needs a name");
                continue;
            }
            atoms.declare(Atom::new(SignalFamily::Projection, output.name.as_str()));
            match taken.entry(&output.name) {
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
                Entry::Occupied(first) => {
                    let problem = format!("there is another output `{}`", output.name);
                    let help = format!("the first is at {}; names of outputs are unique", first.get());
                    diagnostics.push(Diagnostic::error(place, problem).help(help));
                }
            }
        }
    }
}

fn slope(written: &contract::Mapping, path: &Path, diagnostics: &mut Diagnostics) -> f64 {
    let place = || path.key("calibration").key("slope");
    match written.calibration.as_ref().and_then(|calibration| calibration.slope) {
        None => DEFAULT_SLOPE,
        Some(slope) if slope > 0.0 => slope,
        Some(0.0) => {
            diagnostics.warning(place(), format!("a slope of 0 is read as {DEFAULT_SLOPE}"));
            DEFAULT_SLOPE
        }
        Some(slope) => {
            diagnostics.error(place(), format!("the slope must be above 0, found {slope}"));
            DEFAULT_SLOPE
        }
    }
}
