//! The heads that classifier checkpoints carry themselves.

use serde_json::Value;

use super::Tensors;
use crate::error::Error;
use crate::head::{Activation, HeadInput, HeadLayerSpec, Output, SequenceHeadSpec, TokenHeadSpec};
use crate::native::{Architecture, Family};

/// The name of a checkpoint's own sequence head.
pub(crate) const OWN_HEAD: &str = "classifier";

type Heads = (Option<SequenceHeadSpec>, Option<TokenHeadSpec>);

/// The head that the checkpoint's architecture names, if it is a classifier.
pub(super) fn of(
    config: &Value,
    tensors: &Tensors<'_>,
    architecture: &Architecture,
) -> Result<Option<Heads>, Error> {
    let names = config["architectures"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is = |kind: &str| names.iter().filter_map(Value::as_str).any(|name| name.ends_with(kind));
    let (sequence, token) = (is("ForSequenceClassification"), is("ForTokenClassification"));
    if !sequence && !token {
        return Ok(None);
    }
    let has = |name: &str| tensors.has(name);
    let layer = |name: &str, activation: Activation| HeadLayerSpec {
        norm: false,
        weight: format!("{name}.weight"),
        bias: has(&format!("{name}.bias")).then(|| format!("{name}.bias")),
        eps: architecture.epsilon,
        activation,
    };
    let mut layers = Vec::new();
    match architecture.family {
        Family::ModernBert => {
            let act = config["classifier_activation"].as_str().unwrap_or("gelu");
            if act != "gelu" {
                let what = format!("classifier_activation {act:?}");
                return Err(Error::unsupported(what, "the native engine knows the exact \"gelu\""));
            }
            layers.push(layer("head.dense", Activation::Gelu));
            layers.push(HeadLayerSpec { norm: true, ..layer("head.norm", Activation::None) });
            layers.push(layer("classifier", Activation::None));
        }
        Family::Bert if sequence && has("classifier.out_proj.weight") => {
            layers.push(layer("classifier.dense", Activation::Tanh));
            layers.push(layer("classifier.out_proj", Activation::None));
        }
        Family::Bert => {
            if sequence {
                layers.push(layer(&format!("{}pooler.dense", tensors.prefix), Activation::Tanh));
            }
            layers.push(layer("classifier", Activation::None));
        }
    }
    let labels = labels(config, tensors, &layers)?;
    if token {
        let head = TokenHeadSpec { labels, activation: Output::Softmax, temperature: 1.0, layers };
        return Ok(Some((None, Some(head))));
    }
    let independent = is_multi_label(config, labels.len());
    let mean = architecture.family == Family::ModernBert && config["classifier_pooling"] == "mean";
    let head = SequenceHeadSpec {
        name: OWN_HEAD.to_owned(),
        labels,
        activation: if independent { Output::Sigmoid } else { Output::Softmax },
        temperature: 1.0,
        input: if mean { HeadInput::Mean } else { HeadInput::Cls },
        layers,
    };
    Ok(Some((Some(head), None)))
}

/// Whether labels hold independently of each other.
pub(crate) fn is_multi_label(config: &Value, labels: usize) -> bool {
    config["problem_type"] == "multi_label_classification" || labels == 1
}

/// Labels from `id2label`, or `LABEL_0` and so on.
fn labels(config: &Value, tensors: &Tensors<'_>, layers: &[HeadLayerSpec]) -> Result<Vec<String>, Error> {
    let Some(last) = layers.last() else { return Ok(Vec::new()) };
    let (shape, _) = tensors.exact(&last.weight)?.ok_or_else(|| tensors.missing(&last.weight))?;
    let count = shape.first().copied().unwrap_or_default();
    let name = |i: usize| {
        let given = config["id2label"][i.to_string()].as_str();
        given.map_or_else(|| format!("LABEL_{i}"), str::to_owned)
    };
    Ok((0..count).map(name).collect())
}
