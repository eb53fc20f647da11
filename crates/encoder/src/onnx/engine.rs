//! The engine over a text graph: hidden states, a pooled vector, or logits, of one sequence at a time.

use std::path::Path;

use serde_json::Value as Json;

use super::Lane;
use super::graph::{Graph, Port, Tensor};
use crate::backend::Backend;
use crate::engine::{Engine, Input, Scratch};
use crate::error::Error;

/// The longest sequence of a model that names none, and of any model.
const UNNAMED_TOKENS: usize = 512;
const MOST_TOKENS: usize = 32_768;
/// What classifiers call their output.
const LOGITS: &str = "logits";
/// What embedders call their output, the one that is meant first.
const EMBEDDINGS: [&str; 3] = ["sentence_embedding", "token_embeddings", "last_hidden_state"];
/// What text towers call theirs.
const TOWER_EMBEDDINGS: [&str; 4] = ["text_embeds", "text_embeddings", "sentence_embedding", "pooler_output"];
/// The tokens of the first run, whose output shows what the graph gives.
const PROBE: usize = 3;
/// Families whose positions begin behind the padding id.
const OFFSET_POSITIONS: [&str; 5] = ["roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"];
/// Families whose text towers were trained on sequences padded to the end.
const PADDED: [&str; 2] = ["siglip", "siglip2"];

/// What a graph gives for a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// A hidden state per token.
    States,
    /// One vector.
    Pooled,
    /// Logits per token.
    TokenLogits,
    /// Logits of the whole.
    Logits,
}

/// A text graph.
#[derive(Debug)]
pub struct OnnxEngine {
    graph: Graph,
    output: Port,
    rows: Rows,
    width: usize,
    vocabulary: u32,
    max_tokens: usize,
    /// What sequences are padded to, and with which id.
    padding: Option<(usize, u32)>,
}

impl OnnxEngine {
    /// Loads a graph, with the numbers of the checkpoint's `config.json`, and runs it once.
    ///
    /// # Errors
    /// If the file is no ONNX graph, needs an operator or an input that is not known, or does not run.
    pub fn load(path: &Path, config: &Json, backend: Backend) -> Result<Self, Error> {
        let graph = Graph::load(path, backend)?;
        let is_tower = path.file_name().is_some_and(|name| name == "text_model.onnx");
        let embeddings = if is_tower { &TOWER_EMBEDDINGS[..] } else { &EMBEDDINGS };
        let text = if config["text_config"].is_object() { &config["text_config"] } else { config };
        let number = |name: &str| text[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let output =
            graph.output(&[LOGITS]).or_else(|| graph.output(embeddings)).or_else(|| graph.only_output());
        let output = output.cloned().ok_or_else(|| {
            let what = format!("{}: outputs named {}", graph.file(), graph.output_names());
            Error::unsupported(what, format!("export one named {LOGITS} or {}", embeddings.join(" or ")))
        })?;
        let kind = text["model_type"].as_str().unwrap_or_default();
        let pad_id = number("pad_token_id").unwrap_or(0);
        let named = number("max_position_embeddings").map(|positions| {
            let skipped = if OFFSET_POSITIONS.contains(&kind) { pad_id + 1 } else { 0 };
            positions.saturating_sub(skipped)
        });
        let named = named.unwrap_or(UNNAMED_TOKENS).clamp(1, MOST_TOKENS);
        let fixed = graph
            .inputs
            .iter()
            .filter(|port| port.name == "input_ids")
            .find_map(|port| *port.shape.get(1)?);
        let family = config["model_type"].as_str().unwrap_or_default();
        let padded = fixed.or_else(|| PADDED.contains(&family).then_some(named));
        let max_tokens = padded.unwrap_or(named).min(MOST_TOKENS);
        let vocabulary = number("vocab_size").and_then(|size| u32::try_from(size).ok()).ok_or_else(|| {
            Error::format(graph.file().to_owned(), "the config.json beside it names no vocab_size")
        })?;
        let padding = padded.map(|length| (length, u32::try_from(pad_id).unwrap_or(0)));
        let mut engine =
            Self { graph, output, rows: Rows::States, width: 0, vocabulary, max_tokens, padding };
        engine.probe()?;
        Ok(engine)
    }

    /// Runs a few tokens to see what the graph gives.
    fn probe(&mut self) -> Result<(), Error> {
        let length = PROBE.min(self.max_tokens);
        let (shape, _) = self.compute(&vec![0; length], &vec![0; length], &mut Lane::default())?;
        let logits = self.output.name == LOGITS;
        let padded = self.padding.map_or(length, |(length, _)| length);
        (self.rows, self.width) = match (shape.as_slice(), logits) {
            ([1, tokens, width], false) if *tokens == padded => (Rows::States, *width),
            ([1, tokens, width], true) if *tokens == padded => (Rows::TokenLogits, *width),
            ([1, width], false) => (Rows::Pooled, *width),
            ([1, width], true) => (Rows::Logits, *width),
            (other, _) => {
                let what = format!("{}: an output of shape {other:?} for {padded} tokens", self.graph.file());
                return Err(Error::unsupported(what, "export one of shape [1, tokens, width] or [1, width]"));
            }
        };
        if self.width == 0 {
            return Err(Error::format(self.graph.file().to_owned(), "its output is empty"));
        }
        Ok(())
    }

    /// What the graph gives.
    pub(crate) fn rows(&self) -> Rows {
        self.rows
    }

    /// The output's shape and values for one sequence.
    fn compute(&self, ids: &[u32], types: &[u32], lane: &mut Lane) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let count = self.padding.map_or(ids.len(), |(length, _)| length);
        let pad_id = self.padding.map_or(0, |(_, id)| id);
        let place = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        let shape = [1, count];
        let padded = |values: &[u32], with: u32| {
            let values: Vec<u32> = (0..count).map(|i| values.get(i).copied().unwrap_or(with)).collect();
            values.into_iter()
        };
        let mut inputs = Vec::with_capacity(self.graph.inputs.len());
        for port in &self.graph.inputs {
            let value = match port.name.as_str() {
                "input_ids" => Tensor::integers(&shape, padded(ids, pad_id)),
                "attention_mask" => Tensor::integers(&shape, (0..count).map(|i| u32::from(i < ids.len()))),
                "token_type_ids" => Tensor::integers(&shape, padded(types, 0)),
                "position_ids" => Tensor::integers(&shape, (0..count).map(place)),
                other => {
                    let what = format!("{}: the input {other:?}", self.graph.file());
                    let help =
                        "export a graph over input_ids, attention_mask, token_type_ids and position_ids";
                    return Err(Error::unsupported(what, help));
                }
            };
            inputs.push((port, value));
        }
        let output = self.graph.run(inputs, &self.output, lane)?;
        Ok((output.shape, output.values))
    }
}

impl Engine for OnnxEngine {
    fn name(&self) -> &'static str {
        self.graph.runtime()
    }

    fn hidden_size(&self) -> usize {
        self.width
    }

    fn layers(&self) -> usize {
        1
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn run(&self, input: Input<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        let Input { ids, types, taps, .. } = input;
        if ids.is_empty() || ids.len() > self.max_tokens || types.len() != ids.len() {
            let (count, most) = (ids.len(), self.max_tokens);
            return Err(Error::Input(format!(
                "{count} tokens with {} types, and 1 to {most} are taken",
                types.len()
            )));
        }
        if let Some(id) = ids.iter().find(|id| **id >= self.vocabulary) {
            return Err(Error::Input(format!("the token id {id} is none of {}", self.vocabulary)));
        }
        if !taps.is_empty() {
            return Err(Error::Input("an ONNX graph does not give the states of its layers".to_owned()));
        }
        let (_, values) = self.compute(ids, types, &mut scratch.lane)?;
        let rows = match self.rows {
            Rows::States | Rows::TokenLogits => ids.len(),
            Rows::Pooled | Rows::Logits => 1,
        };
        scratch.taps.clear();
        scratch.hidden.clear();
        let wanted = values.get(..rows * self.width);
        let wanted =
            wanted.ok_or_else(|| Error::Failed(format!("{}: its output is too short", self.graph.file())))?;
        if let Some(bad) = wanted.iter().find(|x| !x.is_finite()) {
            return Err(Error::Failed(format!("{}: its output has {bad}", self.graph.file())));
        }
        scratch.hidden.extend_from_slice(wanted);
        Ok(())
    }
}
