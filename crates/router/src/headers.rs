//! The routing told in response headers: one reader of the trace.

use std::ops::Range;

use bytes::Bytes;
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
    SUBSTITUTED_FOR = "x-vsr-substituted-for";
    SERVER_TIMING = "server-timing";
    RESPONSE_PATH = "x-vsr-response-path";
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponsePath {
    /// A backend, whatever it said.
    Upstream,
    /// A decision that answers by itself.
    FastResponse,
    /// The router, which could not get an answer or did not want one.
    Error,
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

/// Header values written one after the other: they share one allocation.
struct Page {
    text: Vec<u8>,
    values: Vec<(HeaderName, Range<usize>)>,
}

/// Calls `add` with each header that `level` tells of any answer to a request that was read, errors included: what
/// both sides speak, and where the answer comes from.
pub fn protocol_headers(
    trace: &RouteTrace,
    path: ResponsePath,
    level: RoutingHeaders,
    mut add: impl FnMut(HeaderName, HeaderValue),
) {
    if level == RoutingHeaders::Off {
        return;
    }
    for name in [INBOUND_PROTOCOL, CLIENT_PROTOCOL] {
        add(name, HeaderValue::from_static(trace.client_protocol));
    }
    if let Some(protocol) = trace.upstream_protocol {
        for name in [OUTBOUND_PROTOCOL, UPSTREAM_PROTOCOL] {
            add(name, HeaderValue::from_static(protocol));
        }
    }
    let path = match path {
        ResponsePath::Upstream => "upstream",
        ResponsePath::FastResponse => "fast_response",
        ResponsePath::Error => "error",
    };
    add(RESPONSE_PATH, HeaderValue::from_static(path));
}

/// Calls `add` with each header that `level` tells of a successful, routed answer, beside [`protocol_headers`]. Empty
/// values are never sent.
pub fn response_headers(
    trace: &RouteTrace,
    level: RoutingHeaders,
    mut add: impl FnMut(HeaderName, HeaderValue),
) {
    if level == RoutingHeaders::Off {
        return;
    }
    let mut page = Page::default();
    if let Some(winner) = &trace.verdict.winner {
        page.put(SELECTED_DECISION, winner.name.as_str());
        let category = winner.matched_atoms.iter().map(|id| trace.atoms.atom(*id));
        if let Some(atom) = category.into_iter().find(|atom| atom.family == SignalFamily::Domain) {
            page.put(SELECTED_CATEGORY, &atom.name);
        }
        if level == RoutingHeaders::Full {
            let start = page.text.len();
            page.push_decimal((winner.confidence * 10_000.0).round() as u128, 4);
            page.close(SELECTED_CONFIDENCE, start);
        }
    }
    if let Some(choice) = &trace.choice {
        page.put(SELECTED_MODEL, choice.model.as_str());
        add(SELECTED_ALGORITHM, HeaderValue::from_static(choice.method));
        let is_reasoning = choice.reasoning.mode == ReasoningMode::On;
        add(SELECTED_REASONING, HeaderValue::from_static(if is_reasoning { "on" } else { "off" }));
    }
    page.put_matched(trace);
    if level == RoutingHeaders::Full {
        page.put(CONTEXT_TOKEN_COUNT, &trace.context_tokens.to_string());
        let start = page.text.len();
        trace.substituted_for.iter().for_each(|name| page.push_name(name, start));
        page.close(SUBSTITUTED_FOR, start);
    }
    page.put_timing(trace);
    page.hand_over(add);
}

// === impl Page

impl Page {
    fn put(&mut self, name: HeaderName, value: &str) {
        let start = self.text.len();
        self.push(value);
        self.close(name, start);
    }

    /// One header per family with matches; atoms of a family stand together in the table.
    fn put_matched(&mut self, trace: &RouteTrace) {
        let (mut family, mut start) = (None, self.text.len());
        for id in trace.evidence.matched().iter() {
            let atom = trace.atoms.atom(id);
            if let Some(before) = family.replace(atom.family)
                && before != atom.family
            {
                self.close(MATCHED[before.index()].clone(), start);
                start = self.text.len();
            }
            self.push_name(&atom.name, start);
        }
        if let Some(family) = family {
            self.close(MATCHED[family.index()].clone(), start);
        }
    }

    /// The value of `Server-Timing`: every stage in milliseconds.
    fn put_timing(&mut self, trace: &RouteTrace) {
        let start = self.text.len();
        for stage in Stage::ALL {
            let time = trace.stages.get(stage);
            if !time.is_zero() {
                let separator = if self.text.len() == start { "" } else { ", " };
                for part in [separator, stage.as_str(), ";dur="] {
                    self.text.extend_from_slice(part.as_bytes());
                }
                self.push_decimal(time.as_micros(), 3);
            }
        }
        self.close(SERVER_TIMING, start);
    }

    /// Appends a name to the list that begins at `start`, if there is room.
    fn push_name(&mut self, name: &str, start: usize) {
        let written = self.text.len() - start;
        if written + name.len() < MAX_LIST_BYTES {
            if written > 0 {
                self.text.push(b',');
            }
            self.push(name);
        }
    }

    /// Appends `number`, of which the last `places` digits stand behind the point.
    fn push_decimal(&mut self, number: u128, places: usize) {
        let mut digits = [0; 40];
        let (mut at, mut rest) = (digits.len(), number);
        while rest > 0 || digits.len() - at <= places {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let (whole, fraction) = digits[at..].split_at(digits.len() - at - places);
        self.text.extend_from_slice(whole);
        self.text.push(b'.');
        self.text.extend_from_slice(fraction);
    }

    /// Appends text; characters that no header can hold are percent-encoded.
    fn push(&mut self, value: &str) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let is_plain = |byte: u8| (0x20..0x7f).contains(&byte);
        if value.bytes().all(is_plain) {
            self.text.extend_from_slice(value.as_bytes());
            return;
        }
        for byte in value.bytes() {
            if is_plain(byte) && byte != b'%' {
                self.text.push(byte);
            } else {
                let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                self.text.extend_from_slice(&[b'%', high, low]);
            }
        }
    }

    /// What was written since `start` is the value of the header.
    fn close(&mut self, name: HeaderName, start: usize) {
        if self.text.len() > start {
            self.values.push((name, start..self.text.len()));
        }
    }

    fn hand_over(self, mut add: impl FnMut(HeaderName, HeaderValue)) {
        let text = Bytes::from(self.text);
        for (name, range) in self.values {
            if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(range)) {
                add(name, value);
            }
        }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { text: Vec::with_capacity(768), values: Vec::with_capacity(16) }
    }
}
