//! `vllm-sr chat`: one message through a running router, with the routing it got.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use vsr_protocol::sse;
use vsr_upstream::{Client, ClientConfig, Endpoint, Request, Response, Timeouts};

use crate::{
    args::ChatArgs,
    load::{complain, print, require, variable},
};

const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

pub(crate) fn run(args: &ChatArgs) -> anyhow::Result<ExitCode> {
    let base = match &args.base_url {
        Some(base) => base.trim_end_matches('/').to_owned(),
        None => base_url_of(args)?,
    };
    let base = base.strip_suffix("/v1").unwrap_or(&base);
    let url = format!("{base}/v1/chat/completions");
    let key = match &args.api_key_env {
        Some(name) => Some(variable(name).with_context(|| format!("the variable `{name}` is not set"))?),
        None => None,
    };
    let body = body(args);
    block_on(async {
        let timeout = Duration::from_secs(args.timeout);
        let response = send(Method::POST, &url, key.as_deref(), Some(&body), timeout)
            .await
            .with_context(|| format!("no router answers at {base}"))?;
        answer(args, response).await
    })
}

/// Posts JSON and reads the whole answer.
///
/// # Errors
/// If the server cannot be reached or breaks off.
pub(crate) fn post_json(
    url: &str,
    token: Option<&str>,
    body: &Value,
    timeout: Duration,
) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
    call(Method::POST, url, token, Some(body), timeout)
}

/// Asks a server and reads the whole answer.
///
/// # Errors
/// If the server cannot be reached or breaks off.
pub(crate) fn call(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
    timeout: Duration,
) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
    block_on(async {
        let response = send(method, url, token, body, timeout).await?;
        let body = response.body.collect(MAX_ANSWER_BYTES).await?;
        Ok((response.status, response.headers, body))
    })
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn send(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
    timeout: Duration,
) -> anyhow::Result<Response> {
    let (endpoint, path) = Endpoint::parse_with_path(url)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let request = Request {
        method,
        endpoint: Arc::new(endpoint),
        path_and_query: path.parse()?,
        headers,
        body: body.map(|body| Bytes::from(body.to_string())).unwrap_or_default(),
    };
    let timeouts =
        Timeouts { first_byte: timeout, stream_idle: timeout, total: Some(timeout), ..Timeouts::default() };
    Ok(Client::new(&ClientConfig::default()).send(request, &timeouts).await?)
}

/// The address of the configuration's first listener, as a client on this machine reaches it; the
/// default one where there is no configuration.
fn base_url_of(args: &ChatArgs) -> anyhow::Result<String> {
    if !args.config.is_file() {
        return Ok("http://127.0.0.1:8899".into());
    }
    let snapshot = require(&args.config)?;
    let listeners = snapshot.listeners();
    let listener = listeners.first().context("the configuration has no listener")?;
    let host = match &*listener.address {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        address => address.to_owned(),
    };
    Ok(format!("http://{host}:{}", listener.port))
}

fn body(args: &ChatArgs) -> Value {
    let message = args.prompt.clone().unwrap_or_else(|| args.message.join(" "));
    let mut messages = Vec::new();
    if let Some(system) = &args.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.push(json!({ "role": "user", "content": message }));
    let mut body = json!({ "model": args.model, "messages": messages });
    if !args.no_stream && !args.json {
        body["stream"] = true.into();
    }
    if let Some(temperature) = args.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

async fn answer(args: &ChatArgs, response: Response) -> anyhow::Result<ExitCode> {
    let Response { status, headers, body, .. } = response;
    if !status.is_success() {
        let body = body.collect(MAX_ANSWER_BYTES).await?;
        let message = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|error| error["error"]["message"].as_str().map(str::to_owned))
            .unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
        bail!("the router answered {status}: {message}");
    }
    let is_stream = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if is_stream {
        print_stream(body).await?;
    } else {
        let body = body.collect(MAX_ANSWER_BYTES).await?;
        let answer: Value = serde_json::from_slice(&body).context("the answer is no JSON")?;
        if args.json {
            let report = json!({ "response": answer, "routing": routing(&headers) });
            print(format_args!("{report:#}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        print(format_args!("{content}\n"))?;
    }
    for (name, value) in routing(&headers) {
        complain(format_args!("{name}: {}", value.as_str().unwrap_or_default()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The headers that tell of the routing.
fn routing(headers: &HeaderMap) -> serde_json::Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| {
            name.as_str().starts_with("x-vsr-") || *name == header::HeaderName::from_static("server-timing")
        })
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect()
}

async fn print_stream(mut body: vsr_upstream::Body) -> anyhow::Result<()> {
    const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;
    let mut decoder = sse::Decoder::new(MAX_EVENT_BYTES);
    while let Some(chunk) = body.frame().await {
        decoder.push(chunk?);
        while let Some(frame) = decoder.next_frame()? {
            let Some(data) = frame.event().data else { continue };
            let Ok(event) = serde_json::from_slice::<Value>(&data) else { continue };
            if let Some(message) = event["error"]["message"].as_str() {
                bail!("the answer broke off: {message}");
            }
            if let Some(text) = event["choices"][0]["delta"]["content"].as_str() {
                print(format_args!("{text}"))?;
            }
        }
    }
    print(format_args!("\n"))
}
