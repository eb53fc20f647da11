//! Signal atoms: what a decision can name, numbered once per snapshot.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use serde::{Serialize, Serializer};

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $key:literal, $header:literal;)*) => {
        /// The kind of evidence an atom stands for: the signal families, and projection outputs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum SignalFamily {
            $($(#[$doc])* $variant,)*
        }

        // === impl SignalFamily

        impl SignalFamily {
            /// Every family, signals first, in the order of the contract.
            pub const ALL: &[SignalFamily] = &[$(SignalFamily::$variant,)*];

            /// The word for it in a rule tree's `type` and in metrics: `user_feedback`.
            pub const fn as_str(self) -> &'static str {
                match self { $(SignalFamily::$variant => $name,)* }
            }

            /// Its key under `routing.signals`: `user_feedbacks`.
            pub const fn config_key(self) -> &'static str {
                match self { $(SignalFamily::$variant => $key,)* }
            }

            /// The end of its `x-vsr-matched-…` response header: `user-feedback`.
            pub const fn header_suffix(self) -> &'static str {
                match self { $(SignalFamily::$variant => $header,)* }
            }
        }

        impl FromStr for SignalFamily {
            type Err = UnknownFamily;

            fn from_str(text: &str) -> Result<Self, UnknownFamily> {
                match text { $($name => Ok(SignalFamily::$variant),)* _ => Err(UnknownFamily) }
            }
        }
    };
}

families! {
    /// Words and phrases.
    Keyword = "keyword", "keywords", "keywords";
    /// Similarity to example texts or images.
    Embedding = "embedding", "embeddings", "embeddings";
    /// Subject area.
    Domain = "domain", "domains", "domains";
    /// Whether the request needs factual verification.
    FactCheck = "fact_check", "fact_check", "fact-check";
    /// What the user thinks of the previous answer.
    UserFeedback = "user_feedback", "user_feedbacks", "user-feedback";
    /// The user asks the same again.
    Reask = "reask", "reasks", "reask";
    /// How the user likes answers.
    Preference = "preference", "preferences", "preference";
    /// The language of the prompt.
    Language = "language", "language", "language";
    /// How many tokens the request needs.
    Context = "context", "context", "context";
    /// The shape of the prompt's text.
    Structure = "structure", "structure", "structure";
    /// How hard the request is.
    Complexity = "complexity", "complexity", "complexity";
    /// Text, image generation, or both.
    Modality = "modality", "modality", "modality";
    /// The caller's roles.
    Authz = "authz", "role_bindings", "authz";
    /// Prompt injection and jailbreaks.
    Jailbreak = "jailbreak", "jailbreak", "jailbreak";
    /// Personal data.
    Pii = "pii", "pii", "pii";
    /// Nearness to a knowledge base's labels or groups.
    Kb = "kb", "kb", "kb";
    /// The shape of the conversation.
    Conversation = "conversation", "conversation", "conversation";
    /// Operational events.
    Event = "event", "events", "event";
    /// Outputs of projection mappings: derived, not a signal.
    Projection = "projection", "projections", "projections";
}

/// The text names no family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a signal type")]
pub struct UnknownFamily;

/// A named piece of evidence: `keyword:urgent`, `complexity:reasoning:hard`, `projection:fast`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Atom {
    /// Its family.
    pub family: SignalFamily,
    /// Its name within the family: what a rule emits.
    pub name: Arc<str>,
}

/// The number of an atom within its [`AtomTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtomId(u32);

/// All atoms of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct AtomTable {
    atoms: Vec<Atom>,
    by_name: HashMap<Atom, AtomId>,
}

/// A set of atoms of one table: one bit each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtomSet(Vec<u64>);

/// A set of families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilySet(u32);

// === impl FamilySet

impl FamilySet {
    /// Every family.
    pub const ALL: Self = Self((1 << SignalFamily::COUNT) - 1);

    /// Puts `family` in.
    pub fn insert(&mut self, family: SignalFamily) {
        self.0 |= 1 << family.index();
    }

    /// This set without `family`.
    #[must_use]
    pub fn without(self, family: SignalFamily) -> Self {
        Self(self.0 & !(1 << family.index()))
    }

    /// Whether `family` is in.
    pub fn contains(self, family: SignalFamily) -> bool {
        self.0 & (1 << family.index()) != 0
    }

    /// The members, in the order of [`SignalFamily::ALL`].
    pub fn iter(self) -> impl Iterator<Item = SignalFamily> {
        SignalFamily::ALL.iter().copied().filter(move |family| self.contains(*family))
    }
}

// === impl SignalFamily

impl SignalFamily {
    /// How many families there are, projections included.
    pub const COUNT: usize = Self::ALL.len();

    /// Its position in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for SignalFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for SignalFamily {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

// === impl Atom

impl Atom {
    /// The atom `family:name`.
    pub fn new(family: SignalFamily, name: impl Into<Arc<str>>) -> Self {
        Self { family, name: name.into() }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.name)
    }
}

// === impl AtomId

impl AtomId {
    /// The position in the table, and in every array laid out like it.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

// === impl AtomTable

impl AtomTable {
    /// Numbers `atom`; an atom declared before keeps its number.
    pub fn declare(&mut self, atom: Atom) -> AtomId {
        if let Some(id) = self.by_name.get(&atom) {
            return *id;
        }
        let id = AtomId(u32::try_from(self.atoms.len()).unwrap_or(u32::MAX));
        self.atoms.push(atom.clone());
        self.by_name.insert(atom, id);
        id
    }

    /// The number of `family:name`, if declared.
    pub fn find(&self, family: SignalFamily, name: &str) -> Option<AtomId> {
        self.by_name.get(&Atom::new(family, name)).copied()
    }

    /// The atom behind a number of this table.
    ///
    /// # Panics
    /// If `id` belongs to a larger table.
    pub fn atom(&self, id: AtomId) -> &Atom {
        &self.atoms[id.index()]
    }

    /// Every atom with its number, in the order declared.
    pub fn iter(&self) -> impl Iterator<Item = (AtomId, &Atom)> {
        self.atoms.iter().enumerate().map(|(index, atom)| (AtomId(index as u32), atom))
    }

    /// The names declared in `family`, in the order declared.
    pub fn names(&self, family: SignalFamily) -> impl Iterator<Item = &str> {
        self.atoms.iter().filter(move |atom| atom.family == family).map(|atom| &*atom.name)
    }

    /// How many atoms there are.
    pub fn len(&self) -> usize {
        self.atoms.len()
    }

    /// Whether there is no atom.
    pub fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }
}

// === impl AtomSet

impl AtomSet {
    /// The empty set over a table of `atoms` atoms.
    pub fn with_capacity(atoms: usize) -> Self {
        Self(vec![0; atoms.div_ceil(64)])
    }

    /// Puts `id` in.
    pub fn insert(&mut self, id: AtomId) {
        let word = id.index() / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id.index() % 64);
    }

    /// Takes `id` out.
    pub fn remove(&mut self, id: AtomId) {
        if let Some(word) = self.0.get_mut(id.index() / 64) {
            *word &= !(1 << (id.index() % 64));
        }
    }

    /// Whether `id` is in.
    pub fn contains(&self, id: AtomId) -> bool {
        self.0.get(id.index() / 64).is_some_and(|word| word & (1 << (id.index() % 64)) != 0)
    }

    /// Empties the set, keeping its storage.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// The 64-atom words, lowest numbers first, for word-wise comparison.
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = AtomId> + '_ {
        self.0.iter().enumerate().flat_map(|(word_index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    AtomId(word_index as u32 * 64 + bit)
                })
            })
        })
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}
