//! Algorithms that learn or score: their settings, in a decision or under `global.router.model_selection`.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

use super::{Algorithm, AlgorithmKind};

contract! {
    /// Chooses by ratings learned from feedback.
    pub struct EloAlgorithm {
        /// The rating a model begins with.
        initial_rating: f64 = 1500.0,
        /// The largest change of one comparison.
        k_factor: f64 = 32.0,
        /// Whether each category has ratings of its own.
        category_weighted: bool = true,
        /// How fast old ratings fade; 0 never.
        decay_factor: f64 = 0.0,
        /// The comparisons from which a rating is trusted.
        min_comparisons: u32 = 5,
        /// How much a low price raises a model's chance.
        cost_scaling_factor: f64 = 0.0,
        /// The file the ratings are kept in; memory alone if absent.
        storage_path: Option<Expanded> = None,
        /// The period after which changed ratings are written.
        auto_save_interval: TimeSpan = Algorithm::AUTO_SAVE,
    }

    /// Chooses by similarity of the request to the models' descriptions.
    pub struct RouterDcAlgorithm {
        /// The softmax temperature, above 0.
        temperature: f64 = 0.07,
        /// The dimension of the embeddings.
        dimension_size: u32 = 768,
        /// The similarity below which no model is preferred, 0..=1.
        min_similarity: f64 = 0.3,
        /// Whether requests are contrasted with each other.
        use_query_contrastive: bool = true,
        /// Whether models are contrasted with each other.
        use_model_contrastive: bool = true,
        /// Whether every candidate must have a description.
        require_descriptions: bool = false,
        /// Whether capabilities are part of a description.
        use_capabilities: bool = true,
    }

    /// Chooses by expected value against cost.
    pub struct AutomixAlgorithm {
        /// The verification probability from which a model is trusted, 0..=1.
        verification_threshold: f64 = 0.7,
        /// The most escalations.
        max_escalations: u32 = 2,
        /// Whether cost counts.
        cost_aware_routing: bool = true,
        /// How much cost counts against quality, 0..=1.
        cost_quality_tradeoff: f64 = 0.3,
        /// The weight of the future, 0..=1.
        discount_factor: f64 = 0.95,
        /// Whether token probabilities verify answers.
        use_logprob_verification: bool = false,
    }

    /// Chooses by several algorithms together.
    pub struct HybridAlgorithm {
        /// The share of `elo`.
        elo_weight: f64 = 0.3,
        /// The share of `router_dc`.
        router_dc_weight: f64 = 0.3,
        /// The share of `automix`.
        automix_weight: f64 = 0.2,
        /// How much a low price counts.
        cost_weight: f64 = 0.2,
        /// The quality gap below which cost decides.
        quality_gap_threshold: f64 = 0.1,
        /// Whether scores are brought to one scale first.
        normalize_scores: bool = true,
    }

    /// Chooses by reinforcement learning.
    pub struct RlDrivenAlgorithm {
        /// How often another model is tried at first, 0..=1.
        exploration_rate: f64 = 0.3,
        /// The factor by which that falls.
        exploration_decay: f64 = 0.99,
        /// How often another model is tried in the end, 0..=1.
        min_exploration: f64 = 0.05,
        /// Whether models are drawn from their posteriors.
        use_thompson_sampling: bool = true,
        /// Whether users have posteriors of their own.
        enable_personalization: bool = true,
        /// The share of the user's posterior, 0..=1.
        personalization_blend: f64 = 0.7,
        /// The share of the session's success, 0..=1.
        session_context_weight: f64 = 0.3,
        /// How much implicit feedback counts, 0..=1.
        implicit_feedback_weight: f64 = 0.5,
        /// Whether cost counts.
        cost_awareness: bool = true,
        /// How much a low price counts.
        cost_weight: f64 = 0.2,
        /// The file the posteriors are kept in; memory alone if absent.
        storage_path: Option<Expanded> = None,
        /// The period after which changed posteriors are written.
        auto_save_interval: TimeSpan = Algorithm::AUTO_SAVE,
        /// Whether rewards are shaped by format and cost.
        use_router_r1_rewards: bool = true,
        /// How much cost lowers a reward.
        cost_reward_alpha: f64 = 0.3,
        /// The reward of an answer in the wrong format.
        format_reward_penalty: f64 = -1.0,
        /// Whether a routing model is asked.
        enable_llm_routing: bool = false,
        /// The server of that model.
        router_r1_server_url: Option<Expanded> = None,
        /// What happens when that model does not answer.
        llm_routing_fallback: LlmRoutingFallback = LlmRoutingFallback::Thompson,
        /// Whether several rounds are aggregated.
        enable_multi_round_aggregation: bool = false,
        /// The most rounds.
        max_aggregation_rounds: u32 = 3,
    }

    /// Chooses by what a user liked before.
    pub struct GmtRouterAlgorithm {
        /// Whether the user's history counts.
        enable_personalization: bool = true,
        /// The interactions looked at.
        history_sample_size: u32 = 5,
        /// The dimension of the embeddings.
        embedding_dimension: u32 = 768,
        /// Layers of the graph network.
        num_gnn_layers: u32 = 2,
        /// Its attention heads.
        attention_heads: u32 = 8,
        /// The interactions from which a user's history counts.
        min_interactions_for_personalization: u32 = 3,
        /// The most interactions kept of one user.
        max_interactions_per_user: u32 = 100,
        /// The kinds of feedback that count; all if empty.
        feedback_types: Vec<String> = Vec::new(),
        /// The trained network.
        model_path: Option<Expanded> = None,
        /// The file interactions are kept in; memory alone if absent.
        storage_path: Option<Expanded> = None,
    }

    /// Stays with a session's model where switching is not worth it.
    pub struct SessionAwareAlgorithm {
        /// The algorithm that proposes a model.
        base_method: AlgorithmKind = AlgorithmKind::Hybrid,
        /// The idle time after which a session begins anew; 0 never.
        idle_timeout_seconds: u64 = 300,
        /// The turns before the first switch.
        min_turns_before_switch: u32 = 1,
        /// The lead another model needs.
        switch_margin: f64 = 0.05,
        /// What staying is worth.
        stay_bias: f64 = 0.10,
        /// Whether a running tool loop keeps its model.
        tool_loop_hard_lock: bool = true,
        /// Whether context that another model cannot read keeps its model.
        context_portability_hard_lock: bool = true,
        /// Whether another decision frees the session.
        decision_drift_reset: bool = true,
        /// What staying is worth in a tool loop.
        tool_loop_stay_bias: f64 = 0.35,
        /// What a warm prefix cache is worth.
        prefix_cache_weight: f64 = 0.20,
        /// How much a hand-over costs.
        handoff_penalty_weight: f64 = 1.0,
        /// The cost of a hand-over that no table states.
        default_handoff_penalty: f64 = 0.05,
        /// How much a difference in quality counts.
        quality_gap_multiplier: f64 = 1.0,
        /// How much more a warm cache of an expensive model is worth, at least 1.
        max_cache_cost_multiplier: f64 = 2.5,
        /// What earlier switches cost.
        switch_history_weight: f64 = 0.04,
        /// How much the expected remaining turns count.
        remaining_turn_prior_weight: f64 = 1.0,
        /// The remaining turns that count in full, above 0.
        remaining_turn_prior_horizon: f64 = 8.0,
        /// The sessions from which a learned expectation is used.
        min_remaining_turn_prior_samples: u32 = 3,
    }
}

contract_enum! {
    /// What happens when a routing model does not answer.
    pub enum LlmRoutingFallback otherwise Thompson {
        /// A model is drawn from the posteriors.
        Thompson = "thompson" | "",
        /// The choice fails.
        Error = "error",
    }
}
