//! `routing.decisions[]`.

use super::{Algorithm, Plugin, RuleNode};
use crate::contract_macro::contract;

contract! {
    /// A routing policy.
    pub struct Decision {
        /// Its name, unique.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// Larger wins.
        priority: i64 = 0,
        /// Lower wins; decisions without a tier come after those with one.
        tier: Option<i64> = None,
        /// When it matches; always, if empty.
        rules: Option<RuleNode> = None,
        /// The candidate models.
        model_refs as "modelRefs": Vec<ModelRef> = Vec::new(),
        /// How one candidate is chosen.
        algorithm: Option<Algorithm> = None,
        /// What else happens to the request and its answer.
        plugins: Vec<Plugin> = Vec::new(),
        /// Candidates as authored in the routing language.
        candidate_iterations as "candidateIterations": Vec<CandidateIteration> = Vec::new(),
        /// Directives to other parts of the router.
        emits: Vec<Emit> = Vec::new(),
    }

    /// A candidate model.
    pub struct ModelRef {
        /// The model card.
        model: String,
        /// One of its adapters.
        lora_name: Option<String> = None,
        /// Its weight among the candidates.
        weight: Option<f64> = None,
        /// Whether it should reason; left as the client wrote it if absent.
        use_reasoning: Option<bool> = None,
        /// For people.
        reasoning_description: Option<String> = None,
        /// How much it should reason.
        reasoning_effort: Option<String> = None,
    }

    /// Candidates as authored in the routing language.
    pub struct CandidateIteration {
        /// The loop variable.
        variable: String,
        /// `decision.candidates` or `models`.
        source: String,
        /// The models looped over.
        models: Vec<ModelRef> = Vec::new(),
        /// What each round puts out.
        outputs: Vec<IterationOutput> = Vec::new(),
    }

    /// What a round puts out.
    pub struct IterationOutput {
        /// Always `model`.
        kind as "type": String,
        /// The loop variable.
        value: String,
    }

    /// A directive to another part of the router.
    pub struct Emit {
        /// Always `retention`.
        kind: String,
        /// What is kept.
        retention: Option<Retention> = None,
    }

    /// What is kept of an exchange.
    pub struct Retention {
        /// Keep nothing.
        drop: Option<bool> = None,
        /// Keep it for so many turns.
        ttl_turns: Option<i64> = None,
        /// Stay with the current model.
        keep_current_model: Option<bool> = None,
        /// Prefer the model whose prefix cache is warm.
        prefer_prefix_retention: Option<bool> = None,
    }
}
