//! What signal rules need of the rest of the configuration.

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{Config, Decision, EmbeddingModel, KbTargetKind, QueryModality, RuleNode, Signals},
    decode::Decoder,
    suggest::closest,
};

use super::unknown_name;

/// The labels of the domain classifier.
const DOMAIN_LABELS: &[&str] = &[
    "biology",
    "business",
    "chemistry",
    "computer science",
    "economics",
    "engineering",
    "health",
    "history",
    "law",
    "math",
    "other",
    "philosophy",
    "physics",
    "psychology",
];

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    let signals = &config.routing.signals;
    domains(signals, decoder);
    embeddings(config, decoder);
    knowledge_bases(config, decoder);
    modalities(signals, decoder);
    let list = Path::keys("routing.decisions");
    for (index, decision) in config.routing.decisions.iter().enumerate() {
        both_modalities(config, decision, &list.index(index), decoder);
    }
}

fn domains(signals: &Signals, decoder: &mut Decoder<'_>) {
    let list = Path::keys("routing.signals.domains");
    for (index, rule) in signals.domains.iter().enumerate() {
        for (position, label) in rule.mmlu_categories.iter().enumerate() {
            let plain = label.trim().to_ascii_lowercase();
            if DOMAIN_LABELS.contains(&plain.as_str()) {
                continue;
            }
            let place = list.index(index).key("mmlu_categories").index(position);
            let message = format!("`{label}` is no MMLU category");
            let mut problem = Diagnostic::error(place, message);
            if let Some(suggestion) = closest(&plain.replace('_', " "), DOMAIN_LABELS.iter().copied()) {
                problem = problem.help(format!("did you mean `{suggestion}`?"));
            }
            decoder.push(problem);
        }
    }
}

fn embeddings(config: &Config, decoder: &mut Decoder<'_>) {
    let list = Path::keys("routing.signals.embeddings");
    let model = config.global.model_catalog.embeddings.semantic.embedding_config.model_type;
    for (index, rule) in config.routing.signals.embeddings.iter().enumerate() {
        let place = list.index(index).key("query_modality");
        match rule.query_modality {
            QueryModality::Image | QueryModality::Audio if model != EmbeddingModel::Multimodal => {
                let kind = rule.query_modality.as_str();
                let message =
                    format!("{kind} queries need a multimodal embedding model, not `{}`", model.as_str());
                let help = "set model_type: multimodal in \
                            global.model_catalog.embeddings.semantic.embedding_config";
                decoder.push(Diagnostic::error(place, message).help(help));
            }
            _ => {}
        }
    }
}

fn knowledge_bases(config: &Config, decoder: &mut Decoder<'_>) {
    let list = Path::keys("routing.signals.kb");
    let kbs = &config.global.model_catalog.kbs;
    for (index, rule) in config.routing.signals.kb.iter().enumerate() {
        let place = list.index(index);
        let Some(kb) = kbs.iter().find(|kb| kb.name == rule.kb) else {
            let known = kbs.iter().map(|kb| kb.name.as_str());
            unknown_name(place.key("kb"), "knowledge base", &rule.kb, known, decoder);
            continue;
        };
        if rule.target.kind == KbTargetKind::Group && !kb.groups.contains_key(&rule.target.value) {
            let known = kb.groups.keys().map(String::as_str);
            let what = format!("group of `{}` called", kb.name);
            unknown_name(place.key("target").key("value"), &what, &rule.target.value, known, decoder);
        }
    }
}

fn modalities(signals: &Signals, decoder: &mut Decoder<'_>) {
    const NAMES: [&str; 3] = ["AR", "DIFFUSION", "BOTH"];
    let list = Path::keys("routing.signals.modality");
    for (index, rule) in signals.modality.iter().enumerate() {
        if !NAMES.contains(&rule.name.as_str()) {
            let message = format!("expected `AR`, `DIFFUSION` or `BOTH`, found `{}`", rule.name);
            decoder.push(Diagnostic::error(list.index(index).key("name"), message));
        }
    }
}

/// A decision for text and images together needs models of both kinds.
fn both_modalities(config: &Config, decision: &Decision, place: &Path, decoder: &mut Decoder<'_>) {
    let is_both =
        |node: &RuleNode| node.kind.as_deref() == Some("modality") && node.name.as_deref() == Some("BOTH");
    let asks =
        decision.rules.as_ref().is_some_and(|root| is_both(root) || root.conditions.iter().any(is_both));
    if !asks {
        return;
    }
    let has = |modality: &str| {
        decision.model_refs.iter().any(|reference| {
            let mut cards = config.routing.model_cards.iter();
            cards.any(|card| card.name == reference.model && card.modality.as_deref() == Some(modality))
        })
    };
    if !(has("omni") || (has("ar") && has("diffusion"))) {
        let message = "a decision for `BOTH` needs a model card of modality `ar` and one of `diffusion`, or one of `omni`";
        decoder.push(Diagnostic::error(place.key("modelRefs"), message));
    }
}
