//! Models from checkpoint directories: on the native engine where it knows the family, else from ONNX files.

use std::path::Path;

use serde_json::Value;

use super::Model;
use crate::backend::Backend;
use crate::blob::Blob;
use crate::checkpoint::{PackOptions, WEIGHTS, pack, read_json};
use crate::error::Error;
use crate::native::{Architecture, Level};

/// What the graph of a text model is called: of a whole model, or of the text tower of a two-tower model.
const TEXT_GRAPHS: [&str; 2] = ["model.onnx", "text_model.onnx"];

impl Model {
    /// A model from a checkpoint directory: `config.json`, `tokenizer.json` and either safetensors of a family that the
    /// native engine knows, packed in memory as `options` say and run on `level` or the best, or `model.onnx`, or
    /// `text_model.onnx` with `vision_model.onnx` beside it. Graphs may also be in a folder `onnx`.
    ///
    /// # Errors
    /// If the checkpoint cannot be read, or neither engine runs it.
    pub fn from_directory(
        directory: &Path,
        options: PackOptions,
        level: Option<Level>,
    ) -> Result<Self, Error> {
        Self::from_directory_on(directory, options, level, Backend::Own)
    }

    /// The same with ONNX graphs run by `backend`. Safetensors are run by the native engine alone: with another backend
    /// than the router itself a graph is needed.
    ///
    /// # Errors
    /// As there, or if the backend is missing.
    pub fn from_directory_on(
        directory: &Path,
        options: PackOptions,
        level: Option<Level>,
        backend: Backend,
    ) -> Result<Self, Error> {
        let config: Value = read_json(&directory.join("config.json"))?;
        let is_native = WEIGHTS.iter().any(|file| directory.join(file).exists());
        let known = Architecture::from_config(&config);
        let graph = file_of(directory, &TEXT_GRAPHS);
        match (is_native && backend == Backend::Own, known, graph) {
            (true, Ok(_), _) => Self::from_packed(&Blob::from(pack(directory, options)?), level),
            (_, _, Some(graph)) => Self::from_graph(directory, &config, &graph, backend),
            (true, Err(unknown), None) => Err(unknown),
            (false, _, None) if is_native => {
                let what = format!("{}: safetensors on {}", directory.display(), backend.as_str());
                Err(Error::unsupported(what, "export the model to ONNX, as model.onnx beside them"))
            }
            (false, _, None) => {
                let why = format!("there is neither {} nor {}", WEIGHTS[0], TEXT_GRAPHS.join(" nor "));
                Err(Error::format(directory.display().to_string(), why))
            }
        }
    }

    /// Whether it embeds images in the space of its texts.
    pub fn sees_images(&self) -> bool {
        #[cfg(feature = "rten")]
        return self.image_tower.is_some();
        #[cfg(not(feature = "rten"))]
        false
    }

    /// Whether it embeds sounds in the space of its texts.
    pub fn hears_sounds(&self) -> bool {
        #[cfg(feature = "rten")]
        return self.audio_tower.is_some();
        #[cfg(not(feature = "rten"))]
        false
    }

    /// Whether a model from this directory would hear sounds.
    pub fn directory_hears_sounds(directory: &Path) -> bool {
        cfg!(feature = "rten") && file_of(directory, &[AUDIO_GRAPH]).is_some()
    }

    /// Whether a directory has weights or a graph that [`Self::from_directory`] might read.
    pub fn is_in_directory(directory: &Path) -> bool {
        WEIGHTS.iter().any(|file| directory.join(file).is_file())
            || file_of(directory, &TEXT_GRAPHS).is_some()
    }

    /// Whether a model from this directory would see images.
    pub fn directory_sees_images(directory: &Path) -> bool {
        cfg!(feature = "rten") && file_of(directory, &[IMAGE_GRAPH]).is_some()
    }
}

/// What the graph of an image tower is called.
const IMAGE_GRAPH: &str = "vision_model.onnx";
/// What the graph of an audio tower is called.
const AUDIO_GRAPH: &str = "audio_model.onnx";

/// The first of `names` that is in the directory or in its `onnx` folder.
fn file_of(directory: &Path, names: &[&str]) -> Option<std::path::PathBuf> {
    let places = [directory.to_owned(), directory.join("onnx")];
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|path| path.is_file())
}

#[cfg(not(feature = "rten"))]
impl Model {
    fn from_graph(
        _directory: &Path,
        _config: &Value,
        graph: &Path,
        _backend: Backend,
    ) -> Result<Self, Error> {
        let help = "build with the feature `rten`, or put safetensors of a BERT or ModernBERT there";
        Err(Error::unsupported(format!("{}: an ONNX graph", graph.display()), help))
    }

    pub(crate) fn encode_image(
        &self,
        _file: &[u8],
        _scratch: &mut crate::engine::Scratch,
    ) -> Result<super::Encoded, Error> {
        Err(Error::Input("this build has no engine for images".to_owned()))
    }

    pub(crate) fn encode_audio(
        &self,
        _file: &[u8],
        _scratch: &mut crate::engine::Scratch,
    ) -> Result<super::Encoded, Error> {
        Err(Error::Input("this build has no engine for sounds".to_owned()))
    }
}

#[cfg(feature = "rten")]
mod graphs {
    use std::path::Path;
    use std::sync::Arc;

    use serde_json::Value;

    use super::{AUDIO_GRAPH, IMAGE_GRAPH, file_of};
    use crate::backend::Backend;
    use crate::checkpoint::{Additions, is_multi_label, read_json, tokenizer};
    use crate::engine::{Engine, Scratch};
    use crate::error::Error;
    use crate::fingerprint::Fingerprint;
    use crate::head::{Output, Pooling, SequenceHead, TokenHead};
    use crate::model::{Encoded, Model};
    use crate::onnx::{AudioTower, ImageTower, OnnxEngine, Rows, hash_of};
    use crate::text::TextTokenizer;

    impl Model {
        /// A model of ONNX graphs. `heads.json` may name a pooling, a prefix and a limit; sentence-transformers' pooling
        /// file is heeded.
        pub(super) fn from_graph(
            directory: &Path,
            config: &Value,
            graph: &Path,
            backend: Backend,
        ) -> Result<Self, Error> {
            let additions = additions(directory)?;
            let engine = OnnxEngine::load(graph, config, backend)?;
            let images = file_of(directory, &[IMAGE_GRAPH]);
            let mut parts = vec![hash_of(graph)?];
            let image_tower = match &images {
                None => None,
                Some(path) => {
                    let preparation = read_json(&directory.join("preprocessor_config.json"))?;
                    parts.push(hash_of(path)?);
                    parts.push(Fingerprint::of([preparation.to_string().as_bytes()]));
                    Some(ImageTower::load(path, &preparation, engine.hidden_size(), backend)?)
                }
            };
            let audio_tower = match file_of(directory, &[AUDIO_GRAPH]) {
                None => None,
                Some(path) => {
                    let preparation = read_json(&sound_preparation(directory))?;
                    parts.push(hash_of(&path)?);
                    parts.push(Fingerprint::of([preparation.to_string().as_bytes()]));
                    Some(AudioTower::load(&path, &preparation, engine.hidden_size(), backend)?)
                }
            };
            let max_tokens = additions.max_tokens.unwrap_or(usize::MAX).min(engine.max_tokens());
            let json = tokenizer(directory)?;
            let tokenizer = TextTokenizer::load(&json, &additions.prefix, max_tokens)?;
            let shaping = format!("{:?} {max_tokens} {:?}", additions.pooling, additions.prefix);
            let whole: Vec<&[u8]> = parts.iter().map(|part| &part.0[..]).collect();
            let runtime = match backend {
                Backend::Own => "onnx rten 0.27".to_owned(),
                other => format!("onnx {}", other.engine()),
            };
            let first = [runtime.as_bytes(), shaping.as_bytes(), &json];
            let fingerprint = Fingerprint::of(first.into_iter().chain(whole));
            let labels = labels(config, engine.hidden_size());
            let named = Fingerprint::of(labels.iter().map(String::as_bytes));
            let (mut heads, mut token_head) = (Vec::new(), None);
            match engine.rows() {
                Rows::Logits => {
                    let output = match is_multi_label(config, labels.len()) {
                        true => Output::Sigmoid,
                        false => Output::Softmax,
                    };
                    heads.push(SequenceHead::of_logits("classifier", labels, output));
                }
                Rows::TokenLogits => token_head = Some(TokenHead::of_logits(labels)),
                Rows::States | Rows::Pooled => {}
            }
            Ok(Self {
                tokenizer,
                embeds: matches!(engine.rows(), Rows::States | Rows::Pooled),
                engine: Box::new(engine),
                pooling: additions.pooling,
                heads,
                taps: Vec::new(),
                token_head,
                fingerprint,
                identity: Fingerprint::of([&fingerprint.0[..], &named.0]),
                metadata: additions.metadata,
                image_tower,
                audio_tower,
            })
        }

        /// The embedding of an image file (PNG, JPEG or WebP).
        ///
        /// # Errors
        /// If the model has no tower for images, the file cannot be decoded, or the engine fails.
        pub fn encode_image(&self, file: &[u8], scratch: &mut Scratch) -> Result<Encoded, Error> {
            let tower = self.image_tower.as_ref();
            let tower = tower.ok_or_else(|| Error::Input("this model has no tower for images".to_owned()))?;
            Ok(of_vector(&tower.embed(file, &mut scratch.lane)?))
        }

        /// The embedding of a WAV file; of a sound that is longer than the model hears, of its beginning.
        ///
        /// # Errors
        /// If the model has no tower for sounds, the file cannot be decoded, or the engine fails.
        pub fn encode_audio(&self, file: &[u8], scratch: &mut Scratch) -> Result<Encoded, Error> {
            let tower = self.audio_tower.as_ref();
            let tower = tower.ok_or_else(|| Error::Input("this model has no tower for sounds".to_owned()))?;
            Ok(of_vector(&tower.embed(file, &mut scratch.lane)?))
        }
    }

    /// A tower's vector with length 1, and nothing else.
    fn of_vector(vector: &[f32]) -> Encoded {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        let embedding: Arc<[f32]> = vector.iter().map(|x| x / norm.max(1e-12)).collect();
        Encoded { embedding, norm, heads: Vec::new(), tokens: None, token_count: 0, covered: 0 }
    }

    /// The file that says how sounds are prepared: one of its own where images have the usual one.
    fn sound_preparation(directory: &Path) -> std::path::PathBuf {
        let own = directory.join("audio_preprocessor_config.json");
        if own.is_file() { own } else { directory.join("preprocessor_config.json") }
    }

    fn additions(directory: &Path) -> Result<Additions, Error> {
        let file = directory.join("heads.json");
        if file.exists() {
            let additions: Additions = serde_json::from_value(read_json(&file)?)
                .map_err(|error| Error::format("heads.json", error))?;
            if !additions.sequence.is_empty() || additions.token.is_some() {
                let help = "put heads into the graph, as an output named logits";
                return Err(Error::unsupported("heads.json: heads beside an ONNX graph", help));
            }
            return Ok(additions);
        }
        let pooling = directory.join("1_Pooling").join("config.json");
        let takes_first = pooling.exists() && read_json(&pooling)?["pooling_mode_cls_token"] == true;
        let pooling = if takes_first { Pooling::Cls } else { Pooling::Mean };
        Ok(Additions { pooling, ..Additions::default() })
    }

    /// Labels from `id2label`, or `LABEL_0` and so on.
    fn labels(config: &Value, count: usize) -> Vec<String> {
        let name = |i: usize| {
            let given = config["id2label"][i.to_string()].as_str();
            given.map_or_else(|| format!("LABEL_{i}"), str::to_owned)
        };
        (0..count).map(name).collect()
    }
}
