//! The turns before one: a chain walked back to its beginning.

use std::collections::HashSet;

use serde::Deserialize;
use vsr_protocol::openai_responses::marked_reasoning;
use vsr_store::KeyValue;
use vsr_types::Timestamp;

use crate::{Error, HistoryError, Owner, Record, Upstream, keeper::SPACE, record};

/// The most turns of one chain.
pub const MAX_DEPTH: u32 = 1000;

/// What a chain may cost.
#[derive(Debug, Clone, Copy)]
pub struct HistoryLimits {
    /// The most bytes of all its items.
    pub max_bytes: usize,
    /// Whether the oldest turns may be left out where there are more.
    pub truncates: bool,
}

/// The turns before one.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// All items, the oldest first, without ids: they are said anew.
    pub items: Vec<String>,
    /// The turns, the newest first.
    pub chain: Vec<String>,
    /// How many turns there are.
    pub turns: u32,
    /// Where the newest one is kept upstream.
    pub upstream: Option<Upstream>,
    /// Whether the oldest turns were left out.
    pub is_truncated: bool,
    /// Whether items were left out that only their upstream can read.
    pub has_sealed_parts: bool,
}

/// What is looked at of an item.
#[derive(Deserialize)]
struct Item<'i> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'i, str>>,
    #[serde(borrow, default)]
    call_id: Option<std::borrow::Cow<'i, str>>,
    #[serde(borrow, default)]
    encrypted_content: Option<std::borrow::Cow<'i, str>>,
}

// === impl History

impl History {
    /// Walks back from the turn `newest`. Blocks.
    pub(crate) fn load(
        store: &dyn KeyValue,
        owner: &Owner,
        newest: &str,
        limits: &HistoryLimits,
        now: Timestamp,
    ) -> Result<Self, HistoryError> {
        let mut history = Self::default();
        let mut turns: Vec<Vec<String>> = Vec::new();
        let mut bytes = 0;
        let most = if limits.truncates { u32::MAX } else { MAX_DEPTH };
        let mut next = Some((newest.to_owned(), most));
        while let Some((id, limit)) = next.take() {
            let is_newest = history.chain.is_empty();
            if limits.truncates && history.chain.len() >= MAX_DEPTH as usize {
                history.is_truncated = true;
                break;
            }
            let Some(turn) = find(store, owner, &id, now)? else {
                return Err(if is_newest { HistoryError::NotFound } else { HistoryError::Broken });
            };
            // Depths fall from turn to turn, so that a walk ends whatever the store holds.
            if turn.depth >= limit {
                return Err(if is_newest { HistoryError::TooDeep } else { HistoryError::Broken });
            }
            let items = said(&turn, &mut history.has_sealed_parts)?;
            bytes += items.iter().map(|item| item.len() + 1).sum::<usize>();
            if is_newest {
                history.upstream.clone_from(&turn.upstream);
                history.turns = turn.depth.saturating_add(1);
            }
            if bytes > limits.max_bytes {
                if !limits.truncates || is_newest {
                    return Err(HistoryError::TooLong { max_bytes: limits.max_bytes });
                }
                history.is_truncated = true;
                break;
            }
            turns.push(items);
            history.chain.push(id);
            next = turn.previous.map(|previous| (previous, turn.depth));
        }
        history.items = turns.into_iter().rev().flatten().collect();
        if history.is_truncated {
            drop_orphans(&mut history.items);
        }
        Ok(history)
    }
}

/// The turn `id` of `owner`.
pub(crate) fn find(
    store: &dyn KeyValue,
    owner: &Owner,
    id: &str,
    now: Timestamp,
) -> Result<Option<Record>, Error> {
    let stored = store.get(SPACE, &owner.key(id), now)?;
    stored.map(|stored| record::read(&stored)).transpose()
}

/// What was said in a turn, by both, as it can be said again.
fn said(turn: &Record, has_sealed_parts: &mut bool) -> Result<Vec<String>, Error> {
    let mut items: Vec<String> = turn.input.iter().map(|item| crate::items::unnamed(item)).collect();
    for item in turn.output()? {
        let Some(upstream) = &turn.upstream else {
            items.push(crate::items::without_id(&item));
            continue;
        };
        // What its upstream keeps for itself means nothing without the upstream's own state.
        match said_again(&item, upstream) {
            Some(item) => items.push(item),
            None => *has_sealed_parts = true,
        }
    }
    Ok(items)
}

/// An item of a native backend as it can be said to any model; none if it cannot.
pub(crate) fn said_again(item: &str, upstream: &Upstream) -> Option<String> {
    is_self_contained(item).then(|| {
        let plain = crate::items::without_id(item);
        marked_reasoning(&plain, &upstream.model).unwrap_or(plain)
    })
}

/// Whether an item of a native backend can be said to any model.
pub fn is_self_contained(item: &str) -> bool {
    let Ok(read) = serde_json::from_str::<Item<'_>>(item) else { return false };
    match read.kind.as_deref() {
        Some("message" | "function_call" | "custom_tool_call") => true,
        Some("reasoning") => read.encrypted_content.is_some_and(|sealed| !sealed.is_empty()),
        _ => false,
    }
}

/// Removes results whose calls were left out.
fn drop_orphans(items: &mut Vec<String>) {
    let mut calls = HashSet::new();
    items.retain(|item| {
        let Ok(read) = serde_json::from_str::<Item<'_>>(item) else { return true };
        let Some(call) = read.call_id else { return true };
        let is_result = read.kind.is_some_and(|kind| kind.ends_with("_output"));
        if is_result {
            return calls.contains(&*call);
        }
        calls.insert(call.into_owned());
        true
    });
}
