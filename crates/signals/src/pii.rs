//! Personal data and credentials in a text: recognisers of fixed formats, and their merge with spans
//! that a model tagged.
//!
//! ```
//! use vsr_signals::pii::{PiiKind, recognise};
//!
//! let spans = recognise("pay 4111 1111 1111 1111 from ann@example.org");
//! assert_eq!(spans[0].kind, PiiKind::CreditCard);
//! assert_eq!(spans[0].bytes, 4..23);
//! assert_eq!(spans[1].kind, PiiKind::EmailAddress);
//! ```

mod bank_account;
mod bytes;
mod card;
mod email;
mod fold;
mod kind;
mod merge;
mod network;
mod phone;
mod secret;
mod secret_formats;
mod social_security;

use std::ops::Range;

use fold::Folded;

pub use bank_account::iban_holds;
pub use card::luhn_holds;
pub(crate) use kind::known_types;
pub use kind::{PiiKind, contract_type};
pub use merge::{Entity, merge};

/// What a recogniser found.
#[derive(Debug, Clone, PartialEq)]
pub struct PiiSpan {
    /// Where, in bytes of the text, on character boundaries.
    pub bytes: Range<usize>,
    /// What.
    pub kind: PiiKind,
    /// How sure, 0..=1: by format, check digits and context.
    pub probability: f64,
    /// Whether check digits or an unmistakable format prove it.
    pub verified: bool,
}

/// Everything of a known format in `text`, in order, without overlaps, whatever digits, hyphens and spaces it is written
/// with. Time is linear in the text.
pub fn recognise(text: &str) -> Vec<PiiSpan> {
    let Some(folded) = Folded::of(text) else { return find(text) };
    let mut spans = find(&folded.text);
    spans.iter_mut().for_each(|span| span.bytes = folded.original(span.bytes.clone()));
    spans
}

fn find(text: &str) -> Vec<PiiSpan> {
    let mut spans = Vec::new();
    secret::find(text, &mut spans);
    card::find(text, &mut spans);
    bank_account::find(text, &mut spans);
    social_security::find(text, &mut spans);
    email::find(text, &mut spans);
    network::find(text, &mut spans);
    phone::find(text, &mut spans);
    without_overlaps(spans)
}

/// Keeps, of spans that overlap, the more telling kind, then the longer, then the earlier.
fn without_overlaps(mut spans: Vec<PiiSpan>) -> Vec<PiiSpan> {
    spans.sort_by_key(|span| (span.bytes.start, span.bytes.end));
    let mut kept: Vec<PiiSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        let mut wins = true;
        while let Some(last) = kept.last().filter(|last| last.bytes.end > span.bytes.start) {
            if rank(last) >= rank(&span) {
                wins = false;
                break;
            }
            kept.pop();
        }
        if wins {
            kept.push(span);
        }
    }
    kept
}

fn rank(span: &PiiSpan) -> (u8, usize) {
    (span.kind.precedence(), span.bytes.len())
}
