//! Keys that a running process cannot take over: what is bound, and the threads that serve it.

use vsr_config::{Config, Listener};

/// The keys of `new` that take effect after a restart of a process that was started with `started`. `listeners` are
/// those in effect, the default one included.
pub(crate) fn needed(
    (started, bound): (&Config, &[Listener]),
    (new, listeners): (&Config, &[Listener]),
) -> Vec<String> {
    let mut keys = Vec::new();
    for (index, listener) in listeners.iter().enumerate() {
        let same_place = bound.iter().find(|known| place(known) == place(listener));
        let same_name = || bound.iter().find(|known| !known.name.is_empty() && known.name == listener.name);
        let part = match (same_place, same_name()) {
            (Some(_), _) => continue,
            (None, Some(known)) if known.port != listener.port => ".port",
            (None, Some(_)) => ".address",
            (None, None) => "",
        };
        keys.push(format!("listeners[{index}]{part}"));
    }
    for known in bound {
        if !listeners.iter().any(|listener| place(listener) == place(known)) {
            keys.push(format!(
                "listeners ({}:{} stays open with its old rules)",
                &*known.address, known.port
            ));
        }
    }
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

fn place(listener: &Listener) -> (&str, u16) {
    (&listener.address, listener.port)
}
