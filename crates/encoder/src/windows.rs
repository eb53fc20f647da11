//! Cuts a long text into overlapping windows that a model takes whole, without tokenising more than it must.

use std::ops::Range;

use crate::error::Error;
use crate::model::Model;
use crate::text::head;

/// Bytes per token that are tokenised at first, and at most, to fill a window.
const BYTES_PER_TOKEN: usize = 5;
const MOST_BYTES_PER_TOKEN: usize = 80;
/// A text cut out may tokenise to a few tokens more than it did in its place.
const MARGIN: usize = 2;

/// How a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowPlan {
    /// Tokens of a window, special ones included; at most what the model takes.
    pub tokens: usize,
    /// Tokens that neighbouring windows share; less than half of a window.
    pub overlap: usize,
    /// Tokens of all windows together, overlaps counted each time.
    pub budget: usize,
}

/// The windows of a text, from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// The bytes of each window.
    pub ranges: Vec<Range<usize>>,
    /// Tokens of all windows, without special ones.
    pub tokens: usize,
    /// How many bytes of the text, from its beginning, are in a window.
    pub covered: usize,
}

impl Model {
    /// Cuts `text` by `plan`. The last window ends at the text's end or where the budget does; nothing behind that is
    /// tokenised.
    ///
    /// # Errors
    /// If the text cannot be tokenised.
    pub fn windows(&self, text: &str, plan: WindowPlan) -> Result<Windows, Error> {
        let tokenizer = self.tokenizer();
        let outside = tokenizer.outside();
        let room = tokenizer.room().min(plan.tokens.saturating_sub(outside)).saturating_sub(MARGIN).max(1);
        let overlap = plan.overlap.min(room.saturating_sub(1) / 2);
        let mut windows = Windows::default();
        let mut start = 0;
        while windows.covered < text.len() {
            let left = plan.budget.saturating_sub(windows.tokens);
            // What would show nothing that the window before has not is not worth a pass.
            if left == 0 || (!windows.ranges.is_empty() && left <= overlap) {
                break;
            }
            let size = room.min(left);
            let rest = &text[start..];
            let tokens = self.fill(rest, size)?;
            let Some(last) = tokens.get(size).and(tokens.get(size - 1)) else {
                windows.tokens += tokens.len().min(size);
                windows.ranges.push(start..text.len());
                windows.covered = text.len();
                break;
            };
            windows.ranges.push(start..start + last.end);
            windows.tokens += size;
            windows.covered = start + last.end;
            let next = tokens.get(size - overlap).map_or(last.end, |token| token.start.min(last.end));
            start += if next > 0 { next } else { last.end.max(1) };
            start = (start..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
        }
        Ok(windows)
    }

    /// Tokens of the beginning of `rest`: more than `size`, or all there are within reason.
    fn fill(&self, rest: &str, size: usize) -> Result<Vec<Range<usize>>, Error> {
        let mut bytes = (size + 1) * BYTES_PER_TOKEN;
        loop {
            let part = head(rest, bytes);
            let mut tokens = self.tokenizer().ranges(part)?;
            if part.len() == rest.len() || tokens.len() > size {
                return Ok(tokens);
            }
            if bytes >= size * MOST_BYTES_PER_TOKEN {
                // Hardly any tokens in very much text: the window ends here, as if one more token began.
                tokens.resize(size, part.len()..part.len());
                tokens.push(part.len()..part.len());
                return Ok(tokens);
            }
            bytes *= 4;
        }
    }
}
