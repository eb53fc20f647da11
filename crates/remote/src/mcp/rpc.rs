//! Messages of JSON-RPC 2.0, as MCP uses them.

use serde_json::{Value, json};

/// The revision of MCP that the router asks for.
pub(crate) const REVISION: &str = "2025-06-18";

/// What a server sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Incoming {
    /// The answer to a request of ours: a result, or the code of an error.
    Response { id: u64, result: Result<Value, i64> },
    /// A request of the server's own.
    Request { id: Value, is_ping: bool },
    /// Anything that needs no answer.
    Other,
}

pub(crate) fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string().into_bytes()
}

pub(crate) fn notification(method: &str, params: &Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string().into_bytes()
}

/// The answer to a server's own request: pings are answered, and nothing else is offered.
pub(crate) fn answer(id: &Value, is_ping: bool) -> Vec<u8> {
    let answer = match is_ping {
        true => json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
        false => json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": { "code": -32601, "message": "the router offers nothing to servers" },
        }),
    };
    answer.to_string().into_bytes()
}

/// The messages of one line, event or body; none if it is no JSON-RPC.
pub(crate) fn parse(bytes: &[u8]) -> Vec<Incoming> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(batch)) => batch.iter().map(message).collect(),
        Ok(value) => vec![message(&value)],
        Err(_) => Vec::new(),
    }
}

fn message(value: &Value) -> Incoming {
    let id = value.get("id").filter(|id| !id.is_null());
    let method = value.get("method").and_then(Value::as_str);
    match (id, method) {
        (Some(id), Some(method)) => Incoming::Request { id: id.clone(), is_ping: method == "ping" },
        (Some(id), None) => {
            let Some(id) = id.as_u64() else { return Incoming::Other };
            let error =
                value.get("error").map(|error| error.get("code").and_then(Value::as_i64).unwrap_or(0));
            match (value.get("result"), error) {
                (_, Some(code)) => Incoming::Response { id, result: Err(code) },
                (Some(result), None) => Incoming::Response { id, result: Ok(result.clone()) },
                (None, None) => Incoming::Other,
            }
        }
        (None, _) => Incoming::Other,
    }
}
