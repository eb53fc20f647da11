//! Which signals models served elsewhere decide, as the configuration says.

use vsr_config::{Config, ExternalModelRole, ExternalParser};

/// Which entries of `global.model_catalog.external` are asked, by index, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoteRoles {
    /// Judges prompts for the `jailbreak` family, in place of the router's own classifier.
    pub guardrail: Option<usize>,
    /// Names the subject for the `domain` family, in place of the router's own classifier.
    pub domain: Option<DomainSource>,
    /// Picks the rule of the `preference` family, in place of examples.
    pub preference: Option<usize>,
}

/// Who names the subject of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainSource {
    /// A tool of the MCP server of `modules.classifier.mcp`.
    Mcp,
    /// A server with a classify endpoint.
    Classify(usize),
}

// === impl RemoteRoles

impl RemoteRoles {
    /// The roles that `config` gives. The first entry of a role has it.
    pub fn of(config: &Config) -> Self {
        let catalog = &config.global.model_catalog;
        let modules = &catalog.modules;
        let first = |role| catalog.external.iter().position(|model| model.model_role == role);
        let classifier = catalog.external.iter().position(|model| {
            model.model_role == ExternalModelRole::Classification
                && model.parser_type == ExternalParser::Classify
        });
        Self {
            guardrail: first(ExternalModelRole::Guardrail).filter(|_| modules.prompt_guard.use_vllm),
            domain: match modules.classifier.mcp.enabled {
                true => Some(DomainSource::Mcp),
                false => classifier.map(DomainSource::Classify),
            },
            preference: first(ExternalModelRole::Preference)
                .filter(|_| !modules.classifier.preference.use_contrastive),
        }
    }

    /// The probability from which a prompt counts as an attack where a rule names none: that of the guardrail's entry,
    /// else the module's.
    pub fn attack_threshold(self, config: &Config) -> f64 {
        let catalog = &config.global.model_catalog;
        let own = self.guardrail.and_then(|index| catalog.external[index].threshold);
        own.unwrap_or(catalog.modules.prompt_guard.threshold)
    }

    /// Whether nothing is asked of anybody.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}
