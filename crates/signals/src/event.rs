//! The `event` family: operational events named in the text.

use vsr_config::{EventMatch, EventRule, Severity};
use vsr_types::{AtomId, AtomTable, Diagnostics, Evidence, Path, SignalFamily};

use crate::{
    lexicon::{Edges, LexiconBuilder, Slot, Term},
    rules,
    text::TextIndex,
};

/// Words of urgency; a second part follows after one arbitrary character.
const TEMPORAL: &[(&str, Option<&str>)] = &[
    ("urgent", None),
    ("immediate", None),
    ("asap", None),
    ("deadline", None),
    ("time", Some("sensitive")),
    ("now", None),
    ("critical", Some("window")),
];

/// Every event rule.
#[derive(Debug)]
pub(crate) struct EventFamily {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    atom: AtomId,
    criteria: Vec<Criterion>,
    /// How many criteria must be satisfied.
    needed: usize,
}

/// One of the four kinds of criteria, satisfied by any of its terms.
#[derive(Debug)]
struct Criterion {
    name: &'static str,
    slots: Vec<Slot>,
}

// === impl EventFamily

impl EventFamily {
    /// Compiles the rules.
    pub(crate) fn compile(
        written: &[EventRule],
        lexicon: &mut LexiconBuilder,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Event, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Event);
        let mut compiled = Vec::with_capacity(written.len());
        for (index, (rule, atom)) in written.iter().zip(ids).enumerate() {
            let path = path.index(index);
            let criteria = criteria(rule, &path, lexicon, diagnostics);
            let needed = needed(rule, criteria.len(), &path, diagnostics);
            compiled.push(Rule { atom, criteria, needed });
        }
        Self { rules: compiled }
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Evaluates every rule.
    pub(crate) fn evaluate(&self, text: &TextIndex<'_>, evidence: &mut Evidence) {
        for rule in &self.rules {
            let occurs =
                |criterion: &&Criterion| criterion.slots.iter().any(|slot| text.hits().count(*slot) > 0);
            let satisfied: Vec<&str> =
                rule.criteria.iter().filter(occurs).map(|criterion| criterion.name).collect();
            evidence.set_value(rule.atom, satisfied.len() as f64);
            if satisfied.is_empty() || satisfied.len() < rule.needed {
                evidence.set_not_matched(rule.atom);
                continue;
            }
            let share = satisfied.len() as f64 / rule.criteria.len() as f64;
            evidence.set_matched(rule.atom, 0.5 + 0.5 * share);
            evidence.note(rule.atom, || satisfied.join(", "));
        }
    }
}

fn criteria(
    rule: &EventRule,
    path: &Path,
    lexicon: &mut LexiconBuilder,
    diagnostics: &mut Diagnostics,
) -> Vec<Criterion> {
    let severities: Vec<String> = rule.severities.iter().map(|severity| name_of(*severity).into()).collect();
    let mut criteria = Vec::new();
    for (name, terms) in [
        ("event_types", &rule.event_types),
        ("severities", &severities),
        ("action_codes", &rule.action_codes),
    ] {
        if terms.is_empty() {
            continue;
        }
        let mut slots = Vec::new();
        for (index, term) in terms.iter().enumerate() {
            if term.trim().is_empty() {
                diagnostics.error(path.key(name).index(index), "the term is empty");
            } else {
                slots.push(lexicon.term(whole_word(term.trim(), None)));
            }
        }
        criteria.push(Criterion { name, slots });
    }
    if rule.temporal {
        let slots = TEMPORAL.iter().map(|(term, tail)| lexicon.term(whole_word(term, *tail))).collect();
        criteria.push(Criterion { name: "temporal", slots });
    }
    criteria
}

fn needed(rule: &EventRule, criteria: usize, path: &Path, diagnostics: &mut Diagnostics) -> usize {
    if criteria == 0 {
        let message = "the rule has no criteria, so it never matches; set `event_types`, `severities`, `action_codes` or `temporal`";
        diagnostics.warning(path.clone(), message);
        return 1;
    }
    match rule.min_criteria {
        Some(needed) if needed == 0 || needed as usize > criteria => {
            let message = format!("{needed} is not between 1 and the number of criteria, {criteria}");
            diagnostics.error(path.key("min_criteria"), message);
            criteria
        }
        Some(needed) => needed as usize,
        None if rule.matching == EventMatch::All => criteria,
        None => 1,
    }
}

fn whole_word(text: &str, tail: Option<&'static str>) -> Term {
    Term { text: text.to_owned(), case_sensitive: false, edges: Edges::Word, tail }
}

fn name_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}
