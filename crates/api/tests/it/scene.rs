//! The management surfaces on loopback, over a small policy.

use std::{sync::Arc, thread::JoinHandle};

use tokio::sync::oneshot;
use vsr_api::{Management, StartError};
use vsr_config::{Config, Document};
use vsr_gateway::Status;
use vsr_reader::Reader;
use vsr_router::{Metrics, Router, RouterParts, Snapshot, Surroundings};
use vsr_store::MemoryStore;
use vsr_types::{FixedClock, Timestamp};

const POLICY: &str = r#"
providers:
  defaults: {default_model: small}
  models:
    - {name: small, backend_refs: [{endpoint: "127.0.0.1:1"}]}
    - {name: large, backend_refs: [{endpoint: "127.0.0.1:2"}]}
routing:
  modelCards: [{name: small}, {name: large}]
  signals:
    keywords: [{name: code, operator: OR, keywords: [refactor]}]
  decisions:
    - {name: coding, priority: 10, rules: {operator: AND, conditions: [{type: keyword, name: code}]}, modelRefs: [{model: large}]}
"#;

/// Running management surfaces; they stop when dropped.
pub(crate) struct Scene {
    pub(crate) api: u16,
    pub(crate) metrics: u16,
    pub(crate) status: Arc<Status>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn snapshot(api: &str, reader: &Reader) -> Arc<Snapshot> {
    snapshot_with(api, ("", ""), reader)
}

/// The same with a line more under `routing.signals`, and one under `global`.
fn snapshot_with(api: &str, (signals, global): (&str, &str), reader: &Reader) -> Arc<Snapshot> {
    let policy = POLICY.replace("  signals:\n", &format!("  signals:\n    {signals}\n"));
    let port = if api.contains("port") { "" } else { "\n      port: 0" };
    let text = format!(
        "{policy}global:\n  {global}\n  services:\n    api:\n      {api}{port}\n    observability: {{metrics: {{port: 0}}}}\n"
    );
    let mut document = Document::parse("test", &text, &|_| Some("set".into()));
    vsr_router::compile(&mut document, &Surroundings { variables: &|_| None, reader })
        .unwrap_or_else(|| panic!("{:?}", document.problems()))
}

fn router(snapshot: &Arc<Snapshot>) -> Arc<Router> {
    let parts = RouterParts {
        clock: Arc::new(FixedClock::new(Timestamp(0))),
        store: Arc::new(MemoryStore::new(10)),
        metrics: Metrics::default(),
    };
    Router::new(Arc::clone(snapshot), parts)
}

/// Why the surfaces cannot start with these lines under `global.services.api`, changed by `change`.
pub(crate) fn bind_error(api: &str, change: impl FnOnce(&mut Config)) -> StartError {
    let snapshot = snapshot(api, &Reader::without_models());
    let mut config = Config::clone(snapshot.config());
    change(&mut config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match Management::bind(router(&snapshot), Arc::default(), &config, &|_| None).await {
            Ok(_) => panic!("it started"),
            Err(error) => error,
        }
    })
}

impl Scene {
    /// Starts the surfaces with these lines under `global.services.api`.
    pub(crate) fn new(api: &str, variables: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::reading(api, variables, &Reader::without_models())
    }

    /// The same with models.
    pub(crate) fn reading(api: &str, variables: &dyn Fn(&str) -> Option<String>, reader: &Reader) -> Self {
        Self::of(&snapshot(api, reader), variables)
    }

    /// Starts the surfaces with a line more under `routing.signals`, and one under `global`.
    pub(crate) fn with(signals: &str, global: &str, reader: &Reader) -> Self {
        Self::of(&snapshot_with("", (signals, global), reader), &|_| None)
    }

    /// Starts the surfaces with models that read, and with a line more under `global`.
    pub(crate) fn reading_with(global: &str, reader: &Reader) -> Self {
        Self::of(&snapshot_with("", ("", global), reader), &|_| None)
    }

    fn of(snapshot: &Arc<Snapshot>, variables: &dyn Fn(&str) -> Option<String>) -> Self {
        let status = Arc::new(Status::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bound = Management::bind(router(snapshot), Arc::clone(&status), snapshot.config(), variables);
        let management = runtime.block_on(bound).unwrap();
        let api = management.api_address().unwrap().port();
        let metrics = management.metrics_address().unwrap().unwrap().port();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let until = async {
                // A dropped sender also means stop.
                let _ = stopped.await;
            };
            runtime.block_on(management.serve(until)).unwrap();
        });
        Self { api, metrics, status, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
