//! Models that a configuration names and a hub has: brought to this machine before the configuration is put in force.

use std::path::Path;

use vsr_config::HubSettings as Written;
use vsr_hub::{Hub, HubModel, HubSettings, Progress};
use vsr_router::Snapshot;

/// Brings what `snapshot` names and this machine lacks into the cache; whether anything came. What the hub does not have,
/// refuses, or gives damaged is done without, which the log says. Blocks, and must not be called by a thread that runs a
/// runtime.
///
/// # Errors
/// In words, if something is missing that may come later.
pub(crate) fn fetch(
    snapshot: &Snapshot,
    directory: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
    progress: &dyn Fn(&Progress<'_>),
) -> Result<bool, String> {
    let missing = missing(snapshot);
    let written = &snapshot.config().global.model_catalog.hub;
    if missing.is_empty() || is_offline(written, variables) {
        return Ok(false);
    }
    let hub = match HubSettings::of(written, directory, variables) {
        Ok(settings) => Hub::new(settings),
        Err(error) => {
            tracing::error!(%error, "models of a hub are done without");
            return Ok(false);
        }
    };
    let mut has_come = false;
    for model in missing {
        match hub.download(model, progress) {
            Ok(done) => {
                let directory = done.directory.display();
                tracing::info!(%model, commit = done.commit, %directory, "the model is here");
                has_come = true;
            }
            Err(error) if error.is_transient() => return Err(error.to_string()),
            Err(error) => tracing::error!(%error, "the router does without this model"),
        }
    }
    Ok(has_come)
}

/// The models that have to come from a hub.
pub(crate) fn missing(snapshot: &Snapshot) -> Vec<&HubModel> {
    let absent = snapshot.hub_models().iter().filter(|used| used.found.is_none());
    absent.map(|used| &used.model).collect()
}

fn is_offline(written: &Written, variables: &dyn Fn(&str) -> Option<String>) -> bool {
    let is_offline = HubSettings::is_offline(written, variables);
    if is_offline {
        tracing::warn!("offline: models of a hub that are not in the cache are done without");
    }
    is_offline
}
