//! Models: their cards, and backends that older layouts kept in registries of their own.

mod backends;

use super::tree::{Notes, Tree, list_node, map_node, merge, text_node};
use crate::{
    contract::{BackendRef, ProviderModel},
    node::{Entry, Node, Value},
};

use backends::Registries;

/// What a model card holds and older layouts kept with the model's backends.
const CARD_KEYS: &[&str] = &[
    "param_size",
    "context_window_size",
    "description",
    "capabilities",
    "loras",
    "quality_score",
    "modality",
    "tags",
];

/// Keys that were renamed.
const RENAMED: &[(&str, &str)] = &[("model_id", "provider_model_id"), ("model", "name")];

/// Joins models with their backends and parts cards from models.
pub(super) fn canonical(tree: &mut Tree) {
    let models: Vec<Node> =
        ["model_config", "providers.model_targets"].iter().flat_map(|path| tree.take_named(path)).collect();
    for model in models {
        add(tree, model);
    }
    let mut registries = Registries::take(tree);
    each(tree, |model, notes| {
        unwrap_access(model, notes);
        for (from, to) in RENAMED {
            if *to != "name" || model.get("name").is_none() {
                rename(model, from, to, notes);
            }
        }
        registries.join(model, notes);
        discard_known(model, notes);
    });
    registries.finish(&mut tree.notes);
    part_cards(tree);
    complete_cards(tree);
}

/// Adds a model to `providers.models`, or to the model of its name there.
fn add(tree: &mut Tree, model: Node) {
    let name = model.get("name").or_else(|| model.get("model")).and_then(Node::text).map(str::to_owned);
    let is_map = model.entries().is_some();
    if !is_map || name.is_none() {
        tree.notes.discard_item(model.span, "expected a mapping with a name".into());
        return;
    }
    let span = model.span;
    let models = tree.root.child("providers").and_then(|providers| list(providers, "models"));
    let Some(models) = models else {
        tree.notes.discard_item(span, "`providers.models` has no room for it: it is no list".into());
        return;
    };
    let known = models.iter_mut().find(|known| known.get("name").and_then(Node::text) == name.as_deref());
    match (known, model.value) {
        (Some(known), Value::Map(entries)) => {
            let path = "providers.models[]";
            for entry in entries.into_iter().filter(|entry| entry.key != "name") {
                let place = format!("{path}.{}", entry.key);
                merge(known, entry, &place, &mut tree.notes);
            }
            tree.notes.absorb_item(span, "joined with the model of its name in `providers.models`");
        }
        (_, value) => models.push(Node { span, value }),
    }
}

/// The list under `key`, made if there is none. `None` if something else stands there.
pub(crate) fn list<'n>(parent: &'n mut Node, key: &str) -> Option<&'n mut Vec<Node>> {
    if parent.is_null() {
        parent.value = Value::Map(Vec::new());
    }
    match parent.get_mut(key) {
        Some(known) if known.is_null() => known.value = Value::List(Vec::new()),
        Some(_) => {}
        None => {
            let Value::Map(entries) = &mut parent.value else { return None };
            entries.push(Entry::made(key, list_node(Vec::new())));
        }
    }
    parent.get_mut(key)?.items_mut()
}

/// Runs `change` on every mapping in `providers.models`.
fn each(tree: &mut Tree, mut change: impl FnMut(&mut Node, &mut Notes)) {
    let models = tree.root.at_mut("providers.models").and_then(Node::items_mut);
    for model in models.into_iter().flatten().filter(|model| model.entries().is_some()) {
        change(model, &mut tree.notes);
    }
}

/// Lifts what stood under `access` into the model; addresses become a backend.
fn unwrap_access(model: &mut Node, notes: &mut Notes) {
    let Some(access) = model.take("access") else { return };
    let Value::Map(entries) = access.value.value else {
        notes.discard(access.key_span, "expected a mapping; write backend_refs".into());
        return;
    };
    if entries.is_empty() {
        notes.absorb(access.key_span, "it was empty");
    }
    let mut backend = Vec::new();
    for entry in entries {
        let key = entry.key.as_str();
        let is_models = ProviderModel::KEYS.contains(&key) || LIFTED.contains(&key);
        if is_models || !(BackendRef::KEYS.contains(&key) || key == "address" || key == "port") {
            let place = format!("providers.models[].{}", entry.key);
            merge(model, entry, &place, notes);
        } else {
            backend.push(entry);
        }
    }
    if backend.is_empty() {
        return;
    }
    let has_address =
        backend.iter().any(|entry| ["endpoint", "base_url", "address"].contains(&entry.key.as_str()));
    if has_address {
        let node = Node { span: access.key_span, value: Value::Map(backend) };
        notes.named.insert(access.key_span);
        match list(model, "backend_refs") {
            Some(refs) => refs.push(node),
            None => {
                notes
                    .discard_item(access.key_span, "`backend_refs` has no room for it: it is no list".into());
            }
        }
    } else {
        // Settings of all of the model's backends.
        for entry in backend {
            merge(model, entry, "providers.models[].access", notes);
        }
    }
}

/// Keys of `access` that backends are joined by.
const LIFTED: &[&str] =
    &["endpoints", "backends", "backend", "access_key", "api_key", "api_key_env", "auth_ref"];

/// Takes out what once belonged to a model and has no place.
fn discard_known(model: &mut Node, notes: &mut Notes) {
    if let Some(entry) = model.take("pii_policy") {
        let note = "write a rule of the family routing.signals.pii and name it in decisions";
        notes.discard(entry.key_span, note.into());
    }
}

fn rename(node: &mut Node, from: &str, to: &str, notes: &mut Notes) {
    if let Some(mut entry) = node.take(from) {
        entry.key = to.to_owned();
        merge(node, entry, to, notes);
    }
}

/// Moves what model cards hold from models to their cards.
fn part_cards(tree: &mut Tree) {
    let mut parts: Vec<(String, Entry)> = Vec::new();
    each(tree, |model, _| {
        let Some(name) = model.get("name").and_then(Node::text).map(str::to_owned) else { return };
        for key in CARD_KEYS {
            parts.extend(model.take(key).map(|entry| (name.clone(), entry)));
        }
    });
    for (name, entry) in parts {
        let span = entry.key_span;
        match card(tree, &name) {
            Some(card) => {
                let place = format!("routing.modelCards[].{}", entry.key);
                let mut notes = std::mem::take(&mut tree.notes);
                if let Some(node) = cards(tree).and_then(|cards| cards.get_mut(card)) {
                    merge(node, entry, &place, &mut notes);
                }
                tree.notes = notes;
            }
            None => tree.notes.discard(span, "`routing.modelCards` has no room for it: it is no list".into()),
        }
    }
}

fn cards(tree: &mut Tree) -> Option<&mut Vec<Node>> {
    tree.root.child("routing").and_then(|routing| list(routing, "modelCards"))
}

/// The number of the model card of that name, made if there is none.
fn card(tree: &mut Tree, name: &str) -> Option<usize> {
    let cards = cards(tree)?;
    let known = cards.iter().position(|card| card.get("name").and_then(Node::text) == Some(name));
    Some(known.unwrap_or_else(|| {
        cards.push(map_node(vec![Entry::made("name", text_node(name))]));
        cards.len() - 1
    }))
}

/// Gives every model, and the default model, a card, where anything was of an older layout.
fn complete_cards(tree: &mut Tree) {
    if !tree.is_changed() {
        return;
    }
    let mut names = Vec::new();
    each(tree, |model, _| names.extend(model.get("name").and_then(Node::text).map(str::to_owned)));
    let default =
        tree.root.at_mut("providers.defaults.default_model").and_then(|node| node.text().map(str::to_owned));
    names.extend(default);
    let mut known: Vec<String> = Vec::new();
    if let Some(cards) = tree.root.at_mut("routing.modelCards").and_then(Node::items_mut) {
        for card in cards.iter() {
            let adapters = card.get("loras").and_then(Node::items).unwrap_or_default();
            let named = adapters.iter().chain([card]).filter_map(|node| node.get("name")?.text());
            known.extend(named.map(str::to_owned));
        }
    }
    for name in names {
        if known.contains(&name) {
            continue;
        }
        if let Some(card) = card(tree, &name) {
            tree.added(&format!("routing.modelCards[{card}]"), format!("a card for the model `{name}`"));
        }
        known.push(name);
    }
}
