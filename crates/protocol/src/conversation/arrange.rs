//! Puts calls and results of tools in the order that strict protocols demand.
//!
//! Clients of tolerant servers send what they like: results late, twice, or without a call; ids
//! that repeat in every turn. Upstreams refuse that. Here every call is followed at once by its
//! result, every result has its call, and whatever had to be changed is a loss.

use std::collections::{HashMap, HashSet};

use bytestring::ByteString;
use vsr_types::Role;

use super::{Content, Part, ToolResult, Turn};
use crate::loss::{Losses, Reason};

/// What a protocol demands of tool-call ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdRules {
    /// Only letters, digits, `_` and `-`.
    pub(crate) is_plain: bool,
    /// No id twice in a conversation.
    pub(crate) is_unique: bool,
}

/// Turns in order.
pub(crate) type Arranged = Vec<Turn>;

/// A call that waits for its result.
struct Call {
    /// The id that the client gave it.
    stated: ByteString,
    /// The id that it has now.
    id: ByteString,
    result: Option<Part>,
    place: super::Place,
}

struct Arranger<'l> {
    rules: IdRules,
    losses: &'l mut Losses,
    turns: Vec<Turn>,
    used: HashSet<ByteString>,
    /// For ids that are taken, the number to try next behind them.
    numbers: HashMap<String, u32>,
    /// Calls of the last assistant turn, and where in `turns` their results go.
    calls: Vec<Call>,
    results_at: usize,
}

const NO_RESULT: &str = "no result was given for this call";

/// Arranges `turns`.
pub(crate) fn arrange(turns: Vec<Turn>, rules: IdRules, losses: &mut Losses) -> Arranged {
    let mut arranger = Arranger {
        rules,
        losses,
        turns: Vec::with_capacity(turns.len() + 4),
        used: HashSet::new(),
        numbers: HashMap::new(),
        calls: Vec::new(),
        results_at: 0,
    };
    for turn in turns {
        match turn.role {
            Role::Assistant => arranger.assistant(turn),
            Role::Tool => arranger.results(turn),
            _ => arranger.turns.push(turn),
        }
    }
    arranger.close();
    arranger.turns.retain(|turn| turn.role != Role::Tool || !turn.parts.is_empty());
    arranger.turns
}

// === impl Arranger

impl Arranger<'_> {
    fn assistant(&mut self, mut turn: Turn) {
        // Calls of one answer that came as several messages belong together.
        let follows_own_calls = !self.calls.is_empty()
            && self.results_at + 1 == self.turns.len()
            && self.calls.iter().all(|call| call.result.is_none());
        if !follows_own_calls {
            self.close();
        }
        turn.parts.retain(|part| match &part.content {
            Content::ToolUse(call) if call.name.is_empty() => {
                self.losses.add(Reason::MissingName, part.place.to_string());
                false
            }
            _ => true,
        });
        let mut made = Vec::new();
        for part in &mut turn.parts {
            let place = part.place;
            if let Content::ToolUse(call) = &mut part.content {
                let stated = call.id.clone();
                call.id = self.id_for(&stated, place);
                made.push(Call { stated, id: call.id.clone(), result: None, place });
            }
        }
        if follows_own_calls {
            let before = self.results_at - 1;
            self.turns[before].parts.append(&mut turn.parts);
            self.calls.append(&mut made);
            return;
        }
        let place = turn.place;
        self.turns.push(turn);
        if !made.is_empty() {
            self.calls = made;
            self.results_at = self.turns.len();
            self.turns.push(Turn::new(Role::Tool, place));
        }
    }

    fn results(&mut self, turn: Turn) {
        let mut orphans = Turn::new(Role::User, turn.place);
        for mut part in turn.parts {
            let Content::ToolResult(result) = &mut part.content else {
                orphans.parts.push(part);
                continue;
            };
            let open = self
                .calls
                .iter_mut()
                .find(|call| call.result.is_none() && (call.stated == result.id || result.id.is_empty()));
            let Some(call) = open else {
                self.losses.add(Reason::OrphanResult, part.place.to_string());
                let place = part.place;
                orphans.parts.append(&mut orphan_text(result, place));
                continue;
            };
            if result.id.is_empty() {
                self.losses.add(Reason::MissingToolId, part.place.to_string());
            }
            result.id = call.id.clone();
            call.result = Some(part);
        }
        if !orphans.parts.is_empty() {
            self.turns.push(orphans);
        }
    }

    /// Puts the results behind their calls; a call without one gets one that says so.
    fn close(&mut self) {
        for call in self.calls.drain(..) {
            let result = call.result.unwrap_or_else(|| {
                self.losses.add(Reason::MissingResult, call.place.to_string());
                let text = Part::new(Content::Text(ByteString::from_static(NO_RESULT).into()), call.place);
                let result = ToolResult { id: call.id, parts: vec![text], is_error: false };
                Part::new(Content::ToolResult(result), call.place)
            });
            self.turns[self.results_at].parts.push(result);
        }
    }

    /// The id that a call gets.
    fn id_for(&mut self, stated: &ByteString, place: super::Place) -> ByteString {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_fine = !stated.is_empty() && (!self.rules.is_plain || stated.chars().all(is_plain));
        let is_free = |used: &HashSet<ByteString>, id: &str| !self.rules.is_unique || !used.contains(id);
        if is_fine && is_free(&self.used, stated) {
            self.used.insert(stated.clone());
            return stated.clone();
        }
        let base: String = if stated.is_empty() {
            self.losses.add(Reason::MissingToolId, place.to_string());
            format!("call_{}", self.used.len())
        } else {
            self.losses.add(Reason::ToolIdRewritten, place.to_string());
            stated.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
        };
        let mut id = ByteString::from(base.clone());
        if self.used.contains(&id) {
            // An id may come a thousand times: what was tried is not tried again.
            let number = self.numbers.entry(base.clone()).or_insert(2);
            while self.used.contains(&id) {
                id = ByteString::from(format!("{base}_{number}"));
                *number += 1;
            }
        }
        self.used.insert(id.clone());
        id
    }
}

/// What a result without a call is sent as: its text, and what else it holds.
fn orphan_text(result: &mut ToolResult, place: super::Place) -> Vec<Part> {
    let label = match result.id.is_empty() {
        true => ByteString::from_static("Result of a tool call:"),
        false => ByteString::from(format!("Result of tool call {}:", result.id)),
    };
    let mut parts = vec![Part::new(Content::Text(label.into()), place)];
    parts.append(&mut result.parts);
    parts
}
