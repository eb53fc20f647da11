//! Literals without which a regular expression cannot match.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::characters::{fold, fold_char};

/// More alternatives than this are not worth looking for.
const MAX_LITERALS: usize = 32;
/// Shorter literals, in bytes, are found so often that they tell nothing, unless they are a digit beside a sign.
const MIN_BYTES: usize = 3;

/// What is known of the texts that match a part of an expression, case-folded.
struct Known {
    /// All of them, if they are few.
    exact: Option<Vec<String>>,
    /// Every one contains one of these.
    required: Option<Vec<String>>,
    /// Every one begins with one of these.
    heads: Option<Vec<String>>,
    /// Every one ends with one of these.
    tails: Option<Vec<String>>,
}

/// Case-folded literals of which every matching text has one; `None` if there are no telling ones.
pub(super) fn literals(hir: &Hir) -> Option<Vec<String>> {
    let mut found = known(hir).with_required().required?;
    found.sort();
    found.dedup();
    Some(found)
}

/// The characters that an expression matches, if it matches single ones that have no case, and those are few.
pub(super) fn characters(hir: &Hir) -> Option<Vec<String>> {
    let is_plain = matches!(hir.kind(), HirKind::Literal(_) | HirKind::Class(_) | HirKind::Alternation(_));
    let mut characters = known(hir).exact.filter(|_| is_plain && hir.properties().look_set().is_empty())?;
    characters.sort();
    characters.dedup();
    let has_no_case = |text: &String| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| !c.is_alphabetic() && fold_char(c) == c) && chars.next().is_none()
    };
    characters.iter().all(has_no_case).then_some(characters)
}

fn known(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(vec![String::new()]),
        HirKind::Literal(literal) => match str::from_utf8(&literal.0) {
            Ok(text) => Known::exactly(vec![fold(text)]),
            Err(_) => Known::NOTHING,
        },
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Repetition(repetition) => {
            let inner = known(&repetition.sub);
            match (repetition.min, repetition.max) {
                (0, Some(1)) => inner.optional(),
                (0, _) => Known::NOTHING,
                (1, Some(1)) => inner,
                _ => Known { exact: None, ..inner.with_required() },
            }
        }
        HirKind::Concat(parts) => of_sequence(parts),
        HirKind::Alternation(parts) => of_alternatives(parts),
    }
}

fn of_class(class: &Class) -> Known {
    let Class::Unicode(class) = class else { return Known::NOTHING };
    let mut members = Vec::new();
    for range in class.iter() {
        for c in range.start()..=range.end() {
            let folded = fold(c.encode_utf8(&mut [0; 4]));
            if !members.contains(&folded) {
                members.push(folded);
            }
            if members.len() > MAX_LITERALS {
                return Known::NOTHING;
            }
        }
    }
    Known::exactly(members)
}

/// Literals are put together as far as parts have few texts. What adjoins them of a part that has many is tried, too.
fn of_sequence(parts: &[Hir]) -> Known {
    let empty = || vec![String::new()];
    // The texts of the parts since the last one with many, and the same behind an end of that one.
    let (mut run, mut joined) = (empty(), empty());
    let (mut best, mut heads): (Option<Vec<String>>, Option<Vec<String>>) = (None, None);
    let mut all_exact = true;
    for part in parts {
        let part = known(part);
        if let Some(next) = &part.exact
            && let Some(longer) = products(&run, next)
        {
            joined = products(&joined, next).unwrap_or_else(|| longer.clone());
            run = longer;
            continue;
        }
        if std::mem::take(&mut all_exact) {
            heads = part.heads.as_ref().and_then(|next| products(&run, next)).or_else(|| Some(run.clone()));
        }
        for before in [&run, &joined] {
            let adjoining = part.heads.as_ref().and_then(|next| products(before, next));
            best = better(best, adjoining.and_then(telling));
        }
        best = better(best, telling(std::mem::take(&mut joined)));
        best = better(best, telling(std::mem::take(&mut run)));
        best = better(best, part.required);
        (run, joined) = match (part.exact, part.tails) {
            (Some(exact), _) => (exact.clone(), exact),
            (None, tails) => (empty(), tails.unwrap_or_else(empty)),
        };
    }
    if all_exact {
        return Known::exactly(run);
    }
    best = better(best, telling(run));
    Known { exact: None, required: better(best, telling(joined.clone())), heads, tails: Some(joined) }
}

/// Each of `heads` before each of `tails`, if those are few.
fn products(heads: &[String], tails: &[String]) -> Option<Vec<String>> {
    let before = |head: &String| tails.iter().map(|tail| format!("{head}{tail}")).collect::<Vec<_>>();
    (heads.len() * tails.len() <= MAX_LITERALS).then(|| heads.iter().flat_map(before).collect())
}

fn of_alternatives(parts: &[Hir]) -> Known {
    let known: Vec<Known> = parts.iter().map(|part| known(part).with_required()).collect();
    let all = |of: fn(&Known) -> &Option<Vec<String>>| {
        let parts = known.iter().map(|part| of(part).clone()).collect::<Option<Vec<_>>>()?;
        Some(parts.concat()).filter(|all| all.len() <= MAX_LITERALS)
    };
    Known {
        exact: all(|part| &part.exact),
        required: all(|part| &part.required),
        heads: all(|part| &part.heads),
        tails: all(|part| &part.tails),
    }
}

/// `literals`, if all of them are rare enough.
fn telling(literals: Vec<String>) -> Option<Vec<String>> {
    let has = |literal: &String, kind: fn(&u8) -> bool| literal.as_bytes().iter().any(kind);
    let is_rare = |literal: &String| {
        literal.len() >= MIN_BYTES
            || has(literal, u8::is_ascii_digit) && has(literal, u8::is_ascii_punctuation)
    };
    (!literals.is_empty() && literals.iter().all(is_rare)).then_some(literals)
}

/// The set whose shortest literal is longer, or else the smaller set.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let rank = |set: &Vec<String>| (set.iter().map(String::len).min(), std::cmp::Reverse(set.len()));
    match (one, other) {
        (Some(one), Some(other)) => Some(if rank(&other) > rank(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

// === impl Known

impl Known {
    const NOTHING: Self = Self { exact: None, required: None, heads: None, tails: None };

    fn exactly(exact: Vec<String>) -> Self {
        let required = telling(exact.clone());
        Self { required, heads: Some(exact.clone()), tails: Some(exact.clone()), exact: Some(exact) }
    }

    fn optional(self) -> Self {
        let Some(mut exact) = self.exact else { return Self::NOTHING };
        exact.push(String::new());
        Self::exactly(exact)
    }

    /// The same; what is known exactly counts as required, too.
    fn with_required(mut self) -> Self {
        let exact = self.exact.clone().and_then(telling);
        self.required = better(self.required, exact);
        self
    }
}
