//! One structured line per request. Never any text of the request.

use vsr_types::RouteTrace;

/// Writes the line, at level info under the target `access`.
pub(crate) fn write(trace: &RouteTrace) {
    if !tracing::enabled!(target: "access", tracing::Level::INFO) {
        return;
    }
    let outcome = &trace.outcome;
    let usage = outcome.usage.unwrap_or_default();
    let name = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let choice = trace.choice.as_ref();
    let substituted_for = (!trace.substituted_for.is_empty()).then(|| trace.substituted_for.join(","));
    tracing::info!(
        target: "access",
        request_id = %trace.request_id,
        peer = trace.via.peer.map(tracing::field::display),
        http = trace.via.http,
        tls = trace.via.tls,
        status = outcome.status,
        requested_model = %printable(&trace.requested_model),
        model = %name(choice.map(|choice| choice.model.as_str())),
        decision = %name(trace.verdict.winner.as_ref().map(|winner| winner.name.as_str())),
        method = choice.map_or("-", |choice| choice.method),
        backend = %name(trace.backend.as_deref()),
        attempts = outcome.attempts,
        substituted_for,
        streamed = outcome.streamed,
        context_tokens = trace.context_tokens,
        prompt_tokens = usage.prompt_tokens,
        completion_tokens = usage.completion_tokens,
        first_byte_ms = outcome.first_byte.map(|time| time.as_secs_f64() * 1e3),
        total_ms = outcome.total.as_secs_f64() * 1e3,
        error = outcome.error,
        "request",
    );
}

/// The model name a client sent, cut and without control characters.
fn printable(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
