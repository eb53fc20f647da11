//! The vocabulary every floor of `vllm-sr` shares: types only, no behaviour that runs.
//!
//! A request becomes a [`RequestView`]; signals turn it into [`Evidence`] over the atoms of an
//! [`AtomTable`]; policy turns evidence into a [`Verdict`]; selection turns a verdict into a
//! [`Choice`]; and one [`RouteTrace`] holds all of them for every reader.
//!
//! ```
//! use vsr_types::{Atom, AtomTable, Evidence, SignalFamily};
//!
//! let mut atoms = AtomTable::default();
//! let urgent = atoms.declare(Atom::new(SignalFamily::Keyword, "urgent"));
//! let mut evidence = Evidence::new(&atoms);
//! evidence.set_matched(urgent, 1.0);
//! assert!(evidence.is_matched(urgent));
//! ```

mod atom;
mod choice;
mod clock;
mod diagnostic;
mod evidence;
mod identity;
mod name;
mod request;
mod secret;
mod trace;
mod usage;
mod verdict;

pub use atom::{Atom, AtomId, AtomSet, AtomTable, FamilySet, SignalFamily, UnknownFamily};
pub use choice::{Choice, ReasoningChoice, ReasoningMode};
pub use clock::{Clock, FixedClock, SystemClock, Timestamp};
pub use diagnostic::{Diagnostic, Diagnostics, Path, Segment, Severity};
pub use evidence::{Evidence, OnError, UnavailableReason};
pub use identity::{Identity, IdentitySource, KeyPrint};
pub use name::{DecisionName, ModelName, RequestId, SessionId};
pub use request::{ContentFacts, RequestView, Role, RoleCounts};
pub use secret::Secret;
pub use trace::{Outcome, RouteTrace, Stage, StageTimings, Via};
pub use usage::Usage;
pub use verdict::{
    DecisionOutcome, MappingValue, PartitionOutcome, ProjectionTrace, ScoreValue, Verdict, Winner,
};
