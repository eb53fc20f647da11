//! Which windows of which texts are read: the plan's texts in their order, within their shares of the budget.

use std::{ops::Range, sync::Arc, time::Instant};

use vsr_encoder::{Error, Model, Query, Windows};
use vsr_signals::{Cover, HeadSet, ReadingPlan, Share, TextNeed};

use crate::{models::Models, tongue::Tongue, weights::Weights};

/// The most bytes of a token, about: a text with more is not cut to see whether it fits.
const MOST_BYTES_PER_TOKEN: usize = 16;
/// The part of a share that a long text gets while others wait, in tokens; more if half of what is left is more.
const LEAST_PART: usize = 256;

/// A window that is read.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Where it is in the text.
    pub(crate) bytes: Range<usize>,
    /// What it says.
    pub(crate) text: Query,
    /// Whether its embedding is wanted.
    pub(crate) is_embedded: bool,
    /// How many of its tokens are in no window before it.
    pub(crate) fresh: u32,
    /// What is known of its language.
    pub(crate) tongue: Tongue,
}

/// The windows of one text for one model.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// Those that are read.
    pub(crate) windows: Vec<Piece>,
    /// How many tokens the text has, as far as that is known.
    pub(crate) present: u32,
    /// Whether the windows that are read are the whole text.
    pub(crate) is_whole: bool,
}

/// What is read of one text; nothing where a model is absent or not wanted.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    pub(crate) trunk: Option<Result<Cut, Error>>,
    pub(crate) tagger: Option<Result<Cut, Error>>,
    /// The text's language, where it matters.
    pub(crate) tongue: Tongue,
}

/// Cuts texts for one model.
struct Cutter<'m> {
    weights: &'m Weights,
    budget: usize,
    deadline: Instant,
    /// How much of the text is read, if not as much as the need says.
    cover: Option<Cover>,
}

/// The windows of a text that are in the budget, and what is not.
struct Found {
    ranges: Vec<Range<usize>>,
    fresh: Vec<usize>,
    present: usize,
    is_whole: bool,
    /// Tokens that count against the budget.
    spent: usize,
}

/// Cuts every text of `plan`, at most until `deadline`.
pub(crate) fn cut(plan: &ReadingPlan, models: &Models, deadline: Instant) -> Vec<Portion> {
    let mut portions: Vec<Portion> = plan.needs().iter().map(|_| Portion::default()).collect();
    let budget = plan.budget_tokens() as usize;
    if let Some(trunk) = &models.trunk {
        let cutter = Cutter { weights: &trunk.weights, budget, deadline, cover: None };
        for (index, cut) in cutter.cut_all(plan, |need| need.wants.reads_trunk()) {
            portions[index].trunk = Some(cut);
        }
    }
    if let Some(tagger) = &models.tagger {
        let cutter = Cutter { weights: &tagger.weights, budget, deadline, cover: Some(Cover::Whole) };
        for (index, cut) in cutter.cut_all(plan, |need| need.wants.tags) {
            portions[index].tagger = Some(cut);
        }
    }
    for (need, portion) in plan.needs().iter().zip(&mut portions) {
        portion.tell_language(need, models);
    }
    portions
}

// === impl Portion

impl Portion {
    /// Finds the language of the text and of its windows, as far as a head wants to know.
    fn tell_language(&mut self, need: &TextNeed, models: &Models) {
        let Some(Ok(cut)) = &mut self.trunk else { return };
        if !minds_language(models, need.wants.heads) {
            return;
        }
        self.tongue = Tongue::of(&need.text);
        for piece in &mut cut.windows {
            piece.tongue = match piece.bytes == (0..need.text.len()) {
                true => self.tongue,
                false => Tongue::of(&need.text[piece.bytes.clone()]),
            };
        }
    }
}

fn minds_language(models: &Models, heads: HeadSet) -> bool {
    models.heads().any(|(head, facts)| heads.contains(head) && facts.minds_language())
}

// === impl Cutter

impl Cutter<'_> {
    /// Cuts the texts that are `wanted`. A share is first given out in order, to a text that does not fit at most half
    /// of what is left; what nobody needed then goes to the texts that did not fit, in order.
    fn cut_all(
        &self,
        plan: &ReadingPlan,
        wanted: impl Fn(&TextNeed) -> bool,
    ) -> Vec<(usize, Result<Cut, Error>)> {
        let mut cuts = Vec::new();
        let mut too_long: Vec<(usize, usize)> = Vec::new();
        let mut left = self.budget;
        for share in Share::ALL {
            let mut room = share.of(self.budget);
            for (index, need) in plan.needs().iter().enumerate() {
                if need.share != share || !wanted(need) {
                    continue;
                }
                let part = match self.cover(need) {
                    Cover::Whole if need.text.len() * 2 > room => (room / 2).max(LEAST_PART).min(room),
                    _ => room,
                };
                match self.whole(need, part) {
                    Ok(Some(found)) => {
                        room = room.saturating_sub(found.spent);
                        left = left.saturating_sub(found.spent);
                        cuts.push((index, Ok(self.read(need, found))));
                    }
                    Ok(None) => {
                        room -= part;
                        left -= part;
                        too_long.push((index, part));
                    }
                    Err(error) => cuts.push((index, Err(error))),
                }
            }
        }
        for (index, part) in too_long {
            let need = &plan.needs()[index];
            let found = self.as_much_as_fits(need, part + left);
            if let Ok(found) = &found {
                left = (part + left).saturating_sub(found.spent);
            }
            cuts.push((index, found.map(|found| self.read(need, found))));
        }
        cuts
    }

    fn cover(&self, need: &TextNeed) -> Cover {
        self.cover.unwrap_or(need.cover)
    }

    /// The windows of the whole text, if it has no more tokens than `budget`. Of a text whose ends are wanted, only they
    /// are spent.
    fn whole(&self, need: &TextNeed, budget: usize) -> Result<Option<Found>, Error> {
        let text = &need.text;
        if text.len() > budget.saturating_mul(MOST_BYTES_PER_TOKEN) {
            return Ok(None);
        }
        let windows = self.model()?.windows(text, self.weights.window_plan(budget, self.deadline))?;
        if windows.covered < text.len() {
            return Ok(None);
        }
        let distinct = windows.distinct();
        let count = windows.ranges.len();
        let is_partial = self.cover(need) == Cover::Ends && count > 2;
        let is_read = |index: usize| !is_partial || index == 0 || index + 1 == count;
        let spent = if is_partial { (windows.tokens * 2).div_ceil(count) } else { windows.tokens };
        let (ranges, fresh) = windows
            .ranges
            .into_iter()
            .zip(windows.fresh)
            .enumerate()
            .filter(|(i, _)| is_read(*i))
            .map(|it| it.1)
            .unzip();
        let omitted = need.omission.map_or(0, |omission| omission.bytes);
        let is_whole = !is_partial && omitted == 0;
        let present = distinct + rest(distinct, text.len(), omitted);
        Ok(Some(Found { ranges, fresh, present, is_whole, spent }))
    }

    /// The whole text, or its beginning and its end, half of `budget` each.
    fn as_much_as_fits(&self, need: &TextNeed, budget: usize) -> Result<Found, Error> {
        if let Some(found) = self.whole(need, budget)? {
            return Ok(found);
        }
        let (model, text) = (self.model()?, &need.text);
        let plan = |budget| self.weights.window_plan(budget, self.deadline);
        let (mut head, mut tail): (Windows, Windows);
        match self.cover(need) {
            Cover::Whole => {
                head = model.windows(text, plan(budget.div_ceil(2)))?;
                tail = model.last_windows(text, plan(budget.saturating_sub(head.tokens)))?;
            }
            Cover::Ends => {
                let window = self.weights.window_tokens().min(budget.div_ceil(2));
                head = model.windows(text, plan(window))?;
                tail = model.last_windows(text, plan(window.min(budget / 2)))?;
            }
        }
        // Where both meet, nothing is read twice.
        let spent = head.tokens + tail.tokens;
        let doubled = tail.ranges.iter().take_while(|range| range.end <= head.covered).count();
        head.ranges.extend(tail.ranges.drain(doubled..));
        head.fresh.extend(tail.fresh.drain(doubled..));
        let (seen, covered) = (head.distinct(), head.covered + tail.covered);
        let unread = text.len().saturating_sub(covered) + need.omission.map_or(0, |omission| omission.bytes);
        let present = seen + rest(seen, covered, unread);
        Ok(Found { ranges: head.ranges, fresh: head.fresh, present, is_whole: unread == 0, spent })
    }

    fn model(&self) -> Result<&Arc<Model>, Error> {
        self.weights.model()
    }

    fn read(&self, need: &TextNeed, found: Found) -> Cut {
        let (text, count) = (&need.text, found.ranges.len());
        let piece = |(index, (bytes, fresh)): (usize, (Range<usize>, usize))| Piece {
            is_embedded: match need.wants.embedding {
                Some(Cover::Whole) => true,
                Some(Cover::Ends) => index == 0 || index + 1 == count,
                None => false,
            },
            text: Query::Text(match bytes == (0..text.len()) {
                true => Arc::clone(text),
                false => text[bytes.clone()].into(),
            }),
            bytes,
            fresh: u32::try_from(fresh).unwrap_or(u32::MAX),
            tongue: Tongue::default(),
        };
        let windows = found.ranges.into_iter().zip(found.fresh).enumerate().map(piece).collect();
        Cut { windows, present: u32::try_from(found.present).unwrap_or(u32::MAX), is_whole: found.is_whole }
    }
}

/// How many tokens `unread` bytes have if they are like the `bytes` that have `tokens`; at least one.
fn rest(tokens: usize, bytes: usize, unread: usize) -> usize {
    match (unread, bytes) {
        (0, _) => 0,
        (_, 0) => unread,
        _ => tokens.saturating_mul(unread).div_ceil(bytes).max(1),
    }
}
