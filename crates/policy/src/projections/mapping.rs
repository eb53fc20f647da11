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

    /// Emits the outputs of `score`.
    pub(crate) fn apply(&self, score: f64, evidence: &mut Evidence) -> MappingValue {
        let mut emitted = Vec::new();
        for (id, bounds) in &self.outputs {
            evidence.set_value(*id, score);
            let is_open = self.is_multi_emit || emitted.is_empty();
            if is_open && bounds.hold(score) {
                let confidence = 1.0 / (1.0 + (-self.slope * bounds.distance(score)).exp());
                evidence.set_matched(*id, confidence);
                emitted.push((*id, confidence));
            } else {
                evidence.set_not_matched(*id);
            }
        }
        MappingValue { mapping: self.name.clone(), outputs: emitted }
    }

    /// Leaves all outputs undecided.
    pub(crate) fn withhold(&self, reason: UnavailableReason, evidence: &mut Evidence) -> MappingValue {
        for id in self.atoms() {
            evidence.set_unavailable(id, reason, OnError::Unavailable);
        }
        MappingValue { mapping: self.name.clone(), outputs: Vec::new() }
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
