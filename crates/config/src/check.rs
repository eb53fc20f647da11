//! What must hold between values of the contract, and the ranges of values, as far as that can be said
//! without knowing how anything runs. Rule trees, projections and the rules of signal families are
//! checked by the crates that compile them.

mod algorithms;
mod catalog;
mod decisions;
mod listeners;
mod models;
mod modules;
mod plugins;
mod ranges;
mod services;
mod signals;
mod stores;

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{Config, ConfigSource},
    decode::Decoder,
    node::Node,
    suggest::closest,
};

/// The contract's version.
const VERSION: &str = "v0.3";

/// Checks a configuration; `written` is its tree as the file has it.
pub(crate) fn check(config: &Config, written: &Node, decoder: &mut Decoder<'_>) {
    version(written, decoder);
    listeners::check(config, decoder);
    services::check(config, decoder);
    stores::check(config, decoder);
    catalog::check(config, decoder);
    modules::check(config, decoder);
    // With routing from Kubernetes, the file holds only a part of what refers to each other.
    if config.global.router.config_source == ConfigSource::File {
        models::check(config, decoder);
        decisions::check(config, written, decoder);
        signals::check(config, decoder);
    }
}

fn version(written: &Node, decoder: &mut Decoder<'_>) {
    let help = format!("write `version: {VERSION}`");
    match written.get("version").filter(|node| !node.is_null()) {
        None => {
            let message = format!("no `version`; {VERSION} is assumed");
            decoder.push(Diagnostic::warning(Path::root(), message).help(help));
        }
        Some(node) if node.text().is_some_and(|text| text.trim() != VERSION) => {
            let message = format!("unknown version {}; this router reads {VERSION}", node.describe());
            decoder.push(Diagnostic::error(Path::keys("version"), message).help(help));
        }
        Some(_) => {}
    }
}

/// Reports a name that nothing has, with the nearest one that something has.
fn unknown_name<'c>(
    place: Path,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'c str>,
    decoder: &mut Decoder<'_>,
) {
    let mut problem = Diagnostic::error(place, format!("there is no {what} `{name}`"));
    if let Some(suggestion) = closest(name, known) {
        problem = problem.help(format!("did you mean `{suggestion}`?"));
    }
    decoder.push(problem);
}

/// Reports names that are empty or were used before.
fn unique_names<'c>(
    list: &Path,
    key: &str,
    what: &str,
    names: impl IntoIterator<Item = &'c str>,
    decoder: &mut Decoder<'_>,
) {
    let mut first = std::collections::HashMap::new();
    for (index, name) in names.into_iter().enumerate() {
        let place = list.index(index).key(key);
        if name.trim().is_empty() {
            decoder.push(Diagnostic::error(place, format!("the {what} has no name")));
        } else if let Some(earlier) = first.get(name) {
            let message = format!("the {what} `{name}` is there already, as {}", list.index(*earlier));
            decoder.push(Diagnostic::error(place, message).help("rename or remove one of them"));
        } else {
            first.insert(name, index);
        }
    }
}
