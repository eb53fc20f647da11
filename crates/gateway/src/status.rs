//! How far the process is: starting, ready, draining; and the bodies that tell it.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use serde_json::{Value, json};

/// The phase of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not serving yet, or not with all that the configuration needs.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what was begun, taking nothing new.
    Draining,
}

/// The phase, shared by everything that reports it.
#[derive(Debug, Default)]
pub struct Status {
    phase: AtomicU8,
    models: Mutex<Models>,
}

/// The router's own models.
#[derive(Debug, Clone, Default)]
struct Models {
    /// Those that the configuration needs.
    names: Vec<String>,
    /// Whether they are being loaded, and how many of how many examples are embedded.
    loading: Option<(usize, usize)>,
    /// What is being downloaded before they can be loaded.
    download: Option<Download>,
    /// Why the last attempt to load them failed.
    failure: Option<String>,
}

/// A model on its way from a hub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Download {
    /// The model.
    pub model: String,
    /// The file that is being fetched; empty before the first.
    pub file: String,
    /// Bytes of the model that are here.
    pub bytes: u64,
    /// Bytes of the model, as far as they are known; 0 at first.
    pub total_bytes: u64,
}

// === impl Status ===

impl Status {
    /// Moves on to `phase`.
    pub fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 if self.models().loading.is_some() => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// The router's own models are being loaded; it is not ready before [`Self::models_ready`].
    pub fn load_models(&self, names: Vec<String>) {
        *self.models() = Models { names, loading: Some((0, 0)), download: None, failure: None };
    }

    /// A model is being downloaded, so far; the router is not ready before [`Self::models_ready`].
    pub fn downloading(&self, download: Download) {
        let mut models = self.models();
        models.loading.get_or_insert((0, 0));
        (models.download, models.failure) = (Some(download), None);
    }

    /// So many of so many examples are embedded.
    pub fn examples_embedded(&self, done: usize, total: usize) {
        if let Some(loading) = &mut self.models().loading {
            *loading = (done, total);
        }
    }
    /// They could not be loaded; the router is not ready while that is so.
    pub fn models_failed(&self, why: String) {
        let mut models = self.models();
        (models.download, models.failure) = (None, Some(why));
    }

    /// The models are loaded.
    pub fn models_ready(&self) {
        let mut models = self.models();
        (models.loading, models.download, models.failure) = (None, None, None);
    }
    /// The body of `/health`, with the models that embedded ones stand for.
    pub fn health(substituted_for: &[String]) -> Value {
        let mut health = json!({ "status": "healthy", "service": "vllm-sr" });
        if !substituted_for.is_empty() {
            health["substituted_for"] = json!(substituted_for);
        }
        health
    }

    /// The body of `/ready` and `/startup-status`.
    pub fn to_json(&self) -> Value {
        let phase = self.phase();
        let models = self.models().clone();
        let download = models.download.filter(|_| phase == Phase::Starting);
        let (word, message) = match (phase, models.loading) {
            (Phase::Starting, Some(_)) if models.failure.is_some() => (
                "starting",
                format!("the router's models cannot be used: {}", models.failure.unwrap_or_default()),
            ),
            (Phase::Starting, Some(_)) if download.is_some() => ("starting", describe(download.as_ref())),
            (Phase::Starting, Some((done, total))) if total > 0 => {
                ("starting", format!("the router is embedding examples: {done} of {total}"))
            }
            (Phase::Starting, Some(_)) => ("starting", "the router is loading its models".to_owned()),
            (Phase::Starting, None) => ("starting", "the router is starting".to_owned()),
            (Phase::Ready, _) => ("ready", "the router is serving".to_owned()),
            (Phase::Draining, _) => ("draining", "the router is finishing its last requests".to_owned()),
        };
        let total = models.names.len();
        let pending = if models.loading.is_some() { models.names } else { Vec::new() };
        let mut body = json!({
            "status": word,
            "service": "vllm-sr",
            "ready": phase == Phase::Ready,
            "phase": if download.is_some() { "downloading_models" } else { word },
            "message": message,
            "downloading_model": download.as_ref().map_or("", |download| &download.model),
            "ready_models": total - pending.len(),
            "total_models": total,
            "pending_models": pending,
        });
        if let Some(Download { model, file, bytes, total_bytes }) = download {
            let told = json!({ "model": model, "file": file, "bytes": bytes, "total_bytes": total_bytes });
            body["download"] = told;
        }
        body
    }

    fn models(&self) -> MutexGuard<'_, Models> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe(download: Option<&Download>) -> String {
    let Download { model, file, bytes, total_bytes } = download.cloned().unwrap_or_default();
    match (file.as_str(), total_bytes) {
        ("", _) => format!("the router is asking for {model}"),
        (file, 0) => format!("the router is downloading {model}: {file}, {bytes} bytes so far"),
        (file, total) => format!("the router is downloading {model}: {file}, {bytes} of {total} bytes"),
    }
}
