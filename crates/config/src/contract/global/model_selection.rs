//! `global.router.model_selection`: settings that decisions' algorithms inherit, and shared tables.

use crate::{
    contract::{
        AlgorithmKind, AutomixAlgorithm, EloAlgorithm, HybridAlgorithm, RouterDcAlgorithm,
        SessionAwareAlgorithm,
    },
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

contract! {
    /// Settings that decisions' algorithms inherit.
    pub struct ModelSelection {
        /// Whether models are selected at all.
        enabled: bool = true,
        /// The algorithm of decisions that name none.
        method: AlgorithmKind = AlgorithmKind::Knn,
        /// Inherited by `elo`.
        elo: EloAlgorithm = EloAlgorithm::default(),
        /// Inherited by `router_dc`.
        router_dc: RouterDcAlgorithm = RouterDcAlgorithm::default(),
        /// Inherited by `automix`.
        automix: AutomixAlgorithm = AutomixAlgorithm::default(),
        /// Inherited by `hybrid`.
        hybrid: HybridAlgorithm = HybridAlgorithm::default(),
        /// Inherited by `session_aware`.
        session_aware: SessionAwareAlgorithm = SessionAwareAlgorithm::default(),
        /// Smoothing of difficulty over a session's turns.
        momentum: Momentum = Momentum::default(),
        /// Whether a switch to another model must be worth it.
        model_switch_gate: ModelSwitchGate = ModelSwitchGate::default(),
        /// Trained selectors.
        ml: TrainedSelectors = TrainedSelectors::default(),
        /// What is known about switching between models.
        lookup_tables: LookupTables = LookupTables::default(),
    }

    /// Smoothing of difficulty over a session's turns.
    pub struct Momentum {
        /// Whether it is on.
        enabled: bool = false,
        /// How fast difficulty rises, 0..=1.
        attack: f64 = 0.0,
        /// How fast it falls, 0..=1.
        release: f64 = 0.0,
        /// The difficulty from which a session counts as hard, 0..=1.
        threshold: f64 = 0.0,
    }

    /// Whether a switch to another model must be worth it.
    pub struct ModelSwitchGate {
        /// Whether it is on.
        enabled: bool = false,
        /// Whether it acts or only tells.
        mode: GateMode = GateMode::Shadow,
        /// The lead another model needs.
        min_switch_advantage: f64 = 0.0,
        /// The cost of a hand-over that no table states.
        default_handoff_penalty: f64 = 0.0,
        /// What a warm cache is worth.
        cache_warmth_weight: f64 = 0.0,
    }

    /// Trained selectors.
    pub struct TrainedSelectors {
        /// Where they are.
        models_path: Expanded = Expanded(".cache/ml-models".into()),
        /// The dimension of their embeddings.
        embedding_dim: u32 = 1024,
        /// Nearest neighbours.
        knn: KnnSelector = KnnSelector::default(),
        /// Nearest cluster.
        kmeans: KmeansSelector = KmeansSelector::default(),
        /// Support vector machine.
        svm: SvmSelector = SvmSelector::default(),
        /// Neural network.
        mlp: MlpSelector = MlpSelector::default(),
    }

    /// Nearest neighbours.
    pub struct KnnSelector {
        /// How many.
        k: u32 = 5,
        /// The trained file.
        pretrained_path: Option<Expanded> = None,
    }

    /// Nearest cluster.
    pub struct KmeansSelector {
        /// How many clusters.
        num_clusters: u32 = 8,
        /// How much efficiency counts.
        efficiency_weight: f64 = 0.1,
        /// The trained file.
        pretrained_path: Option<Expanded> = None,
    }

    /// Support vector machine.
    pub struct SvmSelector {
        /// Its kernel.
        kernel: SvmKernel = SvmKernel::Rbf,
        /// The width of the kernel.
        gamma: f64 = 1.0,
        /// The trained file.
        pretrained_path: Option<Expanded> = None,
    }

    /// Neural network.
    pub struct MlpSelector {
        /// Where it runs.
        device: String = "cpu".into(),
        /// The trained file.
        pretrained_path: Option<Expanded> = None,
    }

    /// What is known about switching between models.
    pub struct LookupTables {
        /// Whether they are used.
        enabled: bool = false,
        /// The file they are kept in; memory alone if absent.
        storage_path: Option<Expanded> = None,
        /// The period after which changed tables are written.
        auto_save_interval: Option<TimeSpan> = None,
        /// Whether records fill them.
        populate_from_replay: bool = false,
        /// The period after which they are filled again; once if absent.
        populate_interval: Option<TimeSpan> = None,
        /// Differences in quality.
        quality_gaps: Vec<QualityGap> = Vec::new(),
        /// Costs of hand-overs.
        handoff_penalties: Vec<HandoffPenalty> = Vec::new(),
        /// Expected lengths of sessions.
        remaining_turn_priors: Vec<RemainingTurnPrior> = Vec::new(),
    }

    /// How much better one model is than another.
    pub struct QualityGap {
        /// At what.
        task_family: String,
        /// Than this model.
        current_model: String,
        /// This model.
        candidate_model: String,
        /// By so much.
        value: f64,
    }

    /// What a hand-over costs.
    pub struct HandoffPenalty {
        /// From this model.
        from_model: String,
        /// To this one.
        to_model: String,
        /// So much.
        value: f64,
    }

    /// How many turns a session has.
    pub struct RemainingTurnPrior {
        /// About what.
        intent_or_domain: String,
        /// So many.
        value: f64,
    }
}

contract_enum! {
    /// Whether the switch gate acts or only tells.
    pub enum GateMode {
        /// It tells.
        Shadow = "shadow" | "",
        /// It acts.
        Enforce = "enforce",
    }

    /// The kernel of a support vector machine.
    pub enum SvmKernel {
        /// Radial basis functions.
        Rbf = "rbf" | "",
        /// Linear.
        Linear = "linear",
    }
}
