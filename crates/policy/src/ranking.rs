//! Which of the decisions that matched wins, and by what.

use std::cmp::Ordering;

use vsr_config::Strategy;

use crate::reading::Reading;

/// What is compared of a decision that matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender<'d> {
    pub(crate) index: usize,
    pub(crate) name: &'d str,
    /// As written; 0 if absent.
    pub(crate) tier: i64,
    pub(crate) priority: i64,
    pub(crate) confidence: f64,
}

/// One comparison.
#[derive(Debug, Clone, Copy)]
enum Contest {
    /// Tiers from 1 up, then decisions without one.
    Tier,
    /// Tiers as numbers, 0 where there is none.
    TierNumber,
    Priority,
    Confidence,
    Name,
    Declaration,
}

/// The comparisons in the order they are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranking(&'static [Contest]);

// === impl Ranking

impl Ranking {
    /// The ranking for `strategy`. `is_tiered` says whether a decision with a tier matched, which makes a
    /// difference in v0.3 only.
    pub(crate) fn new(strategy: Strategy, reading: Reading, is_tiered: bool) -> Self {
        use Contest::{Confidence, Declaration, Name, Priority, Tier, TierNumber};
        Self(match (reading.v0_3, is_tiered, strategy) {
            (true, true, _) => &[TierNumber, Confidence, Priority, Name, Declaration],
            (true, false, Strategy::Confidence) => &[Confidence, Priority, Name, Declaration],
            (true, false, Strategy::Priority) => &[Priority, Confidence, Name, Declaration],
            (false, _, Strategy::Confidence) => &[Tier, Confidence, Priority, Name, Declaration],
            (false, _, Strategy::Priority) => &[Tier, Priority, Confidence, Name, Declaration],
        })
    }

    /// Whether `left` comes before `right`.
    pub(crate) fn is_before(self, left: &Contender<'_>, right: &Contender<'_>) -> bool {
        self.decisive(left, right).is_some_and(|(_, order)| order == Ordering::Less)
    }

    /// By what `winner` came before `second`, in a few words.
    pub(crate) fn reason(self, winner: &Contender<'_>, second: &Contender<'_>) -> &'static str {
        match self.decisive(winner, second) {
            Some((Contest::Tier, _)) if second.tier < 1 => "has a tier",
            Some((Contest::Tier | Contest::TierNumber, _)) => "lower tier",
            Some((Contest::Priority, _)) => "higher priority",
            Some((Contest::Confidence, _)) => "higher confidence",
            Some((Contest::Name, _)) => "name order",
            Some((Contest::Declaration, _)) | None => "declaration order",
        }
    }

    fn decisive(self, left: &Contender<'_>, right: &Contender<'_>) -> Option<(Contest, Ordering)> {
        let contests = self.0.iter().map(|contest| (*contest, contest.compare(left, right)));
        contests.into_iter().find(|(_, order)| order.is_ne())
    }
}

// === impl Contest

impl Contest {
    /// `Less` if `left` comes first.
    fn compare(self, left: &Contender<'_>, right: &Contender<'_>) -> Ordering {
        match self {
            Contest::Tier => (left.tier < 1, left.tier.max(0)).cmp(&(right.tier < 1, right.tier.max(0))),
            Contest::TierNumber => left.tier.cmp(&right.tier),
            Contest::Priority => right.priority.cmp(&left.priority),
            Contest::Confidence => right.confidence.total_cmp(&left.confidence),
            Contest::Name => left.name.cmp(right.name),
            Contest::Declaration => left.index.cmp(&right.index),
        }
    }
}
