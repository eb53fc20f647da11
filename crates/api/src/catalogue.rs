//! What the management API tells of itself: `/api/v1`, `/openapi.json`, and `/docs`, which needs nothing from elsewhere.

use std::fmt::Write;

use axum::{
    Json,
    response::{Html, IntoResponse, Response},
};
use http::header;
use serde_json::{Map, Value, json};

use crate::{guard::OPEN_PATHS, server::ENDPOINTS};

/// One endpoint.
pub(crate) struct Endpoint {
    /// In lower case.
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) description: &'static str,
}

const SERVICE: &str = "vllm-sr";
const ABOUT: &str = "The management API of a semantic router";
/// Nothing may be loaded, run or framed.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
/// Paths that take or show more than one form.
const CONFIGURATION: &str = "/config/router";
const VALIDATE: &str = "/config/router/validate";
const VERSION: &str = "/config/router/versions/{version}";
const ROLL_BACK: &str = "/config/router/rollback";
const TASKS: [(&str, &str); 3] = [
    ("intent", "Which subject a text is about"),
    ("pii", "Which personal data stand in a text"),
    ("security", "Whether a text attacks the model"),
];

/// `GET /api/v1`.
pub(crate) async fn index() -> Json<Value> {
    let endpoints = ENDPOINTS.iter().map(|endpoint| {
        json!({
            "path": endpoint.path,
            "method": endpoint.method.to_ascii_uppercase(),
            "description": endpoint.description,
        })
    });
    let tasks = TASKS.iter().map(|(name, description)| json!({ "name": name, "description": description }));
    Json(json!({
        "service": SERVICE,
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "endpoints": endpoints.collect::<Vec<_>>(),
        "task_types": tasks.collect::<Vec<_>>(),
        "links": { "documentation": "/docs", "openapi": "/openapi.json" },
    }))
}

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> Json<Value> {
    Json(description())
}

fn description() -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method] = operation(endpoint);
    }
    json!({
        "openapi": "3.0.3",
        "info": { "title": format!("{SERVICE} management API"), "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": {
                "type": "object",
                "required": ["error"],
                "properties": { "error": {
                    "type": "object",
                    "required": ["code", "message", "timestamp"],
                    "properties": {
                        "code": { "type": "string" },
                        "message": { "type": "string" },
                        "timestamp": { "type": "string", "format": "date-time" },
                        "problems": { "type": "array", "items": { "type": "object" } },
                    },
                }},
            }},
        },
        "security": [{ "token": [] }],
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let words = endpoint.path.split(['/', '-', '.']).map(|word| word.trim_matches(['{', '}']));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let parameters = endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = parameters
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .chain(of_configuration(endpoint));
    let mut operation = json!({
        "operationId": format!("{}_{}", endpoint.method, words.join("_")),
        "summary": endpoint.description,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": {
            "200": { "description": "done" },
            "default": {
                "description": "it failed",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            },
        },
    });
    if matches!(endpoint.method, "post" | "put" | "patch") {
        let kinds: &[&str] = match (endpoint.method, endpoint.path) {
            ("patch", CONFIGURATION) => {
                &["application/json", "application/merge-patch+json", "application/yaml"]
            }
            (_, CONFIGURATION | VALIDATE) => &["application/json", "application/yaml"],
            _ => &["application/json"],
        };
        let content =
            kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": { "type": "object" } })));
        operation["requestBody"] = json!({ "required": true, "content": content.collect::<Map<_, _>>() });
    }
    if OPEN_PATHS.contains(&endpoint.path) {
        operation["security"] = json!([]);
    }
    operation
}

/// How the configuration is shown, and for which state of it a change is meant.
fn of_configuration(endpoint: &Endpoint) -> Vec<Value> {
    let choice = |name: &str, words: [&str; 2]| json!({ "name": name, "in": "query", "required": false, "schema": { "type": "string", "enum": words } });
    match (endpoint.method, endpoint.path) {
        ("get", CONFIGURATION) => {
            vec![choice("view", ["written", "effective"]), choice("format", ["json", "yaml"])]
        }
        ("get", VERSION) => vec![choice("format", ["json", "yaml"])],
        ("put" | "patch", CONFIGURATION) | ("post", ROLL_BACK) => vec![json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The `ETag` of the state that the change is meant for",
            "schema": { "type": "string" },
        })],
        _ => Vec::new(),
    }
}

/// `GET /docs`.
pub(crate) async fn docs() -> Response {
    let mut rows = String::new();
    for Endpoint { method, path, description } in ENDPOINTS {
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
            method.to_ascii_uppercase(),
            escaped(path),
            escaped(description)
        );
    }
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{SERVICE} management API</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
         padding:0 1rem}}table{{border-collapse:collapse;width:100%}}td{{padding:.3rem .8rem .3rem 0;\
         border-top:1px solid #8884;vertical-align:top}}code{{font-size:.95em}}</style></head>\n\
         <body><h1>{SERVICE} management API</h1>\n<p>{ABOUT}, version {}. Where a token is configured, send it as \
         <code>Authorization: Bearer TOKEN</code>. The same for programs: <a href=\"/openapi.json\">/openapi.json</a>.</p>\n\
         <table>\n{rows}</table></body></html>\n",
        env!("CARGO_PKG_VERSION")
    );
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
