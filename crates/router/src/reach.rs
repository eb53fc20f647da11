//! How a backend is reached and who the router is to it: its proxy, the authorities it may be certified by, the router's
//! own certificate, HTTP/2, and the keys of AWS.

use std::path::Path;

use vsr_config::{AwsKeys, BackendHttp2, BackendRef, ProviderDefaults, ProviderKind};
use vsr_types::Secret;
use vsr_upstream::{AwsSigner, Endpoint, Http2, Proxy, Scheme, TlsRoots, Via, Way};

use crate::backends::SourceProblem;

/// The way to a backend at `endpoint`; files are relative to `directory`.
pub(crate) fn way(
    reference: &BackendRef,
    defaults: &ProviderDefaults,
    endpoint: &Endpoint,
    directory: &Path,
) -> Result<Way, SourceProblem> {
    let http2 = match reference.http2 {
        BackendHttp2::Never => Http2::Never,
        BackendHttp2::Offered => Http2::Offered,
        BackendHttp2::Only => Http2::Only,
    };
    let is_plain = endpoint.scheme() == Scheme::Http;
    if is_plain && http2 == Http2::Offered {
        let message =
            "HTTP/2 can be offered in a TLS handshake only; write `only` if the server is known to speak it";
        return Err(SourceProblem("http2", message.to_owned()));
    }
    let proxy = reference.proxy.as_ref().or(defaults.proxy.as_ref());
    Ok(Way { via: via(proxy)?, tls: tls(reference, is_plain, directory)?, http2 })
}

fn via(written: Option<&Secret>) -> Result<Via, SourceProblem> {
    let Some(written) = written else { return Ok(Via::Client) };
    if written.expose().trim() == "direct" {
        return Ok(Via::Direct);
    }
    let proxy = Proxy::parse(written.expose());
    proxy.map(Via::Proxy).map_err(|error| SourceProblem("proxy", error.to_string()))
}

fn tls(reference: &BackendRef, is_plain: bool, directory: &Path) -> Result<Option<TlsRoots>, SourceProblem> {
    let Some(written) = &reference.tls else { return Ok(None) };
    if is_plain {
        let message =
            "the backend is spoken to in plain text; use an address with https, or `protocol: https`";
        return Err(SourceProblem("tls", message.to_owned()));
    }
    let read = |key: &'static str, name: &str| {
        std::fs::read(directory.join(name))
            .map_err(|error| SourceProblem(key, format!("`{name}` cannot be read: {error}")))
    };
    let mut roots = match &written.ca_file {
        Some(name) => TlsRoots::none()
            .with_pem(&read("tls.ca_file", name)?, name)
            .map_err(|error| SourceProblem("tls.ca_file", error.to_string()))?,
        None => TlsRoots::system(),
    };
    roots = match (&written.cert_file, &written.key_file) {
        (Some(cert), Some(key)) => roots
            .with_identity(&read("tls.cert_file", cert)?, &read("tls.key_file", key)?, cert)
            .map_err(|error| SourceProblem("tls.cert_file", error.to_string()))?,
        (None, None) => roots,
        (Some(_), None) => {
            return Err(SourceProblem("tls", "a certificate needs its key: set `key_file`".to_owned()));
        }
        (None, Some(_)) => {
            return Err(SourceProblem("tls", "a key needs its certificate: set `cert_file`".to_owned()));
        }
    };
    Ok(Some(roots))
}

/// What signs the backend's requests. None if the keys are not in the environment, with the name of the variable.
pub(crate) fn signer(
    reference: &BackendRef,
    endpoint: &Endpoint,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Result<AwsSigner, String>>, SourceProblem> {
    let Some(AwsKeys { region, service, access_key_id_env, secret_access_key_env, session_token_env }) =
        &reference.aws
    else {
        return Ok(None);
    };
    if reference.provider != Some(ProviderKind::Bedrock) {
        return Err(SourceProblem("aws", "only requests to `provider: bedrock` are signed".to_owned()));
    }
    if reference.api_key.is_some() || reference.api_key_env.is_some() {
        let message =
            "requests either carry a key or are signed: remove `aws`, or `api_key` and `api_key_env`";
        return Err(SourceProblem("aws", message.to_owned()));
    }
    let region = match region {
        Some(region) => region.to_string(),
        None => region_of(endpoint).ok_or_else(|| {
            let message = "the region cannot be told from the host's name; set `region`";
            SourceProblem("aws.region", message.to_owned())
        })?,
    };
    let set = |name: &str| variables(name).filter(|value| !value.is_empty());
    let key = |name: &str| set(name).ok_or_else(|| name.to_owned());
    let (id, secret) = match (key(access_key_id_env), key(secret_access_key_env)) {
        (Ok(id), Ok(secret)) => (id, secret),
        (Err(missing), _) | (_, Err(missing)) => return Ok(Some(Err(missing))),
    };
    let token = set(session_token_env);
    let keys = vsr_upstream::AwsKeys {
        access_key_id: &id,
        secret_access_key: &secret,
        session_token: token.as_deref(),
    };
    let signer = AwsSigner::new(keys, &region, service);
    signer.map(|signer| Some(Ok(signer))).map_err(|error| SourceProblem("aws", error.to_string()))
}

/// `us-east-1` of `bedrock-runtime.us-east-1.amazonaws.com`.
fn region_of(endpoint: &Endpoint) -> Option<String> {
    let (host, _) = endpoint.authority().rsplit_once(':')?;
    let rest = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let (_, region) = rest.rsplit_once('.')?;
    region.contains('-').then(|| region.to_owned())
}
