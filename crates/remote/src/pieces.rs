//! How texts are cut for a model whose window is not known, and which of the pieces it is shown.

use std::{borrow::Cow, ops::Range};

use vsr_signals::{Share, TextNeed};

/// The bytes of a piece: some 3,000 tokens of English, which every guardrail in use can read.
const PIECE_BYTES: usize = 12 * 1024;
/// The bytes that two pieces share, so that what is said at a cut is read whole.
const SHARED_BYTES: usize = 512;
/// What stands for the middle of a text that is shown by its ends.
const GAP: &str = "\n[…]\n";

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it is.
    pub(crate) range: Range<usize>,
    /// How many of its bytes no earlier piece that is shown has.
    pub(crate) new: usize,
}

/// The pieces that are shown of each of `texts`, at most `most` together. They are chosen as the windows are that the
/// router's own models read: every share has room of its own, of which a text gets at first at most half of what is left;
/// what nobody of the share needs then goes to the others, and of texts that do not fit both ends are shown.
pub(crate) fn chosen(texts: &[&TextNeed], most: usize) -> Vec<Vec<Piece>> {
    let cut: Vec<Vec<Range<usize>>> = texts.iter().map(|need| overlapping(&need.text)).collect();
    let mut shown: Vec<usize> = vec![0; texts.len()];
    let mut more = |index: usize, most: usize| {
        let more = most.min(cut[index].len() - shown[index]);
        shown[index] += more;
        more
    };
    let mut left = most;
    for share in Share::ALL {
        let of_share = || (0..texts.len()).filter(|index| texts[*index].share == share);
        let mut room = share.of(most);
        left -= room;
        of_share().for_each(|index| room -= more(index, room.div_ceil(2)));
        of_share().for_each(|index| room -= more(index, room));
        left += room;
    }
    (0..texts.len()).for_each(|index| left -= more(index, left));
    cut.into_iter().zip(shown).map(|(ranges, shown)| both_ends(ranges, shown)).collect()
}

/// So many of the pieces, half of them from the end.
fn both_ends(mut ranges: Vec<Range<usize>>, shown: usize) -> Vec<Piece> {
    let dropped = ranges.len() - shown;
    let head = shown.div_ceil(2);
    ranges.drain(head..head + dropped);
    let mut covered = 0;
    let piece = |range: Range<usize>| {
        let new = range.end - range.start.max(covered);
        covered = range.end;
        Piece { range, new }
    };
    ranges.into_iter().map(piece).collect()
}

/// Overlapping pieces that cover the text, in order; the last one is as long as the others.
fn overlapping(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    loop {
        let end = floor(text, start + PIECE_BYTES);
        if end == text.len() {
            ranges.push(floor(text, end.saturating_sub(PIECE_BYTES))..end);
            return ranges;
        }
        ranges.push(start..end);
        start = floor(text, end - SHARED_BYTES);
    }
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
