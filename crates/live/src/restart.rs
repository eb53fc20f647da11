//! Keys that a running process cannot take over: where it is managed, where its state is, and how many threads serve.

use vsr_config::Config;

/// The keys of `new` that take effect after a restart of a process that was started with `started`. Listeners are not
/// among them: whoever follows with them says which cannot.
pub(crate) fn needed(started: &Config, new: &Config) -> Vec<String> {
    let mut keys = Vec::new();
    let (old, new) = (&started.global, &new.global);
    let (old_metrics, metrics) = (&old.services.observability.metrics, &new.services.observability.metrics);
    for (key, differs) in [
        ("global.router.worker_threads", old.router.worker_threads != new.router.worker_threads),
        ("global.router.state_dir", old.router.state_dir != new.router.state_dir),
        ("global.services.response_api", old.services.response_api != new.services.response_api),
        ("global.services.api.address", old.services.api.address != new.services.api.address),
        ("global.services.api.port", old.services.api.port != new.services.api.port),
        ("global.services.observability.metrics.enabled", old_metrics.enabled != metrics.enabled),
        ("global.services.observability.metrics.address", old_metrics.address != metrics.address),
        ("global.services.observability.metrics.port", old_metrics.port != metrics.port),
    ] {
        if differs {
            keys.push(key.to_owned());
        }
    }
    keys
}
