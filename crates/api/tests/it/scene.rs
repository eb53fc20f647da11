//! The management surfaces on loopback, over a small policy.

use std::{sync::Arc, thread::JoinHandle};

use tempfile::TempDir;
use tokio::sync::oneshot;
use vsr_api::{Management, StartError};
use vsr_config::{Config, Document};
use vsr_gateway::Status;
use vsr_live::{Change, ConfigText, Live, LiveParts};
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

/// A policy that is a file. Its comments are to stay.
pub(crate) const FILE_POLICY: &str = r#"# A policy for tests.
version: v0.3
listeners: [{name: main, address: 127.0.0.1, port: 8899}]
providers:
  defaults:
    default_model: small
  models:
    - name: small # the only one
      backend_refs: [{endpoint: "127.0.0.1:1", api_key: sk-hidden}]
routing:
  modelCards: [{name: small}]
  signals:
    keywords: [{name: code, operator: OR, keywords: [refactor]}]
  decisions:
    # Programs.
    - name: coding
      priority: 10
      rules:
        operator: AND
        conditions: [{type: keyword, name: code}]
      modelRefs: [{model: small}]
global:
  services:
    api: {port: 0, token_env: TOKEN_ONE}
    observability:
      metrics: {port: 0}
"#;

/// Running management surfaces; they stop when dropped.
pub(crate) struct Scene {
    pub(crate) api: u16,
    pub(crate) metrics: u16,
    pub(crate) status: Arc<Status>,
    pub(crate) router: Arc<Router>,
    /// Where the configuration lies, if it is a file.
    pub(crate) folder: Option<TempDir>,
    pub(crate) live: Option<Arc<Live>>,
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

    /// Starts the surfaces over [`FILE_POLICY`], with this token or without one.
    pub(crate) fn on_file(token: Option<&str>) -> Self {
        Self::on_file_reading(token, Reader::without_models())
    }

    /// The same with models.
    pub(crate) fn on_file_reading(token: Option<&str>, reader: Reader) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, FILE_POLICY).unwrap();
        let text = ConfigText::read(&file).unwrap();
        let token = token.map(str::to_owned);
        let variables = move |name: &str| match name {
            "TOKEN_ONE" => token.clone(),
            "TOKEN_TWO" => Some("another".to_owned()),
            _ => None,
        };
        let surroundings = Surroundings { variables: &variables, reader: &reader };
        let snapshot = vsr_router::compile(&mut text.document(&variables), &surroundings).unwrap();
        let router = router(&snapshot);
        let mut config = Config::clone(snapshot.config());
        if variables("TOKEN_ONE").is_none() {
            config.global.services.api.token_env = None;
        }
        let parts = LiveParts {
            text,
            file,
            reader,
            variables: Arc::new(variables.clone()),
            router: Arc::clone(&router),
            clock: Arc::new(FixedClock::new(Timestamp::from_seconds(1_700_000_000))),
            versions: folder.path().join("versions"),
        };
        let mut scene = Self::start(router, &config, &variables, Some(Live::new(parts)));
        scene.folder = Some(folder);
        scene
    }

    fn of(snapshot: &Arc<Snapshot>, variables: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::start(router(snapshot), snapshot.config(), variables, None)
    }

    fn start(
        router: Arc<Router>,
        config: &Config,
        variables: &dyn Fn(&str) -> Option<String>,
        live: Option<Arc<Live>>,
    ) -> Self {
        let status = Arc::new(Status::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bound = Management::bind(Arc::clone(&router), Arc::clone(&status), config, variables);
        let management = runtime.block_on(bound).unwrap();
        if let Some(live) = &live {
            let token = management.token();
            live.follow(Box::new(move |snapshot| {
                let variables = |name: &str| match name {
                    "TOKEN_ONE" => Some("s3cret".to_owned()),
                    "TOKEN_TWO" => Some("another".to_owned()),
                    _ => None,
                };
                let change =
                    token.prepare(snapshot.config(), &variables).map_err(|error| error.to_string())?;
                Ok(Change::new(change))
            }));
            management.configure(Arc::clone(live));
        }
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
        Self { api, metrics, status, router, folder: None, live, stop: Some(stop), thread: Some(thread) }
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
