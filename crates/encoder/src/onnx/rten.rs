//! The runtime `rten`: pure Rust, on the CPU, on the worker's own thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rten::{DataType, Dimension, ModelOptions, NodeId, RunOptions, Value, ValueOrView, ValueType};
use rten_tensor::Tensor as RtenTensor;
use rten_tensor::prelude::*;

use super::Lane;
use super::graph::{Kind, Output, Port, Runtime, Tensor, Values};
use crate::error::Error;

/// A graph in this runtime.
pub(super) struct Rten {
    model: rten::Model,
}

impl Rten {
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let file = || path.display().to_string();
        let load = || {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(true);
            options.load_file(path)
        };
        let panicked = |_| Error::format(file(), "the runtime panicked while it read the graph");
        let loaded = catch_unwind(AssertUnwindSafe(load)).map_err(panicked)?;
        Ok(Self { model: loaded.map_err(|error| Error::format(file(), error))? })
    }

    fn ports(&self, ids: &[NodeId]) -> Vec<Port> {
        ids.iter().enumerate().map(|(place, id)| self.port(place, *id)).collect()
    }

    fn port(&self, place: usize, id: NodeId) -> Port {
        let info = self.model.node_info(id);
        let shape = info.as_ref().and_then(|info| info.shape()).unwrap_or_default();
        let size = |dimension: Dimension| match dimension {
            Dimension::Fixed(size) => Some(size),
            Dimension::Symbolic(_) => None,
        };
        let name = info.as_ref().and_then(|info| info.name()).unwrap_or_default().to_owned();
        let is_float = matches!(info.and_then(|info| info.dtype()), Some(ValueType::Tensor(DataType::Float)));
        // Whole numbers and flags have 32 bits here.
        let kind = if is_float { Kind::Float } else { Kind::Integer };
        Port { place, name, shape: shape.into_iter().map(size).collect(), kind }
    }
}

impl Runtime for Rten {
    fn name(&self) -> &'static str {
        "rten"
    }

    fn inputs(&self) -> Vec<Port> {
        self.ports(self.model.input_ids())
    }

    fn outputs(&self) -> Vec<Port> {
        self.ports(self.model.output_ids())
    }

    fn run(&self, inputs: Vec<(&Port, Tensor)>, output: &Port, lane: &mut Lane) -> Result<Output, String> {
        let known = self.model.input_ids();
        let inputs: Vec<(NodeId, ValueOrView<'_>)> = inputs
            .into_iter()
            .map(|(port, tensor)| (known[port.place], value(port, tensor).into()))
            .collect();
        let options = RunOptions::default().with_thread_pool(Some(lane.pool()));
        let wanted = self.model.output_ids()[output.place];
        let run = || self.model.run_n(inputs, [wanted], Some(options));
        let [value] = catch_unwind(AssertUnwindSafe(run))
            .map_err(|_| "an operator panicked; the panic's message is on standard error".to_owned())?
            .map_err(|error| error.to_string())?;
        let tensor: Option<RtenTensor<f32>> = value.into_tensor();
        let tensor = tensor.ok_or_else(|| format!("the output {} is not of floats", output.name))?;
        Ok(Output { shape: tensor.shape().to_vec(), values: tensor.into_data() })
    }
}

/// A tensor in the type that `port` takes.
fn value(port: &Port, tensor: Tensor) -> Value {
    let Tensor { shape, values } = tensor;
    match values {
        Values::Floats(values) => Value::from(RtenTensor::from_data(&shape, values)),
        Values::Integers(values) if port.kind == Kind::Float => Value::from(RtenTensor::from_data(
            &shape,
            values.into_iter().map(|x| x as f32).collect::<Vec<f32>>(),
        )),
        Values::Integers(values) => {
            let values: Vec<i32> = values.into_iter().map(u32::cast_signed).collect();
            Value::from(RtenTensor::from_data(&shape, values))
        }
    }
}
