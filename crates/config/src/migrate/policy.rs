//! Signals and decisions: keys that were removed within them.

use super::tree::{Notes, Tree, map_node, merge, text_node};
use crate::node::{Entry, Node, Span, Value};

/// Moves what was removed from signals and decisions to what took its place.
pub(super) fn canonical(tree: &mut Tree) {
    each(tree, "routing.decisions", |decision, notes| {
        algorithm(decision, notes);
        tools(decision, notes);
    });
    each(tree, "routing.signals.structure", density);
}

fn each(tree: &mut Tree, path: &str, mut change: impl FnMut(&mut Node, &mut Notes)) {
    let items = tree.root.at_mut(path).and_then(Node::items_mut);
    for item in items.into_iter().flatten().filter(|item| item.entries().is_some()) {
        change(item, &mut tree.notes);
    }
}

fn algorithm(decision: &mut Node, notes: &mut Notes) {
    let Some(mut entry) = decision.take("modelSelectionAlgorithm") else { return };
    let kind = match &entry.value.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    };
    if let Some(kind) = kind {
        entry.value = map_node(vec![Entry::made("type", text_node(&kind))]);
    } else if entry.value.get("type").is_none() {
        notes.discard(entry.key_span, "it has no `type`; write the decision's algorithm".into());
        return;
    }
    if decision.get("algorithm").is_some_and(|known| !known.is_null()) {
        notes.discard(entry.key_span, "the decision has an algorithm already, which wins".into());
        return;
    }
    entry.key = "algorithm".into();
    merge(decision, entry, "algorithm", notes);
}

/// Restrictions of tools become a plugin.
fn tools(decision: &mut Node, notes: &mut Notes) {
    let lists: Vec<Entry> =
        ["allow_tools", "block_tools"].iter().filter_map(|key| decision.take(key)).collect();
    let scope = decision.take("tool_scope");
    let is_none = scope.as_ref().is_some_and(|scope| scope.value.text() == Some("none"));
    if let Some(scope) = &scope {
        if is_none {
            notes.absorb(scope.key_span, "a plugin of type `tools` in mode `none`");
        } else {
            let note = "write a plugin of type `tools` with the tools that may pass";
            notes.discard(scope.key_span, note.into());
        }
    }
    if lists.is_empty() && !is_none {
        return;
    }
    let mode = if is_none { "none" } else { "filtered" };
    let mut configuration =
        vec![Entry::made("enabled", text_like("true")), Entry::made("mode", text_node(mode))];
    configuration.extend(lists);
    let Some(plugins) = super::models::list(decision, "plugins") else {
        let note = "the decision's `plugins` have no room for it: they are no list";
        configuration.iter().for_each(|entry| notes.discard(entry.key_span, note.into()));
        return;
    };
    let known = plugins.iter_mut().find(|plugin| plugin.get("type").and_then(Node::text) == Some("tools"));
    match known {
        Some(plugin) => {
            merge(
                plugin,
                Entry::made("configuration", map_node(configuration)),
                "plugins[].configuration",
                notes,
            );
            let mode = plugin.get("configuration").and_then(|known| known.get("mode")).and_then(Node::text);
            if let Some(scope) = scope.filter(|_| is_none && mode != Some("none")) {
                let note = "the decision has a plugin of type `tools` already, which wins";
                notes.discard(scope.key_span, note.into());
            }
        }
        None => plugins.push(map_node(vec![
            Entry::made("type", text_node("tools")),
            Entry::made("configuration", map_node(configuration)),
        ])),
    }
}

/// Counts that were divided by the length of the text are densities.
fn density(rule: &mut Node, notes: &mut Notes) {
    let Some(feature) = rule.get_mut("feature") else { return };
    let Some(entry) = feature.take("normalize_by") else { return };
    let note = "`type: density` divides by the length of the text";
    match feature.get("type").and_then(Node::text) {
        Some("count") => {
            notes.absorb(entry.key_span, note);
            if let Some(kind) = feature.take("type")
                && let Value::Map(entries) = &mut feature.value
            {
                notes.absorb(kind.key_span, note);
                entries.insert(0, Entry::made("type", text_node("density")));
            }
        }
        Some("density") => notes.absorb(entry.key_span, note),
        _ => notes.discard(entry.key_span, "only counts can be divided; use `type: density`".into()),
    }
}

/// A plain scalar that is no text.
fn text_like(text: &str) -> Node {
    Node { span: Span::default(), value: Value::Scalar { text: text.to_owned(), plain: true } }
}
