//! A router that runs on a file.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vsr_live::{ConfigText, Live, LiveParts, LiveStatus};
use vsr_reader::Reader;
use vsr_router::{Metrics, Router, RouterParts, Surroundings};
use vsr_store::MemoryStore;
use vsr_types::{FixedClock, Timestamp};

/// Longer than any test waits for what comes.
const LONG: Duration = Duration::from_secs(20);

/// A policy with one decision called `decision`.
pub(crate) fn policy(decision: &str) -> String {
    format!(
        "version: v0.3\nlisteners: [{{name: main, address: 127.0.0.1, port: 8899}}]\n\
         providers:\n  defaults: {{default_model: small}}\n  models:\n    - {{name: small, backend_refs: [{{endpoint: \"127.0.0.1:1\", api_key: \"${{KEY}}\"}}]}}\n\
         routing:\n  modelCards: [{{name: small}}]\n  signals:\n    keywords: [{{name: code, operator: OR, keywords: [refactor]}}]\n  \
         decisions: [{{name: {decision}, priority: 1, rules: {{operator: AND, conditions: [{{type: keyword, name: code}}]}}, modelRefs: [{{model: small}}]}}]\n"
    )
}

/// A router, its configuration, and the folder it lies in.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) file: PathBuf,
    pub(crate) router: Arc<Router>,
    pub(crate) live: Arc<Live>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, policy("first")).unwrap();
        Self::on(folder, file)
    }

    /// A router on this file.
    pub(crate) fn on(folder: TempDir, file: PathBuf) -> Self {
        let text = ConfigText::read(&file).unwrap();
        let variable = |name: &str| (name == "KEY").then(|| "sk-1".to_owned());
        let mut document = text.document(&variable);
        let reader = Reader::without_models();
        let surroundings = Surroundings { variables: &variable, reader: &reader };
        let snapshot = vsr_router::compile(&mut document, &surroundings)
            .unwrap_or_else(|| panic!("{:?}", document.problems()));
        let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(1_700_000_000)));
        let (store, metrics) = (Arc::new(MemoryStore::new(10)), Metrics::default());
        let router = Router::new(snapshot, RouterParts { clock: clock.clone(), store, metrics });
        let parts = LiveParts {
            text,
            file: file.clone(),
            reader,
            variables: Arc::new(variable),
            router: Arc::clone(&router),
            clock,
            versions: folder.path().join("state/versions"),
        };
        Self { folder, file, router, live: Live::new(parts) }
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    /// The decision's name in the snapshot that serves.
    pub(crate) fn decision(&self) -> String {
        self.router.snapshot().config().routing.decisions[0].name.clone()
    }

    /// Waits until the status is as asked for.
    pub(crate) fn wait(&self, is_it: impl Fn(&LiveStatus) -> bool) -> LiveStatus {
        let deadline = Instant::now() + LONG;
        loop {
            let status = self.live.status();
            if is_it(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status:#?}");
            std::thread::yield_now();
        }
    }

    /// The value of a metric.
    pub(crate) fn metric(&self, name: &str) -> String {
        let text = self.router.encode_metrics().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in:\n{text}")).trim().to_owned()
    }
}
