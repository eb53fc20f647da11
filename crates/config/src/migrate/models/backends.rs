//! Backends in registries of their own, and how models found them.

use super::list;
use crate::{
    migrate::tree::{Notes, Tree, list_node, merge, named, text_node},
    node::{Entry, Node, Value},
};

/// Named things that models, backends or profiles refer to.
pub(super) struct Registries {
    /// `vllm_endpoints`.
    endpoints: Registry,
    /// `provider_profiles`.
    profiles: Registry,
    /// `providers.backends`.
    backends: Registry,
    /// `providers.auth_profiles`.
    credentials: Registry,
}

struct Registry {
    items: Vec<Item>,
    unused: &'static str,
}

struct Item {
    node: Node,
    is_used: bool,
}

/// Keys of backends that were renamed.
const RENAMED: &[(&str, &str)] = &[
    ("access_key", "api_key"),
    ("header", "auth_header"),
    ("prefix", "auth_prefix"),
    ("headers", "extra_headers"),
    ("url", "base_url"),
];

/// Keys of a model that hold for all of its backends.
const SHARED: &[&str] = &[
    "access_key",
    "api_key",
    "api_key_env",
    "auth_ref",
    "auth_header",
    "auth_prefix",
    "extra_headers",
    "api_version",
    "chat_path",
    "provider",
    "protocol",
    "type",
];

// === impl Registries

impl Registries {
    pub(super) fn take(tree: &mut Tree) -> Self {
        let mut registry = |path: &str, unused| Registry::new(tree.take_named(path), unused, &mut tree.notes);
        Self {
            endpoints: registry("vllm_endpoints", "no model prefers this endpoint"),
            profiles: registry("provider_profiles", "no backend uses this profile"),
            backends: registry("providers.backends", "no model uses this backend"),
            credentials: registry("providers.auth_profiles", "no backend uses this profile"),
        }
    }

    /// Gives a model its backends as `backend_refs`.
    pub(super) fn join(&mut self, model: &mut Node, notes: &mut Notes) {
        let mut found = self.preferred(model, notes);
        found.extend(own(model, notes));
        if !found.is_empty() {
            match list(model, "backend_refs") {
                Some(refs) => refs.extend(found),
                None => {
                    let note = "`backend_refs` has no room for it: it is no list";
                    found.iter().for_each(|node| notes.discard_item(node.span, note.into()));
                }
            }
        }
        self.resolve(model, notes);
        let shared: Vec<Entry> = SHARED.iter().filter_map(|key| model.take(key)).collect();
        let refs = model.get_mut("backend_refs").and_then(Node::items_mut);
        let mut refs: Vec<&mut Node> =
            refs.into_iter().flatten().filter(|node| node.entries().is_some()).collect();
        for entry in shared {
            share(&entry, &mut refs, notes);
        }
        for node in refs {
            self.settle(node, notes);
        }
    }

    /// Tells what nothing referred to.
    pub(super) fn finish(self, notes: &mut Notes) {
        for registry in [self.endpoints, self.profiles, self.backends, self.credentials] {
            for Item { node, is_used } in registry.items {
                let span = node.span;
                let entries = entries_of(node);
                if !is_used {
                    notes.discard_item(span, registry.unused.into());
                } else if entries.len() == 1 {
                    notes.absorb_item(span, "it held nothing but its name");
                } else if let Some(name) = entries.iter().find(|entry| entry.key == "name") {
                    notes.absorb(name.key_span, "what it names is written where it is used");
                }
            }
        }
    }

    /// The endpoints that the model prefers, or that say they serve it; the only one, if nothing is said.
    fn preferred(&mut self, model: &mut Node, notes: &mut Notes) -> Vec<Node> {
        let name = model.get("name").and_then(Node::text).unwrap_or_default().to_owned();
        if let Some(entry) = model.take("preferred_endpoints") {
            let names = match &entry.value.value {
                Value::List(items) => items.as_slice(),
                _ => std::slice::from_ref(&entry.value),
            };
            let (mut found, mut missing) = (Vec::new(), Vec::new());
            for wanted in names {
                match wanted.text().and_then(|wanted| self.endpoints.find(wanted)) {
                    Some(node) => found.push(node),
                    None => missing.push(wanted.describe()),
                }
            }
            if missing.is_empty() {
                notes.absorb(entry.key_span, "the endpoints are the model's backend_refs");
            } else {
                notes.discard(entry.key_span, format!("no endpoint is called {}", missing.join(", ")));
            }
            return found;
        }
        let serves = |item: &Item| {
            let models = item.node.get("models").and_then(Node::items).unwrap_or_default();
            models.iter().any(|model| model.text() == Some(&name))
        };
        let is_only = self.endpoints.items.len() == 1 && model.get("backend_refs").is_none();
        let mut found = Vec::new();
        for item in &mut self.endpoints.items {
            if serves(item) || (is_only && item.node.get("models").is_none()) {
                item.is_used = true;
                found.push(item.node.clone());
            }
        }
        found
    }

    /// Fills references to `providers.backends` in.
    fn resolve(&mut self, model: &mut Node, notes: &mut Notes) {
        for key in ["backends", "backend"] {
            let Some(mut entry) = model.take(key) else { continue };
            if !matches!(entry.value.value, Value::List(_)) {
                let single = std::mem::replace(&mut entry.value, list_node(Vec::new()));
                if let Value::List(items) = &mut entry.value.value {
                    items.push(single);
                }
            }
            entry.key = "backend_refs".into();
            merge(model, entry, "providers.models[].backend_refs", notes);
        }
        for node in model.get_mut("backend_refs").and_then(Node::items_mut).into_iter().flatten() {
            if let Some(name) = node.text() {
                if let Some(found) = self.backends.find(name) {
                    node.value = found.value;
                }
                continue;
            }
            let has_address = ["endpoint", "base_url", "address"].iter().any(|key| node.get(key).is_some());
            let reference = ["backend", "backend_ref", "ref"].iter().find_map(|key| node.take(key));
            let name = match &reference {
                Some(entry) => entry.value.text().map(str::to_owned),
                None if has_address => None,
                None => node.get("name").and_then(Node::text).map(str::to_owned),
            };
            let found = name.as_deref().and_then(|name| self.backends.find(name));
            if let Some(entry) = reference {
                match &found {
                    Some(_) => notes.absorb(entry.key_span, "the backend it names is written here"),
                    None => notes
                        .discard(entry.key_span, format!("no backend is called {}", entry.value.describe())),
                }
            }
            found.into_iter().for_each(|found| fill(node, entries_of(found), notes));
        }
    }

    /// Brings one backend into its form now.
    fn settle(&mut self, node: &mut Node, notes: &mut Notes) {
        for (key, registry) in [("provider_profile", &mut self.profiles), ("auth_ref", &mut self.credentials)]
        {
            let Some(entry) = node.take(key) else { continue };
            let Some(found) = entry.value.text().and_then(|name| registry.find(name)) else {
                let note = format!("no profile is called {}", entry.value.describe());
                notes.discard(entry.key_span, note);
                continue;
            };
            notes.absorb(entry.key_span, "the profile is written here");
            let is_provider = key == "provider_profile";
            let mut entries = entries_of(found);
            entries.retain(|entry| entry.key != "name");
            for entry in entries.iter_mut().filter(|entry| entry.key == "type") {
                entry.key = if is_provider { "provider".into() } else { "auth_type".into() };
            }
            fill(node, entries, notes);
        }
        if let Some(kind) = node.take("auth_type") {
            notes.discard(kind.key_span, "the header and its prefix say how the key is sent".into());
        }
        for (from, to) in RENAMED {
            super::rename(node, from, to, notes);
        }
        if let Some(models) = node.take("models") {
            notes.absorb(models.key_span, "the models it serves have it as their backend");
        }
        address(node, notes);
    }
}

// === impl Registry

impl Registry {
    fn new(nodes: Vec<Node>, unused: &'static str, notes: &mut Notes) -> Self {
        let (nodes, others): (Vec<_>, Vec<_>) =
            nodes.into_iter().partition(|node| node.get("name").and_then(Node::text).is_some());
        for node in others {
            notes.discard_item(node.span, "expected a mapping with a name".into());
        }
        Self { items: nodes.into_iter().map(|node| Item { node, is_used: false }).collect(), unused }
    }

    /// A copy of the thing of that name.
    fn find(&mut self, name: &str) -> Option<Node> {
        let is_it = |item: &&mut Item| item.node.get("name").and_then(Node::text) == Some(name);
        let item = self.items.iter_mut().find(is_it)?;
        item.is_used = true;
        Some(item.node.clone())
    }
}

/// The backends that the model has itself, under their older key.
fn own(model: &mut Node, notes: &mut Notes) -> Vec<Node> {
    let Some(entry) = model.take("endpoints") else { return Vec::new() };
    match entry.value.value {
        Value::List(items) => {
            let (backends, others): (Vec<_>, Vec<_>) =
                items.into_iter().partition(|item| item.entries().is_some());
            for other in others {
                notes.discard_item(other.span, "expected a mapping with an endpoint".into());
            }
            if backends.is_empty() {
                notes.absorb(entry.key_span, "it held no backend");
            }
            backends
        }
        Value::Map(entries) => entries.into_iter().map(|entry| named(entry, notes)).collect(),
        Value::Null => {
            notes.absorb(entry.key_span, "it had no value");
            Vec::new()
        }
        Value::Scalar { .. } => {
            notes.discard(entry.key_span, "expected a list; write backend_refs".into());
            Vec::new()
        }
    }
}

/// Puts a setting of the model into each of its backends that does not have it.
fn share(entry: &Entry, refs: &mut [&mut Node], notes: &mut Notes) {
    if refs.is_empty() {
        notes.discard(entry.key_span, "the model has no backend that could hold it".into());
        return;
    }
    let is_key = matches!(entry.key.as_str(), "access_key" | "api_key" | "api_key_env");
    let keys: &[&str] = if is_key { &["api_key", "api_key_env", "access_key"] } else { &[] };
    let mut is_taken = false;
    for node in refs {
        let has_own = node.get(&entry.key).is_some() || keys.iter().any(|key| node.get(key).is_some());
        if !has_own {
            fill(node, vec![entry.clone()], notes);
            is_taken = true;
        }
    }
    if !is_taken {
        notes.discard(entry.key_span, "every backend of the model has its own, which wins".into());
    }
}

/// Joins host and port.
fn address(node: &mut Node, notes: &mut Notes) {
    let Some(address) = node.take("address") else {
        let has_address = node.get("endpoint").is_some() || node.get("base_url").is_some();
        if let Some(port) = has_address.then(|| node.take("port")).flatten() {
            notes.discard(port.key_span, "the backend's address says its port".into());
        }
        return;
    };
    let port = node.take("port");
    if node.get("base_url").is_some() || node.get("endpoint").is_some() {
        for entry in [Some(address), port].into_iter().flatten() {
            notes.discard(entry.key_span, "the backend has an address already, which wins".into());
        }
        return;
    }
    let Some(host) = address.value.text().map(str::to_owned) else {
        notes.discard(address.key_span, format!("expected a host, found {}", address.value.describe()));
        if let Some(port) = port {
            notes.discard(port.key_span, "there is no host".into());
        }
        return;
    };
    let host = match host.matches(':').count() {
        2.. if !host.contains(['[', '/']) => format!("[{host}]"),
        _ => host,
    };
    let number = port.as_ref().and_then(|port| port.value.text());
    let endpoint = number.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    if let Some(port) = &port {
        match number {
            Some(_) => notes.absorb(port.key_span, "part of `endpoint` now"),
            None => notes.discard(port.key_span, format!("expected a port, found {}", port.value.describe())),
        }
    }
    let entry = Entry { key: "endpoint".into(), key_span: address.key_span, value: text_node(&endpoint) };
    let Value::Map(entries) = &mut node.value else { return };
    let after_name = entries.iter().position(|entry| entry.key == "name").map_or(0, |name| name + 1);
    entries.insert(after_name, entry);
}

/// Adds the entries whose keys a mapping does not have.
fn fill(node: &mut Node, entries: Vec<Entry>, notes: &mut Notes) {
    let Value::Map(known) = &mut node.value else { return };
    for entry in entries {
        if known.iter().any(|known| known.key == entry.key) {
            notes.discard(entry.key_span, "the backend has its own, which wins".into());
        } else {
            known.push(entry);
        }
    }
}

fn entries_of(node: Node) -> Vec<Entry> {
    match node.value {
        Value::Map(entries) => entries,
        _ => Vec::new(),
    }
}
