//! `routing.decisions[].algorithm`: how one of several candidate models is chosen.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

use super::{
    AutomixAlgorithm, EloAlgorithm, GmtRouterAlgorithm, HybridAlgorithm, RlDrivenAlgorithm,
    RouterDcAlgorithm, SessionAwareAlgorithm,
};

contract! {
    /// How one candidate is chosen: a type, and the one block of that type.
    pub struct Algorithm {
        /// The algorithm.
        kind as "type": AlgorithmKind,
        /// What happens when a call of a multi-model algorithm fails.
        on_error: Option<LoopOnError> = None,
        /// Settings of `confidence`.
        confidence: Option<ConfidenceAlgorithm> = None,
        /// Settings of `ratings`.
        ratings: Option<RatingsAlgorithm> = None,
        /// Settings of `remom`.
        remom: Option<RemomAlgorithm> = None,
        /// Settings of `elo`.
        elo: Option<EloAlgorithm> = None,
        /// Settings of `router_dc`.
        router_dc: Option<RouterDcAlgorithm> = None,
        /// Settings of `automix`.
        automix: Option<AutomixAlgorithm> = None,
        /// Settings of `hybrid`.
        hybrid: Option<HybridAlgorithm> = None,
        /// Settings of `rl_driven`.
        rl_driven: Option<RlDrivenAlgorithm> = None,
        /// Settings of `gmtrouter`.
        gmtrouter: Option<GmtRouterAlgorithm> = None,
        /// Settings of `latency_aware`.
        latency_aware: Option<LatencyAwareAlgorithm> = None,
        /// Settings of `multi_factor`.
        multi_factor: Option<MultiFactorAlgorithm> = None,
        /// Settings of `session_aware`.
        session_aware: Option<SessionAwareAlgorithm> = None,
    }

    /// Asks models one after the other until an answer is confident enough.
    pub struct ConfidenceAlgorithm {
        /// How an answer's confidence is measured.
        confidence_method: ConfidenceMethod = ConfidenceMethod::AvgLogprob,
        /// The confidence from which an answer is accepted; depends on the method if absent.
        threshold: Option<f64> = None,
        /// The shares of `hybrid`.
        hybrid_weights: ConfidenceWeights = ConfidenceWeights::default(),
        /// What happens when a call fails.
        on_error: LoopOnError = LoopOnError::Skip,
        /// The order in which models are asked.
        escalation_order: EscalationOrder = EscalationOrder::Size,
        /// How much cost counts against quality in the order `automix`, 0..=1.
        cost_quality_tradeoff: f64 = 0.3,
        /// The tokens whose probabilities count.
        token_filter: TokenFilter = TokenFilter::All,
        /// The verifier of `automix_entailment`.
        verifier_server_url: Option<Expanded> = None,
        /// The time a verification may take; 0 means 60.
        verifier_timeout_seconds: u64 = 60,
    }

    /// The shares of the confidence method `hybrid`.
    pub struct ConfidenceWeights {
        /// The share of the mean log probability.
        logprob_weight: f64 = 0.5,
        /// The share of the margin between the best two tokens.
        margin_weight: f64 = 0.5,
    }

    /// Asks all models at once and returns all answers.
    pub struct RatingsAlgorithm {
        /// The most calls at one time; all if absent or 0.
        max_concurrent: Option<u32> = None,
        /// What happens when a call fails.
        on_error: LoopOnError = LoopOnError::Skip,
    }

    /// Asks models in rounds, each of which works on the answers of the one before.
    pub struct RemomAlgorithm {
        /// How many answers each round collects; a last round of one follows.
        breadth_schedule: Vec<u32>,
        /// How a round's calls are spread over the models.
        model_distribution: ModelDistribution = ModelDistribution::Weighted,
        /// The sampling temperature.
        temperature: f64 = 1.0,
        /// Whether the models' reasoning goes into the next round.
        include_reasoning: bool = false,
        /// How answers are shortened for the next round.
        compaction_strategy: CompactionStrategy = CompactionStrategy::Full,
        /// The tokens kept by `last_n_tokens`.
        compaction_tokens: u32 = 1000,
        /// The prompt of later rounds.
        synthesis_template: Option<String> = None,
        /// The most calls at one time; all if absent or 0.
        max_concurrent: Option<u32> = None,
        /// What happens when a call fails.
        on_error: LoopOnError = LoopOnError::Skip,
        /// The seed of the order in which answers are shown to the next round.
        shuffle_seed: u64 = 42,
        /// Whether the answers of all rounds are returned.
        include_intermediate_responses: bool = true,
        /// The most answers shown to the next round.
        max_responses_per_round: Option<u32> = None,
    }

    /// Chooses the fastest model by measured percentiles.
    pub struct LatencyAwareAlgorithm {
        /// The percentile of the time per output token, 1..=100.
        tpot_percentile: Option<u32> = None,
        /// The percentile of the time to the first token, 1..=100.
        ttft_percentile: Option<u32> = None,
        /// For people.
        description: Option<String> = None,
    }

    /// Chooses by quality, latency, cost and load.
    pub struct MultiFactorAlgorithm {
        /// How much each factor counts; equal if absent or all 0.
        weights: MultiFactorWeights = MultiFactorWeights::default(),
        /// Bounds that candidates must keep.
        slo: MultiFactorBounds = MultiFactorBounds::default(),
        /// The percentile that stands for latency, 1..=100.
        latency_percentile: u32 = 95,
        /// What happens when no candidate keeps the bounds.
        on_no_candidates: NoCandidates = NoCandidates::Cheapest,
    }

    /// How much each factor counts.
    pub struct MultiFactorWeights {
        /// How much quality counts.
        quality: f64 = 0.0,
        /// How much latency counts.
        latency: f64 = 0.0,
        /// How much cost counts.
        cost: f64 = 0.0,
        /// Requests in flight.
        load: f64 = 0.0,
    }

    /// Bounds that candidates must keep; 0 switches a bound off.
    pub struct MultiFactorBounds {
        /// Milliseconds per output token.
        max_tpot_ms: f64 = 0.0,
        /// Milliseconds to the first token.
        max_ttft_ms: f64 = 0.0,
        /// Price of a million prompt tokens.
        max_cost_per_1m: f64 = 0.0,
        /// Requests in flight.
        max_inflight: u32 = 0,
    }
}

contract_enum! {
    /// An algorithm.
    pub enum AlgorithmKind {
        /// The first candidate, or the best by declared score.
        Static = "static",
        /// By ratings learned from feedback.
        Elo = "elo",
        /// By similarity of the request to the models' descriptions.
        RouterDc = "router_dc",
        /// By expected value against cost.
        Automix = "automix",
        /// By several algorithms together.
        Hybrid = "hybrid",
        /// By the nearest known requests.
        Knn = "knn",
        /// By the nearest cluster of known requests.
        Kmeans = "kmeans",
        /// By a support vector machine.
        Svm = "svm",
        /// By a neural network.
        Mlp = "mlp",
        /// By reinforcement learning.
        RlDriven = "rl_driven",
        /// By what a user liked before.
        GmtRouter = "gmtrouter",
        /// By measured latency.
        LatencyAware = "latency_aware",
        /// By quality, latency, cost and load.
        MultiFactor = "multi_factor",
        /// By another algorithm, staying with a session's model where switching is not worth it.
        SessionAware = "session_aware",
        /// Model after model until an answer is confident enough.
        Confidence = "confidence",
        /// All models at once.
        Ratings = "ratings",
        /// Rounds of models over each other's answers.
        Remom = "remom",
    }

    /// How an answer's confidence is measured.
    pub enum ConfidenceMethod {
        /// The mean log probability of its tokens.
        AvgLogprob = "avg_logprob" | "",
        /// The margin between the best two tokens.
        Margin = "margin",
        /// Both.
        Hybrid = "hybrid",
        /// The model judges its own answer.
        SelfVerify = "self_verify",
        /// A verifier judges the answer.
        AutomixEntailment = "automix_entailment",
    }

    /// The order in which models are asked.
    pub enum EscalationOrder {
        /// Small models first.
        Size = "size" | "small_to_large" | "",
        /// Cheap models first.
        Cost = "cost",
        /// By cost against quality.
        Automix = "automix",
        /// As written.
        Declared = "declared",
    }

    /// The tokens whose probabilities count.
    pub enum TokenFilter otherwise All {
        /// All.
        All = "all" | "",
        /// Those of tool calls' arguments.
        ToolCallArgs = "tool_call_args",
    }

    /// What happens when a call of a multi-model algorithm fails.
    pub enum LoopOnError {
        /// Go on with the other models.
        Skip = "skip" | "fallback" | "",
        /// Fail the request.
        Fail = "fail",
    }

    /// How a round's calls are spread over the models.
    pub enum ModelDistribution {
        /// By the models' weights.
        Weighted = "weighted" | "",
        /// Evenly.
        Equal = "equal" | "round_robin",
        /// The first model alone.
        FirstOnly = "first_only",
    }

    /// How answers are shortened for the next round.
    pub enum CompactionStrategy otherwise Full {
        /// Not at all.
        Full = "full" | "",
        /// Their last tokens are kept.
        LastNTokens = "last_n_tokens",
    }

    /// What happens when no candidate keeps the bounds.
    pub enum NoCandidates {
        /// The cheapest candidate serves.
        Cheapest = "cheapest" | "",
        /// The first candidate serves.
        First = "first",
        /// The choice fails.
        Fail = "fail",
    }
}

impl Algorithm {
    /// The period after which learned state is written if nothing else is said.
    pub(crate) const AUTO_SAVE: TimeSpan = TimeSpan::seconds(30);

    /// The types whose blocks were given.
    pub fn blocks(&self) -> Vec<AlgorithmKind> {
        let given = [
            (AlgorithmKind::Confidence, self.confidence.is_some()),
            (AlgorithmKind::Ratings, self.ratings.is_some()),
            (AlgorithmKind::Remom, self.remom.is_some()),
            (AlgorithmKind::Elo, self.elo.is_some()),
            (AlgorithmKind::RouterDc, self.router_dc.is_some()),
            (AlgorithmKind::Automix, self.automix.is_some()),
            (AlgorithmKind::Hybrid, self.hybrid.is_some()),
            (AlgorithmKind::RlDriven, self.rl_driven.is_some()),
            (AlgorithmKind::GmtRouter, self.gmtrouter.is_some()),
            (AlgorithmKind::LatencyAware, self.latency_aware.is_some()),
            (AlgorithmKind::MultiFactor, self.multi_factor.is_some()),
            (AlgorithmKind::SessionAware, self.session_aware.is_some()),
        ];
        given.into_iter().filter_map(|(kind, is_given)| is_given.then_some(kind)).collect()
    }
}

impl AlgorithmKind {
    /// Whether a decision may carry a block of settings for it.
    pub const fn takes_block(self) -> bool {
        !matches!(self, Self::Static | Self::Knn | Self::Kmeans | Self::Svm | Self::Mlp)
    }

    /// Whether it calls several models for one request.
    pub const fn calls_several_models(self) -> bool {
        matches!(self, Self::Confidence | Self::Ratings | Self::Remom)
    }
}
