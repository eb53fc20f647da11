//! The two servers: the management API and the metrics endpoint.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwapOption;
use axum::{
    Json, Router as Routes,
    extract::{DefaultBodyLimit, State},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post, put},
};
use http::{StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use vsr_config::Config;
use vsr_gateway::{Phase, Status};
use vsr_live::Live;
use vsr_router::Router;
use vsr_types::Secret;
use vsr_upstream::{Client, ClientConfig};

use crate::{
    ApiFailure, EvalRequest,
    catalogue::{self, Endpoint},
    classify, config, embeddings,
    extract::{Body, MAX_BODY_BYTES},
    guard::{self, Guard},
    knowledge, models,
};

/// The management surfaces, bound and ready to serve.
pub struct Management {
    api: (TcpListener, Routes),
    metrics: Option<(TcpListener, Routes)>,
    token: ManagementToken,
    live: Arc<OnceLock<Arc<Live>>>,
}

/// The token of running management surfaces, to give them a new one.
#[derive(Clone)]
pub struct ManagementToken {
    token: Arc<ArcSwapOption<Secret>>,
    is_needed: bool,
}

/// The management surfaces cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is no IP address.
    #[error("`{address}` is no IP address; change `{key}`")]
    Address {
        /// The address as written.
        address: String,
        /// The key that holds it.
        key: &'static str,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {reason}; change `{key}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The key that holds the port.
        key: &'static str,
        /// Why.
        reason: io::Error,
    },
    /// The address can be reached from elsewhere and there is no token.
    #[error(
        "{address} can be reached from other machines and no token protects it; \
         set `global.services.api.token_file` or `token_env`, or change `{key}` to 127.0.0.1"
    )]
    Unprotected {
        /// The address.
        address: SocketAddr,
        /// The key that holds the address.
        key: &'static str,
    },
    /// The token cannot be read.
    #[error("cannot read the management token: {0}")]
    Token(String),
}

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) status: Arc<Status>,
    /// Calls models served elsewhere.
    pub(crate) client: Client,
    /// The configuration's file, if there is one.
    pub(crate) live: Arc<OnceLock<Arc<Live>>>,
    /// The token that changes need.
    pub(crate) token: Arc<ArcSwapOption<Secret>>,
}

// === impl Management

impl Management {
    /// Binds both servers. `variables` looks up environment variables.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn bind(
        router: Arc<Router>,
        status: Arc<Status>,
        config: &Config,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, StartError> {
        let token = Arc::new(ArcSwapOption::from_pointee(token(config, variables)?));
        let live = Arc::<OnceLock<Arc<Live>>>::default();
        let client = Client::new(&ClientConfig::default());
        let shared = Shared { router, status, client, live: Arc::clone(&live), token: Arc::clone(&token) };
        let api = &config.global.services.api;
        let keys = ("global.services.api.address", "global.services.api.port");
        let (listener, guard) = listen(&api.address, api.port, keys, &token).await?;
        let mut is_needed = !guard.local_only;
        let api = (listener, api_routes(shared.clone(), guard));
        let settings = &config.global.services.observability.metrics;
        let metrics = if settings.enabled {
            let keys = (
                "global.services.observability.metrics.address",
                "global.services.observability.metrics.port",
            );
            let (listener, guard) = listen(&settings.address, settings.port, keys, &token).await?;
            is_needed |= !guard.local_only;
            Some((listener, metrics_routes(shared, guard)))
        } else {
            None
        };
        Ok(Self { api, metrics, token: ManagementToken { token, is_needed }, live })
    }

    /// Its token, to give it a new one.
    pub fn token(&self) -> ManagementToken {
        self.token.clone()
    }

    /// From now on it tells of this configuration, and changes it.
    pub fn configure(&self, live: Arc<Live>) {
        // There is one configuration per process; the first is kept.
        let _ = self.live.set(live);
    }

    /// The address of the management API.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn api_address(&self) -> io::Result<SocketAddr> {
        self.api.0.local_addr()
    }

    /// The address of the metrics endpoint, if it is on.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn metrics_address(&self) -> io::Result<Option<SocketAddr>> {
        self.metrics.as_ref().map(|(listener, _)| listener.local_addr()).transpose()
    }

    /// Serves until `shutdown` completes.
    ///
    /// # Errors
    /// If a listener fails.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (stop, stopped) = tokio::sync::watch::channel(());
        tokio::spawn(async move {
            shutdown.await;
            drop(stop);
        });
        let until = |mut stopped: tokio::sync::watch::Receiver<()>| async move {
            // The channel only ever closes.
            let _ = stopped.changed().await;
        };
        let (listener, routes) = self.api;
        let api = axum::serve(listener, routes).with_graceful_shutdown(until(stopped.clone()));
        match self.metrics {
            Some((listener, routes)) => {
                let metrics = axum::serve(listener, routes).with_graceful_shutdown(until(stopped));
                tokio::try_join!(async { api.await }, async { metrics.await })?;
            }
            None => api.await?,
        }
        Ok(())
    }
}

// === impl ManagementToken

impl ManagementToken {
    /// Reads the token of a new configuration. It is in force once the result is called. Where others can reach the
    /// surfaces that are bound, the old token stays if there is no new one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn prepare(
        &self,
        config: &Config,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<impl FnOnce() + Send + use<>, StartError> {
        let new = token(config, variables)?;
        let Self { token, is_needed } = self.clone();
        Ok(move || {
            if new.is_some() || !is_needed {
                token.store(new.map(Arc::new));
            }
        })
    }
}

fn token(config: &Config, variables: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secret>, StartError> {
    let api = &config.global.services.api;
    let token = if let Some(file) = &api.token_file {
        std::fs::read_to_string(&**file)
            .map_err(|error| StartError::Token(format!("{}: {error}", &**file)))?
    } else if let Some(name) = &api.token_env {
        variables(name)
            .ok_or_else(|| StartError::Token(format!("the environment variable `{name}` is not set")))?
    } else {
        return Ok(None);
    };
    match token.trim() {
        "" => Err(StartError::Token("it is empty".into())),
        token => Ok(Some(Secret::new(token))),
    }
}

async fn listen(
    address: &str,
    port: u16,
    (address_key, port_key): (&'static str, &'static str),
    token: &Arc<ArcSwapOption<Secret>>,
) -> Result<(TcpListener, Guard), StartError> {
    let ip = match address {
        "localhost" => std::net::IpAddr::from([127, 0, 0, 1]),
        address => address
            .parse()
            .map_err(|_| StartError::Address { address: address.to_owned(), key: address_key })?,
    };
    let address = SocketAddr::new(ip, port);
    if !ip.is_loopback() && token.load().is_none() {
        return Err(StartError::Unprotected { address, key: address_key });
    }
    let listener = TcpListener::bind(address).await.map_err(|reason| StartError::Bind {
        address,
        key: port_key,
        reason,
    })?;
    Ok((listener, Guard { token: Arc::clone(token), local_only: ip.is_loopback() }))
}

/// Declares the endpoints once: what is routed is what is told of them.
macro_rules! endpoints {
    ($($method:ident $path:literal => $handler:path, $description:literal;)*) => {
        /// The endpoints of the management API.
        pub(crate) const ENDPOINTS: &[Endpoint] = &[
            $(Endpoint { method: stringify!($method), path: $path, description: $description },)*
        ];

        fn endpoints() -> Routes<Shared> {
            Routes::new()$(.route($path, $method($handler)))*
        }
    };
}

endpoints! {
    get "/health" => health, "Whether the process lives, and which configuration is in force";
    get "/ready" => ready, "Whether the router takes requests";
    get "/startup-status" => ready, "How far the start is";
    get "/api/v1" => catalogue::index, "This list, for programs";
    get "/openapi.json" => catalogue::openapi, "This list as OpenAPI";
    get "/docs" => catalogue::docs, "This list, for people";
    post "/api/v1/eval" => eval, "How a request would be routed, and why";
    post "/api/v1/classify/intent" => classify::intent, "The subject of a text, and where it would go";
    post "/api/v1/classify/pii" => classify::pii, "Personal data in a text";
    post "/api/v1/classify/security" => classify::security, "Whether a text attacks the model";
    post "/api/v1/classify/fact-check" => classify::fact_check, "Whether an answer needs facts";
    post "/api/v1/classify/user-feedback" => classify::user_feedback, "What a user thinks of an answer";
    post "/api/v1/classify/combined" => classify::combined, "Subject, personal data and attacks at once";
    post "/api/v1/classify/batch" => classify::batch, "Many texts at once";
    post "/api/v1/embeddings" => embeddings::embeddings, "Embeddings of texts";
    get "/api/v1/embeddings/models" => models::models, "The models that embed";
    post "/api/v1/similarity" => embeddings::similarity, "How near two texts are";
    post "/api/v1/similarity/batch" => embeddings::matches, "The texts nearest to one";
    post "/api/v1/nli" => embeddings::inference, "Whether one text follows from another";
    get "/info/models" => models::models, "The router's own models";
    get "/config/status" => config::status, "The configuration in force, and what became of the last change";
    get "/config/hash" => config::hash, "The SHA-256 of the configuration file";
    get "/config/router" => config::show, "The configuration without its credentials";
    put "/config/router" => config::put, "Replaces the configuration";
    patch "/config/router" => config::patch, "Changes parts of the configuration";
    post "/config/router/validate" => config::validate, "What would come of a configuration";
    get "/config/router/versions" => config::versions, "Earlier configurations";
    get "/config/router/versions/{version}" => config::show_version, "An earlier configuration";
    post "/config/router/rollback" => config::roll_back, "Goes back to an earlier configuration";
    get "/config/kbs" => knowledge::list, "The knowledge bases";
    post "/config/kbs" => knowledge::create, "Makes a knowledge base";
    get "/config/kbs/{name}" => knowledge::show, "One knowledge base with its examples";
    put "/config/kbs/{name}" => knowledge::update, "Changes a knowledge base that was made here";
    delete "/config/kbs/{name}" => knowledge::delete, "Takes away a knowledge base that was made here";
}

fn api_routes(shared: Shared, guard: Guard) -> Routes {
    endpoints()
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(shared)
}

fn metrics_routes(shared: Shared, guard: Guard) -> Routes {
    Routes::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(shared)
}

async fn health(State(shared): State<Shared>) -> Response {
    let mut health = Status::health(shared.router.snapshot().substituted_for());
    let (left_out, failing) = shared.router.unwell_backends();
    if !(left_out.is_empty() && failing.is_empty()) {
        let names = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        health["backends"] = json!({ "left_out": names(&left_out), "failing_checks": names(&failing) });
    }
    if let Some(live) = shared.live.get() {
        let status = live.status();
        health["config"] = json!({
            "hash": status.hash,
            "since": status.since,
            "current": status.current,
            "restart_needed": status.restart_needed,
        });
        if !status.current
            && let Some(last) = status.last
        {
            health["config"]["refused"] = json!({
                "at": last.at,
                "message": last.message,
                "problems": last.problems.len(),
            });
        }
    }
    Json(health).into_response()
}

async fn ready(State(shared): State<Shared>) -> Response {
    let status = match shared.status.phase() {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(shared.status.to_json())).into_response()
}

async fn eval(
    State(shared): State<Shared>,
    Body(request): Body<EvalRequest>,
) -> Result<Response, ApiFailure> {
    Ok(Json(request.evaluate(&shared.router).await?).into_response())
}

async fn metrics(State(shared): State<Shared>) -> Result<Response, ApiFailure> {
    let text = shared.router.encode_metrics().map_err(|error| ApiFailure {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "METRICS_ERROR",
        message: error.to_string(),
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

async fn not_found() -> ApiFailure {
    ApiFailure { status: StatusCode::NOT_FOUND, code: "NOT_FOUND", message: "no such endpoint".into() }
}

async fn method_not_allowed() -> ApiFailure {
    ApiFailure {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "METHOD_NOT_ALLOWED",
        message: "the endpoint does not take this method".into(),
    }
}
