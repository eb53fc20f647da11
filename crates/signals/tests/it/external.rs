//! Prompts for models served elsewhere, and what their answers mean.

use proptest::prelude::*;
use vsr_config::{ExternalModel, ExternalParser, PreferenceRule};
use vsr_signals::external::{
    PromptRole, classify,
    guardrail::{self, Judgement},
    preference,
    tool::{self, ToolClass},
};

fn judge(parser: ExternalParser, answer: &str) -> Option<Judgement> {
    guardrail::parse(parser, "some-model", answer).ok()
}

#[test]
fn a_denied_finding_is_no_finding() {
    for (answer, expected) in [
        ("unsafe", Judgement::Unsafe),
        ("safe", Judgement::Safe),
        ("This is not a jailbreak.", Judgement::Safe),
        ("No sign of prompt injection or anything unsafe", Judgement::Safe),
        ("It isn't safe", Judgement::Unsafe),
        ("No doubt this is a jailbreak", Judgement::Unsafe),
        ("Not harmful as such, but an injection", Judgement::Unsafe),
        ("This is a clear jailbreak attempt", Judgement::Unsafe),
        ("controversial content", Judgement::Controversial),
        ("I cannot tell", Judgement::Controversial),
        ("", Judgement::Controversial),
    ] {
        assert_eq!(judge(ExternalParser::Simple, answer), Some(expected), "{answer}");
    }
}

#[test]
fn labels_and_json_are_read_with_prose_around_them() {
    for (answer, expected) in [
        ("Safety: Unsafe\nCategories: Jailbreak", Some(Judgement::Unsafe)),
        ("Severity level: controversial", Some(Judgement::Controversial)),
        ("**Safety**: Safe", Some(Judgement::Safe)),
        ("no label", None),
    ] {
        assert_eq!(judge(ExternalParser::Qwen3Guard, answer), expected, "{answer}");
    }
    for (answer, expected) in [
        ("{\"safety\": \"unsafe\"}", Some(Judgement::Unsafe)),
        ("```json\n{\"is_jailbreak\": false}\n```", Some(Judgement::Safe)),
        ("{'is_unsafe': 'yes'}", Some(Judgement::Unsafe)),
        ("{\"safe\": true}", Some(Judgement::Safe)),
        ("{\"jailbreak\": 0.2}", Some(Judgement::Safe)),
        ("{broken", None),
        ("{\"other\": 1}", None),
    ] {
        assert_eq!(judge(ExternalParser::Json, answer), expected, "{answer}");
        if expected.is_some() {
            assert_eq!(judge(ExternalParser::Auto, answer), expected, "{answer}");
        }
    }
    let by_name = guardrail::parse(ExternalParser::Auto, "Qwen3Guard-Gen-4B", "no label");
    assert_eq!(
        by_name.unwrap_err().to_string(),
        "the model's answer is not in a form that the parser `qwen3guard` reads"
    );
    assert!(Judgement::Controversial.score() < Judgement::Unsafe.score());
}

fn model(yaml: &str) -> ExternalModel {
    let yaml = format!(
        "version: v0.3\nglobal:\n  model_catalog:\n    external:\n      - {{llm_provider: vllm, model_role: guardrail, llm_endpoint: {{address: a{yaml}}}, llm_model_name: m}}\n"
    );
    let document = vsr_config::Document::parse("config.yaml", &yaml, &|_| None);
    document.config().unwrap().global.model_catalog.external[0].clone()
}

#[test]
fn a_text_is_filled_into_a_template_once() {
    let attack = "say {prompt} {{prompt}}";
    let plain = guardrail::prompt(&model(""), attack);
    assert_eq!((plain[0].role, plain[1].content.as_str()), (PromptRole::System, attack));
    let templated = guardrail::prompt(&model(", prompt_template: 'Judge: {prompt} End {text}'"), attack);
    assert_eq!(templated.len(), 1);
    assert_eq!(templated[0].content, "Judge: say {prompt} {{prompt}} End {text}");
    let release = guardrail::prompt(&model(", prompt_template: 'Judge: %s!'"), "100 %s");
    assert_eq!(release[0].content, "Judge: 100 %s!");
    let own = guardrail::prompt(&model(", prompt_template: 'Judge: %s!', use_chat_template: true"), "hi");
    assert_eq!(own[1].content, "hi");
}

fn rules() -> Vec<PreferenceRule> {
    let document = vsr_config::Document::parse(
        "config.yaml",
        "version: v0.3\nrouting:\n  signals:\n    preferences: [{name: short, description: 'brief \"answers\"'}, {name: long}]\n",
        &|_| None,
    );
    document.config().unwrap().routing.signals.preferences.clone()
}

#[test]
fn a_preference_is_one_of_the_rules_or_none() {
    let rules = rules();
    let prompt = preference::prompt(&rules, "hi");
    assert!(prompt[0].content.contains("\\\"answers\\\""), "{}", prompt[0].content);
    let name = |answer| preference::parse(&rules, answer).map(|rule| rule.map(|rule| rule.name.as_str()));
    assert_eq!(name("Sure: {'route': 'short'}"), Ok(Some("short")));
    assert_eq!(name("{\"route\": \"other\"}"), Ok(None));
    assert!(name("{\"route\": \"medium\"}").is_err());
    assert!(name("short").is_err());
}

#[test]
fn a_tools_answer_has_a_class_and_probabilities() {
    let answer = tool::parse("{\"class\": 1, \"confidence\": 0.8, \"probabilities\": [0.2, 0.8]}").unwrap();
    assert_eq!((answer.class, answer.confidence), (ToolClass::Index(1), 0.8));
    assert_eq!(
        tool::parse("{\"class\": \"math\", \"confidence\": 1}").unwrap().class,
        ToolClass::Name("math".into())
    );
    assert_eq!(tool::parse("{\"class\": 0, \"probabilities\": [0.7, 0.3]}").unwrap().confidence, 0.7);
    for broken in [
        "",
        "{}",
        "{\"class\": -1, \"confidence\": 1}",
        "{\"class\": 1, \"confidence\": 2}",
        "{\"class\": 5, \"probabilities\": [1]}",
    ] {
        assert!(tool::parse(broken).is_err(), "{broken}");
    }
    assert_eq!(tool::parse_categories("{\"categories\": [\"math\", \"law\"]}").unwrap(), ["math", "law"]);
    assert!(tool::parse_categories("{\"categories\": []}").is_err());
    assert_eq!(tool::arguments("hi", true)["text"], "hi");
}

proptest! {
    #[test]
    fn no_answer_makes_a_parser_panic(answer in any::<String>()) {
        for parser in [ExternalParser::Auto, ExternalParser::Simple, ExternalParser::Json, ExternalParser::Qwen3Guard] {
            let _ = judge(parser, &answer);
        }
        let _ = preference::parse(&rules(), &answer);
        let _ = tool::parse(&answer);
        let _ = tool::parse_categories(&answer);
        let _ = classify::parse(&answer);
    }

    #[test]
    fn whatever_a_classify_endpoint_answers_is_read_as_probabilities_or_not_at_all(
        classes in proptest::collection::vec(("(safe|jailbreak|unsafe|a|b)", 0_u32..=4), 0..5),
        nested in any::<bool>(),
    ) {
        let list: serde_json::Value = classes
            .iter()
            .map(|(label, quarters)| serde_json::json!({ "label": label, "score": f64::from(*quarters) / 4.0 }))
            .collect();
        let answer = if nested { serde_json::json!([list]) } else { list };
        let read = classify::parse(&answer.to_string());
        let mut labels: Vec<&str> = classes.iter().map(|(label, _)| label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        let is_distribution = classes.iter().map(|(_, quarters)| quarters).sum::<u32>() == 4;
        prop_assert_eq!(read.is_ok(), is_distribution && labels.len() == classes.len());
        if let Ok(read) = read {
            let is_known = labels.contains(&"jailbreak") || labels.contains(&"unsafe") || labels == ["safe"];
            let attack = guardrail::attack_probability(&read);
            prop_assert_eq!(attack.is_ok(), is_known);
            prop_assert!(attack.is_err() || attack.is_ok_and(|attack| (0.0..=1.0).contains(&attack)));
        }
    }
}
