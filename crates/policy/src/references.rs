//! Names that rules and projections refer to: found, or reported with what was probably meant.

use vsr_config::{Config, closest};
use vsr_types::{AtomId, AtomTable, Diagnostic, Path, SignalFamily};

/// The levels that a complexity rule emits.
pub(crate) const LEVELS: [&str; 3] = ["easy", "medium", "hard"];

const METRIC_PREFIX: &str = "kb_metric:";

/// What the referring place wants of an atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// Whether it matched, and how confidently.
    Match,
    /// Its raw value.
    Value,
}

/// Everything that can be referred to.
#[derive(Clone, Copy)]
pub(crate) struct References<'c> {
    pub(crate) config: &'c Config,
    pub(crate) atoms: &'c AtomTable,
}

// === impl References

impl<'c> References<'c> {
    /// The family that `written` names, in any letter case.
    pub(crate) fn family(
        self,
        written: &str,
        path: &Path,
        more: &[&str],
    ) -> Result<SignalFamily, Diagnostic> {
        let word = written.trim().to_lowercase();
        if let Ok(family) = word.parse() {
            return Ok(family);
        }
        let problem = Diagnostic::error(path.clone(), format!("`{}` is not a signal type", written.trim()));
        let words = SignalFamily::ALL.iter().map(|family| family.as_str()).chain(more.iter().copied());
        let by_key = SignalFamily::ALL.iter().find(|family| family.config_key() == word);
        Err(match by_key.map(|family| family.as_str()).or_else(|| closest(&word, words)) {
            Some(suggestion) => problem.help(format!("did you mean `{suggestion}`?")),
            None if word == "latency" => {
                problem.help("latency conditions were removed: use the algorithm `latency_aware`")
            }
            None => problem,
        })
    }

    /// The atom `family:name`.
    pub(crate) fn atom(
        self,
        family: SignalFamily,
        name: &str,
        want: Want,
        path: &Path,
    ) -> Result<AtomId, Diagnostic> {
        match self.atoms.find(family, name) {
            Some(id) if want == Want::Value || is_matchable(family, name) => Ok(id),
            Some(_) => Err(Diagnostic::error(
                path.clone(),
                format!("`{name}` is a number of the {family} signals, which never matches by itself"),
            )
            .help("use it as an input of a projection score, with `value_source: raw`")),
            None => Err(self.unknown(family, name, want, path)),
        }
    }

    /// Whether `name` is a complexity rule without a level.
    pub(crate) fn is_bare_complexity(self, family: SignalFamily, name: &str) -> bool {
        family == SignalFamily::Complexity
            && self.atoms.find(family, name).is_none()
            && LEVELS.iter().any(|level| self.atoms.find(family, &format!("{name}:{level}")).is_some())
    }

    /// Other atoms that mean the domain `name`: labels of its categories, emitted under their own names.
    pub(crate) fn labels_of_domain(self, name: &str) -> Vec<AtomId> {
        let domains = &self.config.routing.signals.domains;
        let Some(domain) = domains.iter().find(|domain| domain.name == name) else { return Vec::new() };
        let lists = |categories: &[String], label: &str| {
            categories.iter().any(|category| category.trim().eq_ignore_ascii_case(label))
        };
        let stands_for_itself = |label: &str| {
            domains
                .iter()
                .find(|other| other.name == label)
                .is_none_or(|other| other.mmlu_categories.is_empty() || lists(&other.mmlu_categories, label))
        };
        self.atoms
            .iter()
            .filter(|(_, atom)| atom.family == SignalFamily::Domain && &*atom.name != name)
            .filter(|(_, atom)| lists(&domain.mmlu_categories, &atom.name) && stands_for_itself(&atom.name))
            .map(|(id, _)| id)
            .collect()
    }

    /// The names of `family` that `want` can be had of.
    pub(crate) fn names(self, family: SignalFamily, want: Want) -> impl Iterator<Item = &'c str> {
        self.atoms.names(family).filter(move |name| want == Want::Value || is_matchable(family, name))
    }

    /// The knowledge bases that have metrics, in lower case.
    pub(crate) fn knowledge_bases(self) -> impl Iterator<Item = &'c str> {
        let metrics = self.atoms.names(SignalFamily::Kb).filter_map(|name| name.strip_prefix(METRIC_PREFIX));
        metrics.filter_map(|metric| metric.rsplit_once(':')).map(|(kb, _)| kb)
    }

    fn unknown(self, family: SignalFamily, name: &str, want: Want, path: &Path) -> Diagnostic {
        if self.is_bare_complexity(family, name) {
            let problem = Diagnostic::error(
                path.clone(),
                format!("`{name}` is a complexity rule; one of its levels must be named"),
            );
            return problem.help(format!("write `{name}:easy`, `{name}:medium` or `{name}:hard`"));
        }
        let what = match family {
            SignalFamily::Authz => "role".to_owned(),
            SignalFamily::Domain => "domain".to_owned(),
            SignalFamily::Projection => "projection output".to_owned(),
            _ => format!("{family} rule"),
        };
        let problem = Diagnostic::error(path.clone(), format!("there is no {what} `{name}`"));
        match self.advice(family, name, want) {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    fn advice(self, family: SignalFamily, name: &str, want: Want) -> Option<String> {
        let routing = &self.config.routing;
        if family == SignalFamily::Authz
            && let Some(binding) = routing.signals.role_bindings.iter().find(|binding| binding.name == name)
        {
            return Some(format!("`{name}` is a binding; write its role: `{}`", binding.role));
        }
        if family == SignalFamily::Projection
            && routing.projections.scores.iter().any(|score| score.name == name)
        {
            let mappings = routing.projections.mappings.iter().filter(|mapping| mapping.source == name);
            let outputs: Vec<String> = mappings
                .flat_map(|mapping| &mapping.outputs)
                .map(|output| format!("`{}`", output.name))
                .collect();
            return Some(if outputs.is_empty() {
                format!("`{name}` is a score: give it a mapping, and name one of its outputs")
            } else {
                format!("`{name}` is a score; name an output of its mappings: {}", outputs.join(", "))
            });
        }
        if let Some(suggestion) = closest(name, self.names(family, want)) {
            return Some(format!("did you mean `{suggestion}`?"));
        }
        let elsewhere = SignalFamily::ALL
            .iter()
            .find(|other| self.atoms.find(**other, name).is_some() && is_matchable(**other, name));
        if let Some(other) = elsewhere {
            return Some(format!("`{name}` is of type {other}: write `type: {other}`"));
        }
        self.names(family, want).next().is_none().then(|| match family {
            SignalFamily::Projection => "declare it under routing.projections.mappings".to_owned(),
            _ => format!("declare it under routing.signals.{}", family.config_key()),
        })
    }
}

/// The name of the atom behind a metric of a knowledge base.
pub(crate) fn metric_atom(kb: &str, metric: &str) -> String {
    format!("{METRIC_PREFIX}{kb}:{metric}").to_lowercase()
}

/// Whether an atom of this name can match; others only carry a value.
fn is_matchable(family: SignalFamily, name: &str) -> bool {
    match family {
        SignalFamily::Complexity => name.rsplit_once(':').is_some_and(|(_, level)| LEVELS.contains(&level)),
        SignalFamily::Kb => !name.starts_with(METRIC_PREFIX),
        _ => true,
    }
}
