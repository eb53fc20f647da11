//! Cuts a long text into overlapping windows that a model takes whole, without tokenising more than it must.

use std::ops::Range;
use std::time::Instant;

use crate::error::Error;
use crate::model::Model;
use crate::text::{floor, head, tail};

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
    /// When cutting is given up.
    pub deadline: Option<Instant>,
}

/// The windows of a text, from its beginning or at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// The bytes of each window, in the order of the text.
    pub ranges: Vec<Range<usize>>,
    /// How many tokens of each window are in no window before it.
    pub fresh: Vec<usize>,
    /// Tokens of all windows, without special ones.
    pub tokens: usize,
    /// How many bytes of the text, from its beginning or up to its end, are in a window.
    pub covered: usize,
}

/// Tokens of a window and of what it shares with its neighbour.
#[derive(Clone, Copy)]
struct Shape {
    room: usize,
    overlap: usize,
}

impl Windows {
    /// Tokens that are in a window, each counted once.
    pub fn distinct(&self) -> usize {
        self.fresh.iter().sum()
    }
}

impl WindowPlan {
    /// How many tokens the next window may have; none if there shall be no other.
    fn next(self, shape: Shape, done: &Windows) -> Result<Option<usize>, Error> {
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(Error::Overloaded("the deadline passed while the text was cut"));
        }
        let left = self.budget.saturating_sub(done.tokens);
        // What would show nothing that the window before has not is not worth a pass.
        let is_over = left == 0 || (!done.ranges.is_empty() && left <= shape.overlap);
        Ok((!is_over).then(|| shape.room.min(left)))
    }
}

impl Model {
    /// Cuts `text` by `plan`. The last window ends at the text's end or where the budget does; nothing behind that is
    /// tokenised.
    ///
    /// # Errors
    /// If the text cannot be tokenised, or not by the deadline.
    pub fn windows(&self, text: &str, plan: WindowPlan) -> Result<Windows, Error> {
        let shape = self.shape(plan);
        let mut windows = Windows::default();
        let mut start = 0;
        while windows.covered < text.len()
            && let Some(size) = plan.next(shape, &windows)?
        {
            let shared = if windows.ranges.is_empty() { 0 } else { shape.overlap };
            let tokens = self.fill(&text[start..], size)?;
            let Some(last) = tokens.get(size).and(tokens.get(size - 1)) else {
                let size = tokens.len().min(size);
                windows.push(start..text.len(), size, shared);
                windows.covered = text.len();
                break;
            };
            windows.push(start..start + last.end, size, shared);
            windows.covered = start + last.end;
            let next = tokens.get(size - shape.overlap).map_or(last.end, |token| token.start.min(last.end));
            start += if next > 0 { next } else { last.end.max(1) };
            start = (start..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
        }
        Ok(windows)
    }

    /// Cuts `text` by `plan` from its end: the last window ends with the text, and the first begins with it or where the
    /// budget is spent; nothing before that is tokenised. How much is read does not change where windows are.
    ///
    /// # Errors
    /// If the text cannot be tokenised, or not by the deadline.
    pub fn last_windows(&self, text: &str, plan: WindowPlan) -> Result<Windows, Error> {
        let shape = self.shape(plan);
        let mut windows = Windows::default();
        let mut end = text.len();
        while windows.covered < text.len()
            && let Some(size) = plan.next(shape, &windows)?
        {
            let shared = if windows.ranges.is_empty() { 0 } else { shape.overlap };
            let (offset, tokens) = self.fill_back(&text[..end], size)?;
            // A window that begins within a word may have more tokens than the same words had in their place.
            let first = tokens.len().saturating_sub(size);
            let is_word = |token: &Range<usize>| {
                let (before, rest) = text.split_at(floor(text, offset + token.start));
                before.ends_with(char::is_whitespace) || rest.starts_with(char::is_whitespace)
            };
            let near = tokens.iter().enumerate().skip(first).take(size / 2);
            let word = near.filter(|(_, token)| is_word(token)).map(|(index, _)| index).next();
            let from = if first > 0 { word.unwrap_or(first) } else { 0 };
            let start = if from > 0 { offset + tokens[from].start } else { offset };
            let start = self.within(text, floor(text, start)..end, shape)?;
            if start >= end {
                break;
            }
            windows.push(start..end, tokens.len() - from, shared);
            windows.covered = text.len() - start;
            // The window before shares the first tokens of this one.
            let last_shared =
                tokens.get((from + shape.overlap).saturating_sub(1)).filter(|_| shape.overlap > 0);
            let next = last_shared.map_or(start, |token| offset + token.end).max(start);
            end = if next < end { next } else { start };
            end = floor(text, end);
        }
        windows.ranges.reverse();
        windows.fresh.reverse();
        Ok(windows)
    }

    /// Where a window that ends there begins, so that it has room: a word cut in two may be of more tokens than before.
    fn within(&self, text: &str, range: Range<usize>, shape: Shape) -> Result<usize, Error> {
        let Range { mut start, end } = range;
        loop {
            let tokens = self.tokenizer().all_ranges(&text[start..end])?;
            let surplus = tokens.len().saturating_sub(shape.room + MARGIN);
            let Some(token) = tokens.get(surplus).filter(|_| surplus > 0) else { return Ok(start) };
            let next = (start + token.start..end).find(|at| *at > start && text.is_char_boundary(*at));
            start = next.unwrap_or(end);
        }
    }

    fn shape(&self, plan: WindowPlan) -> Shape {
        let tokenizer = self.tokenizer();
        let outside = tokenizer.outside();
        let room = tokenizer.room().min(plan.tokens.saturating_sub(outside)).saturating_sub(MARGIN).max(1);
        Shape { room, overlap: plan.overlap.min(room.saturating_sub(1) / 2) }
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

    /// Where the end of `rest` begins, and its tokens: more than `size`, or all there are within reason.
    fn fill_back(&self, rest: &str, size: usize) -> Result<(usize, Vec<Range<usize>>), Error> {
        let mut bytes = (size + 1) * BYTES_PER_TOKEN;
        loop {
            let part = tail(rest, bytes);
            let tokens = self.tokenizer().all_ranges(part)?;
            let is_enough = part.len() == rest.len() || tokens.len() > size;
            if is_enough || bytes >= size * MOST_BYTES_PER_TOKEN {
                return Ok((rest.len() - part.len(), tokens));
            }
            bytes *= 4;
        }
    }
}

impl Windows {
    fn push(&mut self, bytes: Range<usize>, tokens: usize, shared: usize) {
        self.ranges.push(bytes);
        self.fresh.push(tokens.saturating_sub(shared));
        self.tokens += tokens;
    }
}
