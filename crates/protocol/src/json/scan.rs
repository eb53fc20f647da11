//! The scanner: one pass over the text, no recursion, a flat tape out.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::JsonLimits;
use super::error::{JsonError, Problem};
use super::text::{find_special, hex4, quote};
use super::value::{Kind, Value};

/// Objects with at most this many keys are checked for duplicates by comparing pairs, larger
/// ones by hashing.
const PAIRWISE_KEYS: usize = 16;

/// Keys in error messages are cut to this many characters.
const SHOWN_KEY_CHARS: usize = 64;

/// How strictly a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For what a client sends: anything that two readers could understand differently is refused.
    Strict,
    /// For what an upstream answers, which is not ours to refuse: duplicate keys (the last one
    /// counts) and lone surrogates pass.
    Tolerant,
}

/// The scanned form of a text: its values and keys in document order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    entries: Vec<Entry>,
    has_escaped_keys: bool,
}

/// A value or a key. A key is followed by its value, a container by its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    start: u32,
    end: u32,
    /// Index of the entry after this one and everything inside it.
    pub(super) next: u32,
    pub(super) kind: Kind,
    pub(super) is_key: bool,
    /// Whether a string or key holds escapes.
    pub(super) escaped: bool,
}

/// A container that is not closed yet.
struct Open {
    entry: usize,
    is_object: bool,
    /// The entry of the current key, for objects.
    key: usize,
    /// Members or items before the current one.
    count: usize,
}

/// What comes after a step of the scanner.
#[derive(PartialEq, Eq)]
enum Next {
    Value,
    AfterValue,
    End,
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    tape: &'t mut Tape,
    open: Vec<Open>,
    limits: &'t JsonLimits,
    mode: Mode,
}

// === impl Tape

impl Tape {
    /// Replaces the tape's content by the scan of `text`.
    pub(crate) fn scan(&mut self, text: &str, limits: &JsonLimits, mode: Mode) -> Result<(), JsonError> {
        self.entries.clear();
        self.entries.reserve((text.len() / 32).clamp(16, 4096));
        self.has_escaped_keys = false;
        let mut scanner =
            Scanner { text, bytes: text.as_bytes(), at: 0, tape: self, open: Vec::new(), limits, mode };
        scanner.document()
    }

    /// The outermost value of `text`, which must be the text that was scanned last, and scanned
    /// without error.
    pub(crate) fn root<'a>(&'a self, text: &'a str) -> Value<'a> {
        Value::new(text, &self.entries, 0)
    }

    pub(super) fn has_escaped_keys(&self) -> bool {
        self.has_escaped_keys
    }

    /// The keys that are written with escapes: their ranges, quotes included, and their names.
    pub(super) fn escaped_keys<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (Range<usize>, Cow<'a, str>)> {
        let keys = self.entries.iter().filter(|entry| entry.is_key && entry.escaped);
        keys.map(move |entry| (entry.span(), entry.content(text)))
    }
}

// === impl Entry

impl Entry {
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

// === impl Scanner

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), JsonError> {
        if self.bytes.len() >= u32::MAX as usize {
            return Err(self.fail(0, Problem::TooLarge));
        }
        if self.text.starts_with('\u{feff}') {
            return Err(self.fail(0, Problem::ByteOrderMark));
        }
        self.skip_whitespace();
        loop {
            if self.value()? == Next::AfterValue && self.after_value()? == Next::End {
                return Ok(());
            }
        }
    }

    /// Reads a scalar, an empty container, or the start of a container up to its first value.
    fn value(&mut self) -> Result<Next, JsonError> {
        const EXPECTED: &str = "a value";
        let start = self.at;
        match self.peek(EXPECTED)? {
            b'"' => {
                let escaped = self.string()?;
                self.push(start, Kind::String, escaped)?;
            }
            b'{' => {
                self.open(Kind::Object)?;
                if self.peek("a key or `}`")? != b'}' {
                    self.key()?;
                    return Ok(Next::Value);
                }
                self.close()?;
            }
            b'[' => {
                self.open(Kind::Array)?;
                if self.peek("a value or `]`")? != b']' {
                    return Ok(Next::Value);
                }
                self.close()?;
            }
            b't' => self.literal("true", Kind::Bool)?,
            b'f' => self.literal("false", Kind::Bool)?,
            b'n' => self.literal("null", Kind::Null)?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(self.fail(start, Problem::Expected(EXPECTED))),
        }
        Ok(Next::AfterValue)
    }

    /// Reads separators and closing brackets up to the next value or the end.
    fn after_value(&mut self) -> Result<Next, JsonError> {
        loop {
            self.skip_whitespace();
            let Some(innermost) = self.open.last_mut() else {
                if self.at < self.bytes.len() {
                    return Err(self.fail(self.at, Problem::TrailingContent));
                }
                return Ok(Next::End);
            };
            innermost.count += 1;
            let (is_object, closing, expected) = match innermost.is_object {
                true => (true, b'}', "`,` or `}`"),
                false => (false, b']', "`,` or `]`"),
            };
            let byte = self.peek(expected)?;
            if byte == closing {
                self.close()?;
                continue;
            }
            if byte != b',' {
                return Err(self.fail(self.at, Problem::Expected(expected)));
            }
            self.at += 1;
            self.skip_whitespace();
            if is_object {
                self.key()?;
            }
            return Ok(Next::Value);
        }
    }

    fn key(&mut self) -> Result<(), JsonError> {
        const EXPECTED: &str = "a key in double quotes";
        let start = self.at;
        if self.peek(EXPECTED)? != b'"' {
            return Err(self.fail(start, Problem::Expected(EXPECTED)));
        }
        let escaped = self.string()?;
        self.tape.has_escaped_keys |= escaped;
        let entry = self.tape.entries.len();
        self.push(start, Kind::String, escaped)?;
        self.tape.entries[entry].is_key = true;
        if let Some(innermost) = self.open.last_mut() {
            innermost.key = entry;
        }
        self.skip_whitespace();
        if self.peek("`:`")? != b':' {
            return Err(self.fail(self.at, Problem::Expected("`:`")));
        }
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    fn open(&mut self, kind: Kind) -> Result<(), JsonError> {
        if self.open.len() >= self.limits.max_depth {
            return Err(self.fail(self.at, Problem::TooDeep(self.limits.max_depth)));
        }
        let entry = self.tape.entries.len();
        self.at += 1;
        self.push(self.at - 1, kind, false)?;
        self.open.push(Open { entry, is_object: kind == Kind::Object, key: entry, count: 0 });
        self.skip_whitespace();
        Ok(())
    }

    fn close(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        if self.mode == Mode::Strict
            && let Some(innermost) = self.open.last()
            && innermost.is_object
            && innermost.count > 1
        {
            self.refuse_duplicate_keys()?;
        }
        if let Some(closed) = self.open.pop() {
            let next = self.tape.entries.len() as u32;
            let entry = &mut self.tape.entries[closed.entry];
            entry.end = self.at as u32;
            entry.next = next;
        }
        Ok(())
    }

    /// Scans the string that starts at the current position; says whether it holds escapes.
    fn string(&mut self) -> Result<bool, JsonError> {
        let mut at = self.at + 1;
        let mut escaped = false;
        loop {
            at = find_special(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape_length(at)?;
                    while self.bytes.get(at) == Some(&b'\\') {
                        at += self.escape_length(at)?;
                    }
                }
                Some(_) => return Err(self.fail(at, Problem::ControlCharacter)),
                None => return Err(self.fail(at, Problem::UnexpectedEnd("`\"`"))),
            }
        }
    }

    #[inline]
    fn escape_length(&self, at: usize) -> Result<usize, JsonError> {
        match self.bytes.get(at + 1) {
            Some(b'n' | b'"' | b'\\' | b't' | b'/' | b'r' | b'b' | b'f') => Ok(2),
            Some(b'u') => self.unicode_escape_length(at),
            _ => Err(self.fail(at, Problem::UnknownEscape)),
        }
    }

    fn unicode_escape_length(&self, at: usize) -> Result<usize, JsonError> {
        let unit = |at: usize| self.bytes.get(at..).and_then(hex4);
        let second = match unit(at + 2) {
            None => return Err(self.fail(at, Problem::UnknownEscape)),
            Some(0xD800..0xDC00) if self.bytes.get(at + 6..at + 8) == Some(b"\\u") => unit(at + 8),
            Some(0xD800..0xE000) => None,
            Some(_) => return Ok(6),
        };
        match second {
            Some(0xDC00..0xE000) => Ok(12),
            _ if self.mode == Mode::Tolerant => Ok(6),
            _ => Err(self.fail(at, Problem::LoneSurrogate)),
        }
    }

    fn literal(&mut self, literal: &'static str, kind: Kind) -> Result<(), JsonError> {
        let start = self.at;
        if !self.bytes[start..].starts_with(literal.as_bytes()) {
            return Err(self.fail(start, Problem::Expected("a value")));
        }
        self.at += literal.len();
        self.push(start, kind, false)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let integer_digits = self.digits();
        let mut well_formed = integer_digits == 1 || integer_digits > 1 && !leading_zero;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            well_formed &= self.digits() > 0;
        }
        let mut has_exponent = false;
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            has_exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            well_formed &= self.digits() > 0;
        }
        if !well_formed {
            return Err(self.fail(start, Problem::MalformedNumber));
        }
        // 308 digits without an exponent are below the largest double.
        if has_exponent || integer_digits > 308 {
            let is_finite = self.text[start..self.at].parse::<f64>().is_ok_and(f64::is_finite);
            if !is_finite {
                return Err(self.fail(start, Problem::NumberOutOfRange));
            }
        }
        self.push(start, Kind::Number, false)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self, expected: &'static str) -> Result<u8, JsonError> {
        match self.bytes.get(self.at) {
            Some(&byte) => Ok(byte),
            None => Err(self.fail(self.at, Problem::UnexpectedEnd(expected))),
        }
    }

    /// Appends the entry from `start` to the current position.
    #[inline]
    fn push(&mut self, start: usize, kind: Kind, escaped: bool) -> Result<(), JsonError> {
        let entries = &mut self.tape.entries;
        if entries.len() >= self.limits.max_values {
            return Err(self.fail(start, Problem::TooManyValues(self.limits.max_values)));
        }
        let next = entries.len() as u32 + 1;
        let (start, end) = (start as u32, self.at as u32);
        entries.push(Entry { start, end, next, kind, is_key: false, escaped });
        Ok(())
    }

    /// Checks the keys of the innermost object, which has just been read to its end.
    fn refuse_duplicate_keys(&mut self) -> Result<(), JsonError> {
        let Some(innermost) = self.open.last() else { return Ok(()) };
        let first = innermost.entry + 1;
        let keys = Keys { entries: &self.tape.entries, at: first };
        let duplicate = match innermost.count {
            0..=PAIRWISE_KEYS => first_duplicate_by_pairs(keys, self.text),
            count => first_duplicate_by_hash(keys, self.text, count),
        };
        let Some(key) = duplicate else { return Ok(()) };
        let entry = self.tape.entries[key];
        let name = shorten(&entry.content(self.text));
        if let Some(innermost) = self.open.last_mut() {
            innermost.key = key;
        }
        Err(self.fail(entry.span().start, Problem::DuplicateKey(quote(&name))))
    }

    #[cold]
    fn fail(&self, offset: usize, problem: Problem) -> JsonError {
        let mut pointer = String::new();
        for open in &self.open {
            pointer.push('/');
            if open.is_object {
                if open.key == open.entry {
                    pointer.pop();
                    continue;
                }
                let key = self.tape.entries[open.key].content(self.text);
                pointer.push_str(&shorten(&key).replace('~', "~0").replace('/', "~1"));
            } else {
                pointer.push_str(&open.count.to_string());
            }
        }
        JsonError { offset, pointer, problem }
    }
}

/// The entries of an object's keys, in order.
#[derive(Clone)]
struct Keys<'a> {
    entries: &'a [Entry],
    at: usize,
}

impl Iterator for Keys<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let key = self.at;
        // The object is the last thing on the tape, so its content ends where the tape ends.
        let value = self.entries.get(key + 1)?;
        self.at = value.next as usize;
        Some(key)
    }
}

fn first_duplicate_by_pairs(keys: Keys<'_>, text: &str) -> Option<usize> {
    if keys.clone().any(|key| keys.entries[key].escaped) {
        return first_duplicate_by_hash(keys, text, PAIRWISE_KEYS);
    }
    let mut seen = [""; PAIRWISE_KEYS];
    let entries = keys.entries;
    for (count, key) in keys.enumerate() {
        let name = &text[entries[key].span()];
        if seen[..count].contains(&name) {
            return Some(key);
        }
        seen[count] = name;
    }
    None
}

/// The standard hasher is keyed per process, so chosen keys cannot make this quadratic.
fn first_duplicate_by_hash(mut keys: Keys<'_>, text: &str, count: usize) -> Option<usize> {
    let entries = keys.entries;
    let mut seen = HashSet::with_capacity(count);
    keys.find(|&key| !seen.insert(entries[key].content(text)))
}

fn shorten(key: &str) -> String {
    match key.char_indices().nth(SHOWN_KEY_CHARS) {
        Some((cut, _)) => format!("{}…", &key[..cut]),
        None => key.to_owned(),
    }
}
