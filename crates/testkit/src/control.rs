//! The control paths of a backend: how a test in another language steers it and reads what it has seen.
//!
//! | path under `/__testkit/` | effect |
//! |---|---|
//! | `state` | what was received, as JSON |
//! | `behaviour?name=NAME` | forgets what was seen, shuts the gate, behaves as `NAME` from now on |
//! | `release` | opens the gate |
//! | `wait?requests=N` or `wait?cancelled=N` | answers when that many have been seen, or 504 at the deadline |

use std::sync::Arc;

use serde_json::json;

use crate::backend::{Shared, State};
use crate::behaviour::{Behaviour, Fault};
use crate::gate::Gate;
use crate::wait::DEADLINE;

pub(crate) const PREFIX: &str = "/__testkit/";

pub(crate) async fn handle(shared: &Arc<Shared>, gate: &Gate, target: &str) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (key, value) = query.split_once('=').unwrap_or((query, ""));
    match (path.strip_prefix(PREFIX).unwrap_or_default(), key) {
        ("state", _) => (200, shared.state.read(|state| describe(state, gate))),
        ("release", _) => {
            gate.open();
            (200, "{}".to_owned())
        }
        ("behaviour", "name") => behave(shared, gate, value),
        ("wait", "requests" | "cancelled") => match value.parse() {
            Ok(count) => wait(shared, gate, key == "requests", count).await,
            Err(_) => (400, json!({"error": "count is not a number"}).to_string()),
        },
        _ => (404, json!({"error": format!("no such control path: {target}")}).to_string()),
    }
}

fn behave(shared: &Shared, gate: &Gate, name: &str) -> (u16, String) {
    let Some(fault) = Fault::named(name, gate) else {
        let error = format!("no behaviour {name:?}; there are {}", Fault::NAMES.join(", "));
        return (400, json!({"error": error}).to_string());
    };
    gate.shut();
    shared.behave(Behaviour::from(fault));
    shared.state.update(|state| {
        state.requests.clear();
        state.cancelled = 0;
        state.bytes_sent = 0;
    });
    (200, "{}".to_owned())
}

async fn wait(shared: &Arc<Shared>, gate: &Gate, for_requests: bool, count: usize) -> (u16, String) {
    let (shared, gate) = (Arc::clone(shared), gate.clone());
    let seen = tokio::task::spawn_blocking(move || {
        shared.state.wait_for(DEADLINE, |state| {
            let seen = if for_requests { state.requests.len() } else { state.cancelled };
            (seen >= count).then(|| describe(state, &gate))
        })
    });
    match seen.await {
        Ok(Some(description)) => (200, description),
        _ => (504, json!({"error": "deadline passed"}).to_string()),
    }
}

fn describe(state: &State, gate: &Gate) -> String {
    let requests: Vec<_> = state
        .requests
        .iter()
        .map(|request| {
            json!({"method": request.method, "path": request.path, "headers": request.headers,
                "body": String::from_utf8_lossy(&request.body)})
        })
        .collect();
    json!({"requests": requests, "cancelled": state.cancelled, "connections": state.connections,
        "open_connections": state.open_connections, "bytes_sent": state.bytes_sent, "at_gate": gate.arrived()})
    .to_string()
}
