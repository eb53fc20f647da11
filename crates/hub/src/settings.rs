//! Where the hub is, who we are to it, and where models are kept.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use vsr_config::HubSettings as Written;
use vsr_types::Secret;
use vsr_upstream::{ClientConfig, Endpoint, Scheme, Timeouts};

use crate::{Cache, Error};

/// How a hub is used.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// The hub.
    pub endpoint: Endpoint,
    /// What stands before the hub's paths; empty or beginning with a slash.
    pub base_path: String,
    /// Who we are to the hub. It is sent to the hub alone.
    pub token: Option<Secret>,
    /// Where models are kept.
    pub cache: Cache,
    /// Whether nothing is downloaded.
    pub offline: bool,
    /// The most bytes of one model.
    pub max_model_bytes: u64,
    /// What is done about failures that may pass.
    pub retries: Retries,
    /// The HTTP client.
    pub client: ClientConfig,
    /// The time limits of one request.
    pub timeouts: Timeouts,
}

/// What is done about failures that may pass.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// How often one file is asked for without any progress.
    pub attempts: u32,
    /// The pause after the first failure; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause, whatever the hub wishes.
    pub longest_pause: Duration,
}

const PUBLIC_HUB: &str = "https://huggingface.co";

// === impl Retries

impl Default for Retries {
    /// Five times, half a second to half a minute.
    fn default() -> Self {
        let (first_pause, longest_pause) = (Duration::from_millis(500), Duration::from_secs(30));
        Self { attempts: 5, first_pause, longest_pause }
    }
}

// === impl HubSettings

impl HubSettings {
    /// As a configuration in `directory` says; what it leaves open is asked of the environment, through `variables`:
    /// `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `XDG_CACHE_HOME`, `HOME`.
    ///
    /// # Errors
    /// If the hub's address is none, a token would travel unprotected or cannot be read, or there is no place for a
    /// cache.
    pub fn of(
        written: &Written,
        directory: &Path,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let wrong = |why: String| Error::Settings(why);
        let set = |name: &str| variables(name).filter(|value| !value.trim().is_empty());
        let (endpoint, base_path) = Self::address(written, variables)?;
        let environment =
            ClientConfig::from_variables(variables).map_err(|error| wrong(error.to_string()))?;
        let token = token(written, directory, &set)?;
        if token.is_some() && endpoint.scheme() == Scheme::Http && !is_loopback(&endpoint) {
            return Err(wrong(format!(
                "a token is set and {endpoint} would receive it without encryption; use https"
            )));
        }
        let cache = Cache::of(written, directory, variables).ok_or_else(|| {
            wrong("there is no HOME for a cache; set `global.model_catalog.hub.cache_dir`".to_owned())
        })?;
        Ok(Self {
            endpoint,
            base_path,
            token,
            cache,
            offline: Self::is_offline(written, variables),
            max_model_bytes: written.max_model_bytes,
            retries: Retries::default(),
            client: ClientConfig { pool_max_idle: 4, ..environment },
            timeouts: Timeouts {
                connect: Duration::from_secs(15),
                first_byte: Duration::from_secs(60),
                stream_idle: Duration::from_secs(60),
                total: None,
            },
        })
    }
}

impl HubSettings {
    /// Where the hub is, and what stands before its paths.
    ///
    /// # Errors
    /// If the address is none.
    pub fn address(
        written: &Written,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Endpoint, String), Error> {
        let named = || variables("HF_ENDPOINT").filter(|value| !value.trim().is_empty());
        let address = written.endpoint.as_deref().map(str::to_owned).or_else(named);
        let address = address.unwrap_or_else(|| PUBLIC_HUB.to_owned());
        let parsed = Endpoint::parse_with_path(address.trim());
        parsed.map_err(|error| Error::Settings(format!("the endpoint is no base URL: {error}")))
    }

    /// Whether nothing is to be downloaded: the configuration says so, or `HF_HUB_OFFLINE` does.
    pub fn is_offline(written: &Written, variables: &dyn Fn(&str) -> Option<String>) -> bool {
        let says_yes =
            |value: String| ["1", "on", "yes", "true"].contains(&&*value.trim().to_ascii_lowercase());
        written.offline || variables("HF_HUB_OFFLINE").is_some_and(says_yes)
    }
}

// === impl Cache

impl Cache {
    /// Where a configuration in `directory` keeps models; `None` if neither it nor the environment names a place.
    pub fn of(
        written: &Written,
        directory: &Path,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        match &written.cache_dir {
            Some(own) => Some(Self::at(directory.join(&**own))),
            None => Some(Self::at(caches()?.join("vllm-sr").join("models"))),
        }
    }
}

fn token(
    written: &Written,
    directory: &Path,
    set: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Secret>, Error> {
    let text = match &written.token_file {
        Some(file) => {
            let file = directory.join(&**file);
            let read = fs::read_to_string(&file);
            Some(read.map_err(|error| {
                Error::Settings(format!("the token file {} cannot be read: {error}", file.display()))
            })?)
        }
        None => set(&written.token_env),
    };
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| !text.bytes().all(|byte| (0x21..0x7f).contains(&byte))) {
        return Err(Error::Settings("the token has characters that no token has".to_owned()));
    }
    Ok(text.map(Secret::new))
}

fn is_loopback(endpoint: &Endpoint) -> bool {
    let authority = endpoint.authority();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
