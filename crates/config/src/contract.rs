//! The canonical v0.3 contract as types: version, listeners, providers, routing, global.

mod algorithms;
mod decisions;
mod global;
mod learning;
mod listeners;
mod plugins;
mod projections;
mod providers;
mod retrieval;
mod routing;
mod signals;

pub use algorithms::*;
pub use decisions::*;
pub use global::*;
pub use learning::*;
pub use listeners::*;
pub use plugins::*;
pub use projections::*;
pub use providers::*;
pub use retrieval::*;
pub use routing::*;
pub use signals::*;

use crate::{contract_macro::contract, decode::Contract, fingerprint::Fingerprint};

contract! {
    /// A canonical vllm-sr configuration file.
    pub struct Config {
        /// The contract's version: `v0.3`.
        version: String = "v0.3".into(),
        /// Where the router listens for client traffic.
        listeners: Vec<Listener> = Vec::new(),
        /// The models' backends.
        providers: Providers = Providers::default(),
        /// Model cards, signals, projections and decisions.
        routing: Routing = Routing::default(),
        /// Everything that is not routing policy.
        global: Global = Global::default(),
        /// The marker of a configuration that was not completed yet.
        setup: Option<Setup> = None,
    }

    /// The marker of a configuration that was not completed yet.
    pub struct Setup {
        /// Whether setup is still going on.
        mode: bool = false,
        /// How far it got.
        state: Option<String> = None,
        /// What created the file.
        created_by: Option<String> = None,
        /// When the file was created.
        created_at: Option<String> = None,
    }
}

impl Config {
    /// The SHA-256 of this configuration in hexadecimal digits. Credentials count by their own digests.
    pub fn hash(&self) -> String {
        let mut fingerprint = Fingerprint::new();
        self.feed(&mut fingerprint);
        fingerprint.finish()
    }
}

impl From<OnErrorRule> for vsr_types::OnError {
    fn from(rule: OnErrorRule) -> Self {
        match rule {
            OnErrorRule::Unavailable => Self::Unavailable,
            OnErrorRule::Match => Self::Match,
            OnErrorRule::NoMatch => Self::NoMatch,
        }
    }
}
