//! The runtime ONNX Runtime, loaded from a library when the first graph needs it: CPU, CUDA, ROCm, MIGraphX, OpenVINO or
//! CoreML. Sessions are used by one worker at a time; accelerators have one queue anyway.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor as OrtTensor, TensorElementType, ValueType};

use super::Lane;
use super::graph::{Kind, Output, Port, Runtime, Tensor, Values};
use crate::backend::Backend;
use crate::error::Error;

#[cfg(target_feature = "crt-static")]
compile_error!("a static binary cannot load libonnxruntime; build the feature `ort` for a dynamic target");

/// The variable that names the library's file.
const LIBRARY: &str = "ORT_DYLIB_PATH";
/// What the library is called where nothing names it.
const LIBRARY_NAME: &str = if cfg!(target_os = "windows") {
    "onnxruntime.dll"
} else if cfg!(target_vendor = "apple") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// A graph in this runtime.
pub(super) struct OnnxRuntime {
    session: Mutex<Session>,
    backend: Backend,
}

/// Loads the library, once for the process.
///
/// # Errors
/// With what to install.
fn environment(backend: Backend) -> Result<&'static Environment, Error> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let load = || {
        let file = std::env::var_os(LIBRARY).map_or_else(|| PathBuf::from(LIBRARY_NAME), PathBuf::from);
        let builder = ort::init_from(&file).map_err(|error| error.to_string())?;
        builder.build().map_err(|error| error.to_string())
    };
    ENVIRONMENT.get_or_init(load).as_ref().map_err(|error| {
        let help = format!(
            "install {}, version 1.22 or later, or name the file of libonnxruntime in {LIBRARY}",
            backend.package()
        );
        missing(backend, error, help)
    })
}

/// What sessions on a backend are made from. A provider that is not there is an error, never the CPU in its place.
///
/// # Errors
/// With what to install.
pub(super) fn builder(backend: Backend) -> Result<SessionBuilder, Error> {
    let environment = environment(backend)?;
    let prepare = || -> Result<SessionBuilder, String> {
        let builder = Session::builder(environment).map_err(|error| error.to_string())?;
        let builder = builder
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(|error| error.to_string())?;
        let builder = builder.with_intra_threads(1).map_err(|error| error.to_string())?;
        let provider = provider(backend).error_on_failure();
        builder.with_execution_providers([provider]).map_err(|error| error.to_string())
    };
    prepare().map_err(|error| {
        let help = format!(
            "install {}, whose libraries lie beside libonnxruntime, and the device's driver",
            backend.package()
        );
        missing(backend, &error, help)
    })
}

fn missing(backend: Backend, error: &str, help: String) -> Error {
    let error = error.trim().trim_end_matches('.');
    Error::unsupported(format!("the backend {:?} ({error})", backend.as_str()), help)
}

impl OnnxRuntime {
    pub(super) fn load(path: &Path, backend: Backend) -> Result<Self, Error> {
        let session = builder(backend)?
            .commit_from_file(path)
            .map_err(|error| Error::format(path.display().to_string(), error.to_string()))?;
        Ok(Self { session: Mutex::new(session), backend })
    }

    fn ports(&self, of: impl Fn(&Session) -> &[Outlet]) -> Vec<Port> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        of(&session).iter().enumerate().map(|(place, outlet)| port(place, outlet)).collect()
    }
}

fn provider(backend: Backend) -> ExecutionProviderDispatch {
    match backend {
        Backend::Own | Backend::Cpu => ep::CPU::default().build(),
        Backend::Cuda => ep::CUDA::default().build(),
        Backend::Rocm => ep::ROCm::default().build(),
        Backend::MiGraphX => ep::MIGraphX::default().build(),
        Backend::OpenVino => ep::OpenVINO::default().build(),
        Backend::CoreMl => ep::CoreML::default().build(),
    }
}

fn port(place: usize, outlet: &Outlet) -> Port {
    let (kind, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let kind = match ty {
                TensorElementType::Int64 => Kind::Long,
                TensorElementType::Int32 => Kind::Integer,
                TensorElementType::Bool => Kind::Flag,
                _ => Kind::Float,
            };
            (kind, shape.iter().map(|size| usize::try_from(*size).ok()).collect())
        }
        _ => (Kind::Float, Vec::new()),
    };
    Port { place, name: outlet.name().to_owned(), shape, kind }
}

impl Runtime for OnnxRuntime {
    fn name(&self) -> &'static str {
        self.backend.engine()
    }

    fn inputs(&self) -> Vec<Port> {
        self.ports(Session::inputs)
    }

    fn outputs(&self) -> Vec<Port> {
        self.ports(Session::outputs)
    }

    fn run(&self, inputs: Vec<(&Port, Tensor)>, output: &Port, _lane: &mut Lane) -> Result<Output, String> {
        let feed = |(port, tensor): (&Port, Tensor)| Ok((port.name.clone(), value(port, tensor)?));
        let inputs: Vec<(String, SessionInputValue<'_>)> =
            inputs.into_iter().map(feed).collect::<Result<_, String>>()?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs).map_err(|error| error.to_string())?;
        let found = outputs.get(&output.name).ok_or_else(|| format!("there is no output {}", output.name))?;
        let (shape, values) = found
            .try_extract_tensor::<f32>()
            .map_err(|error| format!("the output {}: {error}", output.name))?;
        let shape = shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
        Ok(Output { shape, values: values.to_vec() })
    }
}

/// A tensor in the type that `port` takes.
fn value(port: &Port, tensor: Tensor) -> Result<SessionInputValue<'static>, String> {
    let Tensor { shape, values } = tensor;
    let made = match (values, port.kind) {
        (Values::Floats(values), _) => OrtTensor::from_array((shape, values)).map(Into::into),
        (Values::Integers(values), Kind::Float) => {
            let values: Vec<f32> = values.into_iter().map(|x| x as f32).collect();
            OrtTensor::from_array((shape, values)).map(Into::into)
        }
        (Values::Integers(values), Kind::Integer) => {
            let values: Vec<i32> = values.into_iter().map(u32::cast_signed).collect();
            OrtTensor::from_array((shape, values)).map(Into::into)
        }
        (Values::Integers(values), Kind::Flag) => {
            let values: Vec<bool> = values.into_iter().map(|x| x != 0).collect();
            OrtTensor::from_array((shape, values)).map(Into::into)
        }
        (Values::Integers(values), Kind::Long) => {
            let values: Vec<i64> = values.into_iter().map(i64::from).collect();
            OrtTensor::from_array((shape, values)).map(Into::into)
        }
    };
    made.map_err(|error| error.to_string())
}
