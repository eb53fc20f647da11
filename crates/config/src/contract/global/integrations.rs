//! `global.integrations`: the tool database, and the calls of multi-model algorithms.

use std::collections::BTreeMap;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::Expanded,
};

contract! {
    /// Other parts that requests pass through.
    pub struct Integrations {
        /// The tool database.
        tools: ToolsIntegration = ToolsIntegration::default(),
        /// The calls of multi-model algorithms.
        looper: Looper = Looper::default(),
    }

    /// The tool database.
    pub struct ToolsIntegration {
        /// Whether it is on.
        enabled: bool = false,
        /// The most tools added.
        top_k: u32 = 3,
        /// The similarity from which a tool is added, 0..=1.
        similarity_threshold: Option<f64> = None,
        /// The file that holds the tools.
        tools_db_path: Expanded = Expanded("config/tools_db.json".into()),
        /// Whether no tools are sent when none is found.
        fallback_to_empty: bool = true,
        /// How tools are filtered.
        advanced_filtering: Option<AdvancedToolFiltering> = None,
    }

    /// How tools are filtered.
    pub struct AdvancedToolFiltering {
        /// Whether it is on.
        enabled: bool = false,
        /// How tools are scored.
        retrieval_strategy: RetrievalStrategy = RetrievalStrategy::Weighted,
        /// The tools that are scored; 0 or absent is five times `top_k`, at least 20.
        candidate_pool_size: Option<u32> = None,
        /// The words a tool must share with the request.
        min_lexical_overlap: Option<u32> = None,
        /// The score from which a tool is added, 0..=1.
        min_combined_score: Option<f64> = None,
        /// How much each part counts.
        weights: ToolWeights = ToolWeights::default(),
        /// Whether tools of other categories are left out.
        use_category_filter: bool = false,
        /// The confidence from which the category is believed, 0..=1.
        category_confidence_threshold: Option<f64> = None,
        /// Tools that may be added; all if empty.
        allow_tools: Vec<String> = Vec::new(),
        /// Tools that may not be added.
        block_tools: Vec<String> = Vec::new(),
        /// How what was called before counts.
        hybrid_history: Option<HybridHistory> = None,
    }

    /// How much each part of a tool's score counts; similarity alone if all are absent.
    pub struct ToolWeights {
        /// Similarity.
        embed: Option<f64> = None,
        /// Shared words.
        lexical: Option<f64> = None,
        /// Shared tags.
        tag: Option<f64> = None,
        /// The name occurs.
        name: Option<f64> = None,
        /// The category fits.
        category: Option<f64> = None,
    }

    /// How what was called before counts.
    pub struct HybridHistory {
        /// The calls looked at.
        history_horizon: u32 = 8,
        /// The calls from which history counts.
        min_history_steps: u32 = 1,
        /// The confidence from which history counts, 0..=1.
        history_confidence_threshold: f64 = 0.0,
        /// How much similarity counts.
        weight_semantic: f64 = 1.0,
        /// How much usual successors count.
        weight_history_transition: f64 = 1.0,
        /// How much the decision counts.
        weight_decision_prior: f64 = 1.0,
        /// What repeating a tool costs.
        repetition_penalty_strength: f64 = 0.0,
    }

    /// The calls of multi-model algorithms.
    pub struct Looper {
        /// Where the calls go.
        endpoint: Expanded = Expanded("http://localhost:8899/v1/chat/completions".into()),
        /// Where the calls of a model go.
        model_endpoints: BTreeMap<String, Expanded> = BTreeMap::new(),
        /// The largest message of a proxy in front.
        grpc_max_msg_size_mb: u32 = 4,
        /// The time one call may take; 0 means 30.
        timeout_seconds: u64 = 1200,
        /// How often a call is tried again.
        retry_count: u32 = 0,
        /// Headers added to every call.
        headers: BTreeMap<String, Expanded> = BTreeMap::new(),
    }
}

contract_enum! {
    /// How tools are scored.
    pub enum RetrievalStrategy {
        /// By similarity, words, tags, name and category.
        Weighted = "weighted" | "",
        /// By similarity and what was called before.
        HybridHistory = "hybrid_history",
    }
}
