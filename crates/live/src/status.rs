//! What is in force, and what became of the last attempt to change it.

use serde::Serialize;
use vsr_config::Problem;

/// Why a configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Its file changed.
    File,
    /// A signal asked for it.
    Signal,
    /// The management API changed it.
    Api,
    /// It names models that have to be downloaded.
    Download,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveStatus {
    /// Its file.
    pub file: String,
    /// Its content hash, which is in every trace.
    pub hash: String,
    /// The SHA-256 of the file's bytes that it was read from.
    pub file_hash: String,
    /// Since when it is in force: RFC 3339.
    pub since: String,
    /// Whether it is what was read last; else that was refused.
    pub current: bool,
    /// Keys that take effect after a restart.
    pub restart_needed: Vec<String>,
    /// How often another one was put in force.
    pub applied: u64,
    /// How often another one was refused.
    pub refused: u64,
    /// The last time that it was read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastReload>,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastReload {
    /// When: RFC 3339.
    pub at: String,
    /// Why.
    pub cause: Cause,
    /// `applied` or `refused`.
    pub result: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is wrong with it; for one in force, what its author may not expect.
    pub problems: Vec<Problem>,
}
