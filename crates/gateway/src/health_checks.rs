//! Asks backends regularly whether they are well: a task for each, on the runtime of whoever serves, not on a worker.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use vsr_router::{CheckedBackend, Router};
use vsr_upstream::{Client, ClientConfig, Request, Timeouts};

/// The first check of a backend comes within this time, so that many do not come at once.
const FIRST_WITHIN: Duration = Duration::from_millis(100);

/// Checks the backends of whatever configuration is in force, until it is dropped.
pub(crate) async fn check_backends(router: Arc<Router>, upstream: ClientConfig) {
    let (replaced, mut replacements) = watch::channel(());
    router.on_replace(move || {
        replaced.send_replace(());
    });
    // A connection of its own for each check says more than one that is kept.
    let client = Client::new(&ClientConfig { pool_max_idle: 0, ..upstream });
    let mut checked = HashSet::new();
    let mut identities = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        replacements.mark_unchanged();
        for identity in router.snapshot().models().checked_backends() {
            if checked.insert(identity) {
                let watcher = Watcher {
                    identity,
                    router: Arc::clone(&router),
                    client: client.clone(),
                    replacements: replacements.clone(),
                };
                identities.insert(tasks.spawn(watcher.watch()).id(), identity);
            }
        }
        tokio::select! {
            changed = replacements.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(ended) = tasks.join_next_with_id() => {
                let task = ended.map_or_else(|error| error.id(), |(task, ())| task);
                if let Some(identity) = identities.remove(&task) {
                    checked.remove(&identity);
                }
            }
        }
    }
}

/// Checks one backend.
struct Watcher {
    identity: u64,
    router: Arc<Router>,
    client: Client,
    replacements: watch::Receiver<()>,
}

// === impl Watcher ===

impl Watcher {
    /// Checks it for as long as it is configured.
    async fn watch(mut self) {
        let mut last: Option<(Instant, CheckedBackend)> = None;
        loop {
            self.replacements.mark_unchanged();
            let Some(checked) = self.router.snapshot().models().checked_backend(self.identity) else {
                if let Some((_, last)) = last {
                    self.router.checked_no_more(&last.backend);
                }
                return;
            };
            let due = match &last {
                None => Instant::now() + FIRST_WITHIN.min(checked.check.interval).mul_f64(random()),
                Some((last, _)) => *last + checked.check.interval.mul_f64(0.9 + 0.2 * random()),
            };
            tokio::select! {
                () = sleep_until(due) => {}
                changed = self.replacements.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    continue;
                }
            }
            last = Some((Instant::now(), checked.clone()));
            let result = self.ask(checked).await;
            self.router.checked(self.identity, result.as_ref().copied().map_err(String::as_str));
        }
    }

    /// Asks once. Any status but one of success says that it is not well.
    async fn ask(&self, CheckedBackend { backend, check }: CheckedBackend) -> Result<(), String> {
        let mut headers = HeaderMap::with_capacity(backend.headers.len() + 2);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("vllm-sr-health-check"));
        headers.extend(backend.headers.iter().cloned());
        let mut request = Request {
            method: Method::GET,
            endpoint: Arc::clone(&backend.endpoint),
            path_and_query: check.path,
            headers,
            body: Bytes::new(),
        };
        backend.sign(&mut request, || self.router.clock().now());
        let timeouts = Timeouts {
            connect: check.timeout,
            first_byte: check.timeout,
            stream_idle: check.timeout,
            total: Some(check.timeout),
        };
        match self.client.send(request, &timeouts).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => Err(format!("status {}", answer.status.as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// From 0 to 1, from the keys that the standard library draws for its maps.
fn random() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}
