//! Offline evaluation: a policy against probes, and thresholds fitted to this router's own models.
//!
//! ```
//! use vsr_eval::Probes;
//!
//! let probes = Probes::parse(
//!     "decisions:\n- id: maths\n  expected_decision: maths\n  variants:\n  - {id: sum, query: What is 2 + 2?}\n",
//! )?;
//! assert_eq!(probes.list[0].expected_decision, "maths");
//! # Ok::<(), vsr_eval::EvalError>(())
//! ```

mod calibrate;
mod diff;
mod error;
pub mod metrics;
mod policy;
mod probes;
mod thresholds;

pub use calibrate::{Calibration, Change, Half, calibrate};
pub use diff::unified_diff;
pub use error::EvalError;
pub use policy::{Judged, Policy};
pub use probes::{Probe, Probes};
