//! The `context` family: ranges of token counts.

use vsr_config::ContextRule;
use vsr_types::{AtomId, AtomTable, Diagnostics, Evidence, SignalFamily};

use crate::rules;

/// Every context rule.
#[derive(Debug)]
pub(crate) struct ContextFamily {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    atom: AtomId,
    min_tokens: u64,
    /// Unbounded if absent.
    max_tokens: Option<u64>,
}

// === impl ContextFamily

impl ContextFamily {
    /// Compiles the rules.
    pub(crate) fn compile(
        written: &[ContextRule],
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Context, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Context);
        let mut compiled = Vec::with_capacity(written.len());
        for (index, (rule, atom)) in written.iter().zip(ids).enumerate() {
            let min_tokens = rule.min_tokens.map_or(0, |tokens| tokens.0);
            let max_tokens = rule.max_tokens.map(|tokens| tokens.0);
            if let Some(max_tokens) = max_tokens.filter(|max_tokens| *max_tokens < min_tokens) {
                let message =
                    format!("the range is empty: min_tokens is {min_tokens} and max_tokens is {max_tokens}");
                diagnostics.error(path.index(index), message);
            }
            compiled.push(Rule { atom, min_tokens, max_tokens });
        }
        Self { rules: compiled }
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Evaluates every rule on a request of so many tokens.
    pub(crate) fn evaluate(&self, tokens: u64, evidence: &mut Evidence) {
        for rule in &self.rules {
            evidence.set_value(rule.atom, tokens as f64);
            if rule.min_tokens <= tokens && rule.max_tokens.is_none_or(|most| tokens <= most) {
                evidence.set_matched(rule.atom, 1.0);
                evidence.note(rule.atom, || rule.describe(tokens));
            } else {
                evidence.set_not_matched(rule.atom);
            }
        }
    }
}

// === impl Rule

impl Rule {
    fn describe(&self, tokens: u64) -> String {
        let least = self.min_tokens;
        match self.max_tokens {
            Some(most) => format!("{tokens} tokens, within {least} to {most}"),
            None => format!("{tokens} tokens, at least {least}"),
        }
    }
}
