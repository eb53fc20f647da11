//! How far the process is: starting, ready, draining; and the bodies that tell it.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

/// The phase of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not serving yet.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what was begun, taking nothing new.
    Draining,
}

/// The phase, shared by everything that reports it.
#[derive(Debug, Default)]
pub struct Status(AtomicU8);

// === impl Status ===

impl Status {
    /// Moves on to `phase`.
    pub fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// The body of `/health`.
    pub fn health() -> Value {
        json!({ "status": "healthy", "service": "vllm-sr" })
    }

    /// The body of `/ready` and `/startup-status`. No models are downloaded, so the model counts are zero.
    pub fn to_json(&self) -> Value {
        let phase = self.phase();
        let (word, message) = match phase {
            Phase::Starting => ("starting", "the router is starting"),
            Phase::Ready => ("ready", "the router is serving"),
            Phase::Draining => ("draining", "the router is finishing its last requests"),
        };
        json!({
            "status": word,
            "service": "vllm-sr",
            "ready": phase == Phase::Ready,
            "phase": word,
            "message": message,
            "downloading_model": "",
            "pending_models": [],
            "ready_models": 0,
            "total_models": 0,
        })
    }
}
