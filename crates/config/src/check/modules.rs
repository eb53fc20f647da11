//! `global.model_catalog.modules`: thresholds, and the models that modules refer to.

use vsr_types::{Diagnostic, Path, SignalFamily};

use crate::{
    contract::{Config, ModalityDetector, ModalityMethod, ModelRole, Modules, SystemModels},
    decode::Decoder,
    scalars::Expanded,
};

use super::{catalog::prototypes, ranges::Ranges};

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    let place = Path::keys("global.model_catalog.modules");
    let catalog = &config.global.model_catalog;
    thresholds(&catalog.modules, &place, decoder);
    compression(&catalog.modules, &place.key("prompt_compression"), decoder);
    models(&catalog.modules, &catalog.system, &place, decoder);
    modality(&catalog.modules.modality_detector, &place.key("modality_detector"), decoder);
}

fn thresholds(modules: &Modules, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.key("prompt_guard"), decoder).unit("threshold", modules.prompt_guard.threshold);
    Ranges::of(place.key("scan"), decoder).at_least_one("max_tokens", modules.scan.max_tokens);
    let classifier = place.key("classifier");
    Ranges::of(classifier.key("domain"), decoder).unit("threshold", modules.classifier.domain.threshold);
    Ranges::of(classifier.key("mcp"), decoder).unit("threshold", modules.classifier.mcp.threshold);
    Ranges::of(classifier.key("pii"), decoder).unit("threshold", modules.classifier.pii.threshold);
    let preference = &modules.classifier.preference;
    prototypes(&preference.prototype_scoring, classifier.key("preference").key("prototype_scoring"), decoder);
    prototypes(
        &modules.complexity.prototype_scoring,
        place.key("complexity").key("prototype_scoring"),
        decoder,
    );
    let hallucination = place.key("hallucination_mitigation");
    let settings = &modules.hallucination_mitigation;
    Ranges::of(hallucination.key("fact_check"), decoder).unit("threshold", settings.fact_check.threshold);
    Ranges::of(hallucination.key("detector"), decoder)
        .unit("threshold", settings.detector.threshold)
        .unit("min_span_confidence", settings.detector.min_span_confidence)
        .unit("nli_entailment_threshold", settings.detector.nli_entailment_threshold);
    Ranges::of(hallucination.key("explainer"), decoder).unit("threshold", settings.explainer.threshold);
    Ranges::of(place.key("feedback_detector"), decoder)
        .unit("threshold", modules.feedback_detector.threshold);
}

fn compression(modules: &Modules, place: &Path, decoder: &mut Decoder<'_>) {
    let settings = &modules.prompt_compression;
    Ranges::of(place.clone(), decoder)
        .not_negative("textrank_weight", settings.textrank_weight)
        .not_negative("position_weight", settings.position_weight)
        .not_negative("tfidf_weight", settings.tfidf_weight)
        .not_negative("novelty_weight", settings.novelty_weight)
        .unit("position_depth", settings.position_depth);
    for (index, signal) in settings.skip_signals.iter().enumerate() {
        if signal.parse::<SignalFamily>().is_err() {
            let message = format!("there is no signal family `{signal}`; it has no effect");
            decoder.push(Diagnostic::warning(place.key("skip_signals").index(index), message));
        }
    }
}

/// A module that is on needs a model: its own, or one of the catalogue.
fn models(modules: &Modules, system: &SystemModels, place: &Path, decoder: &mut Decoder<'_>) {
    let hallucination = &modules.hallucination_mitigation;
    let guard = &modules.prompt_guard;
    let feedback = &modules.feedback_detector;
    let on = [
        ("prompt_guard", guard.enabled && !guard.use_vllm, guard.model_ref, &guard.model_id),
        ("feedback_detector", feedback.enabled, feedback.model_ref, &feedback.model_id),
        (
            "hallucination_mitigation.fact_check",
            hallucination.enabled,
            hallucination.fact_check.model_ref,
            &hallucination.fact_check.model_id,
        ),
        (
            "hallucination_mitigation.detector",
            hallucination.enabled,
            hallucination.detector.model_ref,
            &hallucination.detector.model_id,
        ),
    ];
    for (module, _, role, own) in on.into_iter().filter(|(_, is_on, ..)| *is_on) {
        let is_named = own.as_deref().is_some_and(|own| !own.is_empty());
        if !is_named && model_of(role, system).is_none_or(|model| model.is_empty()) {
            let place = module.split('.').fold(place.clone(), |place, key| place.key(key));
            let message = format!("`{module}` has no model, so it is off");
            let help = "set model_id, or model_ref and its entry in global.model_catalog.system";
            decoder.push(Diagnostic::warning(place, message).help(help));
        }
    }
}

fn model_of(role: ModelRole, system: &SystemModels) -> Option<&Expanded> {
    match role {
        ModelRole::Nothing => None,
        ModelRole::PromptGuard => Some(&system.prompt_guard),
        ModelRole::DomainClassifier => Some(&system.domain_classifier),
        ModelRole::PiiClassifier => Some(&system.pii_classifier),
        ModelRole::FactCheckClassifier => Some(&system.fact_check_classifier),
        ModelRole::HallucinationDetector => Some(&system.hallucination_detector),
        ModelRole::HallucinationExplainer => Some(&system.hallucination_explainer),
        ModelRole::FeedbackDetector => Some(&system.feedback_detector),
    }
}

fn modality(detector: &ModalityDetector, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .unit("confidence_threshold", detector.confidence_threshold)
        .unit("lower_threshold_ratio", detector.lower_threshold_ratio);
    if !detector.enabled {
        return;
    }
    let mut need = |key: &str, is_set: bool, what: &str| {
        if !is_set {
            let message = format!("{what} needs the key `{key}`");
            decoder.push(Diagnostic::error(place.clone(), message));
        }
    };
    need("method", detector.method.is_some(), "a modality detector that is on");
    let is_hybrid = detector.method == Some(ModalityMethod::Hybrid);
    if is_hybrid || detector.method == Some(ModalityMethod::Classifier) {
        let what = "a modality detector with a classifier";
        need("confidence_threshold", detector.confidence_threshold.is_some(), what);
        need("classifier", detector.classifier.is_some(), what);
    }
    if is_hybrid {
        let what = "the method `hybrid`";
        need("lower_threshold_ratio", detector.lower_threshold_ratio.is_some(), what);
    }
}
