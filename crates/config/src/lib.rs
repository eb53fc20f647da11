//! The canonical v0.3 configuration contract: read with places, typed, with defaults and a schema.
//!
//! ```
//! use vsr_config::Document;
//!
//! let document = Document::parse("config.yaml", "version: v0.3\nlisteners: 7\n", &|_| None);
//! assert!(document.has_errors());
//! let problem = document.problems()[0].to_string();
//! assert_eq!(problem, "config.yaml:2:1: error: listeners: expected a list, found `7`");
//! ```

mod basic;
mod check;
mod comments;
mod contract;
mod contract_macro;
mod decode;
mod document;
mod edit;
mod emit;
mod fingerprint;
mod import;
mod inherit;
mod legacy;
mod mask;
mod migrate;
mod node;
mod problem;
mod scalars;
mod schema;
mod suggest;
mod write;

pub use contract::*;
pub use decode::{Contract, Decoder, Schemas};
pub use document::{Document, MAX_FILE_BYTES, Variables};
pub use edit::{Edit, EditError, Edited, edit, json_to_yaml, yaml_to_json};
pub use fingerprint::Fingerprint;
pub use import::{ImportedModel, OpenClaw, OpenClawError, WithModels, add_models};
pub use mask::Masks;
pub use migrate::{Migrated, Outcome, SCHEMA_LINE, Step, migrate};
pub use node::{Entry, Node, Span, SyntaxError, Value, parse as parse_tree};
pub use problem::Problem;
pub use scalars::{Expanded, Opaque, TimeSpan, TokenCount};
pub use schema::json_schema;
pub use suggest::closest;
