//! The routing told in response headers: one reader of the trace.

use std::fmt::Write;

use http::{HeaderName, HeaderValue};
use vsr_config::RoutingHeaders;
use vsr_types::{ReasoningMode, RouteTrace, SignalFamily, Stage};

macro_rules! header_names {
    ($($constant:ident = $name:literal;)*) => {
        $(const $constant: HeaderName = HeaderName::from_static($name);)*
    };
}

header_names! {
    INBOUND_PROTOCOL = "x-vsr-inbound-protocol";
    OUTBOUND_PROTOCOL = "x-vsr-outbound-protocol";
    CLIENT_PROTOCOL = "x-vsr-client-protocol";
    UPSTREAM_PROTOCOL = "x-vsr-upstream-protocol";
    SELECTED_CATEGORY = "x-vsr-selected-category";
    SELECTED_DECISION = "x-vsr-selected-decision";
    SELECTED_CONFIDENCE = "x-vsr-selected-confidence";
    SELECTED_REASONING = "x-vsr-selected-reasoning";
    SELECTED_MODEL = "x-vsr-selected-model";
    SELECTED_ALGORITHM = "x-vsr-selected-algorithm";
    CONTEXT_TOKEN_COUNT = "x-vsr-context-token-count";
    SERVER_TIMING = "server-timing";
}

/// The `x-vsr-matched-…` header of each family, in the order of [`SignalFamily::ALL`].
static MATCHED: [HeaderName; SignalFamily::COUNT] = [
    HeaderName::from_static("x-vsr-matched-keywords"),
    HeaderName::from_static("x-vsr-matched-embeddings"),
    HeaderName::from_static("x-vsr-matched-domains"),
    HeaderName::from_static("x-vsr-matched-fact-check"),
    HeaderName::from_static("x-vsr-matched-user-feedback"),
    HeaderName::from_static("x-vsr-matched-reask"),
    HeaderName::from_static("x-vsr-matched-preference"),
    HeaderName::from_static("x-vsr-matched-language"),
    HeaderName::from_static("x-vsr-matched-context"),
    HeaderName::from_static("x-vsr-matched-structure"),
    HeaderName::from_static("x-vsr-matched-complexity"),
    HeaderName::from_static("x-vsr-matched-modality"),
    HeaderName::from_static("x-vsr-matched-authz"),
    HeaderName::from_static("x-vsr-matched-jailbreak"),
    HeaderName::from_static("x-vsr-matched-pii"),
    HeaderName::from_static("x-vsr-matched-kb"),
    HeaderName::from_static("x-vsr-matched-conversation"),
    HeaderName::from_static("x-vsr-matched-event"),
    HeaderName::from_static("x-vsr-matched-projections"),
];

/// The longest value of a header that lists names.
const MAX_LIST_BYTES: usize = 4096;

/// Calls `add` with each header that `level` tells of a successful, routed answer. Empty values are never sent.
pub fn response_headers(
    trace: &RouteTrace,
    level: RoutingHeaders,
    mut add: impl FnMut(HeaderName, HeaderValue),
) {
    if level == RoutingHeaders::Off {
        return;
    }
    let mut text = |name: HeaderName, value: &str| {
        if let Some(value) = header_text(value) {
            add(name, value);
        }
    };
    for name in [INBOUND_PROTOCOL, CLIENT_PROTOCOL] {
        text(name, trace.client_protocol);
    }
    for name in [OUTBOUND_PROTOCOL, UPSTREAM_PROTOCOL] {
        text(name, trace.upstream_protocol.unwrap_or_default());
    }
    if let Some(winner) = &trace.verdict.winner {
        text(SELECTED_DECISION, winner.name.as_str());
        let category = winner.matched_atoms.iter().map(|id| trace.atoms.atom(*id));
        if let Some(atom) = category.into_iter().find(|atom| atom.family == SignalFamily::Domain) {
            text(SELECTED_CATEGORY, &atom.name);
        }
        if level == RoutingHeaders::Full {
            text(SELECTED_CONFIDENCE, &format!("{:.4}", winner.confidence));
        }
    }
    if let Some(choice) = &trace.choice {
        text(SELECTED_MODEL, choice.model.as_str());
        text(SELECTED_ALGORITHM, choice.method);
        text(SELECTED_REASONING, if choice.reasoning.mode == ReasoningMode::On { "on" } else { "off" });
    }
    matched(trace, &mut text);
    if level == RoutingHeaders::Full {
        text(CONTEXT_TOKEN_COUNT, &trace.context_tokens.to_string());
    }
    text(SERVER_TIMING, &server_timing(trace));
}

/// One header per family with matches; atoms of a family stand together in the table.
fn matched(trace: &RouteTrace, text: &mut impl FnMut(HeaderName, &str)) {
    let mut lists: [String; SignalFamily::COUNT] = Default::default();
    for id in trace.evidence.matched().iter() {
        let atom = trace.atoms.atom(id);
        let list = &mut lists[atom.family.index()];
        if list.len() + atom.name.len() < MAX_LIST_BYTES {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&atom.name);
        }
    }
    for (name, list) in MATCHED.iter().zip(&lists) {
        text(name.clone(), list);
    }
}

/// The value of `Server-Timing`: every stage in milliseconds.
fn server_timing(trace: &RouteTrace) -> String {
    let mut value = String::with_capacity(160);
    for stage in Stage::ALL {
        let time = trace.stages.get(stage);
        if !time.is_zero() {
            let separator = if value.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let micros = time.as_micros();
            let _ = write!(value, "{separator}{};dur={}.{:03}", stage.as_str(), micros / 1000, micros % 1000);
        }
    }
    value
}

/// A header value; characters that no header can hold are percent-encoded.
fn header_text(value: &str) -> Option<HeaderValue> {
    if value.is_empty() {
        return None;
    }
    if value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return HeaderValue::from_str(value).ok();
    }
    let mut encoded = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            encoded.push(byte as char);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    HeaderValue::from_str(&encoded).ok()
}
