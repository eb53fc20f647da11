//! Projections and decisions: evidence in, verdict out. Compiled once, evaluated as pure functions.
//!
//! ```
//! use vsr_config::Document;
//! use vsr_policy::Policy;
//! use vsr_types::{Atom, AtomTable, Diagnostics, Evidence, SignalFamily};
//!
//! let text = "
//! routing:
//!   decisions:
//!     - name: hurry
//!       rules: {type: keyword, name: urgent}
//! ";
//! let document = Document::parse("config.yaml", text, &|_| None);
//! let config = document.config().expect("the text is a configuration");
//! let mut atoms = AtomTable::default();
//! let urgent = atoms.declare(Atom::new(SignalFamily::Keyword, "urgent"));
//!
//! let mut diagnostics = Diagnostics::default();
//! let policy = Policy::compile(config, &mut atoms, &mut diagnostics);
//! assert!(!diagnostics.has_errors());
//!
//! let mut evidence = Evidence::new(&atoms);
//! evidence.set_matched(urgent, 0.8);
//! let projections = policy.evaluate_projections(&mut evidence);
//! let verdict = policy.decide(&evidence, projections);
//! assert_eq!(verdict.winner.map(|winner| winner.confidence), Some(0.8));
//! ```
//!
//! # Truth
//!
//! A leaf *holds*, *does not hold*, or is *unavailable*, and trees combine the three by Kleene's strong
//! logic: one false condition makes AND false, one true condition makes OR true, NOT unavailable is
//! unavailable. Only a tree that holds can win. A leaf's own `on_error` turns its unavailable into true
//! or false. A leaf with a `predicate` compares its raw value, or its confidence where there is none.
//! A domain leaf also holds when a label among the domain's `mmlu_categories` was emitted under its own
//! name. `rules` that are absent or empty, and `AND` over nothing, always hold (root only).
//!
//! # Confidence
//!
//! A leaf has its stored confidence, 1 if it matched without one, and 1 if a predicate or `on_error`
//! made it hold. AND has the mean of its conditions', where an AND directly within an AND is read as one
//! and conditions without confidence do not count; OR has the highest of the conditions that hold, and
//! the first of equals gives the matched atoms. NOT and the catch-all have none: absence is no evidence.
//! A decision without confidence counts as 0.
//!
//! # Projections
//!
//! Partitions, then complexity composers, then the embedding top-k, then scores in dependency order,
//! each followed by its mappings. A partition in which nothing matched takes its default with
//! confidence 0, unless all members are unavailable. A single contender keeps its raw confidence, under
//! softmax too. An unavailable input of a score counts as a miss; when all inputs are unavailable, the
//! outputs of the score's mappings are unavailable as well. A composer that does not hold drops what
//! its rule emitted; one that is unavailable makes it unavailable.
//!
//! # Winner
//!
//! Decisions with a tier come first, lowest tier first, whatever else matched. Within a tier, and among
//! the decisions without one, the strategy decides: higher priority and then higher confidence, or the
//! other way round. Then the name in alphabetical order, then the order of declaration.
//!
//! # Compatibility
//!
//! `global.router.compatibility: v0.3` restores what policies may have been tuned on: confidences that
//! are missing or not above 0 count as 1; NOT counts as 1 in means; AND within AND is a mean of means;
//! another label of a domain counts as 1; a partition's default has no confidence; `match: 0` of a score
//! input means 1; decisions without a tier come before tier 1, and tiers count, before confidence, only
//! while a decision with a tier matches; a missing operator means OR in decisions and AND in composers;
//! a bare complexity name never matches. The last two are warnings then, and errors otherwise.

mod bounds;
mod explain;
mod families;
mod partition;
mod permission;
mod policy;
mod projections;
mod ranking;
mod reading;
mod references;
mod rules;

pub use explain::{DecisionExplanation, RuleExplanation, RuleKind};
pub use policy::Policy;
pub use rules::RuleState;
