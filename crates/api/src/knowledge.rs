//! `/config/kbs`: knowledge bases shown, made, changed and taken away, as changes of the configuration.
//!
//! What is written here lies beside the configuration, in a folder that is named after its content: a change of a knowledge
//! base is a change of the configuration's text, so that it is checked, compared and set, and rolled back as any other.

mod document;
mod files;

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use vsr_config::Edit;
use vsr_live::{Changed, Live};

use crate::{
    ApiFailure,
    config::{ConfigFailure, expected, may_change, on_a_thread},
    extract::Body,
    server::Shared,
};
use document::{KnowledgeDocument, described, is_editable, references};

/// What becomes of a knowledge base.
enum Change {
    Create(Box<KnowledgeDocument>),
    Update(String, Box<KnowledgeDocument>),
    Delete(String),
}

/// `GET /config/kbs`.
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Value>, ApiFailure> {
    read(&shared, None).await.map(Json)
}

/// `GET /config/kbs/{name}`.
pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiFailure> {
    let mut found = read(&shared, Some(name)).await?;
    found.get_mut(0).map(|found| Json(found.take())).ok_or_else(not_found)
}

/// `POST /config/kbs`.
pub(crate) async fn create(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Body(document): Body<KnowledgeDocument>,
) -> Result<Response, ConfigFailure> {
    let name = document.name.clone();
    let changed = change(&shared, &headers, Change::Create(Box::new(document))).await?;
    answer(&shared, StatusCode::CREATED, Some(name), &changed).await
}

/// `PUT /config/kbs/{name}`.
pub(crate) async fn update(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(document): Body<KnowledgeDocument>,
) -> Result<Response, ConfigFailure> {
    if document.name != name {
        return Err(ApiFailure::invalid("`name` is not that of the address; a name cannot be changed").into());
    }
    let changed = change(&shared, &headers, Change::Update(name.clone(), Box::new(document))).await?;
    answer(&shared, StatusCode::OK, Some(name), &changed).await
}

/// `DELETE /config/kbs/{name}`.
pub(crate) async fn delete(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ConfigFailure> {
    let changed = change(&shared, &headers, Change::Delete(name)).await?;
    answer(&shared, StatusCode::OK, None, &changed).await
}

fn not_found() -> ApiFailure {
    let message = "there is no such knowledge base".to_owned();
    ApiFailure { status: StatusCode::NOT_FOUND, code: "KB_NOT_FOUND", message }
}

/// The knowledge bases in force, or the one of a name with its examples.
async fn read(shared: &Shared, name: Option<String>) -> Result<Value, ApiFailure> {
    let (snapshot, directory) = (shared.router.snapshot(), directory(shared));
    let described = tokio::task::spawn_blocking(move || {
        let is_asked = |kb: &&vsr_config::KnowledgeBase| name.as_ref().is_none_or(|name| *name == kb.name);
        let config = snapshot.config();
        let kbs = config.global.model_catalog.kbs.iter().filter(is_asked);
        kbs.map(|kb| described(kb, config, &directory, name.is_some())).collect::<Value>()
    });
    described.await.map_err(|_| ApiFailure::internal("the knowledge bases could not be read"))
}

/// Where the configuration lies.
fn directory(shared: &Shared) -> PathBuf {
    let file = shared.live.get().map(|live| live.file());
    file.and_then(FilePath::parent).map(FilePath::to_owned).unwrap_or_default()
}

/// The knowledge base as it is now, and what became of the configuration.
async fn answer(
    shared: &Shared,
    status: StatusCode,
    name: Option<String>,
    changed: &Changed,
) -> Result<Response, ConfigFailure> {
    let mut body = match name {
        Some(name) => read(shared, Some(name)).await?[0].take(),
        None => json!({}),
    };
    body["config"] = json!(changed);
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", changed.file_hash)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

async fn change(shared: &Shared, headers: &HeaderMap, change: Change) -> Result<Changed, ConfigFailure> {
    may_change(shared)?;
    let expected = expected(headers)?;
    let snapshot = shared.router.snapshot();
    on_a_thread(shared, move |live| {
        if let Change::Delete(name) = &change {
            let references = references(snapshot.config(), name);
            if !references.is_empty() {
                let message = format!("`{name}` is used by {}; change that first", references.join(", "));
                let status = StatusCode::CONFLICT;
                return Err(ApiFailure { status, code: "KB_REFERENCED", message }.into());
            }
        }
        carry_out(live, change, expected)
    })
    .await
}

/// Writes the file, changes the configuration and clears away what neither it nor an earlier version names. Blocks.
fn carry_out(live: &Live, change: Change, expected: Option<String>) -> Result<Changed, ConfigFailure> {
    /// One at a time, so that none clears away what another has just written.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = live.file().parent().map(FilePath::to_owned).unwrap_or_default();
    let shown = live.show()?;
    let mut list = written(live, &shown.content)?;
    let position = |name: &str| list.iter().position(|kb| kb["name"] == name);
    let editable = |index: usize| match is_editable(&list[index]) {
        true => Ok(index),
        false => {
            let message =
                "only knowledge bases that were made here can be changed here; others are files of yours";
            let (status, code) = (StatusCode::FORBIDDEN, "KB_READ_ONLY");
            Err(ApiFailure { status, code, message: message.to_owned() })
        }
    };
    let mut draft = None;
    match change {
        Change::Create(document) => {
            document.check()?;
            if position(&document.name).is_some() {
                let message = format!("there is a knowledge base `{}` already", document.name);
                return Err(ApiFailure { status: StatusCode::CONFLICT, code: "KB_EXISTS", message }.into());
            }
            let stored = files::store(&directory, &document)?;
            list.push(document.entry(&stored.path, &Value::Null));
            draft = Some(stored);
        }
        Change::Update(name, document) => {
            document.check()?;
            let index = editable(position(&name).ok_or_else(not_found)?)?;
            let stored = files::store(&directory, &document)?;
            list[index] = document.entry(&stored.path, &list[index]);
            draft = Some(stored);
        }
        Change::Delete(name) => {
            let index = editable(position(&name).ok_or_else(not_found)?)?;
            list.remove(index);
        }
    }
    let edit = Edit::Merge(json!({ "global": { "model_catalog": { "kbs": list } } }));
    // Without the client's own word for it the list must still be the one that was read.
    let changed = live.change(&edit, Some(&expected.unwrap_or(shown.file_hash)));
    if let (Err(_), Some(draft)) = (&changed, draft) {
        draft.discard();
    }
    let changed = changed?;
    files::clear(live, &directory);
    Ok(changed)
}

/// The list of the configuration, as written; where it writes none, that of the defaults.
fn written(live: &Live, content: &Value) -> Result<Vec<Value>, ConfigFailure> {
    let place = "/global/model_catalog/kbs";
    if let Some(Value::Array(list)) = content.pointer(place) {
        return Ok(list.clone());
    }
    let effective = live.show_effective()?;
    Ok(effective.content.pointer(place).and_then(Value::as_array).cloned().unwrap_or_default())
}
