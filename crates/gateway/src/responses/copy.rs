//! The copies that native backends keep of what is stored here.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use vsr_responses::Upstream;
use vsr_upstream::Request;

use crate::service::Call;

/// Deletes a backend's own copy of a response; or why that could not be done.
pub(super) async fn delete(call: &Call<'_>, client: &HeaderMap, copy: &Upstream) -> Result<(), String> {
    let snapshot = call.router().snapshot();
    let mut backends = snapshot.models().iter().flat_map(|model| &model.backends);
    let backend = backends.find(|backend| *backend.name == copy.backend).ok_or("it is configured no more")?;
    let path = backend.responses_path.as_ref().ok_or("it speaks Responses no more")?;
    let is_plain = |id: &str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !is_plain(&copy.id) {
        return Err("its id for the copy cannot be part of a path".to_owned());
    }
    let query = path.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{}/{}{query}", path.path(), copy.id);
    let mut headers = HeaderMap::with_capacity(backend.headers.len() + 1);
    if !backend.has_credential
        && !call.listener().door.demands_key()
        && let Some(own) = client.get(header::AUTHORIZATION)
    {
        headers.insert(header::AUTHORIZATION, own.clone());
    }
    headers.extend(backend.headers.iter().cloned());
    let mut request = Request {
        method: Method::DELETE,
        endpoint: Arc::clone(&backend.endpoint),
        path_and_query: path.parse().map_err(|_| "its path cannot be asked for")?,
        headers,
        body: Bytes::new(),
    };
    backend.sign(&mut request, || call.router().clock().now());
    let answer = call.upstream().send(request, &backend.timeouts).await.map_err(|error| error.to_string())?;
    // What is not there need not be deleted.
    match answer.status.as_u16() {
        200..=299 | 404 => Ok(()),
        status => Err(format!("it answered with status {status}")),
    }
}
