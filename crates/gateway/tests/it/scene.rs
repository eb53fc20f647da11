//! A gateway on loopback in front of mock backends.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;
use vsr_config::Document;
use vsr_gateway::{BindError, Gateway, GatewayOptions, Listeners, Status};
use vsr_reader::Reader;
use vsr_router::{Metrics, Router, RouterParts, Snapshot, Surroundings};
use vsr_store::{KeyValue, MemoryStore};
use vsr_testkit::{Backend, RawClient, Response};
use vsr_types::{Clock, Timestamp};

/// A running gateway; it drains when dropped.
pub(crate) struct Scene {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) router: Arc<Router>,
    pub(crate) status: Arc<Status>,
    pub(crate) clock: TripwireClock,
    pub(crate) listeners: Listeners,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// What a scene is set with.
pub(crate) struct Setting {
    /// Lines of the listener, such as `timeout: 1s`.
    pub(crate) listener: String,
    /// Lines of the model's backend reference.
    pub(crate) backend: String,
    /// Lines of the model.
    pub(crate) model: String,
    /// Lines of `routing`, beside the model card.
    pub(crate) routing: String,
    /// Lines of `global`.
    pub(crate) global: String,
    pub(crate) drain_limit: Duration,
    /// The router's own models.
    pub(crate) reader: Reader,
    /// Where state is kept.
    pub(crate) store: Arc<dyn KeyValue>,
}

/// A clock that panics once when it is asked the time after it was set to.
#[derive(Clone, Default)]
pub(crate) struct TripwireClock(Arc<AtomicBool>, Arc<AtomicU64>);

/// A chat request that is routed.
pub(crate) const CHAT: &str = r#"{"model":"auto","messages":[{"role":"user","content":"hello there"}]}"#;

/// The same, streamed.
pub(crate) const STREAM: &str =
    r#"{"model":"auto","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;

pub(crate) const CHAT_PATH: &str = "/v1/chat/completions";

// === impl TripwireClock ===

impl TripwireClock {
    pub(crate) fn arm(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.1.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TripwireClock {
    fn now(&self) -> Timestamp {
        assert!(!self.0.swap(false, Ordering::SeqCst), "expected by the test");
        Timestamp(1_700_000_000_000 + self.1.load(Ordering::SeqCst))
    }
}

// === impl Setting ===

impl Default for Setting {
    fn default() -> Self {
        Self {
            listener: String::new(),
            backend: String::new(),
            model: String::new(),
            routing: String::new(),
            global: String::new(),
            drain_limit: Duration::from_millis(200),
            reader: Reader::without_models(),
            store: memory(),
        }
    }
}

impl Setting {
    pub(crate) fn listener(lines: &str) -> Self {
        Self { listener: lines.to_owned(), ..Self::default() }
    }

    pub(crate) fn yaml(&self, backend_port: u16) -> String {
        format!(
            "version: v0.3\n\
             listeners:\n\
             - name: main\n\
             \x20 address: 127.0.0.1\n\
             \x20 port: 0\n\
             {}\
             providers:\n\
             \x20 defaults: {{default_model: small}}\n\
             \x20 models:\n\
             \x20 - name: small\n\
             \x20   provider_model_id: small-v1\n\
             {}\
             \x20   backend_refs:\n\
             \x20   - name: primary\n\
             \x20     endpoint: 127.0.0.1:{backend_port}\n\
             {}\
             routing:\n\
             \x20 modelCards:\n\
             \x20 - name: small\n\
             {}\
             global:\n\
             \x20 router: {{worker_threads: 2}}\n\
             {}",
            indented(&self.listener, 2),
            indented(&self.model, 4),
            indented(&self.backend, 6),
            indented(&self.routing, 2),
            indented(&self.global, 2),
        )
    }
}

fn indented(lines: &str, by: usize) -> String {
    lines.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

fn memory() -> Arc<dyn KeyValue> {
    Arc::new(MemoryStore::new(4096))
}

/// Looks up environment variables.
type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

fn snapshot(yaml: &str, reader: &Reader, variables: Variables<'_>) -> Arc<Snapshot> {
    let mut document = Document::parse("test.yaml", yaml, variables);
    let compiled = vsr_router::compile(&mut document, &Surroundings { variables, reader });
    compiled.unwrap_or_else(|| {
        let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
        panic!("the test's configuration has problems:\n{}\n{yaml}", problems.join("\n"))
    })
}

/// A router for the configuration `yaml`.
pub(crate) fn router(
    yaml: &str,
    clock: &TripwireClock,
    reader: &Reader,
    store: Arc<dyn KeyValue>,
) -> Arc<Router> {
    started(snapshot(yaml, reader, &|_| None), clock, store)
}

fn started(snapshot: Arc<Snapshot>, clock: &TripwireClock, store: Arc<dyn KeyValue>) -> Arc<Router> {
    let parts = RouterParts { clock: Arc::new(clock.clone()), store, metrics: Metrics::default() };
    Router::new(snapshot, parts)
}

/// The problems of a configuration that is expected to have some.
pub(crate) fn refusal_to_compile(yaml: &str) -> String {
    let mut document = Document::parse("test.yaml", yaml, &|_| None);
    let reader = Reader::without_models();
    let compiled =
        vsr_router::compile(&mut document, &Surroundings { variables: &|_| None, reader: &reader });
    assert!(compiled.is_none(), "the configuration has no problem");
    let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
    problems.join("\n")
}

/// Binds a gateway that is expected not to start.
pub(crate) fn refusal_to_bind(yaml: &str) -> BindError {
    let router = router(yaml, &TripwireClock::default(), &Reader::without_models(), memory());
    match Gateway::bind(&router, GatewayOptions::default()) {
        Ok(_) => panic!("the gateway must not start"),
        Err(error) => error,
    }
}

// === impl Scene ===

impl Scene {
    pub(crate) fn before(backend: &Backend) -> Self {
        Self::set(backend, &Setting::default())
    }

    pub(crate) fn set(backend: &Backend, setting: &Setting) -> Self {
        let store = Arc::clone(&setting.store);
        Self::start(&setting.yaml(backend.port()), setting.drain_limit, &setting.reader, store)
    }

    pub(crate) fn of_yaml(yaml: &str, drain_limit: Duration) -> Self {
        Self::start(yaml, drain_limit, &Reader::without_models(), memory())
    }

    /// Where the environment holds `variables`.
    pub(crate) fn in_environment(yaml: &str, variables: Variables<'_>) -> Self {
        let clock = TripwireClock::default();
        let snapshot = snapshot(yaml, &Reader::without_models(), variables);
        Self::of_router(started(snapshot, &clock, memory()), clock, Duration::ZERO)
    }

    fn start(yaml: &str, drain_limit: Duration, reader: &Reader, store: Arc<dyn KeyValue>) -> Self {
        let clock = TripwireClock::default();
        Self::of_router(router(yaml, &clock, reader, store), clock, drain_limit)
    }

    fn of_router(router: Arc<Router>, clock: TripwireClock, drain_limit: Duration) -> Self {
        let status = Arc::<Status>::default();
        let options = GatewayOptions { status: Arc::clone(&status), drain_limit };
        let gateway = Gateway::bind(&router, options).unwrap();
        let (addresses, listeners) = (gateway.local_addrs(), gateway.listeners());
        let (stop, stopped) = oneshot::channel();
        let (serving, served) = mpsc::channel();
        let (over, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let shutdown = async move {
                serving.send(()).unwrap();
                let _ = stopped.await;
            };
            runtime.block_on(gateway.serve(shutdown)).unwrap();
            drop(over);
        });
        served.recv().unwrap();
        Self { addresses, router, status, clock, listeners, stop: Some(stop), ended, thread: Some(thread) }
    }

    /// Another configuration, compiled.
    pub(crate) fn snapshot(&self, yaml: &str) -> Arc<Snapshot> {
        snapshot(yaml, &Reader::without_models(), &|_| None)
    }

    /// Puts another configuration in force.
    pub(crate) fn reload(&self, yaml: &str) {
        let mut document = Document::parse("test.yaml", yaml, &|_| None);
        let surroundings = Surroundings { variables: &|_| None, reader: &Reader::without_models() };
        let before = self.router.snapshot();
        let snapshot = vsr_router::compile_after(&mut document, &surroundings, Some(&before)).unwrap();
        self.listeners.prepare(&snapshot.listeners(), snapshot.config()).unwrap().apply();
        self.router.replace(snapshot);
    }

    pub(crate) fn port(&self) -> u16 {
        self.addresses[0].port()
    }

    pub(crate) fn connect(&self) -> RawClient {
        RawClient::connect(self.port())
    }

    pub(crate) fn chat(&self, body: &str) -> Response {
        RawClient::post_json(self.port(), CHAT_PATH, body)
    }

    /// Begins to drain; the scene goes on until its requests end.
    pub(crate) fn begin_drain(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the gateway is over.
    pub(crate) fn wait_ended(&self) {
        let ended = self.ended.recv_timeout(vsr_testkit::DEADLINE);
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "the gateway did not end");
    }

    /// Waits until a line of the metrics begins with `start`, and returns the rest of it.
    pub(crate) fn wait_metric(&self, start: &str) -> String {
        let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
        loop {
            let text = self.router.encode_metrics().unwrap();
            if let Some(rest) = text.lines().find_map(|line| line.strip_prefix(start)) {
                return rest.trim().to_owned();
            }
            assert!(std::time::Instant::now() < deadline, "no metric {start:?} in:\n{text}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the gateway's thread panicked");
        }
    }
}
