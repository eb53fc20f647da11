//! From a request to evidence: one module per signal family.
//!
//! ```
//! use vsr_config::Document;
//! use vsr_signals::{SignalInput, SignalSet, TokenCalibration};
//! use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily};
//!
//! let yaml = "
//! version: v0.3
//! routing:
//!   signals:
//!     keywords: [{name: urgent, keywords: [asap, immediately]}]
//! ";
//! let document = Document::parse("config.yaml", yaml, &|_| None);
//! let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
//! let set = SignalSet::compile(document.config().unwrap(), &mut atoms, &mut diagnostics);
//!
//! let mut evidence = Evidence::new(&atoms);
//! let input = SignalInput {
//!     request: &RequestView::from_prompt("Please answer ASAP!"),
//!     identity: &Identity::default(),
//!     tokens: &TokenCalibration::new(),
//!     authz_fail_open: false,
//!     readings: None,
//! };
//! set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
//! let urgent = atoms.find(SignalFamily::Keyword, "urgent").unwrap();
//! assert!(evidence.is_matched(urgent));
//! assert_eq!(evidence.notes(urgent).collect::<Vec<_>>(), ["asap"]);
//! ```

mod authz;
mod bounds;
mod calibration;
mod characters;
pub mod compression;
mod context;
mod conversation;
mod event;
pub mod external;
mod keyword;
pub mod language;
mod learned;
mod lexicon;
mod pattern;
pub mod pii;
mod recent;
mod rules;
mod set;
mod structure;
mod text;
pub mod views;
mod words;

pub use calibration::{CalibrationState, TokenCalibration};
pub use language::supported_languages;
pub use learned::{
    AttackReading, Cover, EntityReading, Head, HeadOutput, HeadReading, HeadSet, KnowledgeLabel,
    KnowledgeManifest, ManifestSource, ModelSupport, Omission, PictureSource, PrototypeVectors, ReadingPlan,
    Share, TagReading, TaggedSpan, TextNeed, TextReading, TextReadings, TextSource, TextView, TrunkReading,
    Wants, Window, class_of, is_inline, kb_metric_name,
};
pub use set::{SignalInput, SignalRefusal, SignalSet, SignalSummary};
