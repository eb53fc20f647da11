//! One list of entities from recognisers and a tagger.

use std::{borrow::Cow, ops::Range};

use super::{PiiSpan, kind::contract_type};
use crate::learned::TaggedSpan;

/// Personal data in a text. It says where and what, and never holds the data itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Where, in bytes of the text, on character boundaries.
    pub bytes: Range<usize>,
    /// The contract's name for its type, or the tagger's own in upper case.
    pub kind: Cow<'static, str>,
    /// How sure, 0..=1.
    pub probability: f64,
}

/// Merges what recognisers and a tagger found in `text`, in order, without overlaps. Where they overlap,
/// a verified find wins over a tag; otherwise the more probable wins. Tags of one type that touch, or
/// with only white space between them, become one.
pub fn merge(text: &str, recognised: &[PiiSpan], tagged: &[TaggedSpan]) -> Vec<Entity> {
    let mut entities: Vec<(Entity, bool)> = recognised
        .iter()
        .map(|span| {
            let kind = Cow::Borrowed(span.kind.as_str());
            let entity = Entity { bytes: span.bytes.clone(), kind, probability: span.probability };
            (entity, span.verified)
        })
        .collect();
    entities.extend(joined_tags(text, tagged).into_iter().map(|entity| (entity, false)));
    entities.sort_by_key(|(entity, _)| (entity.bytes.start, entity.bytes.end));
    let mut kept: Vec<(Entity, bool)> = Vec::with_capacity(entities.len());
    for found in entities {
        let mut wins = true;
        while let Some(last) = kept.last().filter(|last| last.0.bytes.end > found.0.bytes.start) {
            if !wins_over(&found, last) {
                wins = false;
                break;
            }
            kept.pop();
        }
        if wins {
            kept.push(found);
        }
    }
    kept.into_iter().map(|(entity, _)| entity).collect()
}

fn wins_over((entity, verified): &(Entity, bool), (other, other_verified): &(Entity, bool)) -> bool {
    let probability = || entity.probability.total_cmp(&other.probability);
    verified.cmp(other_verified).then_with(probability).is_gt()
}

fn joined_tags(text: &str, tagged: &[TaggedSpan]) -> Vec<Entity> {
    let mut tags: Vec<Entity> = Vec::with_capacity(tagged.len());
    let mut sorted: Vec<&TaggedSpan> = tagged.iter().collect();
    sorted.sort_by_key(|span| (span.bytes.start, span.bytes.end));
    for span in sorted {
        let Some(kind) = contract_type(&span.kind) else { continue };
        let Some(covered) = text.get(span.bytes.clone()) else { continue };
        let start = span.bytes.start + covered.len() - covered.trim_start().len();
        let end = start + covered.trim().len();
        if start >= end {
            continue;
        }
        let probability = f64::from(span.probability);
        let last = tags.last_mut().filter(|last| {
            last.kind == kind
                && (last.bytes.end >= start
                    || text.get(last.bytes.end..start).is_some_and(|gap| gap.trim().is_empty()))
        });
        match last {
            Some(last) => {
                last.bytes.end = last.bytes.end.max(end);
                last.probability = last.probability.max(probability);
            }
            None => tags.push(Entity { bytes: start..end, kind, probability }),
        }
    }
    tags
}
