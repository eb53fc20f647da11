//! What can go wrong.

/// A configuration or its probes cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The probes cannot be read.
    #[error("the probes: line {line}, column {column}: {message}")]
    Probes {
        /// The line, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// What is wrong.
        message: String,
    },
    /// The configuration has errors.
    #[error("the configuration cannot run: {0}")]
    Configuration(String),
    /// A model failed.
    #[error(transparent)]
    Reader(#[from] vsr_reader::ReaderError),
    /// A probe is no request.
    #[error("probe `{probe}` is no request that could be sent: {reason}")]
    Request {
        /// The probe.
        probe: String,
        /// Why.
        reason: String,
    },
}
