//! Which models serve the roles of the catalogue: checkpoints that the configuration names and this machine has, and the
//! embedded models for all else.

use std::{path::PathBuf, sync::Arc};

use vsr_config::{Config, Document, EmbeddingModel, Expanded, ModelBackend, ModelRole as Reference};
use vsr_encoder::Backend;
use vsr_hub::{Cache, Found, HubModel, HubSettings};
use vsr_reader::{Checkpoint, ModelRole, Reader, Serving};
use vsr_signals::Head;
use vsr_types::{Diagnostic, Diagnostics, Path};

use crate::Surroundings;

/// What serves the roles.
pub(crate) struct Served {
    pub(crate) reader: Reader,
    /// Names of models that embedded ones serve in place of.
    pub(crate) substituted_for: Arc<[String]>,
    pub(crate) hub_models: Vec<HubUse>,
}

/// A model of a hub that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubUse {
    /// The model.
    pub model: HubModel,
    /// Where it is on this machine, if it is.
    pub found: Option<Found>,
}

/// A model that the configuration names for a role.
struct Named<'c> {
    role: ModelRole,
    /// Where it is named.
    path: Path,
    name: &'c str,
    /// The file that names its classes, and where that is written.
    mapping: Option<(Path, &'c Expanded)>,
}

/// A module of the catalogue that uses a model.
struct Module<'c> {
    key: &'static str,
    role: ModelRole,
    is_on: bool,
    model_id: Option<&'c Expanded>,
    reference: Reference,
    /// The key that names the file that names its classes, and the file.
    mapping: Option<(&'static str, &'c Expanded)>,
}

/// `base` with the configuration's own checkpoints, and the models that are not on this machine: the embedded ones serve
/// in their place, which one warning says. Checkpoints that `known` has loaded are not loaded again.
pub(crate) fn serve(
    document: &Document,
    config: &Config,
    surroundings: &Surroundings<'_>,
    known: Option<&Reader>,
    diagnostics: &mut Diagnostics,
) -> Served {
    let Surroundings { variables, reader: base } = *surroundings;
    let mut roles = Vec::new();
    let mut absent: Vec<Named<'_>> = Vec::new();
    let mut hub_models: Vec<HubUse> = Vec::new();
    let hub = Hub::of(document, config, variables, diagnostics);
    let mut backends = Backends::of(document, config);
    for module in modules(config).into_iter().filter(|module| !module.is_on) {
        roles.push((module.role, Serving::Nothing));
    }
    let used = modules(config).into_iter().filter(|module| module.is_on);
    let used = used.map(|module| module.named(config));
    for named in used.chain([embedding(config)]).chain(modality(config)) {
        let is_of_hub = HubModel::is_named(named.name);
        let directory = if is_of_hub {
            match hub.find(named.name) {
                Ok(of_hub) => {
                    let directory = of_hub.found.as_ref().map(|found| found.directory.clone());
                    if !hub_models.contains(&of_hub) {
                        hub_models.push(of_hub);
                    }
                    directory
                }
                Err(message) => {
                    diagnostics.error(named.path, message);
                    continue;
                }
            }
        } else {
            Some(document.directory().join(named.name)).filter(|directory| Checkpoint::is_at(directory))
        };
        if named.name.trim().is_empty() {
            roles.push((named.role, Serving::Nothing));
        } else if let Some(directory) = directory {
            let mapping = named.mapping(document, is_of_hub.then_some(&*directory));
            let checkpoint = Checkpoint::open(&directory, mapping.as_deref());
            match checkpoint.and_then(|own| own.check(named.role).map(|()| own)) {
                Ok(checkpoint) => {
                    let checkpoint = checkpoint.on(backends.of_role(named.role));
                    roles.push((named.role, Serving::Checkpoint(checkpoint)));
                }
                Err(error) => diagnostics.error(named.path, error.to_string()),
            }
        } else if document.is_written(&named.path) {
            absent.push(named);
        }
    }
    if !base.has_models() {
        absent.clear();
        hub_models.clear();
    }
    warn(&absent, diagnostics);
    backends.report(diagnostics);
    let substituted = absent.iter().filter(|named| named.is_substituted());
    let substituted_for = substituted.map(|named| named.name.to_owned()).collect();
    Served { reader: base.with_known(&roles, known), substituted_for, hub_models }
}

/// What runs the configuration's own checkpoints.
struct Backends {
    /// Each where it is written.
    written: Vec<(Path, Backend)>,
    embedding: Backend,
    others: Backend,
    /// Those that a checkpoint is run by.
    used: Vec<Backend>,
}

impl Backends {
    fn of(document: &Document, config: &Config) -> Self {
        let catalog = &config.global.model_catalog;
        let place = Path::keys("global.model_catalog");
        let own = place.key("embeddings").key("semantic").key("embedding_config").key("backend");
        let others = catalog.backend.map_or(Backend::Own, backend);
        let for_embedding = backend(catalog.embeddings.semantic.embedding_config.backend);
        let embedding = if document.is_written(&own) { for_embedding } else { others };
        let mut written = vec![(place.key("backend"), others)];
        if document.is_written(&own) {
            written.push((own, for_embedding));
        }
        written.retain(|(_, backend)| *backend != Backend::Own);
        Self { written, embedding, others, used: Vec::new() }
    }

    fn of_role(&mut self, role: ModelRole) -> Backend {
        let backend = if role == ModelRole::Embedding { self.embedding } else { self.others };
        self.used.push(backend);
        backend
    }

    /// A backend that is missing is an error where something is to be run by it: nothing runs on the CPU instead.
    fn report(&self, diagnostics: &mut Diagnostics) {
        for (place, backend) in &self.written {
            match backend.check() {
                Err(vsr_encoder::Error::Unsupported { what, help }) if self.used.contains(backend) => {
                    let message = format!("{what} is not supported");
                    diagnostics.push(Diagnostic::error(place.clone(), message).help(help));
                }
                Err(error) if self.used.contains(backend) => {
                    diagnostics.error(place.clone(), error.to_string());
                }
                _ if !self.used.contains(backend) => {
                    let message = "it runs checkpoints of your own, and there is none for it; \
                                   the embedded models run on the CPU";
                    diagnostics.warning(place.clone(), message);
                }
                _ => {}
            }
        }
    }
}

fn backend(written: ModelBackend) -> Backend {
    match written {
        ModelBackend::Native => Backend::Own,
        ModelBackend::OnnxRuntime => Backend::Cpu,
        ModelBackend::Cuda => Backend::Cuda,
        ModelBackend::Rocm => Backend::Rocm,
        ModelBackend::MiGraphX => Backend::MiGraphX,
        ModelBackend::OpenVino => Backend::OpenVino,
        ModelBackend::CoreMl => Backend::CoreMl,
    }
}

/// Where models of a hub are kept.
struct Hub {
    cache: Option<Cache>,
}

impl Hub {
    /// Checks the settings, too.
    fn of(
        document: &Document,
        config: &Config,
        variables: &dyn Fn(&str) -> Option<String>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let settings = &config.global.model_catalog.hub;
        let path = Path::keys("global.model_catalog.hub.endpoint");
        if document.is_written(&path)
            && let Err(error) = HubSettings::address(settings, variables)
        {
            diagnostics.error(path, error.to_string());
        }
        Self { cache: Cache::of(settings, document.directory(), variables) }
    }

    fn find(&self, name: &str) -> Result<HubUse, String> {
        let model: HubModel = name.parse().map_err(|error: vsr_hub::Error| error.to_string())?;
        let cache = self.cache.as_ref().ok_or_else(|| {
            format!(
                "{model} has no place: there is no HOME for a cache; set `global.model_catalog.hub.cache_dir`"
            )
        })?;
        let found = cache.find(&model);
        Ok(HubUse { model, found })
    }
}

/// One warning for all that is not there.
fn warn(absent: &[Named<'_>], diagnostics: &mut Diagnostics) {
    let Some(first) = absent.first() else { return };
    let names: Vec<String> = absent.iter().map(|named| format!("`{}`", named.name)).collect();
    let mut message = format!("not on this machine: {}", names.join(", "));
    if absent.iter().any(Named::is_substituted) {
        message.push_str("; the embedded models serve instead");
    }
    if let Some(judge) = absent.iter().find(|named| !named.is_substituted()) {
        message.push_str(&format!("; nothing stands in for `{}`, so /api/v1/nli answers 503", judge.name));
    }
    let help = if absent.iter().all(|named| HubModel::is_named(named.name)) {
        "`vllm-sr serve` downloads it before it is ready, `vllm-sr model download` does so now"
    } else {
        "put the checkpoint there to use it; thresholds tuned on it may need `vllm-sr calibrate`"
    };
    diagnostics.push(Diagnostic::warning(first.path.clone(), message).help(help));
}

fn modules(config: &Config) -> [Module<'_>; 6] {
    let modules = &config.global.model_catalog.modules;
    let (domain, pii) = (&modules.classifier.domain, &modules.classifier.pii);
    let (guard, feedback) = (&modules.prompt_guard, &modules.feedback_detector);
    let fact_check = &modules.hallucination_mitigation.fact_check;
    let explainer = &modules.hallucination_mitigation.explainer;
    [
        Module {
            key: "classifier.domain",
            role: ModelRole::Head(Head::Domain),
            is_on: true,
            model_id: domain.model_id.as_ref(),
            reference: domain.model_ref,
            mapping: Some(("category_mapping_path", &domain.category_mapping_path)),
        },
        Module {
            key: "prompt_guard",
            role: ModelRole::Head(Head::Jailbreak),
            is_on: guard.enabled,
            model_id: guard.model_id.as_ref(),
            reference: guard.model_ref,
            mapping: Some(("jailbreak_mapping_path", &guard.jailbreak_mapping_path)),
        },
        Module {
            key: "hallucination_mitigation.fact_check",
            role: ModelRole::Head(Head::FactCheck),
            is_on: true,
            model_id: fact_check.model_id.as_ref(),
            reference: fact_check.model_ref,
            mapping: None,
        },
        Module {
            key: "feedback_detector",
            role: ModelRole::Head(Head::UserFeedback),
            is_on: feedback.enabled,
            model_id: feedback.model_id.as_ref(),
            reference: feedback.model_ref,
            mapping: feedback.feedback_mapping_path.as_ref().map(|file| ("feedback_mapping_path", file)),
        },
        Module {
            key: "classifier.pii",
            role: ModelRole::Tagger,
            is_on: true,
            model_id: pii.model_id.as_ref(),
            reference: pii.model_ref,
            mapping: Some(("pii_mapping_path", &pii.pii_mapping_path)),
        },
        Module {
            key: "hallucination_mitigation.explainer",
            role: ModelRole::Inference,
            is_on: true,
            model_id: explainer.model_id.as_ref(),
            reference: explainer.model_ref,
            mapping: None,
        },
    ]
}

/// The classifier of modalities, if there is one.
fn modality(config: &Config) -> Option<Named<'_>> {
    let classifier = config.global.model_catalog.modules.modality_detector.classifier.as_ref()?;
    let path = Path::keys("global.model_catalog.modules.modality_detector.classifier.model_path");
    Some(Named { role: ModelRole::Head(Head::Modality), path, name: &classifier.model_path, mapping: None })
}

/// The key of `embeddings.semantic` that names a model of this type.
pub(crate) fn embedding_key(model: EmbeddingModel) -> &'static str {
    match model {
        EmbeddingModel::Mmbert => "mmbert_model_path",
        EmbeddingModel::Qwen3 => "qwen3_model_path",
        EmbeddingModel::Gemma => "gemma_model_path",
        EmbeddingModel::Bert => "bert_model_path",
        EmbeddingModel::Multimodal => "multimodal_model_path",
    }
}

/// The embedding model of the semantic signals.
fn embedding(config: &Config) -> Named<'_> {
    let semantic = &config.global.model_catalog.embeddings.semantic;
    let model = semantic.embedding_config.model_type;
    let key = embedding_key(model);
    let name = match model {
        EmbeddingModel::Mmbert => &semantic.mmbert_model_path,
        EmbeddingModel::Qwen3 => &semantic.qwen3_model_path,
        EmbeddingModel::Gemma => &semantic.gemma_model_path,
        EmbeddingModel::Bert => &semantic.bert_model_path,
        EmbeddingModel::Multimodal => &semantic.multimodal_model_path,
    };
    let path = Path::keys("global.model_catalog.embeddings.semantic").key(key);
    Named { role: ModelRole::Embedding, path, name, mapping: None }
}

// === impl Named

impl Named<'_> {
    /// Whether an embedded model does what this one is for.
    fn is_substituted(&self) -> bool {
        self.role != ModelRole::Inference
    }

    /// The file that names its classes. In a hub's `checkpoint` it lies beside the weights, unless the configuration
    /// writes where it is.
    fn mapping(&self, document: &Document, checkpoint: Option<&std::path::Path>) -> Option<PathBuf> {
        let (path, file) = self.mapping.as_ref()?;
        let file = std::path::Path::new(&***file);
        match checkpoint {
            Some(checkpoint) if !document.is_written(path) => Some(checkpoint.join(file.file_name()?)),
            _ => Some(document.directory().join(file)),
        }
    }
}

// === impl Module

impl<'c> Module<'c> {
    /// The model: its own, or that of the catalogue it refers to.
    fn named(self, config: &'c Config) -> Named<'c> {
        let path = Path::keys("global.model_catalog.modules");
        let path = self.key.split('.').fold(path, |path, key| path.key(key));
        let (role, mapping) = (self.role, self.mapping.map(|(key, file)| (path.key(key), file)));
        if let Some(name) = self.model_id {
            return Named { role, path: path.key("model_id"), name, mapping };
        }
        let system = &config.global.model_catalog.system;
        let (key, name): (&str, &str) = match self.reference {
            Reference::Nothing => ("", ""),
            Reference::PromptGuard => ("prompt_guard", &system.prompt_guard),
            Reference::DomainClassifier => ("domain_classifier", &system.domain_classifier),
            Reference::PiiClassifier => ("pii_classifier", &system.pii_classifier),
            Reference::FactCheckClassifier => ("fact_check_classifier", &system.fact_check_classifier),
            Reference::HallucinationDetector => ("hallucination_detector", &system.hallucination_detector),
            Reference::HallucinationExplainer => ("hallucination_explainer", &system.hallucination_explainer),
            Reference::FeedbackDetector => ("feedback_detector", &system.feedback_detector),
        };
        Named { role, path: Path::keys("global.model_catalog.system").key(key), name, mapping }
    }
}
