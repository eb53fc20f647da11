//! Heads: small f32 networks on a pooled vector or on every token.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::package::Package;

/// How hidden states become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    #[default]
    Mean,
    /// The first token.
    Cls,
}

/// What a sequence head reads; written as in `pooled` or `layers:3,6,9`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HeadInput {
    /// The pooled vector as it is.
    #[default]
    Pooled,
    /// The pooled vector with length 1.
    Embedding,
    /// The first token's hidden state.
    Cls,
    /// The mean of all hidden states.
    Mean,
    /// The means of the hidden states behind these layers, counted from 1 and ascending, one behind the other.
    Layers(Vec<usize>),
}

/// How logits become probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// One label holds: probabilities sum to 1.
    #[default]
    Softmax,
    /// Labels hold independently.
    Sigmoid,
}

/// What follows a layer of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// The exact GELU.
    Gelu,
    /// tanh.
    Tanh,
    /// max(x, 0).
    Relu,
}

/// A layer of a head: linear, or a layer norm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLayerSpec {
    /// Whether it is a layer norm.
    #[serde(default)]
    pub norm: bool,
    /// The tensor of its weights: `[outputs, inputs]`, or as wide as the input for a norm.
    pub weight: String,
    /// The tensor of its bias.
    #[serde(default)]
    pub bias: Option<String>,
    /// Added to the variance by a norm.
    #[serde(default = "default_epsilon")]
    pub eps: f32,
    /// What follows.
    #[serde(default)]
    pub activation: Activation,
}

/// A head on the whole text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceHeadSpec {
    /// Its name, unique in the model.
    pub name: String,
    /// Its labels, in the order of its outputs.
    pub labels: Vec<String>,
    /// How logits become probabilities.
    #[serde(default)]
    pub activation: Output,
    /// What logits are divided by.
    #[serde(default = "default_temperature")]
    pub temperature: f32,
    /// What it reads.
    #[serde(default)]
    pub input: HeadInput,
    /// Its layers.
    pub layers: Vec<HeadLayerSpec>,
}

/// A head on every token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenHeadSpec {
    /// Its labels, in the order of its outputs.
    pub labels: Vec<String>,
    /// How logits become probabilities.
    #[serde(default)]
    pub activation: Output,
    /// What logits are divided by.
    #[serde(default = "default_temperature")]
    pub temperature: f32,
    /// Its layers.
    pub layers: Vec<HeadLayerSpec>,
}

fn default_epsilon() -> f32 {
    1e-5
}

fn default_temperature() -> f32 {
    1.0
}

impl TryFrom<String> for HeadInput {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let layers = match written.as_str() {
            "pooled" => return Ok(Self::Pooled),
            "embedding" => return Ok(Self::Embedding),
            "cls" => return Ok(Self::Cls),
            "mean" => return Ok(Self::Mean),
            other => other.strip_prefix("layers:"),
        };
        let layers: Option<Vec<usize>> =
            layers.and_then(|list| list.split(',').map(|layer| layer.trim().parse().ok()).collect());
        layers
            .filter(|layers| layers[0] > 0 && layers.windows(2).all(|pair| pair[0] < pair[1]))
            .map(Self::Layers)
            .ok_or_else(|| {
                format!(
                    "{written:?} is not pooled, embedding, cls, mean or ascending layers as in layers:3,6"
                )
            })
    }
}

impl From<HeadInput> for String {
    fn from(input: HeadInput) -> Self {
        match input {
            HeadInput::Pooled => "pooled".to_owned(),
            HeadInput::Embedding => "embedding".to_owned(),
            HeadInput::Cls => "cls".to_owned(),
            HeadInput::Mean => "mean".to_owned(),
            HeadInput::Layers(layers) => {
                let layers: Vec<String> = layers.iter().map(ToString::to_string).collect();
                format!("layers:{}", layers.join(","))
            }
        }
    }
}

/// A sequence head, ready to be applied.
#[derive(Debug)]
pub struct SequenceHead {
    name: Arc<str>,
    labels: Vec<String>,
    input: HeadInput,
    network: Network,
}

impl SequenceHead {
    pub(crate) fn load(spec: &SequenceHeadSpec, package: &Package) -> Result<Self, Error> {
        let what = format!("head {:?}", spec.name);
        let width = package.architecture().hidden;
        let inputs = match &spec.input {
            HeadInput::Layers(layers) => layers.len() * width,
            _ => width,
        };
        let network = Network::load((&what, inputs), &spec.layers, &spec.labels, package)?;
        Ok(Self {
            name: spec.name.as_str().into(),
            labels: spec.labels.clone(),
            input: spec.input.clone(),
            network: network.with_output(&what, spec.activation, spec.temperature)?,
        })
    }

    /// A head on a graph that gives logits itself.
    #[cfg(feature = "rten")]
    pub(crate) fn of_logits(name: &str, labels: Vec<String>, output: Output) -> Self {
        Self { name: name.into(), labels, input: HeadInput::Cls, network: Network::of_logits(output) }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its labels, in the order of its probabilities.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The layers it reads, if it reads layers.
    pub(crate) fn taps(&self) -> &[usize] {
        match &self.input {
            HeadInput::Layers(layers) => layers,
            _ => &[],
        }
    }

    pub(crate) fn input(&self) -> &HeadInput {
        &self.input
    }

    /// The probabilities of its labels for a vector as wide as its input.
    pub fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let mut work = [vector.to_vec(), Vec::new()];
        self.network.apply(&mut work);
        std::mem::take(&mut work[0])
    }
}

/// A token head, ready to be applied.
#[derive(Debug)]
pub struct TokenHead {
    labels: Vec<String>,
    network: Network,
}

impl TokenHead {
    pub(crate) fn load(spec: &TokenHeadSpec, package: &Package) -> Result<Self, Error> {
        let what = "the token head";
        let width = package.architecture().hidden;
        let network = Network::load((what, width), &spec.layers, &spec.labels, package)?;
        let network = network.with_output(what, spec.activation, spec.temperature)?;
        Ok(Self { labels: spec.labels.clone(), network })
    }

    /// A head on a graph that gives logits itself.
    #[cfg(feature = "rten")]
    pub(crate) fn of_logits(labels: Vec<String>) -> Self {
        Self { labels, network: Network::of_logits(Output::Softmax) }
    }

    /// Its labels, in the order of its probabilities.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Appends the probabilities of its labels for one token's hidden state.
    pub(crate) fn apply(&self, hidden: &[f32], work: &mut [Vec<f32>; 2], out: &mut Vec<f32>) {
        work[0].clear();
        work[0].extend_from_slice(hidden);
        self.network.apply(work);
        out.extend_from_slice(&work[0]);
    }
}

#[derive(Debug)]
struct Layer {
    norm: bool,
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
    activation: Activation,
}

#[derive(Debug)]
struct Network {
    layers: Vec<Layer>,
    output: Output,
    temperature: f32,
}

impl Network {
    /// Only what makes probabilities of logits.
    #[cfg(feature = "rten")]
    fn of_logits(output: Output) -> Self {
        Self { layers: Vec::new(), output, temperature: 1.0 }
    }

    fn load(
        (what, inputs): (&str, usize),
        specs: &[HeadLayerSpec],
        labels: &[String],
        package: &Package,
    ) -> Result<Self, Error> {
        let wrong = |why: String| Error::format(what, why);
        let mut width = inputs;
        let mut layers = Vec::with_capacity(specs.len());
        for spec in specs {
            let tensor = |name: &str| {
                let missing = || wrong(format!("the model has no tensor {name:?}"));
                package.floats(&head_tensor(name))?.ok_or_else(missing)
            };
            let weight = tensor(&spec.weight)?;
            let outputs = if spec.norm { weight.len() } else { weight.len() / width };
            if outputs == 0 || weight.len() != if spec.norm { width } else { outputs * width } {
                let why = format!(
                    "{} has {} values, which does not fit a width of {width}",
                    spec.weight,
                    weight.len()
                );
                return Err(wrong(why));
            }
            let bias = spec.bias.as_deref().map(tensor).transpose()?.unwrap_or_else(|| vec![0.0; outputs]);
            if bias.len() != outputs {
                return Err(wrong(format!("a bias has {} values instead of {outputs}", bias.len())));
            }
            layers.push(Layer {
                norm: spec.norm,
                weight,
                bias,
                epsilon: spec.eps,
                activation: spec.activation,
            });
            width = outputs;
        }
        if labels.is_empty() || labels.len() != width || layers.is_empty() {
            return Err(wrong(format!("it has {} labels and {width} outputs", labels.len())));
        }
        Ok(Self { layers, output: Output::Softmax, temperature: 1.0 })
    }

    fn with_output(self, what: &str, output: Output, temperature: f32) -> Result<Self, Error> {
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(Error::format(
                what,
                format!("its temperature {temperature} is not a positive number"),
            ));
        }
        Ok(Self { output, temperature, ..self })
    }

    /// From the vector in `work[0]` to the probabilities there.
    fn apply(&self, work: &mut [Vec<f32>; 2]) {
        for layer in &self.layers {
            let [x, y] = work;
            layer.apply(x, y);
            work.swap(0, 1);
        }
        let logits = &mut work[0];
        for x in logits.iter_mut() {
            *x /= self.temperature;
        }
        match self.output {
            Output::Sigmoid => logits.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
            Output::Softmax => {
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                logits.iter_mut().for_each(|x| *x = (*x - most).exp());
                let total: f32 = logits.iter().sum();
                logits.iter_mut().for_each(|x| *x /= total);
            }
        }
    }
}

impl Layer {
    fn apply(&self, x: &[f32], y: &mut Vec<f32>) {
        y.clear();
        if self.norm {
            let count = x.len() as f32;
            let mean = x.iter().sum::<f32>() / count;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            let scaled = x.iter().zip(self.weight.iter().zip(&self.bias));
            y.extend(scaled.map(|(v, (w, b))| (v - mean) * inverse * w + b));
        } else {
            let rows = self.weight.chunks_exact(x.len());
            y.extend(rows.zip(&self.bias).map(|(row, b)| dot(row, x) + b));
        }
        match self.activation {
            Activation::None => {}
            Activation::Gelu => y.iter_mut().for_each(|v| *v = gelu(*v)),
            Activation::Tanh => y.iter_mut().for_each(|v| *v = v.tanh()),
            Activation::Relu => y.iter_mut().for_each(|v| *v = v.max(0.0)),
        }
    }
}

/// The name under which a package keeps a head's tensor.
pub(crate) fn head_tensor(name: &str) -> String {
    format!("head:{name}")
}

/// The dot product, in sixteen running sums so that it compiles to vectors.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for (x, y) in a.iter().zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// x·Φ(x), erf by Abramowitz & Stegun 7.1.26.
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    0.5 * x + 0.5 * x.abs() * (1.0 - p * (-z * z).exp())
}
