//! Which texts of a request the models are to read, and what is wanted of each.

mod builder;

use std::{ops::Range, sync::Arc};

use vsr_types::RequestView;

use super::reading::{Head, HeadSet};
use crate::{
    compression::Compressor,
    external::{RemoteSet, RemoteTask},
};

pub(super) use builder::{Builder, Look, Origin};

/// Where a text is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextSource {
    /// The user's current text, or what stands for it where there is none.
    Current,
    /// The current text, shortened.
    Compressed,
    /// A tool's result, by position in the request.
    ToolResult(usize),
    /// A text that the user wrote in one go with the current one, by position among the earlier ones.
    SameTurn(usize),
    /// The end of those and the beginning of the current text, joined.
    JoinedTurn,
    /// An earlier text of the user, by position.
    EarlierUser(usize),
    /// A system, developer or assistant text, by position.
    NonUser(usize),
    /// What the assistant gave to a tool, by position.
    ToolArguments(usize),
    /// The end of the user's earlier texts and the beginning of the current one, joined.
    JoinedUser,
}

/// Which part of the budget a text is read from. Each has room of its own, and what one does not need is the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Share {
    /// What the user wrote last: half of the budget.
    Newest,
    /// Tools' results: a quarter.
    ToolResults,
    /// Everything else: a quarter.
    Earlier,
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

/// The middle of a text, left out because the text is too long to look through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Omission {
    /// Where the end of the text begins.
    pub at: usize,
    /// How many bytes are left out before that.
    pub bytes: usize,
}

/// A text to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextNeed {
    /// The text, or its beginning and its end with a line break between them. No two needs of a plan have the same.
    pub text: Arc<str>,
    /// What was left out of it.
    pub omission: Option<Omission>,
    /// Where it is from; the first place where it occurs in several.
    pub source: TextSource,
    /// What room it has.
    pub share: Share,
    /// How it was changed.
    pub view: TextView,
    /// What is wanted; nothing where the text is only searched.
    pub wants: Wants,
    /// How much of it the trunk model reads.
    pub cover: Cover,
}

/// The texts of one request, the most important first: a reader reads them in this order within their shares of the
/// budget, of those that are too long both ends, and says of each how much it saw.
#[derive(Debug, Clone, Default)]
pub struct ReadingPlan {
    needs: Vec<TextNeed>,
    image: Option<Arc<str>>,
    audio: Option<Arc<str>>,
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
    /// What there was no room for.
    pub(super) dropped: Dropped,
}

/// Whether texts, or parts of them, were left out of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dropped {
    /// Of what is new to the model: the user's newest texts, tools' newest results.
    pub(super) new: bool,
    /// Of tools' earlier results.
    pub(super) results: bool,
    /// Of the rest.
    pub(super) earlier: bool,
}

/// A text that is scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    pub(super) need: usize,
    pub(super) source: TextSource,
    pub(super) view: TextView,
    /// Whether the model has not seen it yet.
    pub(super) is_new: bool,
    /// Whether models look for attacks in it.
    pub(super) for_attack: bool,
    /// Whether patterns are searched in it.
    pub(super) is_searched: bool,
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
    /// Whether the first image is embedded.
    pub(super) image: bool,
    /// Whether the first sound is embedded.
    pub(super) audio: bool,
    /// How many earlier user texts are embedded.
    pub(super) turns: usize,
    /// What is wanted of scanned texts by the jailbreak family.
    pub(super) attack: Option<Wants>,
    /// Whether a jailbreak rule has patterns to search for.
    pub(super) searches: bool,
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

// === impl TextSource

impl TextSource {
    /// Whether it is an earlier message.
    fn is_history(self) -> bool {
        matches!(self, Self::EarlierUser(_) | Self::NonUser(_) | Self::ToolArguments(_) | Self::JoinedUser)
    }

    fn share(self) -> Share {
        match self {
            Self::Current | Self::Compressed | Self::SameTurn(_) | Self::JoinedTurn => Share::Newest,
            Self::ToolResult(_) => Share::ToolResults,
            Self::EarlierUser(_) | Self::NonUser(_) | Self::ToolArguments(_) | Self::JoinedUser => {
                Share::Earlier
            }
        }
    }
}

// === impl Share

impl Share {
    /// Every share, the most important first.
    pub const ALL: [Share; 3] = [Share::Newest, Share::ToolResults, Share::Earlier];

    /// How much of a budget is kept for it.
    pub const fn of(self, budget: usize) -> usize {
        match self {
            Self::Newest => budget - budget / 4 * 2,
            Self::ToolResults | Self::Earlier => budget / 4,
        }
    }
}

// === impl TextNeed

impl TextNeed {
    /// Where `bytes` of [`Self::text`] are in the text that it was taken from.
    pub fn original(&self, bytes: Range<usize>) -> Range<usize> {
        let place = |at: usize| match self.omission {
            Some(omission) if at >= omission.at => at + omission.bytes,
            _ => at,
        };
        place(bytes.start)..place(bytes.end)
    }
}

// === impl Dropped

impl Dropped {
    /// Whether anything was left out.
    pub(super) fn any(self) -> bool {
        self.new || self.results || self.earlier
    }
}

// === impl Scan

impl Scan {
    /// Whether it is of an earlier message.
    pub(super) fn is_history(self) -> bool {
        self.source.is_history()
    }
}

// === impl ReadingPlan

impl ReadingPlan {
    /// The texts, the most important first.
    pub fn needs(&self) -> &[TextNeed] {
        &self.needs
    }

    /// The image whose embedding is wanted: a base64 `data:` URI.
    pub fn image(&self) -> Option<&Arc<str>> {
        self.image.as_ref()
    }

    /// The sound whose embedding is wanted: the base64 of a file, or a base64 `data:` URI.
    pub fn audio(&self) -> Option<&Arc<str>> {
        self.audio.as_ref()
    }

    /// Whether anything is wanted of the router's own models.
    pub fn wants_models(&self) -> bool {
        self.image.is_some() || self.audio.is_some() || self.needs.iter().any(|need| !need.wants.is_empty())
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
    builder.turns(request, demand.turns);
    let image = request.first_image.as_deref().filter(|_| demand.image);
    let audio = request.first_audio.as_deref().filter(|_| demand.audio);
    ReadingPlan { image: image.map(Into::into), audio: audio.map(Into::into), ..builder.plan }
}
