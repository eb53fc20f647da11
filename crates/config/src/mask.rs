//! Credentials out of what is shown, and back into what is sent.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

use sha2::{Digest, Sha256};
use vsr_types::{Path, Secret};

use crate::{
    document::Document,
    node::{Node, Value},
    scalars::names_credential,
};

/// Makes masks. Each credential has one of its own, so that a masked configuration that is sent back is told where each
/// of them stood, wherever it stands now. Masks of one process mean nothing to another, and tell nothing of what is
/// behind them.
pub struct Masks {
    key: [u8; 32],
}

// === impl Masks

impl Default for Masks {
    fn default() -> Self {
        let mut key = [0; 32];
        for part in key.chunks_exact_mut(8) {
            // Keyed by the system's randomness, anew for each state.
            part.copy_from_slice(&RandomState::new().build_hasher().finish().to_le_bytes());
        }
        Self { key }
    }
}

impl Masks {
    /// The mask of a credential.
    fn of(&self, credential: &str) -> String {
        let digest = Sha256::new().chain_update(self.key).chain_update(credential).finalize();
        let id: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{id}", Secret::MASK)
    }
}

// === impl Document

impl Document {
    /// What the file says, with masks in place of credentials. References to environment variables are shown. `None`
    /// if the text is no configuration: what in it is a credential is not known then.
    pub fn masked(&self, masks: &Masks) -> Option<serde_json::Value> {
        self.config()?;
        let mut tree = self.written()?.clone();
        self.each_credential(&mut tree, &mut |text, plain| {
            *text = masks.of(text);
            *plain = false;
        });
        Some(crate::scalars::Opaque::of(&tree))
    }

    /// The credentials of the file by their masks.
    fn by_mask(&self, masks: &Masks) -> HashMap<String, (String, bool)> {
        let mut known = HashMap::new();
        if let Some(written) = self.written() {
            self.each_credential(&mut written.clone(), &mut |text, plain| {
                known.insert(masks.of(text), (text.clone(), *plain));
            });
        }
        known
    }

    /// Calls `found` with the text of every credential in `tree`, which is what the file says.
    fn each_credential(&self, tree: &mut Node, found: &mut dyn FnMut(&mut String, &mut bool)) {
        walk(tree, &Path::root(), false, &mut |place, is_named, text, plain| {
            let is_credential = is_named || self.credentials().contains(place);
            if is_credential && !text.trim().is_empty() && !is_reference(text) {
                found(text, plain);
            }
        });
    }
}

/// Puts the credentials of `known` in the places of their masks.
///
/// # Errors
/// The places of masks that stand for none of them.
pub(crate) fn unmask(tree: &mut Node, known: Option<&Document>, masks: &Masks) -> Result<(), Vec<Path>> {
    let known = known.map(|known| known.by_mask(masks)).unwrap_or_default();
    let mut unknown = Vec::new();
    walk(tree, &Path::root(), false, &mut |place, _, text, plain| {
        if !text.starts_with(Secret::MASK) {
            return;
        }
        match known.get(text.as_str()) {
            Some((credential, was_plain)) => {
                text.clone_from(credential);
                *plain = *was_plain;
            }
            None => unknown.push(place.clone()),
        }
    });
    if unknown.is_empty() { Ok(()) } else { Err(unknown) }
}

/// Whether a mask stands anywhere in the tree.
pub(crate) fn has_mask(tree: &Node) -> bool {
    match &tree.value {
        Value::Null => false,
        Value::Scalar { text, .. } => text.starts_with(Secret::MASK),
        Value::List(items) => items.iter().any(has_mask),
        Value::Map(entries) => entries.iter().any(|entry| has_mask(&entry.value)),
    }
}

type Visit<'v> = dyn FnMut(&Path, bool, &mut String, &mut bool) + 'v;

/// Visits every scalar with its place, and whether its key names a credential.
fn walk(node: &mut Node, place: &Path, is_named: bool, visit: &mut Visit<'_>) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar { text, plain } => visit(place, is_named, text, plain),
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &place.index(index), is_named, visit);
            }
        }
        Value::Map(entries) => {
            let name = entries.iter().find(|entry| entry.key == "name").and_then(|entry| entry.value.text());
            let names_secret = name.is_some_and(names_credential);
            for entry in entries {
                let is_named =
                    is_named || names_credential(&entry.key) || (names_secret && entry.key == "value");
                walk(&mut entry.value, &place.key(entry.key.as_str()), is_named, visit);
            }
        }
    }
}

/// Whether the text is one `${VAR}` and nothing else: it names a credential and holds none.
fn is_reference(text: &str) -> bool {
    let name = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks")
    }
}
