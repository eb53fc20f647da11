//! A configuration compiled into something that can run, never changed afterwards.

use std::{collections::BTreeSet, sync::Arc};

use vsr_config::{Config, Document, Expanded, KnowledgeBase, Listener};
use vsr_policy::Policy;
use vsr_protocol::LossPolicy;
use vsr_reader::Reader;
use vsr_remote::RemoteModels;
use vsr_selection::Selection;
use vsr_signals::{ModelSupport, PrototypeVectors, SignalSet};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, ModelName, Path};
use vsr_upstream::ClientConfig;

use crate::{
    HubUse, Model, Models,
    backends::Around,
    checkpoints::{self, Served},
    fast_response::FastResponse,
    inactive, knowledge,
    metrics::Series,
    pictures,
};

/// A compiled configuration. A request keeps the snapshot it began with.
pub struct Snapshot {
    hash: Arc<str>,
    config: Arc<Config>,
    atoms: Arc<AtomTable>,
    signals: SignalSet,
    policy: Policy,
    selection: Selection,
    models: Models,
    reader: Reader,
    substituted_for: Arc<[String]>,
    hub_models: Vec<HubUse>,
    remote: Arc<RemoteModels>,
    reads_texts: bool,
    families: FamilySet,
    auto_names: BTreeSet<String>,
    fast_responses: Vec<Option<FastResponse>>,
    series: Series,
    loss_policy: LossPolicy,
    has_one_signer: bool,
    client: ClientConfig,
}

/// What a configuration is compiled against.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// Looks up environment variables.
    pub variables: &'s dyn Fn(&str) -> Option<String>,
    /// The router's own models.
    pub reader: &'s Reader,
}

/// Compiles `document`, adding every problem to it: this is the validator. `None` if there are errors.
pub fn compile(document: &mut Document, surroundings: &Surroundings<'_>) -> Option<Arc<Snapshot>> {
    compile_after(document, surroundings, None)
}

/// The same for a router that runs on `previous`: what that learned of models served elsewhere, and the models it has
/// loaded, are taken over where they are the same.
pub fn compile_after(
    document: &mut Document,
    surroundings: &Surroundings<'_>,
    previous: Option<&Snapshot>,
) -> Option<Arc<Snapshot>> {
    let variables = surroundings.variables;
    let config = Arc::new(document.config()?.clone());
    let mut diagnostics = Diagnostics::default();
    let mut atoms = AtomTable::default();
    let known = previous.map(Snapshot::reader);
    let served = checkpoints::serve(document, &config, surroundings, known, &mut diagnostics);
    let Served { reader, substituted_for, hub_models } = served;
    let manifests = |kb: &KnowledgeBase| knowledge::manifest(kb, document.directory());
    let pictures = |file: &str| pictures::picture(file, document.directory());
    let support = ModelSupport { remote: true, pictures: &pictures, ..reader.support(&manifests) };
    let signals = SignalSet::compile_for(&config, &support, &mut atoms, &mut diagnostics);
    let policy = Policy::compile(&config, &mut atoms, &mut diagnostics);
    let selection = Selection::compile(&config, &mut diagnostics);
    let around = Around { variables, directory: document.directory() };
    let mut models = Models::compile(&config, around, &mut diagnostics);
    let client = ClientConfig::from_variables(variables).unwrap_or_else(|error| {
        diagnostics.error(Path::keys("providers"), format!("the environment: {error}"));
        ClientConfig::default()
    });
    let mut remote = RemoteModels::compile(&config, variables, &mut diagnostics);
    if let Some(previous) = previous {
        remote.adopt(&previous.remote);
        models.adopt(&previous.models);
    }
    let fast_responses = config.routing.decisions.iter().map(FastResponse::of).collect();
    let families = policy.used_families();
    let loss_policy = crate::losses::policy(&config, &mut diagnostics);
    let has_one_signer = models.has_one_signer();
    let reads_texts = signals.reads_texts(families);
    let auto_names = auto_names(&config);
    inactive::report(document, &config, &mut diagnostics);
    crate::check::report(document, &config, &models, &mut diagnostics);
    document.report(diagnostics);
    if document.has_errors() {
        return None;
    }
    let hash = document.hash()?.into();
    Some(Arc::new(Snapshot {
        hash,
        config,
        atoms: Arc::new(atoms),
        signals,
        policy,
        selection,
        models,
        reader,
        substituted_for,
        hub_models,
        remote: Arc::new(remote),
        reads_texts,
        families,
        auto_names,
        fast_responses,
        series: Series::default(),
        loss_policy,
        has_one_signer,
        client,
    }))
}

// === impl Snapshot

impl Snapshot {
    /// The content hash of the configuration.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The atoms that evidence is about.
    pub fn atoms(&self) -> &Arc<AtomTable> {
        &self.atoms
    }

    /// The compiled projections and decisions.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The router's own models.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The models served elsewhere.
    pub fn remote(&self) -> &Arc<RemoteModels> {
        &self.remote
    }
    /// The models that the configuration names and this machine lacks: the embedded ones serve in their place.
    pub fn substituted_for(&self) -> &Arc<[String]> {
        &self.substituted_for
    }

    /// The models of a hub that the configuration names. Where one is not on this machine yet, what it is for is done as
    /// if it were not named, and compiling again after a download uses it.
    pub fn hub_models(&self) -> &[HubUse] {
        &self.hub_models
    }

    /// The examples whose embeddings the rules compare with, each once.
    pub(crate) fn prototype_texts(&self) -> Vec<Arc<str>> {
        self.signals.prototype_texts()
    }

    /// Gives the rules the embeddings of their examples, once; until then those rules are unavailable.
    pub(crate) fn install(&self, prototypes: &PrototypeVectors) {
        self.signals.install(prototypes);
    }

    /// Whether texts must be read before a request is routed.
    pub(crate) fn reads_texts(&self) -> bool {
        self.reads_texts
    }

    pub(crate) fn signals(&self) -> &SignalSet {
        &self.signals
    }

    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// What clients that call backends and models served elsewhere are made with, as the environment says.
    pub fn client_config(&self) -> &ClientConfig {
        &self.client
    }

    /// The models and their backends.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Where clients are served: the configured listeners, or one on this machine alone.
    pub fn listeners(&self) -> Vec<Listener> {
        if self.config.listeners.is_empty() {
            let address = Expanded("127.0.0.1".into());
            return vec![Listener { name: "default".into(), address, ..Listener::default() }];
        }
        self.config.listeners.clone()
    }

    /// The signal families that decisions can see.
    pub fn families(&self) -> FamilySet {
        self.families
    }

    /// Whether `name` asks the router to choose.
    pub fn is_auto(&self, name: &str) -> bool {
        self.auto_names.contains(name.trim())
    }

    /// The name under which the router itself is listed among the models.
    pub fn auto_name(&self) -> &str {
        &self.config.global.router.auto_model_name
    }

    /// The model for requests that no decision claims.
    pub fn default_model(&self) -> Option<&Model> {
        self.models.find(self.config.providers.defaults.default_model.as_deref()?)
    }

    /// Whether some decision lists the model, or it is the default.
    pub(crate) fn is_listed(&self, model: &ModelName) -> bool {
        self.default_model().is_some_and(|default| default.name == *model)
            || (0..self.config.routing.decisions.len()).any(|index| self.lists(index, model))
    }

    fn lists(&self, decision: usize, model: &ModelName) -> bool {
        self.config.routing.decisions[decision]
            .model_refs
            .iter()
            .any(|reference| reference.lora_name.as_deref().unwrap_or(&reference.model) == model.as_str())
    }

    /// Whether the caller's roles permit the model: it is the default, or no decision is about it, or
    /// some decision about it does not fail on its `authz` conditions alone. A card or adapter that
    /// no decision lists itself is judged by the decisions that list its card or other adapters.
    pub(crate) fn permits(&self, model: &Model, evidence: &Evidence) -> bool {
        if self.default_model().is_some_and(|default| default.name == model.name) {
            return true;
        }
        let decisions = 0..self.config.routing.decisions.len();
        let mut about: Vec<usize> =
            decisions.clone().filter(|index| self.lists(*index, &model.name)).collect();
        if about.is_empty() {
            about = decisions.filter(|index| self.lists_card(*index, &model.card)).collect();
        }
        about.is_empty() || about.into_iter().any(|index| self.policy.permits(index, evidence, &self.atoms))
    }

    fn lists_card(&self, decision: usize, card: &ModelName) -> bool {
        let references = &self.config.routing.decisions[decision].model_refs;
        references.iter().any(|reference| reference.model == card.as_str())
    }

    /// Which losses of translation are refused.
    pub(crate) fn loss_policy(&self) -> &LossPolicy {
        &self.loss_policy
    }

    /// Whether there is but one model whose backends speak Messages, so that whatever is signed was
    /// signed by it.
    pub(crate) fn has_one_signer(&self) -> bool {
        self.has_one_signer
    }

    /// The time series that its requests add to.
    pub(crate) fn series(&self) -> &Series {
        &self.series
    }

    pub(crate) fn fast_response(&self, decision: usize) -> Option<&FastResponse> {
        self.fast_responses.get(decision)?.as_ref()
    }
}

/// The names that ask the router to choose: the explicit list if there is one, else `auto` and the router's own.
fn auto_names(config: &Config) -> BTreeSet<String> {
    let router = &config.global.router;
    let names: Vec<&str> = match &router.auto_model_names {
        Some(listed) => listed.iter().map(String::as_str).collect(),
        None => vec!["auto", &router.auto_model_name],
    };
    names.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
