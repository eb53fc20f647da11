//! One ONNX graph, loaded, with its inputs and outputs by name.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rten::{DataType, Dimension, ModelOptions, NodeId, RunOptions, Value, ValueOrView, ValueType};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use super::{Lane, screen::screen};
use crate::blob::Blob;
use crate::error::Error;

/// A loaded graph.
pub(super) struct Graph {
    model: rten::Model,
    file: String,
    pub(super) inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// An input or an output.
#[derive(Clone, Debug)]
pub(super) struct Port {
    id: NodeId,
    pub(super) name: String,
    /// Its dimensions; those that are fixed have a size.
    pub(super) shape: Vec<Option<usize>>,
    pub(super) is_float: bool,
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
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        screen(&Blob::map(path)?).map_err(|error| match error {
            Error::Format { why, .. } => Error::format(file.clone(), why),
            other => other,
        })?;
        let load = || {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(true);
            options.load_file(path)
        };
        let panicked = || Error::format(file.clone(), "the runtime panicked while it read the graph");
        let loaded = catch_unwind(AssertUnwindSafe(load)).map_err(|_| panicked())?;
        let model = loaded.map_err(|error| Error::format(file.clone(), error))?;
        let ports = |ids: &[NodeId]| ids.iter().map(|id| port(&model, *id)).collect();
        let (inputs, outputs) = (ports(model.input_ids()), ports(model.output_ids()));
        Ok(Self { model, file, inputs, outputs })
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
        inputs: Vec<(&Port, Value)>,
        output: &Port,
        lane: &mut Lane,
    ) -> Result<Output, Error> {
        let inputs: Vec<(NodeId, ValueOrView<'_>)> =
            inputs.into_iter().map(|(port, value)| (port.id, value.into())).collect();
        let options = RunOptions::default().with_thread_pool(Some(lane.pool()));
        let failed = |why: String| Error::Failed(format!("{}: {why}", self.file));
        let run = || self.model.run_n(inputs, [output.id], Some(options));
        let caught = catch_unwind(AssertUnwindSafe(run));
        let [value] = caught
            .map_err(|_| failed("an operator panicked; the panic's message is on standard error".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        let tensor: Option<Tensor<f32>> = value.into_tensor();
        let tensor = tensor.ok_or_else(|| failed(format!("the output {} is not of floats", output.name)))?;
        Ok(Output { shape: tensor.shape().to_vec(), values: tensor.into_data() })
    }
}

fn port(model: &rten::Model, id: NodeId) -> Port {
    let info = model.node_info(id);
    let shape = info.as_ref().and_then(|info| info.shape()).unwrap_or_default();
    let size = |dimension: Dimension| match dimension {
        Dimension::Fixed(size) => Some(size),
        Dimension::Symbolic(_) => None,
    };
    Port {
        id,
        name: info.as_ref().and_then(|info| info.name()).unwrap_or_default().to_owned(),
        shape: shape.into_iter().map(size).collect(),
        is_float: info
            .and_then(|info| info.dtype())
            .is_some_and(|kind| matches!(kind, ValueType::Tensor(DataType::Float))),
    }
}

/// A tensor of integers in the type that `port` takes.
pub(super) fn integers(port: &Port, shape: &[usize], values: impl Iterator<Item = u32>) -> Value {
    if port.is_float {
        return Value::from(Tensor::from_data(shape, values.map(|x| x as f32).collect::<Vec<f32>>()));
    }
    Value::from(Tensor::from_data(shape, values.map(u32::cast_signed).collect::<Vec<i32>>()))
}

/// A tensor of floats.
pub(super) fn floats(shape: &[usize], values: Vec<f32>) -> Value {
    Value::from(Tensor::from_data(shape, values))
}
