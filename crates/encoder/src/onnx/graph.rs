//! One ONNX graph, loaded by a runtime, with its inputs and outputs by name.

use std::fmt;
use std::path::Path;

use super::{Lane, rten, screen::screen};
use crate::backend::Backend;
use crate::blob::Blob;
use crate::error::Error;

/// What runs graphs.
pub(super) trait Runtime: Send + Sync {
    /// Its name, for traces.
    fn name(&self) -> &'static str;

    /// The graph's inputs, in its order.
    fn inputs(&self) -> Vec<Port>;

    /// The graph's outputs, in its order.
    fn outputs(&self) -> Vec<Port>;

    /// Computes one output. What goes wrong is told in words.
    fn run(&self, inputs: Vec<(&Port, Tensor)>, output: &Port, lane: &mut Lane) -> Result<Output, String>;
}

/// A loaded graph.
pub(super) struct Graph {
    runtime: Box<dyn Runtime>,
    file: String,
    pub(super) inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// What a port takes or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Integer,
    /// Whole numbers of 64 bits, where the runtime does not narrow them by itself.
    #[cfg(feature = "ort")]
    Long,
    #[cfg(feature = "ort")]
    Flag,
}

/// An input or an output.
#[derive(Clone, Debug)]
pub(super) struct Port {
    /// Its place among the inputs or outputs, or whatever else the runtime knows it by.
    pub(super) place: usize,
    pub(super) name: String,
    /// Its dimensions; those that are fixed have a size.
    pub(super) shape: Vec<Option<usize>>,
    pub(super) kind: Kind,
}

/// Values for an input.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

/// The values of a tensor.
#[derive(Debug)]
pub(super) enum Values {
    Floats(Vec<f32>),
    Integers(Vec<u32>),
}

/// The values of an output.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Graph {
    /// Loads a file. What the runtime cannot stand is an error, panics included.
    pub(super) fn load(path: &Path, backend: Backend) -> Result<Self, Error> {
        let file = path.display().to_string();
        screen(&Blob::map(path)?).map_err(|error| match error {
            Error::Format { why, .. } => Error::format(file.clone(), why),
            other => other,
        })?;
        let runtime: Box<dyn Runtime> = match backend {
            Backend::Own => Box::new(rten::Rten::load(path)?),
            #[cfg(feature = "ort")]
            other => Box::new(super::onnxruntime::OnnxRuntime::load(path, other)?),
            #[cfg(not(feature = "ort"))]
            other => return Err(other.unavailable()),
        };
        let (inputs, outputs) = (runtime.inputs(), runtime.outputs());
        Ok(Self { runtime, file, inputs, outputs })
    }

    /// The runtime's name.
    pub(super) fn runtime(&self) -> &'static str {
        self.runtime.name()
    }

    /// The graph's file, for messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The first of these outputs that there is.
    pub(super) fn output(&self, names: &[&str]) -> Option<&Port> {
        names.iter().find_map(|name| self.outputs.iter().find(|port| port.name == *name))
    }

    /// The only output.
    pub(super) fn only_output(&self) -> Option<&Port> {
        match self.outputs.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The names of all outputs, for messages.
    pub(super) fn output_names(&self) -> String {
        let names: Vec<&str> = self.outputs.iter().map(|port| port.name.as_str()).collect();
        names.join(", ")
    }

    /// Computes one output on this worker's lane.
    pub(super) fn run(
        &self,
        inputs: Vec<(&Port, Tensor)>,
        output: &Port,
        lane: &mut Lane,
    ) -> Result<Output, Error> {
        self.runtime.run(inputs, output, lane).map_err(|why| Error::Failed(format!("{}: {why}", self.file)))
    }
}

impl Tensor {
    /// A tensor of whole numbers.
    pub(super) fn integers(shape: &[usize], values: impl Iterator<Item = u32>) -> Self {
        Self { shape: shape.to_vec(), values: Values::Integers(values.collect()) }
    }

    /// A tensor of floats.
    pub(super) fn floats(shape: &[usize], values: Vec<f32>) -> Self {
        Self { shape: shape.to_vec(), values: Values::Floats(values) }
    }
}
