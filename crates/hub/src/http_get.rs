//! Asking the hub: the token goes to the hub alone, redirects are followed within limits, failures are sorted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::PathAndQuery};
use vsr_upstream::{Client, Endpoint, Request, Response, Scheme};

use crate::{Error, HubModel, HubSettings};

/// Redirects followed for one file.
const MOST_REDIRECTS: usize = 5;
/// The longest wait that a hub can ask for is cut by [`Retries`](crate::Retries); this bounds what is read of it.
const MOST_SECONDS: u64 = 3600;

/// A connection to one hub for one model.
pub(crate) struct Session<'h> {
    client: Client,
    settings: &'h HubSettings,
    hub: Arc<Endpoint>,
    pub(crate) model: &'h HubModel,
}

/// An answer, and what the hub said on the way to it.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// The content's SHA-256 as the hub told it, in whatever form.
    pub(crate) linked_etag: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It will not be better next time.
    Final(Error),
    /// It may be.
    Passing { why: String, after: Option<Duration> },
}

/// Where a redirect leads.
struct Target {
    endpoint: Arc<Endpoint>,
    path: PathAndQuery,
}

// === impl Session

impl<'h> Session<'h> {
    pub(crate) fn new(settings: &'h HubSettings, model: &'h HubModel) -> Self {
        let (client, hub) = (Client::new(&settings.client), Arc::new(settings.endpoint.clone()));
        Self { client, settings, hub, model }
    }

    /// The answer to a path of the hub, from byte `start` on if the server can; 200 or 206.
    pub(crate) async fn get(&self, path: &str, start: u64) -> Result<Answer, Fault> {
        let path = format!("{}{path}", self.settings.base_path);
        let path = path.parse().map_err(|_| self.refused(format!("{path:?} is no path of a URL")))?;
        let mut target = Target { endpoint: Arc::clone(&self.hub), path };
        let mut linked_etag = None;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.ask(&target, start).await?;
            if target.endpoint == self.hub
                && let Some(etag) = response.headers.get("x-linked-etag").and_then(|etag| etag.to_str().ok())
            {
                linked_etag = Some(etag.trim_start_matches("W/").trim_matches('"').to_owned());
            }
            match response.status {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                    return Ok(Answer { response, linked_etag });
                }
                status if status.is_redirection() => target = self.follow(&target, &response.headers)?,
                _ => return Err(self.failure(&target, &response)),
            }
        }
        Err(self.refused(format!("the hub redirects more than {MOST_REDIRECTS} times")))
    }

    async fn ask(&self, target: &Target, start: u64) -> Result<Response, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("vllm-sr/", env!("CARGO_PKG_VERSION"))),
        );
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if start > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={start}-"))
        {
            headers.insert(header::RANGE, range);
        }
        // Whoever the hub sends us to is somebody else, who must not learn who we are.
        if target.endpoint == self.hub
            && let Some(token) = &self.settings.token
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let request = Request {
            method: Method::GET,
            endpoint: Arc::clone(&target.endpoint),
            path_and_query: target.path.clone(),
            headers,
            body: Bytes::new(),
        };
        let sent = self.client.send(request, &self.settings.timeouts).await;
        sent.map_err(|error| Fault::Passing { why: error.to_string(), after: None })
    }

    fn follow(&self, from: &Target, headers: &HeaderMap) -> Result<Target, Fault> {
        let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or_else(|| self.refused("the hub redirects to nowhere".to_owned()))?;
        let target = Target::parse(from, location)
            .ok_or_else(|| self.refused("the hub redirects to something that is no URL".to_owned()))?;
        if from.endpoint.scheme() == Scheme::Https && target.endpoint.scheme() == Scheme::Http {
            return Err(self.refused(format!("the hub redirects to {} without encryption", target.endpoint)));
        }
        Ok(target)
    }

    /// What an answer means that is neither content nor a redirect.
    fn failure(&self, target: &Target, response: &Response) -> Fault {
        let (status, is_hub) = (response.status.as_u16(), target.endpoint == self.hub);
        let model = self.model.to_string();
        let code = response.headers.get("x-error-code").and_then(|code| code.to_str().ok());
        match status {
            // The link that a hub gives to its store has a time limit: the next one is fresh.
            401 | 403 if !is_hub => Fault::Passing {
                why: format!("{} answers {status}", target.endpoint.authority()),
                after: None,
            },
            401 | 403 => {
                let advice = match (&self.settings.token, code) {
                    (None, _) => {
                        "it is private, gated, or not there; set HF_TOKEN (or `global.model_catalog.hub.token_env` \
                         or `token_file`) to a token that may read it"
                    }
                    (Some(_), Some("GatedRepo")) => {
                        "it is gated; ask for access on its page, with the account that the token belongs to"
                    }
                    (Some(_), _) => {
                        "the token may not read it; ask for access on its page, or use another token"
                    }
                };
                Fault::Final(Error::Unauthorized { model, status, advice })
            }
            404 | 410 => {
                let what = match code {
                    Some("RevisionNotFound") => format!("revision `{}`", self.model.revision()),
                    Some("EntryNotFound") => "such file".to_owned(),
                    _ => "such model or revision".to_owned(),
                };
                Fault::Final(Error::NotFound { model, what })
            }
            408 | 425 | 429 | 500..=599 => {
                let seconds = response.headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok());
                let seconds = seconds.and_then(|seconds| seconds.trim().parse::<u64>().ok());
                Fault::Passing {
                    why: format!("{} answers {status}", target.endpoint.authority()),
                    after: seconds.map(|seconds| Duration::from_secs(seconds.min(MOST_SECONDS))),
                }
            }
            _ => self.refused(format!("{} answers {status}", target.endpoint.authority())),
        }
    }

    pub(crate) fn refused(&self, why: String) -> Fault {
        Fault::Final(self.refusal(why))
    }

    pub(crate) fn refusal(&self, why: String) -> Error {
        Error::Refused { model: self.model.to_string(), why }
    }

    /// The pause before the next attempt, or what has failed for good once there were too many.
    pub(crate) fn pause(
        &self,
        failures: u32,
        why: String,
        after: Option<Duration>,
    ) -> Result<Duration, Error> {
        let retries = &self.settings.retries;
        if failures >= retries.attempts {
            return Err(Error::Network { model: self.model.to_string(), why });
        }
        let doubled = retries.first_pause.saturating_mul(1 << (failures.saturating_sub(1)).min(16));
        let pause = after.unwrap_or(doubled).min(retries.longest_pause);
        tracing::debug!(model = %self.model, why, ?pause, "asking the hub again");
        Ok(pause)
    }
}

// === impl Target

impl Target {
    /// Reads a `Location`: a URL, or a path on the same server.
    fn parse(from: &Self, location: &str) -> Option<Self> {
        let scheme = from.endpoint.scheme().as_str();
        let whole = match location.strip_prefix("//") {
            Some(rest) => format!("{scheme}://{rest}"),
            None if location.starts_with('/') => format!("{}{location}", from.endpoint),
            None => location.to_owned(),
        };
        let begin = whole.find("://")? + 3;
        let end = whole[begin..].find(['/', '?', '#']).map_or(whole.len(), |at| begin + at);
        let endpoint = Endpoint::parse(&whole[..end]).ok()?;
        let path = whole[end..].split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.parse() } else { format!("/{path}").parse() };
        Some(Self { endpoint: Arc::new(endpoint), path: path.ok()? })
    }
}

// === impl Fault

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}
