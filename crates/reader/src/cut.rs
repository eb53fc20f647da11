//! Which windows of which texts are read: the plan's texts in their order, until the budget is spent.

use std::{ops::Range, sync::Arc};

use vsr_encoder::{Error, Text};
use vsr_signals::{Cover, ReadingPlan, TextNeed, language::Detector};

use crate::{reader::Models, trunk::Weights};

/// How sure the language of a text must be to keep a head from reading it.
const SURE_LANGUAGE: f32 = 0.8;
/// The shortest text whose language is asked for, in characters.
const TELLING_CHARACTERS: usize = 20;

/// A window that is read.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Where it is in the text.
    pub(crate) bytes: Range<usize>,
    /// What it says.
    pub(crate) text: Text,
    /// Whether its embedding is wanted.
    pub(crate) is_embedded: bool,
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
    /// The text's language, where it is sure and matters.
    pub(crate) language: Option<&'static str>,
}

/// Cuts every text of `plan`.
pub(crate) fn cut(plan: &ReadingPlan, models: &Models) -> Vec<Portion> {
    let budget = plan.budget_tokens() as usize;
    let (mut trunk_left, mut tagger_left) = (budget, budget);
    let portion = |need: &TextNeed| {
        let mut portion = Portion::default();
        if let Some(trunk) = &models.trunk
            && need.wants.reads_trunk()
        {
            portion.trunk = Some(windows(&trunk.weights, need, need.cover, &mut trunk_left));
            if trunk.minds_language(need.wants.heads) {
                portion.language = language(&need.text);
            }
        }
        if let Some(tagger) = &models.tagger
            && need.wants.tags
        {
            portion.tagger = Some(windows(&tagger.weights, need, Cover::Whole, &mut tagger_left));
        }
        portion
    };
    plan.needs().iter().map(portion).collect()
}

fn language(text: &str) -> Option<&'static str> {
    if text.chars().take(TELLING_CHARACTERS).count() < TELLING_CHARACTERS {
        return None;
    }
    let detected = Detector::embedded().detect(text)?;
    (detected.confidence >= SURE_LANGUAGE).then_some(detected.language)
}

fn windows(weights: &Weights, need: &TextNeed, cover: Cover, left: &mut usize) -> Result<Cut, Error> {
    let text = &need.text;
    let model = weights.model()?;
    let found = model.windows(text, weights.window_plan(*left))?;
    let (count, is_covered) = (found.ranges.len(), found.covered >= text.len());
    let is_partial = cover == Cover::Ends && count > 2;
    let present = match is_covered {
        true => found.tokens,
        // As many tokens as the rest would have if it were like the beginning.
        false if found.covered == 0 => text.len(),
        false => (found.tokens * text.len()).div_ceil(found.covered).max(found.tokens + 1),
    };
    let spent = if is_partial { (found.tokens * 2).div_ceil(count) } else { found.tokens };
    *left = left.saturating_sub(spent);
    let is_end = |index: usize| index == 0 || index + 1 == count;
    let is_read = |(index, _): &(usize, Range<usize>)| !is_partial || is_end(*index);
    let piece = |(index, bytes): (usize, Range<usize>)| Piece {
        is_embedded: match need.wants.embedding {
            Some(Cover::Whole) => true,
            Some(Cover::Ends) => is_end(index),
            None => false,
        },
        text: Text::Single(match bytes == (0..text.len()) {
            true => Arc::clone(text),
            false => text[bytes.clone()].into(),
        }),
        bytes,
    };
    Ok(Cut {
        windows: found.ranges.into_iter().enumerate().filter(is_read).map(piece).collect(),
        present: u32::try_from(present).unwrap_or(u32::MAX),
        is_whole: is_covered && !is_partial,
    })
}
