//! Which of the decisions that matched wins, and by what.

use std::cmp::Ordering;

use vsr_config::Strategy;

/// What decisions are compared by, besides their confidence.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) name: String,
    /// As written; 0 if absent.
    pub(crate) tier: i64,
    pub(crate) priority: i64,
}

/// A decision that matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) index: usize,
    pub(crate) confidence: f64,
}

/// One comparison of what the configuration says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Contest {
    /// Tiers from 1 up, then decisions without one.
    Tier,
    /// Tiers as numbers, 0 where there is none.
    TierNumber,
    Priority,
    Name,
    Declaration,
}

use Contest::{Declaration, Name, Priority, Tier, TierNumber};

/// An order of decisions. All that the evidence does not change is ranked once, beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Ranking {
    /// Compared before the confidence.
    before: &'static [Contest],
    /// Compared after it.
    after: &'static [Contest],
    /// Each decision's ranks by `before` and by `after`, the lower the better.
    ranks: Vec<(u32, u32)>,
    standings: Vec<Standing>,
}

// === impl Ranking

impl Ranking {
    /// The order under `strategy`.
    pub(crate) fn new(strategy: Strategy, standings: Vec<Standing>) -> Self {
        match strategy {
            Strategy::Priority => Self::by(&[Tier, Priority], &[Name, Declaration], standings),
            Strategy::Confidence => Self::by(&[Tier], &[Priority, Name, Declaration], standings),
        }
    }

    /// The order under `strategy` in v0.3 when no decision with a tier matched.
    pub(crate) fn untiered(strategy: Strategy, standings: Vec<Standing>) -> Self {
        match strategy {
            Strategy::Priority => Self::by(&[Priority], &[Name, Declaration], standings),
            Strategy::Confidence => Self::by(&[], &[Priority, Name, Declaration], standings),
        }
    }

    /// The order in v0.3 when a decision with a tier matched.
    pub(crate) fn tiered(standings: Vec<Standing>) -> Self {
        Self::by(&[TierNumber], &[Priority, Name, Declaration], standings)
    }

    /// Whether a decision that matched has a tier.
    pub(crate) fn has_tier(&self, contender: Contender) -> bool {
        self.standings[contender.index].tier > 0
    }

    /// Whether `left` comes before `right`.
    pub(crate) fn is_before(&self, left: Contender, right: Contender) -> bool {
        let (left_before, left_after) = self.ranks[left.index];
        let (right_before, right_after) = self.ranks[right.index];
        let by_confidence = || right.confidence.total_cmp(&left.confidence);
        left_before.cmp(&right_before).then_with(by_confidence).then(left_after.cmp(&right_after)).is_lt()
    }

    /// By what `winner` came before `second`, in a few words.
    pub(crate) fn reason(&self, winner: Contender, second: Contender) -> &'static str {
        let decisive = |contests: &[Contest]| {
            contests.iter().copied().find(|contest| {
                contest.compare(&self.standings, winner.index, second.index) != Ordering::Equal
            })
        };
        let by_confidence = winner.confidence.total_cmp(&second.confidence) != Ordering::Equal;
        match decisive(self.before) {
            None if by_confidence => "higher confidence",
            None => decisive(self.after).unwrap_or(Declaration).words(self.has_tier(second)),
            Some(contest) => contest.words(self.has_tier(second)),
        }
    }

    fn by(before: &'static [Contest], after: &'static [Contest], standings: Vec<Standing>) -> Self {
        let ranks = ranks(before, &standings).into_iter().zip(ranks(after, &standings)).collect();
        Self { before, after, ranks, standings }
    }
}

/// The rank of each decision by `contests`; equals share one.
fn ranks(contests: &[Contest], standings: &[Standing]) -> Vec<u32> {
    let compare = |left: usize, right: usize| {
        let orders = contests.iter().map(|contest| contest.compare(standings, left, right));
        orders.fold(Ordering::Equal, Ordering::then)
    };
    let mut order: Vec<usize> = (0..standings.len()).collect();
    order.sort_by(|left, right| compare(*left, *right));
    let mut ranks = vec![0; standings.len()];
    for pair in order.windows(2) {
        ranks[pair[1]] = ranks[pair[0]] + u32::from(compare(pair[0], pair[1]).is_ne());
    }
    ranks
}

// === impl Contest

impl Contest {
    /// `Less` if the decision at `left` comes first.
    fn compare(self, standings: &[Standing], left: usize, right: usize) -> Ordering {
        let (first, second) = (&standings[left], &standings[right]);
        match self {
            Tier => (first.tier < 1, first.tier.max(0)).cmp(&(second.tier < 1, second.tier.max(0))),
            TierNumber => first.tier.cmp(&second.tier),
            Priority => second.priority.cmp(&first.priority),
            Name => first.name.cmp(&second.name),
            Declaration => left.cmp(&right),
        }
    }

    fn words(self, second_has_tier: bool) -> &'static str {
        match self {
            Tier if !second_has_tier => "has a tier",
            Tier | TierNumber => "lower tier",
            Priority => "higher priority",
            Name => "name order",
            Declaration => "declaration order",
        }
    }
}
