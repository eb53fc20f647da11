//! The tower of a two-tower model that hears sounds: one vector in the space of the text tower's.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::Lane;
use super::graph::{Graph, Kind, Port, Tensor};
use super::spectrogram::{Scale, Shape, Spectrogram};
use crate::backend::Backend;
use crate::error::Error;
use crate::sound::Sound;

/// What exporters call the vector of a sound, the one that is meant first.
const EMBEDDINGS: [&str; 4] = ["audio_embeds", "audio_embeddings", "sentence_embedding", "pooler_output"];
/// The extractor whose features are computed here.
const EXTRACTOR: &str = "ClapFeatureExtractor";
/// The longest sound that a model hears, in seconds.
const MOST_SECONDS: f64 = 60.0;
/// The most values of a spectrogram.
const MOST_VALUES: usize = 1 << 23;

/// A tower for sounds.
#[derive(Debug)]
pub(crate) struct AudioTower {
    graph: Graph,
    output: Port,
    spectrogram: Spectrogram,
    /// Samples that the graph hears.
    samples: usize,
    /// How often it gets the spectrogram: models that fuse several cuts of long sounds get four of short ones.
    channels: usize,
    preparation: Preparation,
}

/// `preprocessor_config.json` of CLAP models, as far as it matters.
#[derive(Debug, Deserialize)]
struct Preparation {
    #[serde(default)]
    feature_extractor_type: Option<String>,
    #[serde(default = "clap::feature_size")]
    feature_size: usize,
    #[serde(default = "clap::sampling_rate")]
    sampling_rate: u32,
    #[serde(default = "clap::hop_length")]
    hop_length: usize,
    #[serde(default = "clap::max_length_s")]
    max_length_s: f64,
    #[serde(default = "clap::fft_window_size")]
    fft_window_size: usize,
    #[serde(default)]
    frequency_min: f64,
    #[serde(default = "clap::frequency_max")]
    frequency_max: f64,
    #[serde(default = "clap::truncation")]
    truncation: String,
    #[serde(default = "clap::padding")]
    padding: String,
}

/// What the extractor takes for what its file leaves out.
mod clap {
    pub(super) fn feature_size() -> usize {
        64
    }
    pub(super) fn sampling_rate() -> u32 {
        48_000
    }
    pub(super) fn hop_length() -> usize {
        480
    }
    pub(super) fn max_length_s() -> f64 {
        10.0
    }
    pub(super) fn fft_window_size() -> usize {
        1024
    }
    pub(super) fn frequency_max() -> f64 {
        14_000.0
    }
    pub(super) fn truncation() -> String {
        "fusion".to_owned()
    }
    pub(super) fn padding() -> String {
        "repeatpad".to_owned()
    }
}

impl AudioTower {
    /// Loads a graph and how its input is prepared, and runs it once on silence. `width` is that of the text tower's
    /// vectors.
    ///
    /// # Errors
    /// If a file is missing or malformed, or the graph does not give such vectors.
    pub(crate) fn load(
        path: &Path,
        preparation: &Json,
        width: usize,
        backend: Backend,
    ) -> Result<Self, Error> {
        let wrong = |why: String| Error::format("preprocessor_config.json", why);
        let preparation = Preparation::deserialize(preparation).map_err(|error| wrong(error.to_string()))?;
        let shape = preparation.shape()?;
        let graph = Graph::load(path, backend)?;
        let known = |port: &&Port| port.name == "is_longer" || port.kind == Kind::Float;
        let features = graph.inputs.iter().find(|port| port.name != "is_longer").filter(known);
        let Some(features) = features.filter(|port| matches!(port.shape.len(), 0 | 4)) else {
            let what = format!("{}: an audio tower without input_features", graph.file());
            return Err(Error::unsupported(what, "export each tower by itself"));
        };
        if let Some(other) =
            graph.inputs.iter().find(|port| port.name != "is_longer" && port.name != features.name)
        {
            let what = format!("{}: the input {:?}", graph.file(), other.name);
            return Err(Error::unsupported(what, "export an audio tower over input_features and is_longer"));
        }
        let spectrogram = Spectrogram::new(shape);
        let samples = (preparation.max_length_s * f64::from(preparation.sampling_rate)) as usize;
        let channels = if preparation.truncation == "fusion" { 4 } else { 1 };
        let sides = [channels, spectrogram.frames(samples), preparation.feature_size];
        for (place, side) in (1..).zip(sides) {
            let fixed = features.shape.get(place).copied().flatten();
            if let Some(fixed) = fixed.filter(|fixed| *fixed != side) {
                let why = format!("it makes features of {sides:?}, and the graph takes {fixed} for {side}");
                return Err(wrong(why));
            }
        }
        let output = graph.output(&EMBEDDINGS).or_else(|| graph.only_output()).cloned().ok_or_else(|| {
            let what = format!("{}: outputs named {}", graph.file(), graph.output_names());
            Error::unsupported(what, format!("export one named {}", EMBEDDINGS.join(" or ")))
        })?;
        let tower = Self { graph, output, spectrogram, samples, channels, preparation };
        let found = tower.compute(&vec![0.0; samples], &mut Lane::default())?.len();
        if found != width {
            let why = format!("it gives {found} values, and the text tower {width}");
            return Err(Error::format(tower.graph.file().to_owned(), why));
        }
        Ok(tower)
    }

    /// The vector of a WAV file; of a sound that is longer than the model hears, of its beginning.
    ///
    /// # Errors
    /// If the file cannot be decoded or the graph fails.
    pub(crate) fn embed(&self, file: &[u8], lane: &mut Lane) -> Result<Vec<f32>, Error> {
        let sound = Sound::decode(file, self.preparation.max_length_s)?;
        let mut samples = sound.at(self.preparation.sampling_rate);
        samples.truncate(self.samples);
        self.preparation.lengthen(&mut samples, self.samples);
        self.compute(&samples, lane)
    }

    /// The graph's vector for samples.
    fn compute(&self, samples: &[f32], lane: &mut Lane) -> Result<Vec<f32>, Error> {
        let failed = |why: String| Error::Failed(format!("{}: {why}", self.graph.file()));
        let rows = self.spectrogram.of(samples).map_err(failed)?;
        let shape = [1, self.channels, self.spectrogram.frames(samples.len()), self.preparation.feature_size];
        let features = rows.repeat(self.channels);
        let mut features = Some(features);
        let inputs = self.graph.inputs.iter().filter_map(|port| match port.name.as_str() {
            "is_longer" => Some((port, Tensor::integers(&[1, 1], std::iter::once(0)))),
            _ => Some((port, Tensor::floats(&shape, features.take()?))),
        });
        let output = self.graph.run(inputs.collect(), &self.output, lane)?;
        match output.shape.as_slice() {
            [1, _] if output.values.iter().all(|x| x.is_finite()) => Ok(output.values),
            other => Err(failed(format!("an output of shape {other:?}, or not finite, is no vector"))),
        }
    }
}

impl Preparation {
    /// The spectrogram's shape, if it is one that can be made.
    fn shape(&self) -> Result<Shape, Error> {
        let wrong = |why: String| Error::format("preprocessor_config.json", why);
        if let Some(other) = self.feature_extractor_type.as_deref().filter(|kind| *kind != EXTRACTOR) {
            let what = format!("preprocessor_config.json: the extractor {other:?}");
            return Err(Error::unsupported(what, format!("audio towers with a {EXTRACTOR} are heard")));
        }
        let Self { feature_size, sampling_rate, hop_length, fft_window_size, .. } = *self;
        let is_sound = (4_000..=192_000).contains(&sampling_rate)
            && (32..=16_384).contains(&fft_window_size)
            && (1..=fft_window_size).contains(&hop_length)
            && (1..=512).contains(&feature_size)
            && self.max_length_s * f64::from(sampling_rate) > fft_window_size as f64
            && self.max_length_s <= MOST_SECONDS
            && 0.0 <= self.frequency_min
            && self.frequency_min < self.frequency_max
            && self.frequency_max <= f64::from(sampling_rate);
        let samples = (self.max_length_s * f64::from(sampling_rate)) as usize;
        if !is_sound || (samples / hop_length.max(1) + 2) * feature_size > MOST_VALUES {
            let why = "its rates, sizes and lengths make no spectrogram of at most a minute".to_owned();
            return Err(wrong(why));
        }
        Ok(Shape {
            rate: sampling_rate,
            frame: fft_window_size,
            hop: hop_length,
            bands: feature_size,
            range: (self.frequency_min, self.frequency_max),
            scale: if self.truncation == "fusion" { Scale::Htk } else { Scale::Slaney },
        })
    }

    /// Makes a sound as long as the model hears: as often as it fits, or cut at the end, then silence.
    fn lengthen(&self, samples: &mut Vec<f32>, length: usize) {
        if samples.is_empty() {
            samples.push(0.0);
        }
        let times = length / samples.len();
        match self.padding.as_str() {
            "repeatpad" => *samples = samples.repeat(times.max(1)),
            "repeat" => *samples = samples.repeat(times + 1),
            _ => {}
        }
        samples.resize(length, 0.0);
    }
}
