//! A configuration, the models it names, and one request's evidence.

use std::time::{Duration, Instant};

use vsr_config::{Config, Document};
use vsr_remote::{BreakerSettings, RemoteLimits, RemoteModels};
use vsr_signals::{
    ModelSupport, SignalInput, SignalSet, TextReadings, TokenCalibration,
    external::{RemoteOutcome, RemoteReadings},
};
use vsr_types::{
    AtomId, AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily,
    UnavailableReason,
};
use vsr_upstream::{Client, ClientConfig};

/// Longer than any test waits for what comes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Compiled rules and the models they ask.
pub(crate) struct Scene {
    atoms: AtomTable,
    set: SignalSet,
    pub(crate) models: RemoteModels,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

/// What was found in one request.
pub(crate) struct Found<'s> {
    scene: &'s Scene,
    pub(crate) readings: RemoteReadings,
    evidence: Evidence,
}

/// Limits without pauses: a failed model is asked again at once, and a server that ended started again at once.
pub(crate) fn no_pauses() -> RemoteLimits {
    let breaker = BreakerSettings { failures: u32::MAX, ..BreakerSettings::default() };
    RemoteLimits { breaker, restart_pause: Duration::ZERO, ..RemoteLimits::default() }
}

pub(crate) fn config(yaml: &str) -> Config {
    let document = Document::parse("config.yaml", yaml, &|_| None);
    let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
    document.config().unwrap_or_else(|| panic!("{}", problems.join("\n"))).clone()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The problems that compiling reports, as `path: message`.
pub(crate) fn problems(yaml: &str) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    RemoteModels::compile(&config(yaml), &variable, &mut diagnostics);
    diagnostics.iter().map(|it| format!("{:?} {}: {}", it.severity, it.path, it.message)).collect()
}

impl Scene {
    /// Compiles `routing.signals` and `global.model_catalog`, each a flow mapping.
    pub(crate) fn new(signals: &str, catalog: &str) -> Self {
        Self::with(signals, catalog, no_pauses())
    }

    pub(crate) fn with(signals: &str, catalog: &str, limits: RemoteLimits) -> Self {
        let config = config(&format!(
            "version: v0.3\nrouting:\n  signals: {signals}\nglobal:\n  model_catalog: {catalog}\n"
        ));
        let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
        let support = ModelSupport { remote: true, ..ModelSupport::none() };
        let set = SignalSet::compile_for(&config, &support, &mut atoms, &mut diagnostics);
        let models = RemoteModels::compile_with(&config, limits, &variable, &mut diagnostics);
        let reported: Vec<String> =
            diagnostics.iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
        assert!(reported.is_empty(), "{}", reported.join("\n"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { atoms, set, models, client: Client::new(&ClientConfig::default()), runtime }
    }

    pub(crate) fn on(&self, prompt: &str) -> Found<'_> {
        self.on_request(&RequestView::from_prompt(prompt), LONG)
    }

    /// Asks about a request within `limit`, and evaluates all rules.
    pub(crate) fn on_request(&self, request: &RequestView<'_>, limit: Duration) -> Found<'_> {
        let plan = self.set.plan(request, FamilySet::ALL);
        let readings = self.runtime.block_on(self.models.read(&self.client, &plan, Instant::now() + limit));
        let texts =
            TextReadings::unavailable(plan, UnavailableReason::NotActive).with_remote(readings.clone());
        let mut evidence = Evidence::new(&self.atoms);
        let input = SignalInput {
            request,
            identity: &Identity { user: Some("ann".into()), ..Identity::default() },
            tokens: &TokenCalibration::new(),
            authz_fail_open: false,
            readings: Some(&texts),
        };
        self.set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
        Found { scene: self, readings, evidence }
    }
}

impl Found<'_> {
    fn atom(&self, family: SignalFamily, name: &str) -> AtomId {
        self.scene.atoms.find(family, name).unwrap_or_else(|| panic!("no atom {family}:{name}"))
    }

    /// `matched`, `not matched`, or the reason why neither.
    pub(crate) fn state(&self, family: SignalFamily, name: &str) -> String {
        let atom = self.atom(family, name);
        if self.evidence.is_matched(atom) {
            "matched".to_owned()
        } else if self.evidence.is_unavailable(atom) {
            format!("{:?}", self.evidence.reason(atom).unwrap())
        } else {
            "not matched".to_owned()
        }
    }

    pub(crate) fn value(&self, family: SignalFamily, name: &str) -> Option<f64> {
        self.evidence.value(self.atom(family, name))
    }

    pub(crate) fn notes(&self, family: SignalFamily, name: &str) -> String {
        self.evidence.notes(self.atom(family, name)).collect::<Vec<_>>().join("; ")
    }

    /// The answers, failures left out.
    pub(crate) fn outcomes(&self) -> Vec<RemoteOutcome> {
        self.readings.iter().filter_map(|reading| reading.outcome.clone().ok()).collect()
    }
}
