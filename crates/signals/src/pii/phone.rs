//! Telephone numbers: international ones, common national forms, and digits that words around them
//! call a number.

use super::{
    PiiKind, PiiSpan,
    bytes::{before, preceded_by, preceded_by_word, run},
};

/// The most digits of a number (ITU-T E.164).
const MOST_DIGITS: usize = 15;
/// The most bytes of a number as written.
const MOST_BYTES: usize = 28;
/// The most bytes of an area code with its brackets.
const MOST_AREA: usize = 8;
/// The most digits of an extension.
const MOST_EXTENSION: usize = 5;
/// Words that announce a number.
const CONTEXT: &[&str] = &[
    "phone",
    "call",
    "tel",
    "mobile",
    "cell",
    "fax",
    "whatsapp",
    "sms",
    "text me",
    "contact",
    "reach",
    "dial",
    "hotline",
    "numéro",
    "teléfono",
    "handy",
    "anruf",
    "telefon",
    "电话",
    "手机",
    "電話",
    "携帯",
    "전화",
    "тел",
];
const CONTEXT_BYTES: usize = 32;
/// Words that announce another kind of number.
const OTHER_NUMBERS: &[&str] =
    &["isbn", "order", "invoice", "ticket", "zip", "account", "$", "€", "£", "#", "id "];

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let starts = match bytes[at] {
            b'(' => bytes[at..].iter().take(MOST_AREA).any(|byte| *byte == b')'),
            byte => byte == b'+' || byte.is_ascii_digit(),
        };
        let continues = before(bytes, at).is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'.' | b'-' | b'/')
        });
        if !starts || continues || is_argument(text, at) {
            at += 1;
            continue;
        }
        let written = Written::at(bytes, at);
        if let Some(probability) = written.probability(text) {
            let bytes = at..written.end;
            spans.push(PiiSpan { bytes, kind: PiiKind::PhoneNumber, probability, verified: false });
        }
        at = written.end.max(at + 1);
    }
}

/// Whether a name with an opening bracket stands before `at`, as in `f(1234567)`: code, unless the name announces a number.
fn is_argument(text: &str, at: usize) -> bool {
    let Some(before) = text[..at].strip_suffix('(') else { return false };
    let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    let Some(name) = before.get(start..) else { return false };
    !name.is_empty() && !CONTEXT.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Digits and what stands between them.
struct Written {
    start: usize,
    end: usize,
    digits: [u8; MOST_DIGITS + 1],
    count: usize,
    /// Lengths of the groups of digits.
    groups: Vec<usize>,
    separators: Vec<u8>,
    has_plus: bool,
    is_cut: bool,
}

impl Written {
    fn at(bytes: &[u8], start: usize) -> Self {
        let mut it = Self {
            start,
            end: start,
            digits: [0; MOST_DIGITS + 1],
            count: 0,
            groups: Vec::with_capacity(6),
            separators: Vec::with_capacity(6),
            has_plus: bytes[start] == b'+',
            is_cut: false,
        };
        let mut at = start + usize::from(it.has_plus);
        let mut in_group = false;
        let mut inside = 0;
        while at < bytes.len() && at - start < MOST_BYTES {
            match bytes[at] {
                digit @ b'0'..=b'9' => {
                    if it.count > MOST_DIGITS {
                        break;
                    }
                    it.digits[it.count] = digit - b'0';
                    it.count += 1;
                    match it.groups.last_mut().filter(|_| in_group) {
                        Some(group) => *group += 1,
                        None => it.groups.push(1),
                    }
                    in_group = true;
                    it.end = at + 1;
                    inside = it.separators.len();
                }
                separator @ (b' ' | b'-' | b'.' | b'(' | b')' | b'/') => {
                    let is_pair = !in_group
                        && !matches!(separator, b'(' | b' ')
                        && !matches!(before(bytes, at), Some(b')'));
                    if is_pair && at > start {
                        break;
                    }
                    it.separators.push(separator);
                    in_group = false;
                }
                _ => break,
            }
            at += 1;
        }
        it.separators.truncate(inside);
        it.end += extension(bytes, it.end);
        let after = bytes.get(it.end).copied();
        let joins = after.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let goes_on = matches!(after, Some(b'.' | b'-' | b'/' | b':' | b','))
            && bytes.get(it.end + 1).is_some_and(u8::is_ascii_digit);
        it.is_cut = joins || goes_on;
        it
    }

    /// How sure it is a telephone number, if it looks like one.
    fn probability(&self, text: &str) -> Option<f64> {
        if self.is_cut || self.count < 7 || self.count > MOST_DIGITS {
            return None;
        }
        let is_balanced = self.separators.iter().filter(|byte| **byte == b'(').count()
            == self.separators.iter().filter(|byte| **byte == b')').count();
        if !is_balanced {
            return None;
        }
        if self.has_plus || self.has_international_prefix() {
            let country = if self.has_plus { self.digits[0] } else { self.digits[2] };
            return (country != 0 && self.count >= 8).then_some(0.97);
        }
        if preceded_by(text, self.start, 12, OTHER_NUMBERS) {
            return None;
        }
        if self.is_north_american() || self.is_trunk_form() || self.is_chinese_mobile() {
            return Some(0.93);
        }
        let announced = preceded_by_word(text, self.start, CONTEXT_BYTES, CONTEXT);
        (announced && self.groups.iter().all(|group| *group >= 2) && !self.is_date()).then_some(0.92)
    }

    fn has_international_prefix(&self) -> bool {
        self.digits[..2] == [0, 0] && self.count >= 11
    }

    /// `(212) 555-0123`, `212-555-0123`, `1-212-555-0123`: area code and exchange from 2.
    fn is_north_american(&self) -> bool {
        let (national, groups) = match (self.count, self.groups.as_slice()) {
            (10, groups) => (0, groups),
            (11, [1, groups @ ..]) if self.digits[0] == 1 => (1, groups),
            _ => return false,
        };
        let digits = &self.digits[national..self.count];
        groups == [3, 3, 4] && digits[0] >= 2 && digits[3] >= 2
    }

    /// A national number with its trunk prefix 0 and groups: `030 1234567`, `06 12 34 56 78`.
    fn is_trunk_form(&self) -> bool {
        self.digits[0] == 0
            && self.digits[1] != 0
            && (9..=12).contains(&self.count)
            && (2..=6).contains(&self.groups.len())
            && self.groups[0] >= 2
            && self.groups != [3, 2, 4]
            && !self.is_date()
    }

    fn is_chinese_mobile(&self) -> bool {
        let is_grouped = matches!(self.groups.as_slice(), [11] | [3, 4, 4]);
        self.count == 11 && is_grouped && self.digits[0] == 1 && (3..=9).contains(&self.digits[1])
    }

    /// `2024-11-25`, `25.11.2024`, also with an hour after it.
    fn is_date(&self) -> bool {
        let starts_with_year = matches!(self.digits[0], 1 | 2);
        match self.groups.as_slice() {
            [4, 1..=2, 1..=2, ..] => starts_with_year,
            [1..=2, 1..=2, 4, ..] => true,
            _ => false,
        }
    }
}

/// The length of an extension such as `x123` or ` ext. 45` at `at`; 0 if there is none.
fn extension(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let marks: [&[u8]; 4] = [b"x", b" x", b" ext. ", b" ext "];
    let Some(mark) = marks.into_iter().find(|mark| rest.starts_with(mark)) else { return 0 };
    let digits = run(rest, mark.len(), MOST_EXTENSION + 1, |byte| byte.is_ascii_digit());
    if (1..=MOST_EXTENSION).contains(&digits) { mark.len() + digits } else { 0 }
}
