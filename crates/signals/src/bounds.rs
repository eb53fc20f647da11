//! Predicates of structure and conversation rules: bounds on a number.

use vsr_config::Predicate;
use vsr_types::{Diagnostics, Path};

/// At most one lower and one upper bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    gt: Option<f64>,
    gte: Option<f64>,
    lt: Option<f64>,
    lte: Option<f64>,
}

/// When a measured number counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Condition {
    /// Above 0.
    Positive,
    /// Within bounds.
    Within(Bounds),
}

// === impl Condition

impl Condition {
    /// Reads a predicate; reports bounds that contradict each other.
    pub(crate) fn compile(predicate: Option<&Predicate>, path: &Path, diagnostics: &mut Diagnostics) -> Self {
        let Some(&Predicate { gt, gte, lt, lte }) = predicate else { return Self::Positive };
        let path = path.key("predicate");
        if gt.is_some() && gte.is_some() {
            diagnostics.error(path.clone(), "`gt` and `gte` exclude each other; keep one");
        }
        if lt.is_some() && lte.is_some() {
            diagnostics.error(path.clone(), "`lt` and `lte` exclude each other; keep one");
        }
        let (lower, upper) = (gt.or(gte), lt.or(lte));
        if let (Some(lower), Some(upper)) = (lower, upper) {
            let closed = gt.is_none() && lt.is_none();
            if lower > upper || lower == upper && !closed {
                diagnostics.error(path, "no number is within these bounds");
            }
        } else if lower.is_none() && upper.is_none() {
            diagnostics.error(path, "the predicate has no bound; set `gt`, `gte`, `lt` or `lte`, or leave it out to match above 0");
        }
        Self::Within(Bounds { gt, gte, lt, lte })
    }

    /// Whether `value` counts.
    pub(crate) fn holds(&self, value: f64) -> bool {
        match self {
            Self::Positive => value > 0.0,
            Self::Within(Bounds { gt, gte, lt, lte }) => {
                gt.is_none_or(|bound| value > bound)
                    && gte.is_none_or(|bound| value >= bound)
                    && lt.is_none_or(|bound| value < bound)
                    && lte.is_none_or(|bound| value <= bound)
            }
        }
    }

    /// How sure a holding condition is: a sigmoid of the distance to the first bound, at least 0.5;
    /// 1 without bounds.
    pub(crate) fn confidence(&self, value: f64) -> f64 {
        let Self::Within(Bounds { gt, gte, lt, lte }) = self else { return 1.0 };
        let lower = gt.or(*gte).map(|bound| value - bound);
        let upper = lt.or(*lte).map(|bound| bound - value);
        let Some(distance) = lower.or(upper) else { return 1.0 };
        (1.0 / (1.0 + (-4.0 * distance).exp())).max(0.5)
    }
}
