//! The models of a snapshot and the backends that serve them, resolved once.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header, uri::PathAndQuery};
use vsr_config::{
    ApiFormat, AuthzService, BackendProtocol, BackendRef, Config, Pricing, ProviderDefaults, ProviderKind,
    ProviderModel, ReasoningFamily, Reliability, ResponsesSupport,
};
use vsr_protocol::Protocol;
use vsr_types::{Diagnostic, Diagnostics, ModelName, Path, Secret, Timestamp};
use vsr_upstream::{AwsSigner, Endpoint, Request, Scheme, Timeouts};

use crate::{
    balance,
    health::Health,
    reach,
    resilience::{Policy, Resilience},
    user_key::{KeyChain, UserKey},
};

/// Every model that can be named, adapters included.
#[derive(Debug, Default)]
pub struct Models {
    models: Vec<Model>,
    by_name: HashMap<ModelName, usize>,
    balances_by_caller: bool,
}

/// A model card or one of its adapters, ready to be called.
#[derive(Debug, Clone)]
pub struct Model {
    /// The name clients and decisions use.
    pub name: ModelName,
    /// The model card; the same as `name` unless this is an adapter.
    pub card: ModelName,
    /// The protocol its backends speak.
    pub api_format: ApiFormat,
    /// How its backends are asked by clients of Responses.
    pub responses: ResponsesSupport,
    /// How it is told to reason: the family's name and settings.
    pub reasoning: Option<(Arc<str>, ReasoningFamily)>,
    /// What its tokens cost.
    pub pricing: Option<Pricing>,
    /// Where it is served.
    pub backends: Vec<Arc<Backend>>,
    /// The running sum of the backends' weights.
    pub(crate) cumulative_weights: Vec<f64>,
    pub(crate) resilience: Resilience,
    /// How many of its calls are repetitions.
    pub(crate) repeating: Arc<AtomicU32>,
}

/// One place where a model is served.
#[derive(Debug)]
pub struct Backend {
    /// `model/backend`, for logs, traces and metrics.
    pub name: Arc<str>,
    /// The server.
    pub endpoint: Arc<Endpoint>,
    /// The path that requests are posted to.
    pub chat_path: PathAndQuery,
    /// The path for requests of Responses, where it speaks that too.
    pub responses_path: Option<PathAndQuery>,
    /// Headers of every request: the credential, and those of `extra_headers`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What signs its requests, where the router's credential is no header.
    pub signer: Option<Box<AwsSigner>>,
    /// Whether the router has a credential of its own, so that the client's must not be sent.
    pub has_credential: bool,
    /// The router's own key, to know it where the backend repeats it.
    key: Option<Secret>,
    /// How users' own keys for it come, if they may have some.
    pub user_key: Option<UserKey>,
    /// Whether requests without a user's key are refused.
    pub demands_user_key: bool,
    /// Headers that hold users' keys for some provider, so that no backend gets them as they are.
    pub withheld: Arc<[HeaderName]>,
    /// The model id this backend knows.
    pub upstream_model: ModelName,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// Whether this is OpenAI's own service, which takes reasoning parameters at the top level.
    pub is_openai_service: bool,
    /// Whether a request that fails here may be sent again, so that its body must be kept.
    pub may_repeat: bool,
    /// How well it is.
    pub health: Arc<Health>,
    /// How long it must be well after it was left out, to be trusted as before.
    pub(crate) calm: Duration,
    /// Tells it apart from others, in every process the same.
    pub(crate) identity: u64,
    pub(crate) weight: f64,
}

// === impl Models

impl Models {
    /// Resolves the models of `config`. Cross references are checked by `config`; here endpoints,
    /// headers and credentials are.
    pub(crate) fn compile(config: &Config, surroundings: Around<'_>, diagnostics: &mut Diagnostics) -> Self {
        let mut models = Self::default();
        for (index, provider) in config.providers.models.iter().enumerate() {
            let path = Path::keys("providers.models").index(index);
            let card = ModelName::from(provider.name.as_str());
            let model = Model::compile(config, provider, &path, surroundings, diagnostics);
            let adapters = config
                .routing
                .model_cards
                .iter()
                .filter(|known| known.name == provider.name)
                .flat_map(|known| &known.loras);
            for adapter in adapters {
                models.add(model.as_adapter(ModelName::from(adapter.name.as_str())));
            }
            models.add(Model { name: card.clone(), card, ..model });
        }
        models
    }

    /// What is known of the health of backends that are the same in `previous` is taken over.
    pub(crate) fn adopt(&mut self, previous: &Self) {
        let known: HashMap<u64, &Arc<Health>> = { previous.models.iter() }
            .flat_map(|model| &model.backends)
            .map(|backend| (backend.identity, &backend.health))
            .collect();
        for backend in self.models.iter_mut().flat_map(|model| &mut model.backends) {
            let health = known.get(&backend.identity);
            if let (Some(backend), Some(health)) = (Arc::get_mut(backend), health) {
                backend.health = Arc::clone(health);
            }
        }
    }

    /// Whether some model's backends are picked by who asks.
    pub fn balances_by_caller(&self) -> bool {
        self.balances_by_caller
    }

    fn add(&mut self, model: Model) {
        self.balances_by_caller |= model.resilience.policy == Policy::ConsistentHash;
        self.by_name.entry(model.name.clone()).or_insert(self.models.len());
        self.models.push(model);
    }

    /// The model of that name.
    pub fn find(&self, name: &str) -> Option<&Model> {
        self.by_name.get(name).map(|index| &self.models[*index])
    }

    /// Whether all backends that speak Messages know the same model, by the same id.
    pub(crate) fn has_one_signer(&self) -> bool {
        let signers = self.models.iter().filter(|model| model.api_format == ApiFormat::Anthropic);
        let mut ids = signers.flat_map(|model| &model.backends).map(|backend| &backend.upstream_model);
        let Some(first) = ids.next() else { return true };
        ids.all(|id| id == first)
    }

    /// All models, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }
}

// === impl Model

impl Model {
    fn compile(
        config: &Config,
        provider: &ProviderModel,
        path: &Path,
        surroundings: Around<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let default_timeout = config.listeners.iter().map(|listener| listener.timeout.0).max();
        let timeouts = timeouts(provider.reliability.as_ref(), default_timeout);
        let resilience = Resilience::compile(provider.reliability.as_ref(), path, diagnostics);
        let authz = &config.global.services.authz;
        let written = authz.providers.iter().flat_map(|source| source.headers.values());
        let withheld: Arc<[HeaderName]> =
            written.filter_map(|name| HeaderName::try_from(name.as_str()).ok()).collect();
        let mut backends = Vec::new();
        for (index, reference) in provider.backend_refs.iter().enumerate() {
            let path = path.key("backend_refs").index(index);
            let source = Source {
                provider,
                reference,
                index,
                timeouts,
                resilience: &resilience,
                authz,
                withheld: &withheld,
                defaults: &config.providers.defaults,
                surroundings,
            };
            match source.resolve() {
                Ok(backend) => {
                    if let Some(name) = source.missing_key(&backend) {
                        let message =
                            format!("the environment variable `{name}` is not set; requests go unsigned");
                        diagnostics.warning(path.key("aws"), message);
                    }
                    backends.push(Arc::new(backend));
                }
                Err(problem) => diagnostics.push(problem.at(&path)),
            }
        }
        let mut sum = 0.0;
        let cumulative_weights = backends
            .iter()
            .map(|backend| {
                sum += backend.weight;
                sum
            })
            .collect();
        let family = provider.reasoning_family.as_deref().and_then(|name| {
            let family = config.providers.defaults.reasoning_families.get(name)?;
            Some((Arc::from(name), family.clone()))
        });
        let name = ModelName::from(provider.name.as_str());
        Self {
            card: name.clone(),
            name,
            api_format: provider.api_format,
            responses: provider.responses,
            reasoning: family,
            pricing: provider.pricing.clone(),
            backends,
            cumulative_weights,
            resilience,
            repeating: Arc::default(),
        }
    }

    /// The same backends under an adapter's name, which is also the id they know it by.
    fn as_adapter(&self, name: ModelName) -> Self {
        let backends = self.backends.iter().map(|backend| Arc::new(backend.serving(name.clone()))).collect();
        Self { name, backends, ..self.clone() }
    }
}

// === impl Backend

impl Backend {
    /// Where it counts tokens, if its path for requests is the one that Messages has.
    pub(crate) fn count_path(&self) -> Option<PathAndQuery> {
        let path = self.chat_path.path();
        if !path.ends_with("/messages") {
            return None;
        }
        let query = self.chat_path.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{path}/count_tokens{query}").parse().ok()
    }

    /// Where requests of `protocol` are posted to.
    pub fn path(&self, protocol: Protocol) -> &PathAndQuery {
        match (&self.responses_path, protocol) {
            (Some(path), Protocol::Responses) => path,
            _ => &self.chat_path,
        }
    }

    /// Signs a request that carries the router's credential, if that is no header.
    pub fn sign(&self, request: &mut Request, now: impl FnOnce() -> Timestamp) {
        if let Some(signer) = &self.signer {
            signer.sign(request, now().seconds());
        }
    }

    /// What the backend says of a failure, without the router's key: some repeat the one that they were sent.
    pub fn conceal(&self, told: Bytes) -> Bytes {
        // Shorter ones could be a part of any word.
        const LEAST_BYTES: usize = 8;
        let Some(key) = self.key.as_ref().map(Secret::expose).filter(|key| key.len() >= LEAST_BYTES) else {
            return told;
        };
        match std::str::from_utf8(&told) {
            Ok(text) if text.contains(key) => Bytes::from(text.replace(key, "...")),
            _ => told,
        }
    }

    fn serving(&self, model: ModelName) -> Self {
        Self {
            name: Arc::clone(&self.name),
            endpoint: Arc::clone(&self.endpoint),
            chat_path: self.chat_path.clone(),
            responses_path: self.responses_path.clone(),
            headers: self.headers.clone(),
            signer: self.signer.clone(),
            has_credential: self.has_credential,
            key: self.key.clone(),
            user_key: self.user_key.clone(),
            demands_user_key: self.demands_user_key,
            withheld: Arc::clone(&self.withheld),
            upstream_model: model,
            timeouts: self.timeouts,
            is_openai_service: self.is_openai_service,
            may_repeat: self.may_repeat,
            health: Arc::clone(&self.health),
            calm: self.calm,
            identity: self.identity,
            weight: self.weight,
        }
    }
}

fn timeouts(reliability: Option<&Reliability>, listener_timeout: Option<std::time::Duration>) -> Timeouts {
    let defaults = Reliability::default();
    let settings = reliability.unwrap_or(&defaults);
    Timeouts {
        connect: settings.connect_timeout.0,
        first_byte: settings.first_byte_timeout.0,
        stream_idle: settings.stream_idle_timeout.0,
        total: settings.request_timeout.map(|timeout| timeout.0).or(listener_timeout),
    }
}

/// Headers that say how a request is framed and sent: no configuration can set them.
const OWN_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "expect",
    "te",
    "upgrade",
];

/// A backend reference with what it needs to be resolved.
struct Source<'c> {
    provider: &'c ProviderModel,
    reference: &'c BackendRef,
    index: usize,
    timeouts: Timeouts,
    resilience: &'c Resilience,
    authz: &'c AuthzService,
    withheld: &'c Arc<[HeaderName]>,
    defaults: &'c ProviderDefaults,
    surroundings: Around<'c>,
}

/// What is asked for beside the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Around<'s> {
    /// Looks up environment variables.
    pub(crate) variables: &'s dyn Fn(&str) -> Option<String>,
    /// What files are relative to.
    pub(crate) directory: &'s std::path::Path,
}

/// What is wrong with a backend reference: the key, and the message.
pub(crate) struct SourceProblem(pub(crate) &'static str, pub(crate) String);

// === impl SourceProblem

impl SourceProblem {
    fn at(self, path: &Path) -> Diagnostic {
        let keys = self.0.split('.').filter(|key| !key.is_empty());
        let path = keys.fold(path.clone(), |path, key| path.key(key));
        Diagnostic::error(path, self.1)
    }
}

// === impl Source

impl Source<'_> {
    fn resolve(&self) -> Result<Backend, SourceProblem> {
        let reference = self.reference;
        let (endpoint, chat_path) = self.address()?;
        let way = reach::way(reference, self.defaults, &endpoint, self.surroundings.directory)?;
        let endpoint = endpoint.by(way);
        let signer = reach::signer(reference, &endpoint, self.surroundings.variables)?;
        let mut signer = signer.and_then(Result::ok);
        let mut headers = Vec::new();
        for (name, value) in &reference.extra_headers {
            if OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                let message = format!("the router writes the `{name}` header itself");
                return Err(SourceProblem("extra_headers", message));
            }
            headers
                .push((header_name("extra_headers", name)?, header_value("extra_headers", value.expose())?));
        }
        let mut credential = self.credential();
        let mut chain = None;
        if let Some(provider) = reference.provider {
            let has_configured = credential.is_some() || signer.is_some();
            let of_provider = KeyChain::of(self.authz, provider, has_configured).map_err(|name| {
                SourceProblem("provider", format!("the header for users' keys, `{name}`, is no header name"))
            })?;
            credential = credential.filter(|_| of_provider.uses_configured);
            signer = signer.filter(|_| of_provider.uses_configured);
            chain = Some(of_provider);
        }
        let demands_user_key = chain.as_ref().is_some_and(|chain| chain.is_required);
        let user_key = match chain.and_then(|chain| chain.from) {
            Some(from) => {
                let (into, prefix) = self.key_header()?;
                Some(UserKey { from, into, prefix: prefix.to_owned() })
            }
            None => None,
        };
        if let Some(key) = &credential {
            headers.push(self.authentication(key)?);
        }
        let name = reference.name.clone().unwrap_or_else(|| match self.index {
            0 => "primary".into(),
            index => format!("backend-{}", index + 1),
        });
        let name = format!("{}/{name}", self.provider.name);
        Ok(Backend {
            identity: balance::hashed(format!("{name} {endpoint}{chat_path}").as_bytes()),
            name: name.into(),
            may_repeat: self.resilience.retries > 0
                && (self.resilience.same_backend || self.provider.backend_refs.len() > 1),
            health: Arc::default(),
            calm: self.resilience.ejection_time,
            is_openai_service: endpoint.authority() == "api.openai.com:443",
            endpoint: Arc::new(endpoint),
            responses_path: self.responses_path(&chat_path)?,
            chat_path,
            headers,
            has_credential: credential.is_some() || signer.is_some(),
            key: credential,
            signer: signer.map(Box::new),
            user_key,
            demands_user_key,
            withheld: Arc::clone(self.withheld),
            upstream_model: self.upstream_model(),
            timeouts: self.timeouts,
            weight: reference.weight.unwrap_or(1.0),
        })
    }

    /// Whether the backend speaks Anthropic Messages.
    fn speaks_messages(&self) -> bool {
        self.provider.api_format == ApiFormat::Anthropic
    }

    fn address(&self) -> Result<(Endpoint, PathAndQuery), SourceProblem> {
        let reference = self.reference;
        let (key, endpoint, path) = if let Some(base_url) = &reference.base_url {
            let (endpoint, base) = Endpoint::parse_with_path(base_url)
                .map_err(|error| SourceProblem("base_url", error.to_string()))?;
            let suffix = match reference.provider {
                _ if self.speaks_messages() && base.ends_with("/v1") => "/messages",
                _ if self.speaks_messages() => "/v1/messages",
                Some(ProviderKind::MiniMax) => "/v1/chat/completions",
                _ if base.is_empty() => "/v1/chat/completions",
                _ => "/chat/completions",
            };
            ("base_url", endpoint, format!("{base}{suffix}"))
        } else {
            let written = reference.endpoint.as_deref().unwrap_or_default();
            let path = if self.speaks_messages() { "/v1/messages" } else { "/v1/chat/completions" };
            ("endpoint", self.endpoint(written)?, path.to_owned())
        };
        let mut path = match &reference.chat_path {
            Some(explicit) if explicit.starts_with('/') => explicit.clone(),
            Some(explicit) => format!("/{explicit}"),
            None => path,
        };
        if let (Some(ProviderKind::AzureOpenAi), Some(version)) = (reference.provider, &reference.api_version)
        {
            path = format!("{path}{}api-version={version}", if path.contains('?') { '&' } else { '?' });
        }
        let path = path
            .parse()
            .map_err(|_| SourceProblem(key, format!("`{path}` is no path that can be requested")))?;
        Ok((endpoint, path))
    }

    /// Where a backend that speaks Responses too takes them: beside its chat completions.
    fn responses_path(&self, chat_path: &PathAndQuery) -> Result<Option<PathAndQuery>, SourceProblem> {
        const CHAT: &str = "/chat/completions";
        if self.provider.responses != ResponsesSupport::Native || self.speaks_messages() {
            return Ok(None);
        }
        let Some(base) = chat_path.path().strip_suffix(CHAT) else {
            let message =
                format!("`responses: native` needs a path that ends in `{CHAT}` to find `/responses` beside");
            return Err(SourceProblem("chat_path", message));
        };
        let query = chat_path.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{base}/responses{query}");
        let path = path.parse().map_err(|_| SourceProblem("chat_path", format!("`{path}` is no path")))?;
        Ok(Some(path))
    }

    /// `host:port` with an optional scheme, which then decides the protocol; a path is dropped.
    fn endpoint(&self, written: &str) -> Result<Endpoint, SourceProblem> {
        let (scheme, rest) = match written.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some((other, _)) => {
                let message = format!("unknown scheme `{other}`; use http or https");
                return Err(SourceProblem("endpoint", message));
            }
            None if self.reference.protocol == Some(BackendProtocol::Https) => (Scheme::Https, written),
            None => (Scheme::Http, written),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        Endpoint::from_authority(scheme, &bracketed(authority))
            .map_err(|error| SourceProblem("endpoint", error.to_string()))
    }

    /// The variable that should hold a key of AWS and does not.
    fn missing_key(&self, backend: &Backend) -> Option<String> {
        reach::signer(self.reference, &backend.endpoint, self.surroundings.variables).ok()??.err()
    }

    fn credential(&self) -> Option<Secret> {
        let from_environment =
            || self.reference.api_key_env.as_deref().and_then(self.surroundings.variables).map(Secret::new);
        self.reference.api_key.clone().or_else(from_environment).filter(|key| !key.is_empty())
    }

    /// The header that carries the key, and the word before it.
    fn key_header(&self) -> Result<(HeaderName, &str), SourceProblem> {
        let default_header = match self.reference.provider {
            Some(ProviderKind::Anthropic) => "x-api-key",
            None if self.speaks_messages() => "x-api-key",
            Some(ProviderKind::AzureOpenAi) => "api-key",
            _ => "authorization",
        };
        let written = self.reference.auth_header.as_deref().unwrap_or(default_header);
        let name = header_name("auth_header", written)?;
        let default_prefix = if name == header::AUTHORIZATION { "Bearer" } else { "" };
        Ok((name, self.reference.auth_prefix.as_deref().unwrap_or(default_prefix).trim()))
    }

    fn authentication(&self, key: &Secret) -> Result<(HeaderName, HeaderValue), SourceProblem> {
        let (name, prefix) = self.key_header()?;
        let separator = if prefix.is_empty() { "" } else { " " };
        let mut value = HeaderValue::from_str(&format!("{prefix}{separator}{}", key.expose()))
            .map_err(|_| SourceProblem("api_key", "the key holds characters that no header can".into()))?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// The id by backend type (`type`, else `provider`, else `vllm`), else `provider_model_id`, else the name.
    fn upstream_model(&self) -> ModelName {
        let provider = self.provider;
        let kind = self.reference.kind.as_deref();
        let kind = kind.or(self.reference.provider.map(ProviderKind::as_str)).unwrap_or("vllm");
        let id = provider.external_model_ids.get(kind).or(provider.provider_model_id.as_ref());
        ModelName::from(id.unwrap_or(&provider.name).as_str())
    }
}

/// A bare IPv6 address in brackets; anything else as it is.
fn bracketed(authority: &str) -> String {
    if authority.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{authority}]")
    } else {
        authority.to_owned()
    }
}

fn header_name(key: &'static str, name: &str) -> Result<HeaderName, SourceProblem> {
    HeaderName::try_from(name).map_err(|_| SourceProblem(key, format!("`{name}` is no header name")))
}

fn header_value(key: &'static str, value: &str) -> Result<HeaderValue, SourceProblem> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| SourceProblem(key, "the value holds characters that no header can".into()))?;
    value.set_sensitive(true);
    Ok(value)
}
