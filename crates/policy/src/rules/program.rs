//! Rule trees compiled to gates over the evidence's bit sets: what decides whether they hold.
//!
//! NOT is pushed down to the leaves (De Morgan's laws hold in three-valued logic), nested gates of one
//! kind become one, and the plain leaves of a gate are compared 64 atoms at a time.

use std::ops::Range;

use vsr_types::{AtomId, Evidence};

use super::{Leaf, Rule, RuleState};

/// The position of a gate in its [`Program`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct GateId(u32);

/// The gates of all trees, in flat arrays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    gates: Vec<Gate>,
    masks: Vec<Mask>,
    special: Vec<Special>,
}

/// AND or OR over plain leaves, special leaves and gates of the other kind.
#[derive(Debug, Clone, Default)]
struct Gate {
    is_and: bool,
    masks: Range<u32>,
    special: Range<u32>,
    gates: Range<u32>,
}

/// The plain leaves of a gate within one word of the bit sets.
#[derive(Debug, Clone, Copy)]
struct Mask {
    word: u32,
    /// Atoms that stand there as they are.
    plain: u64,
    /// Atoms under a NOT.
    negated: u64,
}

/// A leaf that bits alone cannot decide.
#[derive(Debug, Clone)]
struct Special {
    leaf: Leaf,
    is_negated: bool,
}

/// A gate while it is being put together.
struct Draft {
    is_and: bool,
    masks: Vec<Mask>,
    special: Vec<Special>,
    gates: Vec<Draft>,
}

// === impl Program

impl Program {
    /// Compiles `rule` and returns its gate.
    pub(crate) fn add(&mut self, rule: &Rule) -> GateId {
        let mut draft = Draft::new(true);
        draft.absorb(rule, false);
        let slot = self.gates.len();
        self.gates.push(Gate::default());
        self.place(slot, draft);
        GateId(slot as u32)
    }

    /// Whether the tree behind `gate` holds.
    pub(crate) fn state(&self, gate: GateId, evidence: &Evidence) -> RuleState {
        self.gate_state(&self.gates[gate.0 as usize], evidence)
    }

    fn gate_state(&self, gate: &Gate, evidence: &Evidence) -> RuleState {
        let dominant = if gate.is_and { RuleState::NotMatched } else { RuleState::Matched };
        let mut outcome = dominant.negated();
        let (matched_words, unknown_words) = (evidence.matched().words(), evidence.unavailable().words());
        for mask in &self.masks[span(&gate.masks)] {
            let matched = matched_words.get(mask.word as usize).copied().unwrap_or(0);
            let unknown = unknown_words.get(mask.word as usize).copied().unwrap_or(0);
            let unmatched = !(matched | unknown);
            let decisive = if gate.is_and {
                (mask.plain & unmatched) | (mask.negated & matched)
            } else {
                (mask.plain & matched) | (mask.negated & unmatched)
            };
            if decisive != 0 {
                return dominant;
            }
            if (mask.plain | mask.negated) & unknown != 0 {
                outcome = RuleState::Unavailable;
            }
        }
        for special in &self.special[span(&gate.special)] {
            let state = special.leaf.state(evidence);
            match if special.is_negated { state.negated() } else { state } {
                state if state == dominant => return dominant,
                RuleState::Unavailable => outcome = RuleState::Unavailable,
                _ => {}
            }
        }
        for inner in &self.gates[span(&gate.gates)] {
            match self.gate_state(inner, evidence) {
                state if state == dominant => return dominant,
                RuleState::Unavailable => outcome = RuleState::Unavailable,
                _ => {}
            }
        }
        outcome
    }

    fn place(&mut self, slot: usize, draft: Draft) {
        let masks = extend(&mut self.masks, draft.masks);
        let special = extend(&mut self.special, draft.special);
        let gates = extend(&mut self.gates, draft.gates.iter().map(|_| Gate::default()));
        let first = gates.start as usize;
        self.gates[slot] = Gate { is_and: draft.is_and, masks, special, gates };
        for (position, inner) in draft.gates.into_iter().enumerate() {
            self.place(first + position, inner);
        }
    }
}

fn span(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// Appends `items` and returns where they lie.
fn extend<T>(to: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Range<u32> {
    let start = to.len() as u32;
    to.extend(items);
    start..to.len() as u32
}

// === impl Draft

impl Draft {
    fn new(is_and: bool) -> Self {
        Self { is_and, masks: Vec::new(), special: Vec::new(), gates: Vec::new() }
    }

    fn absorb(&mut self, rule: &Rule, negate: bool) {
        match rule {
            Rule::Always => self.group(!negate, |_| {}),
            Rule::Never => self.group(negate, |_| {}),
            Rule::Not(inner) => self.absorb(inner, !negate),
            Rule::All(rules) => {
                self.group(!negate, |group| rules.iter().for_each(|rule| group.absorb(rule, negate)));
            }
            Rule::Any(rules) => {
                self.group(negate, |group| rules.iter().for_each(|rule| group.absorb(rule, negate)));
            }
            Rule::Plain(atom, _) => self.put(*atom, negate),
            Rule::Leaf(leaf) if leaf.is_plain() => {
                self.group(negate, |group| leaf.atoms().for_each(|id| group.put(id, negate)));
            }
            Rule::Leaf(leaf) => self.special.push(Special { leaf: (**leaf).clone(), is_negated: negate }),
        }
    }

    /// Fills this gate if it is of the kind wanted, else a new one below it.
    fn group(&mut self, is_and: bool, fill: impl FnOnce(&mut Self)) {
        if self.is_and == is_and {
            fill(self);
            return;
        }
        let mut inner = Draft::new(is_and);
        fill(&mut inner);
        if inner.is_single() {
            self.merge(inner);
        } else {
            self.gates.push(inner);
        }
    }

    /// Whether it combines exactly one thing, so that AND and OR are the same.
    fn is_single(&self) -> bool {
        let bits = |mask: &Mask| mask.plain.count_ones() + mask.negated.count_ones();
        let leaves = self.masks.iter().map(bits).sum::<u32>() as usize;
        leaves + self.special.len() + self.gates.len() == 1
    }

    /// Takes over the one thing in `other`. If that is a gate, it is of this gate's kind, as kinds alternate.
    fn merge(&mut self, other: Draft) {
        other.masks.into_iter().for_each(|mask| self.put_mask(mask));
        self.special.extend(other.special);
        for inner in other.gates {
            inner.masks.into_iter().for_each(|mask| self.put_mask(mask));
            self.special.extend(inner.special);
            self.gates.extend(inner.gates);
        }
    }

    fn put(&mut self, id: AtomId, negate: bool) {
        let bit = 1_u64 << (id.index() % 64);
        let word = (id.index() / 64) as u32;
        let (plain, negated) = if negate { (0, bit) } else { (bit, 0) };
        self.put_mask(Mask { word, plain, negated });
    }

    fn put_mask(&mut self, mask: Mask) {
        match self.masks.iter_mut().find(|known| known.word == mask.word) {
            Some(known) => {
                known.plain |= mask.plain;
                known.negated |= mask.negated;
            }
            None => self.masks.push(mask),
        }
    }
}
