//! `routing`: model cards, and the policy.

use super::{Decision, Projections, Signals};
use crate::contract_macro::{contract, contract_enum};

contract! {
    /// Model cards and routing policy.
    pub struct Routing {
        /// What is known about the models.
        model_cards as "modelCards": Vec<ModelCard> = Vec::new(),
        /// The evidence to collect.
        signals: Signals = Signals::default(),
        /// Derived concepts.
        projections: Projections = Projections::default(),
        /// The policies.
        decisions: Vec<Decision> = Vec::new(),
        /// How one of several matching decisions is picked; wins over `global.router.strategy`.
        strategy: Option<Strategy> = None,
    }

    /// What is known about a model.
    pub struct ModelCard {
        /// Its name, unique.
        name: String,
        /// Its size, such as `8B`.
        param_size: Option<String> = None,
        /// Tokens it can take in.
        context_window_size: Option<u64> = None,
        /// What it is good at.
        description: Option<String> = None,
        /// What it can do.
        capabilities: Vec<String> = Vec::new(),
        /// Its adapters.
        loras: Vec<Lora> = Vec::new(),
        /// How good it is, 0..=1.
        quality_score: Option<f64> = None,
        /// `ar`, `diffusion` or `omni`.
        modality: Option<String> = None,
        /// Words of your own.
        tags: Vec<String> = Vec::new(),
    }

    /// A LoRA adapter of a model.
    pub struct Lora {
        /// The name under which the backend serves it.
        name: String,
        /// What it is good at.
        description: Option<String> = None,
    }
}

contract_enum! {
    /// How one of several matching decisions is picked.
    pub enum Strategy {
        /// The highest priority.
        Priority = "priority",
        /// The highest confidence.
        Confidence = "confidence",
    }
}
