//! Decisions: candidate models, iterations and directives.

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{CandidateIteration, Config, Decision, Emit, ModelRef},
    decode::Decoder,
    node::Node,
};

use super::{
    algorithms,
    models::{adapter_names, card_names},
    plugins,
    ranges::Ranges,
    unknown_name,
};

pub(super) fn check(config: &Config, written: &Node, decoder: &mut Decoder<'_>) {
    let list = Path::keys("routing.decisions");
    let nodes = written.get("routing").and_then(|routing| routing.get("decisions"));
    for (index, decision) in config.routing.decisions.iter().enumerate() {
        let place = list.index(index);
        let node = nodes.and_then(Node::items).and_then(|items| items.get(index));
        for (position, reference) in decision.model_refs.iter().enumerate() {
            model_ref(config, reference, &place.key("modelRefs").index(position), decoder);
        }
        iterations(config, decision, &place, decoder);
        emits(&decision.emits, &place.key("emits"), decoder);
        let algorithm = node.and_then(|node| node.get("algorithm"));
        algorithms::check(config, decision, algorithm, &place.key("algorithm"), decoder);
        let plugins = node.and_then(|node| node.get("plugins"));
        plugins::check(&decision.plugins, plugins, &place.key("plugins"), decoder);
    }
}

fn model_ref(config: &Config, reference: &ModelRef, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder).not_negative("weight", reference.weight);
    let name = &reference.model;
    let Some(card) = config.routing.model_cards.iter().find(|card| card.name == *name) else {
        missing_card(config, name, place.key("model"), decoder);
        return;
    };
    if !config.providers.models.iter().any(|model| model.name == *name) {
        let message = format!("`{name}` has no entry in providers.models; nothing serves it");
        decoder.push(Diagnostic::error(place.key("model"), message));
    }
    if let Some(adapter) = &reference.lora_name
        && !card.loras.iter().any(|lora| lora.name == *adapter)
    {
        let known = card.loras.iter().map(|lora| lora.name.as_str());
        let what = format!("adapter of the model card `{name}` called");
        unknown_name(place.key("lora_name"), &what, adapter, known, decoder);
    }
}

fn missing_card(config: &Config, name: &str, place: Path, decoder: &mut Decoder<'_>) {
    if !adapter_names(config).any(|adapter| adapter == name) {
        unknown_name(place, "model card", name, card_names(config), decoder);
        return;
    }
    let message = format!("`{name}` is an adapter, not a model card");
    let help = "name the model card here, and the adapter in lora_name";
    decoder.push(Diagnostic::error(place, message).help(help));
}

fn iterations(config: &Config, decision: &Decision, place: &Path, decoder: &mut Decoder<'_>) {
    let list = place.key("candidateIterations");
    for (index, iteration) in decision.candidate_iterations.iter().enumerate() {
        let place = list.index(index);
        if iteration.variable.trim().is_empty() {
            decoder.push(Diagnostic::error(place.key("variable"), "the loop variable has no name"));
        }
        let is_empty = match iteration.source.as_str() {
            "decision.candidates" => decision.model_refs.is_empty(),
            "models" => iteration.models.is_empty(),
            other => {
                let known = ["decision.candidates", "models"];
                unknown_name(place.key("source"), "source of candidates called", other, known, decoder);
                false
            }
        };
        if is_empty {
            let message = format!("`{}` has no models to loop over", iteration.source);
            decoder.push(Diagnostic::error(place.key("source"), message));
        }
        looped_models(config, iteration, &place, decoder);
        for (position, output) in iteration.outputs.iter().enumerate() {
            let place = place.key("outputs").index(position);
            if output.kind != "model" {
                let message = format!("expected `model`, found `{}`", output.kind);
                decoder.push(Diagnostic::error(place.key("type"), message));
            }
            if output.value != iteration.variable {
                let message =
                    format!("expected the variable `{}`, found `{}`", iteration.variable, output.value);
                decoder.push(Diagnostic::error(place.key("value"), message));
            }
        }
    }
}

/// The release takes any adapter here, so one that is not declared is a warning.
fn looped_models(config: &Config, iteration: &CandidateIteration, place: &Path, decoder: &mut Decoder<'_>) {
    for (index, reference) in iteration.models.iter().enumerate() {
        let place = place.key("models").index(index);
        let card = config.routing.model_cards.iter().find(|card| card.name == reference.model);
        let Some(card) = card else {
            missing_card(config, &reference.model, place.key("model"), decoder);
            continue;
        };
        if let Some(adapter) = &reference.lora_name
            && !card.loras.iter().any(|lora| lora.name == *adapter)
        {
            let message = format!("the model card `{}` declares no adapter `{adapter}`", card.name);
            decoder.push(Diagnostic::warning(place.key("lora_name"), message));
        }
    }
}

fn emits(emits: &[Emit], list: &Path, decoder: &mut Decoder<'_>) {
    for (index, emit) in emits.iter().enumerate() {
        let place = list.index(index);
        if emit.kind != "retention" {
            let message = format!("expected `retention`, found `{}`", emit.kind);
            decoder.push(Diagnostic::error(place.key("kind"), message));
        } else if emits[..index].iter().any(|earlier| earlier.kind == emit.kind) {
            decoder.push(Diagnostic::error(place.clone(), "a second directive of the same kind"));
        }
        let Some(retention) = &emit.retention else {
            decoder.push(Diagnostic::error(place, "missing key `retention`"));
            continue;
        };
        let place = place.key("retention");
        let ttl_turns = retention.ttl_turns.unwrap_or(0);
        let drops = retention.drop == Some(true);
        let keeps = retention.keep_current_model == Some(true);
        let prefers = retention.prefer_prefix_retention == Some(true);
        Ranges::of(place.clone(), decoder).not_negative("ttl_turns", ttl_turns);
        if drops && ttl_turns > 0 {
            let message = "`drop: true` keeps nothing, so nothing can be kept for turns";
            decoder.push(Diagnostic::error(place.key("ttl_turns"), message));
        }
        if !drops && !keeps && !prefers && ttl_turns == 0 {
            decoder.push(Diagnostic::warning(place, "the directive says nothing"));
        }
    }
}
