//! Literals without which a regular expression cannot match.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::characters::fold;

/// More alternatives than this are not worth looking for.
const MAX_LITERALS: usize = 32;
/// Shorter literals, in bytes, are found so often that they tell nothing.
const MIN_BYTES: usize = 3;

/// What is known of the texts that match a part of an expression, case-folded.
struct Known {
    /// All of them, if they are few.
    exact: Option<Vec<String>>,
    /// Every one contains one of these.
    required: Option<Vec<String>>,
}

/// Case-folded literals of which every matching text has one; `None` if there are no telling ones.
pub(super) fn literals(hir: &Hir) -> Option<Vec<String>> {
    let mut found = known(hir).into_required()?;
    found.sort();
    found.dedup();
    Some(found)
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
                _ => Known { exact: None, required: inner.into_required() },
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

fn of_sequence(parts: &[Hir]) -> Known {
    let mut current = vec![String::new()];
    let mut best: Option<Vec<String>> = None;
    let mut all_exact = true;
    for part in parts {
        let part = known(part);
        if let Some(next) = &part.exact
            && current.len() * next.len() <= MAX_LITERALS
        {
            let extend = |head: &String| next.iter().map(|tail| format!("{head}{tail}")).collect::<Vec<_>>();
            current = current.iter().flat_map(extend).collect();
            continue;
        }
        all_exact = false;
        best = better(best, telling(std::mem::take(&mut current)));
        best = better(best, part.required.clone());
        current = match part.exact {
            Some(exact) => exact,
            None => vec![String::new()],
        };
    }
    if all_exact {
        return Known::exactly(current);
    }
    Known { exact: None, required: better(best, telling(current)) }
}

fn of_alternatives(parts: &[Hir]) -> Known {
    let known: Vec<Known> = parts.iter().map(known).collect();
    let exact = known
        .iter()
        .map(|part| part.exact.clone())
        .collect::<Option<Vec<_>>>()
        .map(|parts| parts.concat())
        .filter(|all| all.len() <= MAX_LITERALS);
    let required = known
        .into_iter()
        .map(Known::into_required)
        .collect::<Option<Vec<_>>>()
        .map(|parts| parts.concat())
        .filter(|all| all.len() <= MAX_LITERALS);
    Known { exact, required }
}

/// `literals`, if all of them are long enough.
fn telling(literals: Vec<String>) -> Option<Vec<String>> {
    (!literals.is_empty() && literals.iter().all(|literal| literal.len() >= MIN_BYTES)).then_some(literals)
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
    const NOTHING: Self = Self { exact: None, required: None };

    fn exactly(exact: Vec<String>) -> Self {
        Self { required: telling(exact.clone()), exact: Some(exact) }
    }

    fn optional(self) -> Self {
        let Some(mut exact) = self.exact else { return Self::NOTHING };
        exact.push(String::new());
        Self::exactly(exact)
    }

    fn into_required(self) -> Option<Vec<String>> {
        let exact = self.exact.and_then(telling);
        better(self.required, exact)
    }
}
