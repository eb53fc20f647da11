//! How a text is cut for a model whose window is not known.

use std::{borrow::Cow, ops::Range};

/// The bytes of a piece: some 3,000 tokens of English, which every guardrail in use can read.
const PIECE_BYTES: usize = 12 * 1024;
/// The bytes that two pieces share, so that what is said at a cut is read whole.
const SHARED_BYTES: usize = 512;
/// What stands for the middle of a text that is shown by its ends.
const GAP: &str = "\n[…]\n";

/// Overlapping pieces that cover the text, in order, each with how many bytes no earlier one has.
pub(crate) fn overlapping(text: &str) -> impl Iterator<Item = (Range<usize>, usize)> {
    let mut next = Some(0);
    let mut covered = 0;
    std::iter::from_fn(move || {
        let start = next?;
        let end = floor(text, start + PIECE_BYTES);
        next = (end < text.len()).then(|| floor(text, end - SHARED_BYTES));
        let new = end - covered;
        covered = end;
        Some((start..end, new))
    })
}

/// The text, or its beginning and its end where it is long: enough to tell what it is about.
pub(crate) fn ends(text: &str) -> Cow<'_, str> {
    if text.len() <= PIECE_BYTES {
        return Cow::Borrowed(text);
    }
    let half = (PIECE_BYTES - GAP.len()) / 2;
    Cow::Owned(format!("{}{GAP}{}", &text[..floor(text, half)], &text[floor(text, text.len() - half)..]))
}

/// `at` or the character boundary before it.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
