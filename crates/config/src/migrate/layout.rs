//! The top of the file: what moves into `routing` and `providers`, and the order of keys.

use super::tree::Tree;
use crate::node::{Node, Value};

/// Signal families that older layouts had at the top, by the family's key now.
const FAMILIES: &[(&str, &str)] = &[
    ("keyword_rules", "keywords"),
    ("embedding_rules", "embeddings"),
    ("categories", "domains"),
    ("fact_check_rules", "fact_check"),
    ("user_feedback_rules", "user_feedbacks"),
    ("reask_rules", "reasks"),
    ("preference_rules", "preferences"),
    ("language_rules", "language"),
    ("context_rules", "context"),
    ("structure_rules", "structure"),
    ("complexity_rules", "complexity"),
    ("modality_rules", "modality"),
    ("role_bindings", "role_bindings"),
    ("jailbreak", "jailbreak"),
    ("pii", "pii"),
    ("kb", "kb"),
    ("conversation", "conversation"),
    ("events", "events"),
];

const MOVED: &[(&str, &str)] = &[
    ("signals", "routing.signals"),
    ("projections", "routing.projections"),
    ("decisions", "routing.decisions"),
    ("routing.models", "routing.modelCards"),
    ("providers.default_model", "providers.defaults.default_model"),
    ("providers.reasoning_families", "providers.defaults.reasoning_families"),
    ("providers.default_reasoning_effort", "providers.defaults.default_reasoning_effort"),
    ("default_model", "providers.defaults.default_model"),
    ("reasoning_families", "providers.defaults.reasoning_families"),
    ("default_reasoning_effort", "providers.defaults.default_reasoning_effort"),
];

/// Keys that have no place, and what does their work now.
const WITHOUT_PLACE: &[(&str, &str)] = &[
    ("latency_rules", "there is no latency signal; give the decision the algorithm `latency_aware`"),
    ("mom_registry", "models are named by path; set them in global.model_catalog"),
    ("image_gen_backends", "give each decision that makes images a plugin of type `image_gen`"),
    ("routing.signals.category_kb", "write routing.signals.kb and global.model_catalog.kbs"),
    ("routing.signals.taxonomy", "write routing.signals.kb and global.model_catalog.kbs"),
    ("global.model_catalog.classifiers", "write global.model_catalog.kbs"),
];

/// The order of keys in mappings that hold much.
const ORDER: &[(&str, &[&str])] = &[
    ("", &["version", "listeners", "providers", "routing", "global", "setup"]),
    ("providers", &["defaults", "models"]),
    ("routing", &["modelCards", "signals", "projections", "decisions", "strategy"]),
    ("global", &["router", "services", "stores", "integrations", "model_catalog"]),
];

/// Moves what older layouts had at the top.
pub(super) fn canonical(tree: &mut Tree) {
    for (from, to) in MOVED {
        tree.shift(from, to);
    }
    for (from, to) in FAMILIES {
        tree.shift(from, &format!("routing.signals.{to}"));
    }
    for (path, note) in WITHOUT_PLACE {
        tree.leave_out(path, note);
    }
}

/// Puts the parts of the file in their order; what is not of the contract comes last.
pub(crate) fn sort(root: &mut Node) {
    for (path, order) in ORDER {
        let node = if path.is_empty() { Some(&mut *root) } else { root.get_mut(path) };
        if let Some(Node { value: Value::Map(entries), .. }) = node {
            let rank = |key: &str| order.iter().position(|known| *known == key).unwrap_or(order.len());
            entries.sort_by_key(|entry| rank(&entry.key));
        }
    }
}
