//! How a model is told to reason: the family's parameter, in the place the backend reads.

use serde_json::Value;
use vsr_config::ReasoningFamilyType;
use vsr_protocol::{ClientRequest, Edits, Effort, Protocol};
use vsr_types::{ReasoningChoice, ReasoningMode};

use crate::{Backend, Model};

/// Where an effort is written.
enum Place {
    /// A path from the request's root.
    TopLevel,
    /// A key of `chat_template_kwargs`.
    TemplateKwargs,
}

/// Adds the edits that `reasoning` asks for. A request to a model without a family, or one the
/// decision has no opinion on, stays as the client wrote it; no effort is invented.
pub(crate) fn apply(
    edits: &mut Edits,
    request: &ClientRequest,
    model: &Model,
    backend: &Backend,
    reasoning: &ReasoningChoice,
) {
    let Some((_, family)) = &model.reasoning else { return };
    let is_on = match reasoning.mode {
        ReasoningMode::Untouched => return,
        ReasoningMode::On => true,
        ReasoningMode::Off => false,
    };
    let parameter = family.parameter.as_str();
    let place = match family.kind {
        ReasoningFamilyType::ChatTemplateKwargs => {
            edits.remove_reasoning_effort();
            edits.set_template_kwarg(parameter, &Value::Bool(is_on));
            return;
        }
        ReasoningFamilyType::TopLevelReasoningEffort => Place::TopLevel,
        ReasoningFamilyType::ReasoningEffort if backend.is_openai_service => Place::TopLevel,
        ReasoningFamilyType::ReasoningEffort => Place::TemplateKwargs,
    };
    let stated = request.reasoning_effort();
    let effort = if is_on { reasoning.effort.as_deref() } else { stated };
    // A translated request states its effort there, whatever the client called it.
    if stated.is_some() || request.protocol() != Protocol::Chat {
        edits.remove_reasoning_effort();
    }
    let Some(effort) = effort else { return };
    match place {
        Place::TopLevel => {
            // A parameter such as `reasoning.effort` names a nested key.
            let path: Vec<&str> = parameter.split('.').collect();
            edits.set(&path, &effort.into());
        }
        Place::TemplateKwargs => edits.set_template_kwarg(parameter, &effort.into()),
    }
}

/// What `reasoning` says to backends that speak another protocol than Chat Completions.
pub(crate) fn effort(reasoning: &ReasoningChoice) -> Effort<'_> {
    match reasoning.mode {
        ReasoningMode::Untouched => Effort::AsStated,
        ReasoningMode::On => Effort::Level(reasoning.effort.as_deref().unwrap_or("medium")),
        ReasoningMode::Off => Effort::Off,
    }
}
