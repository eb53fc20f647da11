//! The thresholds that a configuration writes: where they are, and the text with another one.

use vsr_config::{Node, Span, parse_tree};

/// The families whose rules compare a model's output with a threshold, each with what evidence calls it.
const FAMILIES: [(&str, &str); 5] = [
    ("embeddings", "embedding"),
    ("complexity", "complexity"),
    ("preferences", "preference"),
    ("reasks", "reask"),
    ("jailbreak", "jailbreak"),
];

/// A threshold as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    /// `family:rule`, as evidence calls it.
    pub(crate) rule: String,
    /// Its value.
    pub(crate) value: f64,
    /// How it is written.
    pub(crate) written: String,
    /// Where.
    pub(crate) span: Span,
}

/// Every threshold under `routing.signals` that is written as a number.
pub(crate) fn find(text: &str) -> Vec<Threshold> {
    let Ok(root) = parse_tree(text) else { return Vec::new() };
    let signals = root.get("routing").and_then(|routing| routing.get("signals"));
    let mut found = Vec::new();
    for (key, family) in FAMILIES {
        let rules = signals.and_then(|signals| signals.get(key)).and_then(Node::items);
        for rule in rules.unwrap_or_default() {
            let name = rule.get("name").and_then(Node::text);
            let Some((name, node)) = name.zip(rule.get("threshold")) else { continue };
            let written = node.text().unwrap_or_default();
            if let Ok(value) = written.parse::<f64>() {
                found.push(Threshold {
                    rule: format!("{family}:{name}"),
                    value,
                    written: written.to_owned(),
                    span: node.span,
                });
            }
        }
    }
    found
}

/// `text` with another value for `threshold`; `None` if it is not where it was.
pub(crate) fn replace(text: &str, threshold: &Threshold, value: &str) -> Option<String> {
    let line_start = text
        .split_inclusive('\n')
        .take(usize::try_from(threshold.span.line).ok()?.checked_sub(1)?)
        .map(str::len)
        .sum::<usize>();
    let line = text[line_start..].split('\n').next()?;
    let column = usize::try_from(threshold.span.column).ok()?.checked_sub(1)?;
    let at = line.char_indices().nth(column)?.0 + line_start;
    let rest = text[at..].strip_prefix(&threshold.written)?;
    Some(format!("{}{value}{rest}", &text[..at]))
}
