//! Reads any answer as one of a model served elsewhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vsr_config::{ExternalParser, PreferenceRule};
use vsr_signals::external::{classify, guardrail, preference, tool};

fuzz_target!(|answer: &str| {
    for parser in [ExternalParser::Auto, ExternalParser::Simple, ExternalParser::Json, ExternalParser::Qwen3Guard] {
        let _ = guardrail::parse(parser, "model", answer);
    }
    let _ = preference::parse(&[] as &[PreferenceRule], answer);
    let _ = tool::parse_categories(answer);
    let is_share = |share: &f64| (0.0..=1.0).contains(share);
    if let Ok(said) = tool::parse(answer) {
        assert!(is_share(&said.confidence) && said.probabilities.iter().all(is_share));
    }
    if let Ok(classes) = classify::parse(answer) {
        assert!(!classes.is_empty() && classes.iter().all(|(_, share)| is_share(share)));
        assert!(guardrail::attack_probability(&classes).is_ok_and(|share| is_share(&share)) || !is_judged(&classes));
    }
});

/// Whether an attack, or nothing but harmlessness, is among the classes.
fn is_judged(classes: &[(std::sync::Arc<str>, f64)]) -> bool {
    classes.iter().any(|(label, _)| &**label == "jailbreak")
}
