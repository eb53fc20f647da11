//! Which losses of translation a configuration refuses.

use vsr_config::{Config, LossSeverity};
use vsr_protocol::{ApiError, Loss, LossPolicy, Reason, Severity};
use vsr_types::{Diagnostic, Diagnostics, Path};

/// The policy of `config`.
pub(crate) fn policy(config: &Config, diagnostics: &mut Diagnostics) -> LossPolicy {
    let settings = &config.global.router.strict_translation;
    let mut refuse = Vec::with_capacity(settings.refuse.len());
    for (index, code) in settings.refuse.iter().enumerate() {
        match Reason::from_code(code) {
            Some(reason) => refuse.push(reason),
            None => {
                let path = Path::keys("global.router.strict_translation.refuse").index(index);
                diagnostics.push(
                    Diagnostic::error(path, format!("`{code}` is no loss that translation can have"))
                        .help("write a code of the table in docs/protocols.md, such as `top_k_dropped`"),
                );
            }
        }
    }
    let refuse_from = settings.refuse_from.map(|severity| match severity {
        LossSeverity::Info => Severity::Info,
        LossSeverity::Lossy => Severity::Lossy,
        LossSeverity::Error => Severity::Error,
    });
    LossPolicy { refuse_from, refuse }
}

/// What the client is told of a loss that is refused.
pub(crate) fn refusal(loss: &Loss) -> ApiError {
    let message = format!(
        "`{}` cannot be translated for the model's backend without loss ({}): {} Leave it out, or name a model \
         whose backend speaks this protocol",
        loss.field,
        loss.reason.code(),
        loss.reason.described(),
    );
    ApiError::new(400, message).with_param(loss.field.clone()).with_code("lossy_translation")
}
