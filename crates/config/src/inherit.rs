//! What decisions' algorithms inherit: blocks under `global.router.model_selection` fill in the keys
//! that a decision's own block of the same type leaves out. Keys keep the places where they were written.

use crate::node::{Entry, Node, Value};

/// The types whose settings are inherited.
const INHERITED: &[&str] = &["elo", "router_dc", "automix", "hybrid", "session_aware"];

/// The tree with inherited keys filled in.
pub(crate) fn algorithms(root: &Node) -> Node {
    let mut merged = root.clone();
    let Some(shared) = ["global", "router", "model_selection"]
        .iter()
        .try_fold(root, |node, key| node.get(key))
        .and_then(Node::entries)
    else {
        return merged;
    };
    let shared: Vec<&Entry> = shared.iter().filter(|block| INHERITED.contains(&block.key.as_str())).collect();
    let decisions =
        merged.get_mut("routing").and_then(|routing| routing.get_mut("decisions")).and_then(Node::items_mut);
    for decision in decisions.into_iter().flatten() {
        if let Some(algorithm) = decision.get_mut("algorithm") {
            inherit(algorithm, &shared);
        }
    }
    merged
}

fn inherit(algorithm: &mut Node, shared: &[&Entry]) {
    let kind = algorithm.get("type").and_then(Node::text).map(str::trim).unwrap_or_default();
    let Some(source) = shared.iter().find(|block| block.key.eq_ignore_ascii_case(kind)) else { return };
    let Value::Map(blocks) = &mut algorithm.value else { return };
    let Some(own) = blocks.iter_mut().find(|block| block.key == source.key) else {
        blocks.push((*source).clone());
        return;
    };
    let (Value::Map(own), Some(inherited)) = (&mut own.value.value, source.value.entries()) else { return };
    for entry in inherited {
        if !own.iter().any(|known| known.key == entry.key) {
            own.push(entry.clone());
        }
    }
}
