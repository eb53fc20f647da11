//! Which texts of a request the models are to read, and what is wanted of each.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use vsr_types::RequestView;

use super::reading::{Head, HeadSet};
use crate::{
    compression::Compressor,
    external::{RemoteSet, RemoteTask},
    views,
};

/// The most texts of one request.
const MOST_TEXTS: usize = 512;
/// The most bytes of one request's texts for each token of the budget: no text of any language has more.
const MOST_BYTES_PER_TOKEN: usize = 16;
/// The most bytes of user turns that are read as one text, half of them before the current turn.
const JOINED_BYTES: usize = 4096;

/// Where a text is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextSource {
    /// The user's current text, or what stands for it where there is none.
    Current,
    /// The current text, shortened.
    Compressed,
    /// A tool's result, by position in the request.
    ToolResult(usize),
    /// An earlier text of the user, by position.
    EarlierUser(usize),
    /// A system, developer or assistant text, by position.
    NonUser(usize),
    /// The end of the user's earlier texts and the beginning of the current one, joined.
    JoinedUser,
}

/// How a text was changed before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextView {
    /// Not at all.
    Written,
    /// See [`views::plain`].
    Plain,
    /// See [`views::decoded`].
    Decoded,
}

/// How much of a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// The first and the last of its windows.
    Ends,
    /// All its windows.
    Whole,
}

/// What is wanted of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// The embeddings of its windows, or of the first and the last of them.
    pub embedding: Option<Cover>,
    /// The outputs of these heads for each window.
    pub heads: HeadSet,
    /// The tagger's spans; always of the whole text.
    pub tags: bool,
    /// What models served elsewhere are asked.
    pub remote: RemoteSet,
}

/// A text to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextNeed {
    /// The text. No two needs of a plan have the same.
    pub text: Arc<str>,
    /// Where it is from; the first place where it occurs in several.
    pub source: TextSource,
    /// How it was changed.
    pub view: TextView,
    /// What is wanted; nothing where the text is only searched.
    pub wants: Wants,
    /// How much of it the trunk model reads.
    pub cover: Cover,
}

/// The texts of one request, the most important first: a reader reads them in this order until the
/// budget is spent, and says of each how much it saw.
#[derive(Debug, Clone, Default)]
pub struct ReadingPlan {
    needs: Vec<TextNeed>,
    budget_tokens: u32,
    pub(super) routes: Routes,
}

/// Which text of a plan serves which purpose.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    /// The current text as written.
    pub(super) full: Option<usize>,
    /// The current text, shortened if it was.
    pub(super) short: Option<usize>,
    /// Earlier texts of the user, newest first; `None` for one that there was no room for.
    pub(super) turns: Vec<Option<usize>>,
    /// What is scanned for attacks and personal data.
    pub(super) scans: Vec<Scan>,
    /// Whether texts were left out because there are too many.
    pub(super) has_dropped: bool,
}

/// A text that is scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    pub(super) need: usize,
    pub(super) source: TextSource,
    pub(super) view: TextView,
    /// Whether attacks are looked for in it.
    pub(super) for_attack: bool,
    /// Whether personal data is looked for in it.
    pub(super) for_pii: bool,
}

/// What the compiled rules want, whatever the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Demand {
    /// What is wanted of the current text as written.
    pub(super) full: Wants,
    /// What is wanted of the shortened text.
    pub(super) short: Wants,
    /// How many earlier user texts are embedded.
    pub(super) turns: usize,
    /// What is wanted of scanned texts by the jailbreak family.
    pub(super) attack: Option<Wants>,
    /// Whether attacks are looked for in earlier messages.
    pub(super) attack_history: bool,
    /// Whether personal data is looked for.
    pub(super) pii: bool,
    /// Whether personal data is looked for in earlier messages.
    pub(super) pii_history: bool,
}

// === impl Wants

impl Wants {
    /// Only the embedding, as the mean of the first and the last window.
    pub const EMBEDDING: Self =
        Self { embedding: Some(Cover::Ends), heads: HeadSet::NONE, tags: false, remote: RemoteSet::NONE };
    /// Only the embedding of each window.
    pub(super) const EMBEDDINGS: Self = Self { embedding: Some(Cover::Whole), ..Self::EMBEDDING };
    /// Only the tagger's spans.
    pub const TAGS: Self =
        Self { embedding: None, heads: HeadSet::NONE, tags: true, remote: RemoteSet::NONE };

    /// Whether the trunk model is to read.
    pub fn reads_trunk(self) -> bool {
        self.embedding.is_some() || !self.heads.is_empty()
    }

    /// Whether nothing is wanted of the router's own models.
    pub fn is_empty(self) -> bool {
        !self.reads_trunk() && !self.tags
    }

    /// Only the output of `head`.
    pub fn head(head: Head) -> Self {
        Self { heads: HeadSet::from_iter([head]), ..Self::default() }
    }

    pub(super) fn remote(task: RemoteTask) -> Self {
        Self { remote: RemoteSet::of(task), ..Self::default() }
    }

    /// Whether nothing is wanted of any model.
    fn is_nothing(self) -> bool {
        self.is_empty() && self.remote.is_empty()
    }

    /// What either wants.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            embedding: self.embedding.max(other.embedding),
            heads: self.heads.with(other.heads),
            tags: self.tags || other.tags,
            remote: self.remote.with(other.remote),
        }
    }
}

// === impl Scan

impl Scan {
    /// Whether it is of an earlier message.
    pub(super) fn is_history(self) -> bool {
        matches!(self.source, TextSource::EarlierUser(_) | TextSource::NonUser(_) | TextSource::JoinedUser)
    }
}

// === impl ReadingPlan

impl ReadingPlan {
    /// The texts, the most important first.
    pub fn needs(&self) -> &[TextNeed] {
        &self.needs
    }

    /// Whether anything is wanted of the router's own models.
    pub fn wants_models(&self) -> bool {
        self.needs.iter().any(|need| !need.wants.is_empty())
    }

    /// Whether anything is asked of models served elsewhere.
    pub fn wants_remote(&self) -> bool {
        self.needs.iter().any(|need| !need.wants.remote.is_empty())
    }

    /// The most tokens to read of all texts together, by each model.
    pub fn budget_tokens(&self) -> u32 {
        self.budget_tokens
    }
}

/// Plans the reading of one request.
pub(super) fn plan(
    request: &RequestView<'_>,
    demand: &Demand,
    compressor: Option<&Compressor>,
    budget_tokens: u32,
) -> ReadingPlan {
    let mut builder = Builder::new(budget_tokens);
    let current = request.evaluation_text();
    if !current.trim().is_empty() {
        builder.current(&current, demand, compressor);
    }
    if demand.attack.is_some() || demand.pii {
        builder.scans(request, &current, demand);
    }
    let turns = request.prior_user.iter().enumerate().rev().filter(|(_, turn)| !turn.trim().is_empty());
    for (position, turn) in turns.take(demand.turns) {
        let source = TextSource::EarlierUser(position);
        let need = builder.need(turn, source, TextView::Written, Wants::EMBEDDING, Cover::Ends);
        builder.plan.routes.turns.push(need);
    }
    builder.plan
}

pub(super) struct Builder {
    pub(super) plan: ReadingPlan,
    by_text: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    bytes_left: usize,
}

// === impl Builder

impl Builder {
    pub(super) fn new(budget_tokens: u32) -> Self {
        Self {
            plan: ReadingPlan { budget_tokens, ..ReadingPlan::default() },
            by_text: HashMap::default(),
            bytes_left: (budget_tokens as usize).saturating_mul(MOST_BYTES_PER_TOKEN),
        }
    }

    /// The place of the text among the needs; `None` if there is no room for it.
    pub(super) fn need(
        &mut self,
        text: &str,
        source: TextSource,
        view: TextView,
        wants: Wants,
        cover: Cover,
    ) -> Option<usize> {
        // A text is cut to the same length wherever it is asked for, so that it is found again.
        let most = (self.plan.budget_tokens as usize).saturating_mul(MOST_BYTES_PER_TOKEN);
        let whole = text.len();
        let text = &text[..floor(text, most)];
        self.plan.routes.has_dropped |= text.len() < whole;
        if let Some(index) = self.by_text.get(text) {
            let need = &mut self.plan.needs[*index];
            need.wants = need.wants.union(wants);
            need.cover = need.cover.max(cover);
            return Some(*index);
        }
        if self.plan.needs.len() >= MOST_TEXTS || self.bytes_left == 0 {
            self.plan.routes.has_dropped = true;
            return None;
        }
        let end = floor(text, self.bytes_left);
        self.plan.routes.has_dropped |= end < text.len();
        self.bytes_left -= end;
        let text: Arc<str> = text[..end].into();
        let index = self.plan.needs.len();
        self.by_text.insert(text.clone(), index);
        self.plan.needs.push(TextNeed { text, source, view, wants, cover });
        Some(index)
    }

    fn current(&mut self, current: &str, demand: &Demand, compressor: Option<&Compressor>) {
        let short = compressor.map(|compressor| compressor.compress(current).text);
        match short.filter(|short| *short != current) {
            Some(short) if !demand.short.is_nothing() => {
                self.plan.routes.short =
                    self.need(&short, TextSource::Compressed, TextView::Written, demand.short, Cover::Ends);
            }
            _ if !demand.short.is_nothing() => {
                self.plan.routes.short =
                    self.need(current, TextSource::Current, TextView::Written, demand.short, Cover::Ends);
            }
            _ => {}
        }
        if !demand.full.is_nothing() {
            self.plan.routes.full =
                self.need(current, TextSource::Current, TextView::Written, demand.full, Cover::Ends);
        }
    }

    /// The current text, tools' results, the joined turns, then earlier messages, newest first.
    fn scans(&mut self, request: &RequestView<'_>, current: &str, demand: &Demand) {
        self.scan(current, TextSource::Current, demand.attack, demand.pii);
        for (position, text) in request.tool_results.iter().enumerate().rev() {
            self.scan(text, TextSource::ToolResult(position), demand.attack, demand.pii);
        }
        let attack = demand.attack.filter(|_| demand.attack_history);
        let pii = demand.pii && demand.pii_history;
        if attack.is_none() && !pii {
            return;
        }
        if attack.is_some()
            && let Some(joined) = joined_user(&request.prior_user, current)
        {
            self.scan(&joined, TextSource::JoinedUser, attack, false);
        }
        let mut users = request.prior_user.iter().enumerate().rev();
        let mut others = request.non_user.iter().enumerate().rev();
        loop {
            let (user, other) = (users.next(), others.next());
            if user.is_none() && other.is_none() {
                return;
            }
            if let Some((position, text)) = user {
                self.scan(text, TextSource::EarlierUser(position), attack, pii);
            }
            if let Some((position, text)) = other {
                self.scan(text, TextSource::NonUser(position), attack, pii);
            }
        }
    }

    pub(super) fn scan(&mut self, text: &str, source: TextSource, attack: Option<Wants>, pii: bool) {
        if text.trim().is_empty() {
            return;
        }
        // Folded and decoded texts first: what hides an attack is longer than the attack, and must not take its room.
        let plain = attack.and_then(|_| views::plain(text));
        if let (Some(attack), Some(plain)) = (attack, &plain) {
            self.add_scan(plain, (source, TextView::Plain), attack, (true, false));
        }
        if let Some(attack) = attack
            && let Some(decoded) = views::decoded(text)
        {
            self.add_scan(&decoded, (source, TextView::Decoded), attack, (true, false));
        }
        let attack_as_written = attack.filter(|_| plain.is_none());
        if pii || attack_as_written.is_some() {
            let tags = if pii { Wants::TAGS } else { Wants::default() };
            let wants = attack_as_written.unwrap_or_default().union(tags);
            let purpose = (attack_as_written.is_some(), pii);
            self.add_scan(text, (source, TextView::Written), wants, purpose);
        }
    }

    fn add_scan(
        &mut self,
        text: &str,
        (source, view): (TextSource, TextView),
        wants: Wants,
        (for_attack, for_pii): (bool, bool),
    ) {
        let Some(need) = self.need(text, source, view, wants, Cover::Whole) else { return };
        let scans = &mut self.plan.routes.scans;
        match scans.iter_mut().find(|scan| scan.need == need) {
            Some(scan) => {
                scan.for_attack |= for_attack;
                scan.for_pii |= for_pii;
            }
            None => scans.push(Scan { need, source, view, for_attack, for_pii }),
        }
    }
}

/// The end of the earlier texts and the beginning of the current one, so that an attack split across
/// messages is read as one.
fn joined_user(prior: &[Cow<'_, str>], current: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let mut left = JOINED_BYTES / 2;
    for text in prior.iter().rev().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let mut start = text.len().saturating_sub(left);
        while !text.is_char_boundary(start) {
            start += 1;
        }
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
