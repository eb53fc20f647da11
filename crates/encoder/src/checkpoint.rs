//! Reads Hugging Face style checkpoints and packs them.

mod classifiers;

#[cfg(feature = "rten")]
pub(crate) use classifiers::is_multi_label;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Deserialize;
use serde_json::Value;

use crate::blob::Blob;
use crate::error::Error;
use crate::head::{HeadLayerSpec, Pooling, SequenceHeadSpec, TokenHeadSpec, head_tensor};
use crate::native::{Architecture, Family, Width, pack as pack_panels, pack_rows};
use crate::package::{Description, Package, Writer};

/// What the file of weights is called, or the file that names several.
pub(crate) const WEIGHTS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];

/// How a model is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackOptions {
    /// How the weights of layers are held.
    pub weights: Width,
    /// How the weights of the two layers of a block that write to the residual stream are held. Their inputs have the
    /// outliers that bytes serve worst: with these in bfloat16, the int8 all-MiniLM-L6-v2 is 40 % nearer to f32 and takes
    /// 20 to 40 % longer.
    pub closing: Width,
    /// How word embeddings are held.
    pub embeddings: Width,
}

impl PackOptions {
    /// Everything in `width`.
    pub fn all(width: Width) -> Self {
        Self { weights: width, closing: width, embeddings: width }
    }
}

/// `heads.json`: what stands beside a checkpoint and becomes part of the packed model.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Additions {
    #[serde(default)]
    pub(crate) pooling: Pooling,
    #[serde(default)]
    pub(crate) max_tokens: Option<usize>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) sequence: Vec<SequenceHeadSpec>,
    #[serde(default)]
    pub(crate) token: Option<TokenHeadSpec>,
    #[serde(default)]
    pub(crate) metadata: Value,
}

/// `model.safetensors.index.json`: which file holds which tensor.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// Packs a checkpoint directory: `config.json`, `model.safetensors` or the files that `model.safetensors.index.json`
/// names, `tokenizer.json`, and heads from `heads.json` with `heads.safetensors` or, if there is none, from the
/// checkpoint's own classifier.
///
/// # Errors
/// If a file is missing or malformed, or the model is not one that the native engine runs.
pub fn pack(directory: &Path, options: PackOptions) -> Result<Vec<u8>, Error> {
    let config: Value = read_json(&directory.join("config.json"))?;
    let architecture = Architecture::from_config(&config)?;
    let tokenizer = tokenizer(directory)?;
    let weights = shards(directory)?;
    let tensors = Tensors::open(&weights, "model.safetensors", &architecture)?;

    let mut writer = Writer::default();
    encoder(&mut writer, &tensors, &architecture, options)?;

    let heads_file = directory.join("heads.json");
    let mut additions = Additions::default();
    let own_heads = heads_file.exists();
    if own_heads {
        additions =
            serde_json::from_slice(&read(&heads_file)?).map_err(|e| Error::format("heads.json", e))?;
    } else if let Some((sequence, token)) = classifiers::of(&config, &tensors, &architecture)? {
        additions.sequence = sequence.into_iter().collect();
        additions.token = token;
        if architecture.family == Family::ModernBert && config["classifier_pooling"] == "cls" {
            additions.pooling = Pooling::Cls;
        }
    }
    let limit = additions.max_tokens.unwrap_or(architecture.max_tokens);
    let description = Description {
        max_tokens: limit.min(architecture.max_tokens),
        architecture,
        weights: options.weights,
        pooling: additions.pooling,
        prefix: additions.prefix,
        sequence: additions.sequence,
        token: additions.token,
        metadata: additions.metadata,
    };
    let fingerprint = writer.fingerprint(&description, &tokenizer)?;

    let sequence_layers = description.sequence.iter().flat_map(|head| &head.layers);
    let layers: Vec<&HeadLayerSpec> =
        sequence_layers.chain(description.token.iter().flat_map(|head| &head.layers)).collect();
    if own_heads && !layers.is_empty() {
        let bytes = Blob::map(&directory.join("heads.safetensors"))?;
        let heads = Tensors::plain(std::slice::from_ref(&bytes), "heads.safetensors")?;
        head_tensors(&mut writer, &heads, &layers)?;
    } else {
        head_tensors(&mut writer, &tensors, &layers)?;
    }
    writer.finish(description, &tokenizer, fingerprint)
}

/// Packs heads alone, fitted on `model`: `heads.json` with `heads.safetensors` in `directory`. They are read with
/// [`Package::with_heads`]; a tensor that the file lacks is the model's own of that name.
///
/// # Errors
/// If a file is missing or malformed.
pub fn pack_heads(directory: &Path, model: &Package) -> Result<Vec<u8>, Error> {
    let additions: Additions = serde_json::from_slice(&read(&directory.join("heads.json"))?)
        .map_err(|e| Error::format("heads.json", e))?;
    let bytes = Blob::map(&directory.join("heads.safetensors"))?;
    let tensors = Tensors::plain(std::slice::from_ref(&bytes), "heads.safetensors")?;
    let mut writer = Writer::default();
    for layer in additions.sequence.iter().flat_map(|head| &head.layers) {
        for name in [Some(&layer.weight), layer.bias.as_ref()].into_iter().flatten() {
            let packed = head_tensor(name);
            match tensors.exact(name)? {
                Some((_, values)) => writer.floats(&packed, &values),
                None if model.floats(&packed)?.is_some() => {}
                None => return Err(tensors.missing(name)),
            }
        }
    }
    let description = Description {
        architecture: model.architecture().clone(),
        weights: model.weights(),
        pooling: model.pooling(),
        max_tokens: model.max_tokens(),
        prefix: model.prefix().to_owned(),
        sequence: additions.sequence,
        token: None,
        metadata: additions.metadata,
    };
    writer.finish(description, &[], model.fingerprint())
}

fn head_tensors(writer: &mut Writer, tensors: &Tensors<'_>, layers: &[&HeadLayerSpec]) -> Result<(), Error> {
    for layer in layers {
        for name in [Some(&layer.weight), layer.bias.as_ref()].into_iter().flatten() {
            let (_, values) = tensors.exact(name)?.ok_or_else(|| tensors.missing(name))?;
            writer.floats(&head_tensor(name), &values);
        }
    }
    Ok(())
}

/// The files that hold the weights.
fn shards(directory: &Path) -> Result<Vec<Blob>, Error> {
    let [whole, index] = WEIGHTS.map(|file| directory.join(file));
    if whole.exists() || !index.exists() {
        return Ok(vec![Blob::map(&whole)?]);
    }
    let wrong = |why: String| Error::format(index.display().to_string(), why);
    let ShardIndex { weight_map } =
        serde_json::from_slice(&read(&index)?).map_err(|error| wrong(error.to_string()))?;
    let files: BTreeSet<&str> = weight_map.values().map(String::as_str).collect();
    if files.is_empty() {
        return Err(wrong("it names no file".to_owned()));
    }
    let map = |file: &str| match Path::new(file).file_name() {
        Some(name) if name == file && file.ends_with(".safetensors") => Blob::map(&directory.join(file)),
        _ => Err(wrong(format!("{file:?} is no safetensors file of the same directory"))),
    };
    files.into_iter().map(map).collect()
}

/// The tokenizer's JSON without truncation and padding, which are the model's business.
pub(crate) fn tokenizer(directory: &Path) -> Result<Vec<u8>, Error> {
    let mut tokenizer: Value = read_json(&directory.join("tokenizer.json"))?;
    tokenizer["truncation"] = Value::Null;
    tokenizer["padding"] = Value::Null;
    serde_json::to_vec(&tokenizer).map_err(|e| Error::format("tokenizer.json", e))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::read(path, source))
}

pub(crate) fn read_json(path: &Path) -> Result<Value, Error> {
    serde_json::from_slice(&read(path)?).map_err(|e| Error::format(path.display().to_string(), e))
}

/// A tensor's shape and values.
type Shaped = (Vec<usize>, Vec<f32>);

/// The tensors of one or several safetensors files, as f32.
struct Tensors<'a> {
    file: &'static str,
    shards: Vec<SafeTensors<'a>>,
    prefix: &'static str,
}

impl<'a> Tensors<'a> {
    fn plain(files: &'a [Blob], file: &'static str) -> Result<Self, Error> {
        let shards = files.iter().map(|bytes| SafeTensors::deserialize(bytes));
        let shards = shards.collect::<Result<_, _>>().map_err(|e| Error::format(file, e))?;
        Ok(Self { file, shards, prefix: "" })
    }

    fn view(&self, name: &str) -> Option<TensorView<'_>> {
        self.shards.iter().find_map(|shard| shard.tensor(name).ok())
    }

    fn has(&self, name: &str) -> bool {
        self.view(name).is_some()
    }

    /// Finds out what stands before the encoder's names.
    fn open(files: &'a [Blob], file: &'static str, architecture: &Architecture) -> Result<Self, Error> {
        let mut found = Self::plain(files, file)?;
        let words = match architecture.family {
            Family::Bert => "embeddings.word_embeddings.weight",
            Family::ModernBert => "embeddings.tok_embeddings.weight",
        };
        let prefixes = ["", "bert.", "roberta.", "model.", "0.auto_model."];
        let prefix = prefixes.into_iter().find(|p| found.has(&format!("{p}{words}")));
        found.prefix = prefix.ok_or_else(|| Error::format(file, format!("it has no tensor {words}")))?;
        Ok(found)
    }

    fn missing(&self, name: &str) -> Error {
        Error::format(self.file, format!("it has no tensor {name}"))
    }

    /// A tensor by its whole name, with its shape.
    fn exact(&self, name: &str) -> Result<Option<Shaped>, Error> {
        let Some(view) = self.view(name) else { return Ok(None) };
        let data = view.data();
        let wide = |bits: u16| f32::from_bits(u32::from(bits) << 16);
        let values = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|w| f32::from_le_bytes(*w)).collect(),
            Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|w| wide(u16::from_le_bytes(*w))).collect(),
            Dtype::F16 => data.as_chunks::<2>().0.iter().map(|w| from_half(u16::from_le_bytes(*w))).collect(),
            other => {
                let what = format!("{name} of type {other:?}");
                return Err(Error::unsupported(what, "store tensors as F32, F16 or BF16"));
            }
        };
        Ok(Some((view.shape().to_vec(), values)))
    }

    /// A tensor of the encoder that must have this shape.
    fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let values = self.optional(name, shape)?;
        values.ok_or_else(|| self.missing(&format!("{}{name}", self.prefix)))
    }

    fn optional(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, Error> {
        let Some((found, values)) = self.exact(&format!("{}{name}", self.prefix))? else { return Ok(None) };
        if found != shape {
            return Err(Error::format(
                self.file,
                format!("{name} has the shape {found:?} instead of {shape:?}"),
            ));
        }
        Ok(Some(values))
    }
}

/// IEEE half precision to f32.
fn from_half(half: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(half >> 15), (half >> 10) & 31, u32::from(half & 0x3ff));
    let magnitude = match exponent {
        0 => fraction as f32 * 2.0_f32.powi(-24),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        e => f32::from_bits((u32::from(e) + 112) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign << 31)
}

/// Adds the encoder's tensors under the names that the native engine reads.
fn encoder(
    writer: &mut Writer,
    tensors: &Tensors<'_>,
    architecture: &Architecture,
    options: PackOptions,
) -> Result<(), Error> {
    let Architecture { family, hidden, intermediate, vocabulary, token_types, .. } = *architecture;
    let mut copy = Copy { writer, tensors, options };
    match family {
        Family::Bert => {
            copy.table(
                "embedding.words",
                "embeddings.word_embeddings.weight",
                [vocabulary, hidden],
                options.embeddings,
            )?;
            let positions = architecture.max_tokens + architecture.first_position;
            // Few rows, all of them used: what they cost in bytes would not pay for what they lose.
            let width = if options.embeddings == Width::Float { Width::Float } else { Width::Bf16 };
            copy.table(
                "embedding.positions",
                "embeddings.position_embeddings.weight",
                [positions, hidden],
                width,
            )?;
            if token_types > 0 {
                let name = "embeddings.token_type_embeddings.weight";
                copy.table("embedding.types", name, [token_types, hidden], Width::Float)?;
            }
            copy.norm("embedding.norm", "embeddings.LayerNorm", hidden)?;
            for i in 0..architecture.layers {
                let (to, from) = (|part: &str| format!("layer.{i}.{part}"), format!("encoder.layer.{i}"));
                copy.joined(&to("qkv"), &from, hidden)?;
                copy.linear(&to("output"), &format!("{from}.attention.output.dense"), hidden, hidden)?;
                copy.norm(&to("attention_norm"), &format!("{from}.attention.output.LayerNorm"), hidden)?;
                copy.linear(&to("up"), &format!("{from}.intermediate.dense"), intermediate, hidden)?;
                copy.linear(&to("down"), &format!("{from}.output.dense"), hidden, intermediate)?;
                copy.norm(&to("feed_norm"), &format!("{from}.output.LayerNorm"), hidden)?;
            }
        }
        Family::ModernBert => {
            copy.table(
                "embedding.words",
                "embeddings.tok_embeddings.weight",
                [vocabulary, hidden],
                options.embeddings,
            )?;
            copy.norm("embedding.norm", "embeddings.norm", hidden)?;
            for i in 0..architecture.layers {
                let (to, from) = (|part: &str| format!("layer.{i}.{part}"), format!("layers.{i}"));
                if i > 0 {
                    copy.norm(&to("attention_norm"), &format!("{from}.attn_norm"), hidden)?;
                }
                copy.linear(&to("qkv"), &format!("{from}.attn.Wqkv"), 3 * hidden, hidden)?;
                copy.linear(&to("output"), &format!("{from}.attn.Wo"), hidden, hidden)?;
                copy.norm(&to("feed_norm"), &format!("{from}.mlp_norm"), hidden)?;
                copy.linear(&to("up"), &format!("{from}.mlp.Wi"), 2 * intermediate, hidden)?;
                copy.linear(&to("down"), &format!("{from}.mlp.Wo"), hidden, intermediate)?;
            }
            copy.norm("final_norm", "final_norm", hidden)?;
        }
    }
    Ok(())
}

struct Copy<'a, 'b> {
    writer: &'a mut Writer,
    tensors: &'a Tensors<'b>,
    options: PackOptions,
}

impl Copy<'_, '_> {
    fn table(&mut self, to: &str, from: &str, shape: [usize; 2], width: Width) -> Result<(), Error> {
        let values = self.tensors.get(from, &shape)?;
        self.writer.matrix(to, width, shape, &pack_rows(&values, shape[1], width));
        Ok(())
    }

    fn norm(&mut self, to: &str, from: &str, width: usize) -> Result<(), Error> {
        self.writer.floats(&format!("{to}.weight"), &self.tensors.get(&format!("{from}.weight"), &[width])?);
        if let Some(bias) = self.tensors.optional(&format!("{from}.bias"), &[width])? {
            self.writer.floats(&format!("{to}.bias"), &bias);
        }
        Ok(())
    }

    fn linear(&mut self, to: &str, from: &str, outputs: usize, inputs: usize) -> Result<(), Error> {
        let weights = self.tensors.get(&format!("{from}.weight"), &[outputs, inputs])?;
        let bias = self.tensors.optional(&format!("{from}.bias"), &[outputs])?;
        let closing = to.ends_with(".output") || to.ends_with(".down");
        let width = if closing { self.options.closing } else { self.options.weights };
        self.matrix(to, width, &weights, bias.as_deref(), [outputs, inputs])
    }

    /// Queries, keys and values as one layer.
    fn joined(&mut self, to: &str, from: &str, hidden: usize) -> Result<(), Error> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for part in ["query", "key", "value"] {
            let name = format!("{from}.attention.self.{part}");
            weights.extend(self.tensors.get(&format!("{name}.weight"), &[hidden, hidden])?);
            bias.extend(self.tensors.get(&format!("{name}.bias"), &[hidden])?);
        }
        self.matrix(to, self.options.weights, &weights, Some(&bias), [3 * hidden, hidden])
    }

    fn matrix(
        &mut self,
        to: &str,
        width: Width,
        weights: &[f32],
        bias: Option<&[f32]>,
        shape: [usize; 2],
    ) -> Result<(), Error> {
        self.writer.matrix(to, width, shape, &pack_panels(weights, shape[0], shape[1], width)?);
        if let Some(bias) = bias {
            self.writer.floats(&format!("{to}.bias"), bias);
        }
        Ok(())
    }
}
