//! Text to tokens: cut by bytes before it is tokenised, with byte offsets into the original.

use std::ops::Range;

use serde::Deserialize;
use tokenizers::{
    DecoderWrapper, EncodeInput, Encoding, Model, NormalizerWrapper, PostProcessor, PostProcessorWrapper,
    PreTokenizerWrapper, Tokenizer, TokenizerImpl, TruncationParams,
};

use crate::error::Error;
use crate::unigram::Unigram;

/// Bytes per token that are tokenised at first; more only if these did not fill the model.
const BYTES_PER_TOKEN: usize = 5;

type Pipeline<M> =
    TokenizerImpl<M, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// The library's pipeline, over its own models or over our unigram.
#[derive(Debug)]
enum Inner {
    Library(Box<Tokenizer>),
    Compact(Box<Pipeline<Unigram>>),
}

/// What tells which of them to use.
#[derive(Deserialize)]
struct Peek {
    model: PeekModel,
}

#[derive(Deserialize)]
struct PeekModel {
    #[serde(rename = "type")]
    kind: Option<String>,
    byte_fallback: Option<bool>,
}

impl Inner {
    /// Reads a `tokenizer.json`; special tokens that it adds to a text are counted beside.
    fn read(json: &[u8], max_tokens: usize) -> Result<(Self, usize), tokenizers::Error> {
        let Peek { model } = serde_json::from_slice(json)?;
        if model.kind.as_deref() == Some("Unigram") && model.byte_fallback != Some(true) {
            let mut pipeline: Pipeline<Unigram> = serde_json::from_slice(json)?;
            let special = limit(&mut pipeline, max_tokens)?;
            return Ok((Self::Compact(Box::new(pipeline)), special));
        }
        let mut tokenizer: Tokenizer = serde_json::from_slice(json)?;
        let special = limit(&mut tokenizer, max_tokens)?;
        Ok((Self::Library(Box::new(tokenizer)), special))
    }

    fn encode<'s>(&self, input: impl Into<EncodeInput<'s>>, special: bool) -> tokenizers::Result<Encoding> {
        match self {
            Self::Library(tokenizer) => tokenizer.encode(input, special),
            Self::Compact(pipeline) => pipeline.encode(input, special),
        }
    }
}

/// Makes a pipeline cut at `max_tokens`; how many special tokens it adds to a text.
fn limit<M: Model>(pipeline: &mut Pipeline<M>, max_tokens: usize) -> Result<usize, tokenizers::Error> {
    let truncation = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
    pipeline.with_truncation(Some(truncation))?.with_padding(None);
    Ok(pipeline.get_post_processor().map_or(0, |processor| processor.added_tokens(false)))
}

/// A model's tokenizer.
#[derive(Debug)]
pub(crate) struct TextTokenizer {
    inner: Inner,
    prefix: String,
    max_tokens: usize,
    outside: usize,
}

/// A text as the model sees it.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) ids: Vec<u32>,
    pub(crate) types: Vec<u32>,
    /// Where each token lies in the text; empty for special tokens and those of the prefix.
    pub(crate) ranges: Vec<Range<usize>>,
    /// How many bytes of the text the tokens cover.
    pub(crate) covered: usize,
}

impl TextTokenizer {
    /// The tokenizer of a `tokenizer.json`, for sequences of at most `max_tokens`, with `prefix` before every text.
    pub(crate) fn load(json: &[u8], prefix: &str, max_tokens: usize) -> Result<Self, Error> {
        let wrong = |e: tokenizers::Error| Error::format("the tokenizer", e);
        let (inner, special) = Inner::read(json, max_tokens).map_err(wrong)?;
        let prefix = prefix.to_owned();
        let outside = special + inner.encode(prefix.as_str(), false).map_err(wrong)?.len();
        if max_tokens < outside + 2 {
            return Err(Error::format(
                "the tokenizer",
                format!("{max_tokens} tokens leave no room for text"),
            ));
        }
        Ok(Self { inner, prefix, max_tokens, outside })
    }

    /// Tokens of a sequence that are not the text's own: special ones and the prefix.
    pub(crate) fn outside(&self) -> usize {
        self.outside
    }

    /// As much of `text` as the model takes, with special tokens.
    pub(crate) fn encode(&self, text: &str) -> Result<Tokens, Error> {
        let mut budget = self.max_tokens * BYTES_PER_TOKEN;
        loop {
            let part = head(text, budget);
            let whole = part.len() == text.len();
            let encoding = self.tokenise(part, true)?;
            let full = !encoding.get_overflowing().is_empty() || encoding.len() >= self.max_tokens;
            if !whole && !full && budget < self.max_tokens * BYTES_PER_TOKEN * 16 {
                budget *= 4;
                continue;
            }
            return Ok(self.tokens(&encoding, part.len()));
        }
    }

    /// Two texts as one sequence, the longer cut first.
    pub(crate) fn encode_pair(&self, first: &str, second: &str) -> Result<Tokens, Error> {
        let budget = self.max_tokens * BYTES_PER_TOKEN * 4;
        let (first, second) = (head(first, budget), head(second, budget));
        let encoding = self.inner.encode((first, second), true).map_err(failed)?;
        Ok(self.tokens(&encoding, first.len() + second.len()))
    }

    fn tokenise(&self, part: &str, special: bool) -> Result<Encoding, Error> {
        if self.prefix.is_empty() {
            return self.inner.encode(part, special).map_err(failed);
        }
        self.inner.encode(format!("{}{part}", self.prefix), special).map_err(failed)
    }

    fn tokens(&self, encoding: &Encoding, length: usize) -> Tokens {
        let prefix = self.prefix.len();
        let special = encoding.get_special_tokens_mask();
        let ranges: Vec<Range<usize>> = encoding
            .get_offsets()
            .iter()
            .zip(special)
            .map(|(&(start, end), &special)| match special {
                0 => start.saturating_sub(prefix)..end.saturating_sub(prefix),
                _ => 0..0,
            })
            .collect();
        let cut = !encoding.get_overflowing().is_empty();
        let covered = if cut { ranges.iter().map(|r| r.end).max().unwrap_or(0) } else { length };
        Tokens { ids: encoding.get_ids().to_vec(), types: encoding.get_type_ids().to_vec(), ranges, covered }
    }

    /// Where the first tokens of `text` lie, at most what fits the model, without special ones.
    pub(crate) fn ranges(&self, text: &str) -> Result<Vec<Range<usize>>, Error> {
        let encoding = self.inner.encode(text, false).map_err(failed)?;
        Ok(encoding.get_offsets().iter().map(|&(start, end)| start..end).collect())
    }

    /// Where all tokens of `text` lie, however many, without special ones.
    pub(crate) fn all_ranges(&self, text: &str) -> Result<Vec<Range<usize>>, Error> {
        let encoding = self.inner.encode(text, false).map_err(failed)?;
        let parts = std::iter::once(&encoding).chain(encoding.get_overflowing());
        Ok(parts.flat_map(|part| part.get_offsets()).map(|&(start, end)| start..end).collect())
    }

    /// The most tokens of text in one sequence.
    pub(crate) fn room(&self) -> usize {
        self.max_tokens.saturating_sub(self.outside)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn failed(error: tokenizers::Error) -> Error {
    Error::Failed(format!("the text could not be tokenised: {error}"))
}

/// At most the first `bytes` of `text`, cut at white space if there is any near the end, else between characters.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = floor(text, bytes);
    let tail = floor(text, end.saturating_sub(128));
    let space = text[tail..end].rfind(char::is_whitespace).map(|at| tail + at).filter(|at| *at > 0);
    &text[..space.unwrap_or(end)]
}

/// At most the last `bytes` of `text`, cut at white space if there is any near the beginning, else between characters.
pub(crate) fn tail(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let start = floor(text, text.len() - bytes);
    let near = floor(text, (start + 128).min(text.len()));
    let space = text[start..near].find(char::is_whitespace).map(|at| start + at);
    &text[space.filter(|at| *at + 1 < text.len()).unwrap_or(start)..]
}

/// The last place between characters that is not behind `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}
