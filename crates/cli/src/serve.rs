//! `vllm-sr serve`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use vsr_api::{Management, StartError};
use vsr_config::Config;
use vsr_gateway::{Gateway, GatewayOptions, Status};
use vsr_live::{Change, ConfigText, Live, LiveParts, WATCH_INTERVAL, Watcher};
use vsr_reader::Reader;
use vsr_router::{Metrics, Router, RouterParts, Snapshot, Surroundings};
use vsr_store::{EmbeddedStore, KeyValue, MemoryStore};
use vsr_types::{Severity, SystemClock};

use crate::{
    args::ServeArgs,
    demo::{self, Simulator},
    load::{complain, variable},
    logging, models, preparation,
};

const DEFAULT_CONFIG: &str = "config.yaml";
const SAVE_INTERVAL: Duration = Duration::from_secs(60);
/// Learned state is a handful of values; a store in memory need not hold more.
const MEMORY_STORE_ENTRIES: usize = 10_000;

/// What is served.
enum Source {
    /// A configuration file.
    File(PathBuf),
    /// The demonstration, because it was asked for.
    Demo,
    /// The demonstration, because there is nothing else yet.
    Setup,
}

pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level, args.log_format)?;
    use_small_pages();
    let source = match args.config {
        Some(file) => Source::File(file),
        None if args.demo => Source::Demo,
        None if Path::new(DEFAULT_CONFIG).is_file() => Source::File(DEFAULT_CONFIG.into()),
        None => Source::Setup,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(source))
}

/// Huge pages would double the memory that a router takes, which touches little of many heaps, for no speed.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "transparent huge pages stay as they are");
    }
}

/// What the process is started with.
struct Beginning {
    snapshot: Arc<Snapshot>,
    store: Arc<dyn KeyValue>,
    /// The file's text and the models it is compiled against, where there is a file.
    text: Option<(PathBuf, ConfigText, Reader)>,
}

async fn serve(source: Source) -> anyhow::Result<ExitCode> {
    let Some(Beginning { snapshot, store, text }) = prepare(&source).await? else {
        return Ok(ExitCode::FAILURE);
    };
    let parts = RouterParts { clock: Arc::new(SystemClock), store, metrics: Metrics::default() };
    let router = Router::new(Arc::clone(&snapshot), parts);
    let status = Arc::new(Status::default());
    let management = bind_management(&source, &router, &status).await?;
    let options = GatewayOptions { status: Arc::clone(&status), ..GatewayOptions::default() };
    let gateway = Gateway::bind(&router, options)?;
    let live = text.map(|text| follow(text, &router, &gateway, &management));
    preparation::start(&router, &status, live.as_ref())?;
    let watch = |live: Arc<Live>| live.watch(WATCH_INTERVAL);
    let watcher =
        live.map(watch).transpose().context("cannot start a thread that follows the configuration")?;
    tracing::info!(address = %management.api_address()?, "serving the management API");
    if let Some(address) = management.metrics_address()? {
        tracing::info!(%address, "serving metrics");
    }
    if let Source::Setup = source {
        welcome(&gateway);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let until_stopped = || {
        let mut stopped = stopped.clone();
        async move {
            // A closed channel also means stop.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    };
    let management = tokio::spawn(management.serve(until_stopped()));
    let following = watcher.map(|watcher| tokio::spawn(reload_on_hangup(watcher)));
    let saver = tokio::spawn(save_regularly(Arc::clone(&router), until_stopped()));
    let shutdown = async {
        wait_for_signal().await;
        tracing::info!("stopping: finishing the requests in flight");
    };
    gateway.serve(shutdown).await.context("the data plane failed")?;
    if let Some(following) = following {
        following.abort();
    }
    stop.send_replace(true);
    saver.await.context("the saver of learned state failed")?;
    management.await.context("the management API failed")?.context("the management API failed")?;
    tokio::task::spawn_blocking(move || router.close())
        .await
        .context("models served elsewhere are still running")?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Follows the configuration file: the router, its listeners and the management token.
fn follow(
    (file, text, reader): (PathBuf, ConfigText, Reader),
    router: &Arc<Router>,
    gateway: &Gateway,
    management: &Management,
) -> Arc<Live> {
    let live = Live::new(LiveParts {
        versions: state_directory(&file, &router.snapshot()).join("config-versions"),
        text,
        file,
        reader,
        variables: Arc::new(variable),
        router: Arc::clone(router),
        clock: Arc::new(SystemClock),
    });
    let listeners = gateway.listeners();
    live.follow(Box::new(move |snapshot| {
        let new = listeners.prepare(&snapshot.listeners(), snapshot.config());
        let new = new.map_err(|error| error.to_string())?;
        let keys = new.restart_needed().to_vec();
        Ok(Change::new(move || new.apply()).but_for(&keys))
    }));
    let token = management.token();
    live.follow(Box::new(move |snapshot| {
        let change = token.prepare(snapshot.config(), &variable).map_err(|error| error.to_string())?;
        Ok(Change::new(change))
    }));
    management.configure(Arc::clone(&live));
    live
}

/// Has the configuration read again at every SIGHUP, and whenever its file changes, until it is aborted.
async fn reload_on_hangup(watcher: Watcher) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::hangup()) {
            Ok(mut hangups) => {
                while hangups.recv().await.is_some() {
                    watcher.reload();
                }
            }
            Err(error) => tracing::warn!(%error, "SIGHUP cannot be watched; it will stop the process"),
        }
    }
    let _followed = watcher;
    std::future::pending::<()>().await;
}

/// Binds the management surfaces. The demonstration has no configuration in which a busy port could
/// be changed, so it takes any free one instead.
async fn bind_management(
    source: &Source,
    router: &Arc<Router>,
    status: &Arc<Status>,
) -> anyhow::Result<Management> {
    let snapshot = router.snapshot();
    let bind = async |config: &Config| {
        Management::bind(Arc::clone(router), Arc::clone(status), config, &variable).await
    };
    match (bind(snapshot.config()).await, source) {
        (Err(error @ StartError::Bind { .. }), Source::Demo | Source::Setup) => {
            tracing::warn!(%error, "taking free ports for the management API and metrics");
            let mut config = Config::clone(snapshot.config());
            config.global.services.api.port = 0;
            config.global.services.observability.metrics.port = 0;
            Ok(bind(&config).await?)
        }
        (bound, _) => Ok(bound?),
    }
}

/// The snapshot and the store; nothing if the configuration has errors, which are printed.
async fn prepare(source: &Source) -> anyhow::Result<Option<Beginning>> {
    let Source::File(file) = source else {
        let small = Simulator::bind("small", Duration::from_millis(20), Duration::from_millis(5)).await?;
        let large = Simulator::bind("large", Duration::from_millis(120), Duration::from_millis(20)).await?;
        let snapshot = demo::snapshot(small.address()?, large.address()?, &models::reader()?)?;
        tokio::spawn(small.serve());
        tokio::spawn(large.serve());
        let store = Arc::new(MemoryStore::new(MEMORY_STORE_ENTRIES));
        return Ok(Some(Beginning { snapshot, store, text: None }));
    };
    let text = ConfigText::read(file)
        .with_context(|| format!("cannot read the configuration {}", file.display()))?;
    let reader = models::reader()?;
    let mut document = text.document(&variable);
    let surroundings = Surroundings { variables: &variable, reader: &reader };
    let Some(snapshot) = vsr_router::compile(&mut document, &surroundings) else {
        for problem in document.problems() {
            complain(format_args!("{problem}"));
        }
        complain(format_args!("error: the configuration {} cannot run", file.display()));
        return Ok(None);
    };
    for problem in document.problems() {
        let line = format!("{}:{}:{}", problem.file, problem.line, problem.column);
        let diagnostic = &problem.diagnostic;
        match diagnostic.severity {
            Severity::NotActive => {
                tracing::warn!(at = line, path = %diagnostic.path, "accepted, not active: {}", diagnostic.message);
            }
            _ => {
                tracing::warn!(at = line, path = %diagnostic.path, help = diagnostic.help, "{}", diagnostic.message);
            }
        }
    }
    let store = open_store(file, &snapshot);
    Ok(Some(Beginning { snapshot, store, text: Some((file.clone(), text, reader)) }))
}

/// Where state is kept: relative to the configuration file.
fn state_directory(file: &Path, snapshot: &Snapshot) -> PathBuf {
    let base = file.parent().unwrap_or(Path::new("."));
    base.join(&*snapshot.config().global.router.state_dir)
}

/// The embedded store in the state directory. Without
/// it the router serves all the same and forgets what it learns.
fn open_store(file: &Path, snapshot: &Snapshot) -> Arc<dyn KeyValue> {
    match EmbeddedStore::open(&state_directory(file, snapshot)) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            tracing::warn!(%error, "learned state is kept in memory only and lost on exit");
            Arc::new(MemoryStore::new(MEMORY_STORE_ENTRIES))
        }
    }
}

async fn save_regularly(router: Arc<Router>, stopped: impl Future<Output = ()>) {
    let mut interval = tokio::time::interval(SAVE_INTERVAL);
    interval.tick().await;
    let mut stopped = std::pin::pin!(stopped);
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            _ = interval.tick() => {}
            () = &mut stopped => is_last = true,
        }
        let router = Arc::clone(&router);
        match tokio::task::spawn_blocking(move || router.save()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "learned state could not be saved"),
            Err(error) => tracing::warn!(%error, "learned state could not be saved"),
        }
    }
}

/// Waits for SIGINT or SIGTERM.
async fn wait_for_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be watched; it will stop the process at once");
            }
        }
    }
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "SIGINT cannot be watched");
        std::future::pending::<()>().await;
    }
}

/// What to do in a directory without a configuration.
fn welcome(gateway: &Gateway) {
    let address = gateway.local_addrs().first().map(ToString::to_string).unwrap_or_default();
    complain(format_args!(
        "\nThere is no {DEFAULT_CONFIG} here, so a demonstration with two simulated models is being served.\n\
         \n  try it     vllm-sr chat \"Production is down, what now?\"\n\
         \x20 from code  base_url=http://{address}/v1, model \"auto\", any API key\n\
         \x20 ask why    vllm-sr eval --prompt \"Production is down, what now?\"\n\
         \x20 for real   write {DEFAULT_CONFIG} and start again; `vllm-sr validate` checks it\n"
    ));
}
