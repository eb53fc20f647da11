//! Reading the scalars of a client's document: those that are wrong are kept in mind, the first of
//! them for the client.
//!
//! A backend of the client's own protocol judges them itself, by a dialect that may be wider. Where
//! the request is translated nobody would, so that it is refused instead.

use std::borrow::Cow;
use std::cell::RefCell;

use bytestring::ByteString;

use crate::error::RequestError;
use crate::fields::wrong_type;
use crate::json::{Kind, Value};

/// How much a model may be told to think.
pub(crate) const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// Beyond 2⁵³ not every reader sees the number that was meant.
const MOST: u64 = 1 << 53;

/// Reads scalars. Null is always as good as absent.
pub(crate) struct Scalars<'d> {
    text: &'d ByteString,
    problem: RefCell<Option<RequestError>>,
}

// === impl Scalars

impl<'d> Scalars<'d> {
    /// For a document whose text is `text`.
    pub(crate) fn new(text: &'d ByteString) -> Self {
        Self { text, problem: RefCell::default() }
    }

    /// The first problem.
    pub(crate) fn into_problem(self) -> Option<RequestError> {
        self.problem.into_inner()
    }

    /// Keeps a problem in mind, unless there is one already.
    pub(crate) fn refuse(&self, error: RequestError) {
        self.problem.borrow_mut().get_or_insert(error);
    }

    pub(crate) fn text(&self, value: Value<'d>, param: &str) -> Option<ByteString> {
        let read = value.as_str().map(|text| match text {
            Cow::Borrowed(slice) => self.text.slice_ref(slice),
            Cow::Owned(unescaped) => ByteString::from(unescaped),
        });
        self.checked(read, value, param, "a string")
    }

    /// A list of strings.
    pub(crate) fn texts(&self, value: Value<'d>, param: &str) -> Vec<ByteString> {
        if value.kind() != Kind::Array {
            self.checked(None::<()>, value, param, "an array of strings");
        }
        let item = |(index, item): (usize, Value<'d>)| {
            let param = format!("{param}[{index}]");
            if item.is_null() {
                self.refuse(wrong_type(item, &param, "a string"));
            }
            self.text(item, &param)
        };
        value.items().enumerate().filter_map(item).collect()
    }

    /// One of `words`.
    pub(crate) fn word(&self, value: Value<'d>, param: &str, words: &[&str]) -> Option<ByteString> {
        let word = self.text(value, param)?;
        if words.contains(&&*word) {
            return Some(word);
        }
        self.refuse(RequestError::field(param, format!("must be one of {}, not `{word}`", words.join(", "))));
        None
    }

    pub(crate) fn flag(&self, value: Value<'d>, param: &str) -> Option<bool> {
        self.checked(value.as_bool(), value, param, "a boolean")
    }

    pub(crate) fn object(&self, value: Value<'d>, param: &str) -> Option<Value<'d>> {
        self.checked((value.kind() == Kind::Object).then_some(value), value, param, "an object")
    }

    /// A whole number of at least `least`.
    pub(crate) fn count(&self, value: Value<'d>, param: &str, least: u64) -> Option<u64> {
        self.count_within(value, param, least, u64::MAX)
    }

    /// A whole number from `least` to `most`, which may be written as `12.0`.
    pub(crate) fn count_within(&self, value: Value<'d>, param: &str, least: u64, most: u64) -> Option<u64> {
        if value.kind() != Kind::Number {
            return self.checked(None, value, param, "a whole number");
        }
        let whole =
            || value.raw().parse::<f64>().ok().filter(|number| number.fract() == 0.0 && *number >= 0.0);
        let count = value.as_u64().or_else(|| whole().map(|number| number as u64));
        let in_range = count.filter(|count| (least..=most.min(MOST)).contains(count));
        if in_range.is_none() {
            let range = if most == u64::MAX && count.is_none_or(|count| count < least) {
                format!("of at least {least}")
            } else {
                format!("from {least} to {}", most.min(MOST))
            };
            self.refuse(RequestError::field(
                param,
                format!("must be a whole number {range}, not {}", value.raw()),
            ));
        }
        in_range
    }

    /// A number from 0 to `most`, as written.
    pub(crate) fn number(&self, value: Value<'d>, param: &str, most: f64) -> Option<ByteString> {
        if value.kind() != Kind::Number {
            return self.checked(None, value, param, "a number");
        }
        if !value.raw().parse::<f64>().is_ok_and(|number| (0.0..=most).contains(&number)) {
            let problem = format!("must be a number from 0 to {most}, not {}", value.raw());
            self.refuse(RequestError::field(param, problem));
            return None;
        }
        Some(self.text.slice_ref(&self.text[value.span()]))
    }

    fn checked<T>(&self, read: Option<T>, value: Value<'d>, param: &str, expected: &str) -> Option<T> {
        if read.is_none() && !value.is_null() {
            self.refuse(wrong_type(value, param, expected));
        }
        read
    }
}
