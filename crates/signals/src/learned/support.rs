//! Which models there are, and which rules cannot work for want of one.

use std::{collections::BTreeMap, sync::Arc};

use vsr_types::{Diagnostics, SignalFamily};

use super::{Head, LearnedFamilies, ManifestSource, PictureSource};
use crate::rules;

/// What the router's own models can do.
#[derive(Clone)]
pub struct ModelSupport<'s> {
    /// Whether texts are embedded.
    pub embeddings: bool,
    /// Whether images are embedded, in the space of the texts.
    pub images: bool,
    /// Whether sounds are embedded, in the space of the texts.
    pub sounds: bool,
    /// The heads, with the names of their classes where they are known.
    pub heads: BTreeMap<Head, Vec<Arc<str>>>,
    /// Whether a tagger finds personal data.
    pub tagger: bool,
    /// Whether models served elsewhere are asked, where the configuration names some.
    pub remote: bool,
    /// Where manifests of knowledge bases come from.
    pub manifests: &'s ManifestSource<'s>,
    /// Where images come from that examples name.
    pub pictures: &'s PictureSource<'s>,
}

// === impl ModelSupport

impl ModelSupport<'_> {
    /// The classes of a head; none if they are not known.
    pub(super) fn labels(&self, head: Head) -> &[Arc<str>] {
        self.heads.get(&head).map(Vec::as_slice).unwrap_or_default()
    }
}

impl ModelSupport<'static> {
    /// No models: every rule that needs one is reported as not active.
    pub fn none() -> Self {
        Self {
            embeddings: false,
            images: false,
            sounds: false,
            heads: BTreeMap::new(),
            tagger: false,
            remote: false,
            manifests: &|_| None,
            pictures: &|_| None,
        }
    }
}

/// Says once for each family what is missing.
pub(super) fn report(learned: &LearnedFamilies, support: &ModelSupport<'_>, diagnostics: &mut Diagnostics) {
    let has = |head: Head| support.heads.contains_key(&head);
    for (family, rules) in learned.sizes() {
        let (lacking, what) = match family {
            SignalFamily::Embedding | SignalFamily::Reask => (!support.embeddings, rules),
            SignalFamily::Preference if learned.preference.is_remote() => (!support.remote, rules),
            SignalFamily::Preference if !learned.preference.reads_text() => continue,
            SignalFamily::Domain if learned.domain.is_remote() => (!support.remote, rules),
            SignalFamily::Preference | SignalFamily::Kb => (!support.embeddings, rules),
            SignalFamily::Domain => (!has(Head::Domain), rules),
            SignalFamily::FactCheck => (!has(Head::FactCheck), rules),
            SignalFamily::UserFeedback => (!has(Head::UserFeedback), rules),
            SignalFamily::Complexity => {
                let head = learned.complexity.reads_head() && !has(Head::Complexity);
                let examples = learned.complexity.banks().any(|bank| !bank.is_empty()) && !support.embeddings;
                (head || examples, rules)
            }
            SignalFamily::Modality => (learned.modality.reads_head() && !has(Head::Modality), rules),
            SignalFamily::Jailbreak => {
                let wants = learned.jailbreak.wants();
                let head = !wants.heads.is_empty() && !has(Head::Jailbreak);
                let guardrail = !wants.remote.is_empty() && !support.remote;
                let embedding = wants.embedding.is_some() && !support.embeddings;
                (head || guardrail || embedding, learned.jailbreak.needing_models())
            }
            SignalFamily::Pii => (!support.tagger, rules),
            _ => continue,
        };
        if !lacking || what == 0 {
            continue;
        }
        let noun = if what == 1 { "rule is" } else { "rules are" };
        let message = match family {
            SignalFamily::Pii => {
                let finds = if what == 1 { "rule finds" } else { "rules find" };
                format!(
                    "the {family} family needs a learned model; without it {what} {finds} fixed formats only, and nothing else is ruled out"
                )
            }
            _ => format!("the {family} family needs a learned model; {what} {noun} unavailable"),
        };
        diagnostics.not_active(rules::family_path(family), message);
    }
    if learned.kb.len() > 0 && support.embeddings && !learned.kb.reads_text() {
        let message = "the knowledge bases have no examples here; the rules are unavailable";
        diagnostics.not_active(rules::family_path(SignalFamily::Kb), message);
    }
}
