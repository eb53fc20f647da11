//! Bounds on a number: predicates of leaves, bands of mappings.

use vsr_config::{MappingOutput, Predicate};
use vsr_types::{Diagnostics, Path};

/// A range of numbers with at least one bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    lower: Option<Bound>,
    upper: Option<Bound>,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound {
    at: f64,
    inclusive: bool,
}

// === impl Bounds

impl Bounds {
    /// Reads bounds written at `path`; reports none at all, and two on one side.
    pub(crate) fn compile(written: &Predicate, path: &Path, diagnostics: &mut Diagnostics) -> Option<Self> {
        let lower = Bound::either(written.gt, written.gte).map_err(|()| ("gt", "gte"));
        let upper = Bound::either(written.lt, written.lte).map_err(|()| ("lt", "lte"));
        for (exclusive, inclusive) in [lower.err(), upper.err()].into_iter().flatten() {
            diagnostics.error(
                path.key(inclusive),
                format!("`{exclusive}` and `{inclusive}` exclude each other: keep one"),
            );
        }
        let bounds = Self { lower: lower.ok()?, upper: upper.ok()? };
        if bounds.lower.is_none() && bounds.upper.is_none() {
            diagnostics
                .error(path.clone(), "there is no bound: write at least one of `gt`, `gte`, `lt` and `lte`");
            return None;
        }
        if bounds.is_empty() {
            diagnostics.warning(path.clone(), "no number is within these bounds");
        }
        Some(bounds)
    }

    /// Whether `number` is within.
    pub(crate) fn hold(&self, number: f64) -> bool {
        let above = self.lower.is_none_or(|bound| number > bound.at || bound.touches(number));
        let below = self.upper.is_none_or(|bound| number < bound.at || bound.touches(number));
        above && below
    }

    /// Whether no number from `low` to `high` is within.
    pub(crate) fn exclude(&self, low: f64, high: f64) -> bool {
        let is_below =
            self.lower.is_some_and(|bound| high < bound.at || high == bound.at && !bound.inclusive);
        let is_above = self.upper.is_some_and(|bound| low > bound.at || low == bound.at && !bound.inclusive);
        is_below || is_above
    }

    /// How far `number` is from the nearest bound.
    pub(crate) fn distance(&self, number: f64) -> f64 {
        let ends = [self.lower, self.upper].into_iter().flatten();
        ends.map(|bound| (number - bound.at).abs()).fold(f64::INFINITY, f64::min)
    }

    fn is_empty(&self) -> bool {
        let (Some(lower), Some(upper)) = (self.lower, self.upper) else { return false };
        lower.at > upper.at || (lower.at == upper.at && !(lower.inclusive && upper.inclusive))
    }
}

// === impl Bound

impl Bound {
    fn either(exclusive: Option<f64>, inclusive: Option<f64>) -> Result<Option<Self>, ()> {
        match (exclusive, inclusive) {
            (Some(_), Some(_)) => Err(()),
            (Some(at), None) => Ok(Some(Self { at, inclusive: false })),
            (None, Some(at)) => Ok(Some(Self { at, inclusive: true })),
            (None, None) => Ok(None),
        }
    }

    fn touches(self, number: f64) -> bool {
        self.inclusive && number == self.at
    }
}

/// The bounds of a band, as a predicate.
pub(crate) fn of_output(output: &MappingOutput) -> Predicate {
    Predicate { gt: output.gt, gte: output.gte, lt: output.lt, lte: output.lte }
}
