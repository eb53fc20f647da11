//! Reads rule trees of the contract and reports everything wrong with them.

use vsr_config::{RuleNode, RuleOperator};
use vsr_types::{Diagnostic, Diagnostics, OnError, Path, SignalFamily};

use super::{Leaf, Rule};
use crate::{
    bounds::Bounds,
    reading::Reading,
    references::{References, Want},
};

/// Where a rule tree stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleHome {
    /// `routing.decisions[].rules`.
    Decision,
    /// `routing.signals.complexity[].composer`.
    Composer,
}

/// Turns [`RuleNode`]s into [`Rule`]s. A part that is wrong becomes [`Rule::Never`].
pub(crate) struct RuleBuilder<'c> {
    pub(crate) references: References<'c>,
    pub(crate) reading: Reading,
    pub(crate) home: RuleHome,
}

// === impl RuleBuilder

impl RuleBuilder<'_> {
    /// Reads the tree whose root is at `path`.
    pub(crate) fn root(&self, node: &RuleNode, path: &Path, diagnostics: &mut Diagnostics) -> Rule {
        let operator = node.operator.unwrap_or(RuleOperator::And);
        let is_empty = written_type(node).is_none() && node.conditions.is_empty();
        if is_empty && operator == RuleOperator::And {
            self.reject_leaf_keys(node, path, diagnostics);
            return Rule::Always;
        }
        self.node(node, path, diagnostics)
    }

    fn node(&self, node: &RuleNode, path: &Path, diagnostics: &mut Diagnostics) -> Rule {
        let Some(written) = written_type(node) else { return self.composite(node, path, diagnostics) };
        if node.operator.is_some() || !node.conditions.is_empty() {
            diagnostics.push(
                Diagnostic::error(path.clone(), "this is both a leaf and an operator over conditions")
                    .help("keep `type` and `name`, or `operator` and `conditions`"),
            );
            return Rule::Never;
        }
        self.leaf(node, written, path, diagnostics)
    }

    fn leaf(&self, node: &RuleNode, written: &str, path: &Path, diagnostics: &mut Diagnostics) -> Rule {
        let predicate = node.predicate.as_ref().map(|predicate| {
            let place = path.key("predicate");
            Bounds::compile(predicate, &place, diagnostics).ok_or(())
        });
        let family = match self.references.family(written, &path.key("type"), &[]) {
            Ok(family) if self.home == RuleHome::Decision || can_compose(family) => family,
            Ok(family) => {
                let problem = format!("a composer cannot depend on {family}, which is known only after it");
                diagnostics.error(path.key("type"), problem);
                return Rule::Never;
            }
            Err(problem) => {
                diagnostics.push(problem);
                return Rule::Never;
            }
        };
        let Some(name) = node.name.as_deref().filter(|name| !name.is_empty()) else {
            diagnostics.push(
                Diagnostic::error(path.clone(), format!("a condition of type {family} needs a name"))
                    .help("write `name:`"),
            );
            return Rule::Never;
        };
        let place = path.key("name");
        let atom = match self.references.atom(family, name, Want::Match, &place) {
            Ok(atom) => atom,
            Err(mut problem) => {
                if self.reading.v0_3 && self.references.is_bare_complexity(family, name) {
                    problem.severity = vsr_types::Severity::Warning;
                    problem.message.push_str("; without one it never matches");
                }
                diagnostics.push(problem);
                return Rule::Never;
            }
        };
        let others = match family {
            SignalFamily::Domain => self.references.labels_of_domain(name),
            _ => Vec::new(),
        };
        let Ok(predicate) = predicate.transpose() else { return Rule::Never };
        let on_error = node.on_error.map_or(OnError::Unavailable, OnError::from);
        Leaf { family, name: name.into(), atom, others, predicate, on_error }.into()
    }

    fn composite(&self, node: &RuleNode, path: &Path, diagnostics: &mut Diagnostics) -> Rule {
        self.reject_leaf_keys(node, path, diagnostics);
        if node.conditions.is_empty() {
            diagnostics.push(match node.operator {
                None => Diagnostic::error(path.clone(), "this condition is empty")
                    .help("write `type` and `name`, or `operator` and `conditions`"),
                Some(RuleOperator::Or) => {
                    Diagnostic::error(path.key("conditions"), "OR over no conditions never holds")
                        .help("leave `rules` empty for a decision that always matches")
                }
                Some(operator) => Diagnostic::error(
                    path.key("conditions"),
                    format!("{} needs conditions", operator.as_str()),
                ),
            });
            return Rule::Never;
        }
        let conditions = path.key("conditions");
        let place = |index| conditions.index(index);
        let rules = node.conditions.iter().enumerate();
        let mut rules: Vec<Rule> =
            rules.map(|(index, node)| self.node(node, &place(index), diagnostics)).collect();
        match node.operator.or_else(|| self.missing_operator(path, diagnostics)) {
            Some(RuleOperator::And) => Rule::All(rules),
            Some(RuleOperator::Or) => Rule::Any(rules),
            Some(RuleOperator::Not) if rules.len() == 1 => Rule::Not(Box::new(rules.remove(0))),
            Some(RuleOperator::Not) => {
                diagnostics.push(
                    Diagnostic::error(conditions, format!("NOT takes one condition, found {}", rules.len()))
                        .help("put them under an OR below the NOT to say that none of them holds"),
                );
                Rule::Never
            }
            None => Rule::Never,
        }
    }

    /// What conditions without an operator mean: nothing, or what they meant in v0.3.
    fn missing_operator(&self, path: &Path, diagnostics: &mut Diagnostics) -> Option<RuleOperator> {
        let old = match self.home {
            RuleHome::Decision => RuleOperator::Or,
            RuleHome::Composer => RuleOperator::And,
        };
        if self.reading.v0_3 {
            let message = format!("the conditions have no operator, which is read as {}", old.as_str());
            diagnostics.push(Diagnostic::warning(path.clone(), message).help("write `operator:`"));
            return Some(old);
        }
        let help = format!("write `operator: AND` or `operator: OR`; v0.3 reads it as {}", old.as_str());
        diagnostics.push(Diagnostic::error(path.clone(), "the conditions have no operator").help(help));
        None
    }

    fn reject_leaf_keys(&self, node: &RuleNode, path: &Path, diagnostics: &mut Diagnostics) {
        let keys = [
            ("name", node.name.is_some()),
            ("predicate", node.predicate.is_some()),
            ("on_error", node.on_error.is_some()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_written)| *is_written) {
            diagnostics.push(
                Diagnostic::error(path.key(key), format!("`{key}` belongs to a condition with a `type`"))
                    .help("add `type:`, or remove it"),
            );
        }
    }
}

/// The type of a leaf; blank is none.
fn written_type(node: &RuleNode) -> Option<&str> {
    node.kind.as_deref().filter(|written| !written.trim().is_empty())
}

/// Whether evidence of `family` is complete before composers run.
fn can_compose(family: SignalFamily) -> bool {
    !matches!(family, SignalFamily::Complexity | SignalFamily::Projection)
}
