//! `/config/router` and what belongs to it: shown without credentials, checked, changed, rolled back.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Path, Query, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use vsr_config::{Edit, EditError, Problem, json_to_yaml, yaml_to_json};
use vsr_live::{ChangeError, Changed, Live, Shown};

use crate::{ApiFailure, extract::MAX_BODY_BYTES, server::Shared};

/// What a change is sent as.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// A text; in a patch, the part that changes.
    yaml: Option<String>,
    /// A content; in a patch, the part that changes.
    config: Option<Value>,
    /// The SHA-256 that the file is expected to have.
    hash: Option<String>,
    /// The routing language's text, which this version does not keep.
    dsl: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollBack {
    version: String,
    hash: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    /// `written`, or `effective`: with defaults filled in.
    view: Option<String>,
    /// `json` or `yaml`.
    format: Option<String>,
}

/// A body in whatever form it was sent, and the state of the file it is meant for.
pub(crate) struct SentChange {
    parts: Parts,
    expected: Option<String>,
}

enum Parts {
    /// A whole text.
    Yaml(String),
    /// A merge patch.
    Patch(Value),
    Named(Sent),
}

/// A failure with the problems of a configuration.
pub(crate) struct ConfigFailure {
    failure: ApiFailure,
    problems: Vec<Problem>,
}

/// `GET /config/router`.
pub(crate) async fn show(
    State(shared): State<Shared>,
    Query(view): Query<View>,
) -> Result<Response, ConfigFailure> {
    let is_effective = match view.view.as_deref() {
        None | Some("written") => false,
        Some("effective") => true,
        Some(_) => return Err(ApiFailure::invalid("`view` is `written` or `effective`").into()),
    };
    let read = move |live: &Live| if is_effective { live.show_effective() } else { live.show() };
    shown(on_a_thread(&shared, read).await?, view.format.as_deref())
}

/// `GET /config/router/versions/{version}`.
pub(crate) async fn show_version(
    State(shared): State<Shared>,
    Path(version): Path<String>,
    Query(view): Query<View>,
) -> Result<Response, ConfigFailure> {
    shown(on_a_thread(&shared, move |live| live.show_version(&version)).await?, view.format.as_deref())
}

fn shown(shown: Shown, format: Option<&str>) -> Result<Response, ConfigFailure> {
    let Shown { content, file_hash } = shown;
    let tag = (header::ETAG, format!("\"{file_hash}\""));
    match format {
        None | Some("json") => Ok(([tag], Json(content)).into_response()),
        Some("yaml") => {
            let kind = (header::CONTENT_TYPE, "application/yaml; charset=utf-8".to_owned());
            Ok(([tag, kind], json_to_yaml(&content)).into_response())
        }
        Some(_) => Err(ApiFailure::invalid("`format` is `json` or `yaml`").into()),
    }
}

/// `GET /config/hash`.
pub(crate) async fn hash(State(shared): State<Shared>) -> Result<Response, ConfigFailure> {
    let hash = on_a_thread(&shared, Live::file_hash).await?;
    let status = live(&shared)?.status();
    Ok(Json(json!({
        "hash": hash,
        "in_force": { "file_hash": status.file_hash, "hash": status.hash },
    }))
    .into_response())
}

/// `GET /config/status`.
pub(crate) async fn status(State(shared): State<Shared>) -> Result<Response, ConfigFailure> {
    Ok(Json(live(&shared)?.status()).into_response())
}

/// `POST /config/router/validate`.
pub(crate) async fn validate(
    State(shared): State<Shared>,
    sent: SentChange,
) -> Result<Response, ConfigFailure> {
    may_change(&shared)?;
    let change = sent.into_replacement()?;
    let checked = on_a_thread(&shared, move |live| live.try_change(&change)).await?;
    Ok(Json(json!({
        "valid": checked.hash.is_some(),
        "hash": checked.hash,
        "message": checked.refusal,
        "problems": checked.problems,
        "restart_needed": checked.restart_needed,
    }))
    .into_response())
}

/// `PUT /config/router`.
pub(crate) async fn put(State(shared): State<Shared>, sent: SentChange) -> Result<Response, ConfigFailure> {
    may_change(&shared)?;
    let expected = sent.expected.clone();
    change(&shared, sent.into_replacement()?, expected).await
}

/// `PATCH /config/router`.
pub(crate) async fn patch(State(shared): State<Shared>, sent: SentChange) -> Result<Response, ConfigFailure> {
    may_change(&shared)?;
    let expected = sent.expected.clone();
    change(&shared, sent.into_patch()?, expected).await
}

async fn change(shared: &Shared, edit: Edit, expected: Option<String>) -> Result<Response, ConfigFailure> {
    let changed = on_a_thread(shared, move |live| live.change(&edit, expected.as_deref())).await?;
    Ok(done(&changed, "the configuration is in force"))
}

/// `GET /config/router/versions`.
pub(crate) async fn versions(State(shared): State<Shared>) -> Result<Response, ConfigFailure> {
    Ok(Json(on_a_thread(&shared, Live::versions).await?).into_response())
}

/// `POST /config/router/rollback`.
pub(crate) async fn roll_back(
    State(shared): State<Shared>,
    headers: HeaderMap,
    crate::extract::Body(sent): crate::extract::Body<RollBack>,
) -> Result<Response, ConfigFailure> {
    may_change(&shared)?;
    let expected = expected(&headers)?.or(sent.hash);
    let version = sent.version;
    let rolled_back = on_a_thread(&shared, move |live| live.roll_back(&version, expected.as_deref())).await;
    match rolled_back {
        Ok(changed) => Ok(done(&changed, "the earlier configuration is in force again")),
        Err(mut failed) => {
            if failed.failure.code == "CONFIG_VALIDATION_ERROR" {
                failed.failure.code = "BACKUP_INVALID";
            }
            Err(failed)
        }
    }
}

fn done(changed: &Changed, message: &str) -> Response {
    let mut body = json!(changed);
    body["status"] = "success".into();
    body["message"] = message.into();
    let tag = HeaderValue::try_from(format!("\"{}\"", changed.file_hash));
    let mut response = Json(body).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Changes need a token even where reading does not: whoever changes the configuration can read every file and send
/// every credential anywhere.
pub(crate) fn may_change(shared: &Shared) -> Result<(), ApiFailure> {
    if shared.token.load().is_some() {
        return Ok(());
    }
    Err(ApiFailure {
        status: StatusCode::FORBIDDEN,
        code: "TOKEN_REQUIRED",
        message: "without a management token the configuration can only be read here; set \
                  `global.services.api.token_file` or `token_env` in the file, and send the token as a bearer"
            .to_owned(),
    })
}

fn live(shared: &Shared) -> Result<&Arc<Live>, ApiFailure> {
    shared.live.get().ok_or_else(|| ApiFailure {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "CONFIG_UNAVAILABLE",
        message: "this router was started without a configuration file".to_owned(),
    })
}

/// Does what blocks off the threads that serve requests.
pub(crate) async fn on_a_thread<T: Send + 'static, E: Into<ConfigFailure> + Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&Live) -> Result<T, E> + Send + 'static,
) -> Result<T, ConfigFailure> {
    let live = Arc::clone(live(shared)?);
    let done = tokio::task::spawn_blocking(move || work(&live)).await;
    done.map_err(|_| ApiFailure::internal("the change was interrupted; read the status"))?.map_err(Into::into)
}

/// The hash in `If-Match`.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Option<String>, ApiFailure> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if tag.len() == 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(tag.to_owned()));
    }
    Err(ApiFailure::invalid("`If-Match` is one hash, as `ETag` showed it"))
}

// === impl SentChange

impl<S: Send + Sync> FromRequest<S> for SentChange {
    type Rejection = ConfigFailure;

    async fn from_request(request: Request, state: &S) -> Result<Self, ConfigFailure> {
        let in_header = expected(request.headers())?;
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let body = Bytes::from_request(request, state).await.map_err(|_| ApiFailure {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "REQUEST_BODY_TOO_LARGE",
            message: format!("at most {MAX_BODY_BYTES} bytes are read"),
        })?;
        let json = |error: serde_json::Error| ApiFailure::invalid(format!("the body: {error}"));
        let parts = match kind.as_str() {
            "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => {
                let text =
                    std::str::from_utf8(&body).map_err(|_| ApiFailure::invalid("the body is not UTF-8"))?;
                Parts::Yaml(text.to_owned())
            }
            "application/merge-patch+json" => Parts::Patch(serde_json::from_slice(&body).map_err(json)?),
            "application/json" => Parts::Named(serde_json::from_slice(&body).map_err(json)?),
            _ => {
                let failure = ApiFailure {
                    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    code: "INVALID_INPUT",
                    message: "send application/json, application/yaml or application/merge-patch+json"
                        .to_owned(),
                };
                return Err(failure.into());
            }
        };
        let in_body = match &parts {
            Parts::Named(sent) => sent.hash.clone(),
            _ => None,
        };
        Ok(Self { parts, expected: in_header.or(in_body) })
    }
}

impl SentChange {
    fn into_replacement(self) -> Result<Edit, ConfigFailure> {
        match self.parts {
            Parts::Yaml(text) => Ok(Edit::Text(text)),
            Parts::Patch(_) => Err(ApiFailure::invalid("a merge patch goes to PATCH").into()),
            Parts::Named(sent) => match sent.checked()? {
                (Some(text), _) => Ok(Edit::Text(text)),
                (None, content) => Ok(Edit::Content(content.unwrap_or_default())),
            },
        }
    }

    fn into_patch(self) -> Result<Edit, ConfigFailure> {
        let text = match self.parts {
            Parts::Patch(patch) => return Ok(Edit::Merge(patch)),
            Parts::Yaml(text) => text,
            Parts::Named(sent) => match sent.checked()? {
                (Some(text), _) => text,
                (None, content) => return Ok(Edit::Merge(content.unwrap_or_default())),
            },
        };
        Ok(Edit::Merge(yaml_to_json(&text).map_err(ChangeError::from)?))
    }
}

impl Sent {
    fn checked(self) -> Result<(Option<String>, Option<Value>), ApiFailure> {
        let Self { yaml, config, dsl, .. } = self;
        if dsl.is_some() {
            return Err(ApiFailure::invalid("`dsl` is not part of this version; leave it out"));
        }
        if yaml.is_some() == config.is_some() {
            return Err(ApiFailure::invalid("give either `yaml` or `config`"));
        }
        Ok((yaml, config))
    }
}

// === impl ConfigFailure

impl From<ApiFailure> for ConfigFailure {
    fn from(failure: ApiFailure) -> Self {
        Self { failure, problems: Vec::new() }
    }
}

impl From<ChangeError> for ConfigFailure {
    fn from(error: ChangeError) -> Self {
        let (status, code) = match &error {
            ChangeError::Busy => (StatusCode::CONFLICT, "DEPLOY_IN_PROGRESS"),
            ChangeError::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "CONFIG_CHANGED"),
            ChangeError::Edit(EditError::Syntax(_)) => (StatusCode::BAD_REQUEST, "YAML_PARSE_ERROR"),
            ChangeError::Edit(_) => (StatusCode::BAD_REQUEST, "CONFIG_PATCH_ERROR"),
            ChangeError::Invalid { .. } => (StatusCode::BAD_REQUEST, "CONFIG_VALIDATION_ERROR"),
            ChangeError::Broken { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "CONFIG_PARSE_ERROR"),
            ChangeError::NoVersion => (StatusCode::BAD_REQUEST, "INVALID_INPUT"),
            ChangeError::UnknownVersion => (StatusCode::NOT_FOUND, "VERSION_NOT_FOUND"),
            ChangeError::ReadOnly(_) => (StatusCode::LOCKED, "CONFIG_READ_ONLY"),
            ChangeError::Storage { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "WRITE_ERROR"),
        };
        let failure = ApiFailure { status, code, message: error.to_string() };
        let problems = match error {
            ChangeError::Invalid { problems, .. } | ChangeError::Broken { problems } => problems,
            _ => Vec::new(),
        };
        Self { failure, problems }
    }
}

impl IntoResponse for ConfigFailure {
    fn into_response(self) -> Response {
        let Self { failure, problems } = self;
        if problems.is_empty() {
            return failure.into_response();
        }
        let mut body = failure.body();
        body["error"]["problems"] = json!(problems);
        (failure.status, Json(body)).into_response()
    }
}
