//! Which signal families decisions depend on, directly or through projections and composers.

use vsr_types::{AtomId, AtomTable, FamilySet, SignalFamily};

use crate::{
    projections::{Mapping, Projections, Score, Source},
    rules::Rule,
};

/// The families that must be evaluated for `rules` to be decided.
pub(crate) fn used<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    projections: &Projections,
    atoms: &AtomTable,
) -> FamilySet {
    let mut walk = Walk::new(projections, atoms);
    rules.for_each(|rule| walk.rule(rule));
    if walk.used.contains(SignalFamily::Complexity) {
        projections.composers.iter().for_each(|composer| walk.rule(&composer.rule));
    }
    walk.used
}

/// Whether `atom` is a role, or is derived from one.
pub(crate) fn depends_on_roles(atom: AtomId, projections: &Projections, atoms: &AtomTable) -> bool {
    let mut walk = Walk::new(projections, atoms);
    walk.atom(atom);
    if walk.used.contains(SignalFamily::Complexity) {
        projections.composers.iter().for_each(|composer| walk.rule(&composer.rule));
    }
    walk.used.contains(SignalFamily::Authz)
}

struct Walk<'p> {
    atoms: &'p AtomTable,
    scores: &'p [Score],
    visited: Vec<bool>,
    used: FamilySet,
}

// === impl Walk

impl<'p> Walk<'p> {
    fn new(projections: &'p Projections, atoms: &'p AtomTable) -> Self {
        Self {
            atoms,
            scores: &projections.scores,
            visited: vec![false; projections.scores.len()],
            used: FamilySet::default(),
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let mut named = Vec::new();
        rule.for_each_leaf(&mut |leaf| named.push(leaf.atom));
        named.into_iter().for_each(|id| self.atom(id));
    }

    /// Counts an atom, and what it is derived from if it is an output of a mapping.
    fn atom(&mut self, id: AtomId) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let family = self.atoms.atom(id).family;
            self.used.insert(family);
            let emits =
                |score: &Score| score.mappings.iter().flat_map(Mapping::atoms).any(|output| output == id);
            if family == SignalFamily::Projection
                && let Some(score) = self.scores.iter().position(emits)
            {
                self.score(score, &mut open);
            }
        }
    }

    /// Adds the atoms that `score` reads, directly or through other scores, to `open`.
    fn score(&mut self, score: usize, open: &mut Vec<AtomId>) {
        let mut scores = vec![score];
        while let Some(score) = scores.pop() {
            if std::mem::replace(&mut self.visited[score], true) {
                continue;
            }
            for input in &self.scores[score].inputs {
                match input.source {
                    Source::Score(other) => scores.push(other),
                    _ => open.extend(input.source.atom()),
                }
            }
        }
    }
}
