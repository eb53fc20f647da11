//! Which files of a repository make a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::listing::{Listing, RemoteFile};

/// The files that make a checkpoint.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Small ones: configuration, tokenizer, names of classes, the index of the weights.
    pub(crate) texts: Vec<RemoteFile>,
    /// The weights, where they are one file.
    pub(crate) weights: Vec<RemoteFile>,
    /// Whether the weights are several files, which [`SHARD_INDEX`] names.
    pub(crate) is_sharded: bool,
}

/// What names the files of weights that are several.
pub(crate) const SHARD_INDEX: &str = "model.safetensors.index.json";
const WEIGHTS: &str = "model.safetensors";
const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];
/// Heads that this router's own training put beside a checkpoint.
const HEADS: [&str; 2] = ["heads.json", "heads.safetensors"];
/// The most files that name classes, and files of weights.
const MOST_MAPPINGS: usize = 16;
const MOST_SHARDS: usize = 256;

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

// === impl Plan

impl Plan {
    /// Chooses among the listed files.
    ///
    /// # Errors
    /// In words, if something is missing, or there are only pickles.
    pub(crate) fn of(listing: &Listing) -> Result<Self, String> {
        let mut texts = Vec::new();
        for name in REQUIRED {
            texts.push(listing.find(name).cloned().ok_or_else(|| format!("it has no {name}"))?);
        }
        let names = |file: &&RemoteFile| file.name.ends_with("_mapping.json") && is_plain(&file.name);
        texts.extend(listing.files.iter().filter(names).take(MOST_MAPPINGS).cloned());
        let mut weights = Vec::new();
        if let [Some(heads), Some(tensors)] = HEADS.map(|name| listing.find(name)) {
            texts.push(heads.clone());
            weights.push(tensors.clone());
        }
        let is_sharded = match (listing.find(WEIGHTS), listing.find(SHARD_INDEX)) {
            (Some(whole), _) => {
                weights.push(whole.clone());
                false
            }
            (None, Some(index)) => {
                texts.push(index.clone());
                true
            }
            (None, None) => return Err(no_weights(listing)),
        };
        Ok(Self { texts, weights, is_sharded })
    }

    /// Adds the files of weights that `index` names.
    ///
    /// # Errors
    /// In words, if it names something else than safetensors files of the same directory that are listed.
    pub(crate) fn add_shards(&mut self, index: &[u8], listing: &Listing) -> Result<(), String> {
        let ShardIndex { weight_map } =
            serde_json::from_slice(index).map_err(|error| format!("{SHARD_INDEX} is no index: {error}"))?;
        let names: BTreeSet<&str> = weight_map.values().map(String::as_str).collect();
        if names.is_empty() || names.len() > MOST_SHARDS {
            return Err(format!("{SHARD_INDEX} names {} files; 1 to {MOST_SHARDS} are read", names.len()));
        }
        for name in names {
            if !is_plain(name) || !name.ends_with(".safetensors") {
                return Err(format!("{SHARD_INDEX} names {name:?}, which is no safetensors file beside it"));
            }
            let shard =
                listing.find(name).ok_or_else(|| format!("it has no {name}, which {SHARD_INDEX} names"))?;
            self.weights.push(shard.clone());
        }
        Ok(())
    }

    /// The bytes of all files, as far as the hub tells.
    pub(crate) fn bytes(&self) -> u64 {
        let sizes = self.texts.iter().chain(&self.weights).filter_map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }
}

fn no_weights(listing: &Listing) -> String {
    const PICKLES: [&str; 5] = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];
    let is_pickle = |file: &&RemoteFile| PICKLES.iter().any(|ending| file.name.ends_with(ending));
    match listing.files.iter().find(is_pickle) {
        Some(pickle) => format!(
            "its weights are in {:?}, a pickle, which could run code; save them as safetensors \
             (`save_pretrained(…, safe_serialization=True)`), or name a revision that has them",
            pickle.name.chars().take(100).collect::<String>(),
        ),
        None => format!("it has neither {WEIGHTS} nor {SHARD_INDEX}"),
    }
}

/// Whether a name is that of a file in the directory itself, on every system.
fn is_plain(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
