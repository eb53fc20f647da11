//! What runs ONNX graphs: the router itself, or ONNX Runtime with one of its execution providers.

use crate::error::Error;

/// What runs ONNX graphs. All but [`Backend::Own`] need a build with the feature `ort`, and libonnxruntime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The router itself, on the CPU.
    #[default]
    Own,
    /// ONNX Runtime on the CPU.
    Cpu,
    /// ONNX Runtime on NVIDIA's GPUs.
    Cuda,
    /// ONNX Runtime on AMD's GPUs by ROCm.
    Rocm,
    /// ONNX Runtime on AMD's GPUs by MIGraphX.
    MiGraphX,
    /// ONNX Runtime by OpenVINO: Intel's CPUs, GPUs and NPUs.
    OpenVino,
    /// ONNX Runtime on Apple's processors.
    CoreMl,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 7] =
        [Self::Own, Self::Cpu, Self::Cuda, Self::Rocm, Self::MiGraphX, Self::OpenVino, Self::CoreMl];

    /// Its name in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "native",
            Self::Cpu => "onnxruntime",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::MiGraphX => "migraphx",
            Self::OpenVino => "openvino",
            Self::CoreMl => "coreml",
        }
    }

    /// Its name in traces.
    pub const fn engine(self) -> &'static str {
        match self {
            Self::Own => "rten",
            Self::Cpu => "onnxruntime",
            Self::Cuda => "onnxruntime-cuda",
            Self::Rocm => "onnxruntime-rocm",
            Self::MiGraphX => "onnxruntime-migraphx",
            Self::OpenVino => "onnxruntime-openvino",
            Self::CoreMl => "onnxruntime-coreml",
        }
    }

    /// What has to be installed for it.
    pub const fn package(self) -> &'static str {
        match self {
            Self::Own => "nothing",
            Self::Cpu => "ONNX Runtime",
            Self::Cuda => "ONNX Runtime for CUDA (onnxruntime-gpu), with CUDA and cuDNN",
            Self::Rocm => "ONNX Runtime for ROCm (onnxruntime-rocm)",
            Self::MiGraphX => "ONNX Runtime for MIGraphX (onnxruntime-migraphx)",
            Self::OpenVino => "ONNX Runtime for OpenVINO (onnxruntime-openvino)",
            Self::CoreMl => "ONNX Runtime for macOS",
        }
    }

    /// Whether this build and this machine can use it: loads the library if it needs one.
    ///
    /// # Errors
    /// With what is missing and what to install.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            #[cfg(feature = "ort")]
            other => crate::onnx::library(other),
            #[cfg(not(feature = "ort"))]
            other => Err(other.unavailable()),
        }
    }

    #[cfg(not(feature = "ort"))]
    pub(crate) fn unavailable(self) -> Error {
        let what = format!("the backend {:?} in this build", self.as_str());
        Error::unsupported(
            what,
            "use the build for accelerators (the feature `ort`), or the backend \"native\"",
        )
    }
}
