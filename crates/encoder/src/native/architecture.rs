//! What a model looks like: read from a checkpoint's `config.json`, kept in a packed file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kernels::{GRAIN, MAX_HEAD_WIDTH};
use crate::error::Error;

/// Above any number in a model's shape, and small enough that products of two do not overflow.
const MOST: usize = 1 << 22;

/// A family of encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Absolute positions, GELU, norms after each block.
    Bert,
    /// Rotary positions, gated GELU, norms before each block, local attention between global layers.
    ModernBert,
}

/// The shape of an encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// Its family.
    pub family: Family,
    /// Values per token.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads per block.
    pub heads: usize,
    /// Width of the feed-forward part (after the gate).
    pub intermediate: usize,
    /// Known token ids.
    pub vocabulary: usize,
    /// The longest sequence.
    pub max_tokens: usize,
    /// Of the first token: 0 for BERT, padding id + 1 for RoBERTa.
    pub first_position: usize,
    /// Token types; 0 if there are none.
    pub token_types: usize,
    /// Added to variances.
    pub epsilon: f32,
    /// Tokens seen to either side in local layers; 0 if all are global.
    pub local_reach: usize,
    /// Every how many-th layer is global, from the first on.
    pub global_every: usize,
    /// Base of the rotary frequencies in global layers.
    pub global_theta: f32,
    /// Base of the rotary frequencies in local layers.
    pub local_theta: f32,
}

impl Architecture {
    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    /// If the family, the activation or the widths are not supported, or a number is missing.
    pub fn from_config(config: &Value) -> Result<Self, Error> {
        let kind = config["model_type"].as_str().unwrap_or("bert");
        let family = match kind {
            "bert" | "roberta" | "xlm-roberta" | "camembert" => Family::Bert,
            "modernbert" => Family::ModernBert,
            other => {
                return Err(Error::unsupported(
                    format!("model_type {other:?}"),
                    "the native engine runs bert, roberta, xlm-roberta, camembert and modernbert",
                ));
            }
        };
        let number = |key: &str| {
            let value = config[key].as_u64().and_then(|n| usize::try_from(n).ok());
            value.ok_or_else(|| Error::format("config.json", format!("{key} is not a number")))
        };
        let decimal = |key: &str, default: f64| config[key].as_f64().unwrap_or(default) as f32;
        let act_key = if family == Family::Bert { "hidden_act" } else { "hidden_activation" };
        let activation = config[act_key].as_str().unwrap_or("gelu");
        if activation != "gelu" {
            let what = format!("{act_key} {activation:?}");
            return Err(Error::unsupported(what, "the native engine knows the exact \"gelu\""));
        }
        if let Some(other) = config["position_embedding_type"].as_str().filter(|p| *p != "absolute")
            && family == Family::Bert
        {
            let what = format!("position_embedding_type {other:?}");
            return Err(Error::unsupported(what, "use a model with absolute positions"));
        }
        let positions = number("max_position_embeddings")?;
        let first_position = match kind {
            "roberta" | "xlm-roberta" | "camembert" => {
                config["pad_token_id"].as_u64().unwrap_or(1) as usize + 1
            }
            _ => 0,
        };
        let rope = &config["rope_parameters"];
        let theta = |part: &str, key: &str, default: f64| {
            rope[part]["rope_theta"].as_f64().map_or_else(|| decimal(key, default), |theta| theta as f32)
        };
        let modern = family == Family::ModernBert;
        let architecture = Self {
            family,
            hidden: number("hidden_size")?,
            layers: number("num_hidden_layers")?,
            heads: number("num_attention_heads")?,
            intermediate: number("intermediate_size")?,
            vocabulary: number("vocab_size")?,
            max_tokens: positions.saturating_sub(first_position),
            first_position,
            token_types: if modern { 0 } else { config["type_vocab_size"].as_u64().unwrap_or(0) as usize },
            epsilon: if modern { decimal("norm_eps", 1e-5) } else { decimal("layer_norm_eps", 1e-12) },
            local_reach: if modern {
                config["local_attention"].as_u64().unwrap_or(128) as usize / 2
            } else {
                0
            },
            global_every: config["global_attn_every_n_layers"].as_u64().unwrap_or(3).max(1) as usize,
            global_theta: theta("full_attention", "global_rope_theta", 160_000.0),
            local_theta: theta("sliding_attention", "local_rope_theta", 10_000.0),
        };
        architecture.check()?;
        Ok(architecture)
    }

    /// Width of one head.
    pub fn head_width(&self) -> usize {
        self.hidden / self.heads.max(1)
    }

    /// The reach of a layer's attention; none if it is global.
    pub fn reach(&self, layer: usize) -> Option<usize> {
        (self.local_reach > 0 && !layer.is_multiple_of(self.global_every)).then_some(self.local_reach)
    }

    /// Whether the native engine can run it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let numbers = [self.hidden, self.layers, self.intermediate, self.vocabulary, self.max_tokens];
        let others = [self.heads, self.first_position, self.token_types, self.local_reach, self.global_every];
        if numbers.iter().chain(&others).any(|n| *n > MOST) {
            return Err(Error::format("the model's shape", format!("a number in it is above {MOST}")));
        }
        let whole = |n: usize| n > 0 && n.is_multiple_of(GRAIN);
        if self.heads == 0
            || !self.hidden.is_multiple_of(self.heads)
            || !whole(self.hidden)
            || !whole(self.intermediate)
            || !whole(self.head_width())
            || self.head_width() > MAX_HEAD_WIDTH
        {
            return Err(Error::unsupported(
                format!(
                    "a width of {} in {} heads and {} between",
                    self.hidden, self.heads, self.intermediate
                ),
                "the native engine needs multiples of 16, heads of at most 256 included",
            ));
        }
        if self.max_tokens < 3 || self.vocabulary == 0 || self.layers == 0 || self.global_every == 0 {
            return Err(Error::format(
                "the model's shape",
                "it has no room for tokens, layers or a vocabulary",
            ));
        }
        Ok(())
    }
}
