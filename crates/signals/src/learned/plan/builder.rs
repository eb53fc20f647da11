//! How a plan comes about: texts collected, within bounds, the most important first.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use vsr_types::RequestView;

use super::{Cover, Demand, Omission, ReadingPlan, Scan, Share, TextNeed, TextSource, TextView, Wants};
use crate::{compression::Compressor, views};

/// The most texts of one request.
const MOST_TEXTS: usize = 512;
/// The most bytes of one text: of a longer one the beginning and the end are looked through.
const MOST_TEXT_BYTES: usize = 1 << 20;
/// The most bytes of one request's texts together; every share has as much of it as it has of the budget.
const MOST_BYTES: usize = 4 << 20;
/// The most bytes of user turns that are read as one text, half of them before the current turn.
const JOINED_BYTES: usize = 4096;

/// Collects the texts of one request.
pub(in crate::learned) struct Builder {
    pub(in crate::learned) plan: ReadingPlan,
    by_text: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    bytes: usize,
}

/// Where a text is from.
#[derive(Clone, Copy)]
pub(in crate::learned) struct Origin {
    source: TextSource,
    is_new: bool,
}

/// What is looked for in scanned texts.
#[derive(Clone, Copy, Default)]
pub(in crate::learned) struct Look {
    /// What is wanted of models that look for attacks.
    pub(in crate::learned) attack: Option<Wants>,
    /// Whether patterns are searched for as well.
    pub(in crate::learned) searches: bool,
    /// Whether personal data is looked for.
    pub(in crate::learned) pii: bool,
}

/// A part of what is looked for, in one view of a text.
#[derive(Clone, Copy, Default)]
struct Purpose {
    attack: bool,
    search: bool,
    pii: bool,
}

// === impl Origin

impl Origin {
    /// The current text.
    pub(in crate::learned) const CURRENT: Self = Self::new(TextSource::Current);

    /// A text that the model has not seen.
    const fn new(source: TextSource) -> Self {
        Self { source, is_new: true }
    }

    /// One that it saw in an earlier turn.
    const fn seen(source: TextSource) -> Self {
        Self { source, is_new: false }
    }
}

// === impl Builder

impl Builder {
    pub(in crate::learned) fn new(budget_tokens: u32) -> Self {
        Self {
            plan: ReadingPlan { budget_tokens, ..ReadingPlan::default() },
            by_text: HashMap::default(),
            bytes: 0,
        }
    }

    /// The place of the text among the needs; `None` if there is no room for it.
    pub(in crate::learned) fn need(
        &mut self,
        text: &str,
        origin: Origin,
        view: TextView,
        wants: Wants,
        cover: Cover,
    ) -> Option<usize> {
        let share = origin.source.share();
        let (text, mut omission) = both_ends(text, MOST_TEXT_BYTES);
        if omission.is_some() {
            self.drop_part(origin);
        }
        if let Some(index) = self.by_text.get(&*text) {
            let need = &mut self.plan.needs[*index];
            need.wants = need.wants.union(wants);
            need.cover = need.cover.max(cover);
            need.share = need.share.min(share);
            return Some(*index);
        }
        let room = room(share).saturating_sub(self.bytes);
        if self.plan.needs.len() >= MOST_TEXTS || room == 0 {
            self.drop_part(origin);
            return None;
        }
        let key: Arc<str> = (&*text).into();
        let (kept, further) = both_ends(&key, room);
        let text = match further {
            None => Arc::clone(&key),
            Some(Omission { at, bytes }) => {
                self.drop_part(origin);
                omission = Some(Omission { at, bytes: bytes + omission.map_or(0, |cut| cut.bytes) });
                (&*kept).into()
            }
        };
        self.bytes += text.len();
        let index = self.plan.needs.len();
        self.by_text.insert(key, index);
        self.plan.needs.push(TextNeed { text, omission, source: origin.source, share, view, wants, cover });
        Some(index)
    }

    fn drop_part(&mut self, origin: Origin) {
        let dropped = &mut self.plan.routes.dropped;
        match origin.source {
            _ if origin.is_new => dropped.new = true,
            TextSource::ToolResult(_) => dropped.results = true,
            _ => dropped.earlier = true,
        }
    }

    pub(super) fn current(&mut self, current: &str, demand: &Demand, compressor: Option<&Compressor>) {
        let short = compressor.map(|compressor| compressor.compress(current).text);
        let mut need = |text: &str, source: TextSource, wants: Wants| {
            self.need(text, Origin::new(source), TextView::Written, wants, Cover::Ends)
        };
        let short = match short.filter(|short| *short != current) {
            _ if demand.short.is_nothing() => None,
            Some(short) => need(&short, TextSource::Compressed, demand.short),
            None => need(current, TextSource::Current, demand.short),
        };
        let full = match demand.full.is_nothing() {
            true => None,
            false => need(current, TextSource::Current, demand.full),
        };
        (self.plan.routes.short, self.plan.routes.full) = (short, full);
    }

    /// The user's earlier texts whose embeddings are compared with the current one, newest first.
    pub(super) fn turns(&mut self, request: &RequestView<'_>, most: usize) {
        let turns = request.prior_user.iter().enumerate().rev().filter(|(_, turn)| !turn.trim().is_empty());
        for (position, turn) in turns.take(most) {
            let origin = Origin::seen(TextSource::EarlierUser(position));
            let need = self.need(turn, origin, TextView::Written, Wants::EMBEDDING, Cover::Ends);
            self.plan.routes.turns.push(need);
        }
    }

    /// What the user wrote last, tools' results, then earlier messages, newest first.
    pub(super) fn scans(&mut self, request: &RequestView<'_>, current: &str, demand: &Demand) {
        let look = Look { attack: demand.attack, searches: demand.searches, pii: demand.pii };
        let for_attack = Look { pii: false, ..look };
        self.scan(current, Origin::CURRENT, look);
        let turn_start = request.prior_user.len().saturating_sub(request.prior_user_of_turn);
        for (position, text) in request.prior_user.iter().enumerate().skip(turn_start).rev() {
            self.scan(text, Origin::new(TextSource::SameTurn(position)), look);
        }
        if look.attack.is_some()
            && let Some(joined) = joined_user(&request.prior_user[turn_start..], current)
        {
            self.scan(&joined, Origin::new(TextSource::JoinedTurn), for_attack);
        }
        let results_start = request.tool_results.len().saturating_sub(request.new_tool_results);
        for (position, text) in request.tool_results.iter().enumerate().rev() {
            let source = TextSource::ToolResult(position);
            self.scan(text, Origin { source, is_new: position >= results_start }, look);
        }
        let history = Look {
            attack: look.attack.filter(|_| demand.attack_history),
            pii: demand.pii && demand.pii_history,
            ..look
        };
        if history.attack.is_none() && !history.pii {
            return;
        }
        if history.attack.is_some()
            && let Some(joined) = joined_user(&request.prior_user, current)
        {
            self.scan(&joined, Origin::seen(TextSource::JoinedUser), for_attack);
        }
        let mut users = request.prior_user[..turn_start].iter().enumerate().rev();
        let mut others = request.non_user.iter().enumerate().rev();
        let mut arguments = request.tool_arguments.iter().enumerate().rev();
        loop {
            let next = [
                users.next().map(|(position, text)| (text, TextSource::EarlierUser(position))),
                others.next().map(|(position, text)| (text, TextSource::NonUser(position))),
                arguments.next().map(|(position, text)| (text, TextSource::ToolArguments(position))),
            ];
            if next.iter().all(Option::is_none) {
                return;
            }
            for (text, source) in next.into_iter().flatten() {
                self.scan(text, Origin::seen(source), history);
            }
        }
    }

    pub(in crate::learned) fn scan(&mut self, text: &str, origin: Origin, look: Look) {
        if text.trim().is_empty() {
            return;
        }
        let Look { attack, searches, pii } = look;
        let (looked_through, omission) = both_ends(text, MOST_TEXT_BYTES);
        if omission.is_some() {
            self.drop_part(origin);
        }
        // Folded and decoded texts first: what hides an attack is longer than the attack, and must not take its room.
        let plain = attack.and_then(|_| views::plain(&looked_through));
        let decoded = attack.and_then(|_| views::decoded(&looked_through));
        let hidden = [(plain.as_ref(), TextView::Plain), (decoded.as_ref(), TextView::Decoded)];
        for (found, view) in hidden {
            let (Some(attack), Some(found)) = (attack, found) else { continue };
            if !found.is_whole {
                self.drop_part(origin);
            }
            let purpose = Purpose { attack: true, search: true, pii: false };
            self.add_scan(&found.text, (origin, view), attack, purpose);
        }
        let as_written = attack.filter(|_| plain.is_none());
        let purpose = Purpose { attack: as_written.is_some(), search: attack.is_some() && searches, pii };
        if purpose.attack || purpose.search || purpose.pii {
            let tags = if pii { Wants::TAGS } else { Wants::default() };
            let wants = as_written.unwrap_or_default().union(tags);
            self.add_scan(text, (origin, TextView::Written), wants, purpose);
        }
    }

    fn add_scan(&mut self, text: &str, (origin, view): (Origin, TextView), wants: Wants, purpose: Purpose) {
        let cover = if wants.is_nothing() { Cover::Ends } else { Cover::Whole };
        let Some(need) = self.need(text, origin, view, wants, cover) else { return };
        let Origin { source, is_new } = origin;
        let scans = &mut self.plan.routes.scans;
        match scans.iter_mut().find(|scan| scan.need == need) {
            Some(scan) => {
                scan.for_attack |= purpose.attack;
                scan.is_searched |= purpose.search;
                scan.for_pii |= purpose.pii;
            }
            None => scans.push(Scan {
                need,
                source,
                view,
                is_new,
                for_attack: purpose.attack,
                is_searched: purpose.search,
                for_pii: purpose.pii,
            }),
        }
    }
}

/// How many bytes the texts of this and of all more important shares may have.
fn room(share: Share) -> usize {
    Share::ALL.into_iter().filter(|more| *more <= share).map(|share| share.of(MOST_BYTES)).sum()
}

/// The text if it has at most `most` bytes, else as much of its beginning and its end.
fn both_ends(text: &str, most: usize) -> (Cow<'_, str>, Option<Omission>) {
    if text.len() <= most {
        return (Cow::Borrowed(text), None);
    }
    let end = floor(text, most / 2);
    let start = ceil(text, text.len() - most / 2);
    let at = end + 1;
    (Cow::Owned(format!("{}\n{}", &text[..end], &text[start..])), Some(Omission { at, bytes: start - at }))
}

/// The end of the earlier texts and the beginning of the current one, so that an attack split across
/// messages is read as one.
fn joined_user(prior: &[Cow<'_, str>], current: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let mut left = JOINED_BYTES / 2;
    for text in prior.iter().rev().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let start = ceil(text, text.len().saturating_sub(left));
        left -= text.len() - start;
        parts.push(&text[start..]);
        if left == 0 {
            break;
        }
    }
    if parts.is_empty() {
        return None;
    }
    parts.reverse();
    parts.push(&current[..floor(current, JOINED_BYTES / 2)]);
    Some(parts.join(" "))
}

/// `at` or the character boundary before it.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `at` or the character boundary behind it.
fn ceil(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
