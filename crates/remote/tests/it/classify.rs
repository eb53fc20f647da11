//! Servers with a classify endpoint.

use vsr_types::SignalFamily::{Domain, Jailbreak};

use crate::{
    scene::Scene,
    server::{Server, json},
};

const DOMAINS: &str = "{domains: [{name: numbers, mmlu_categories: [math]}, {name: law}, {name: weather}]}";

fn classifier(role: &str, port: u16) -> String {
    format!(
        "{{modules: {{prompt_guard: {{use_vllm: {}}}}}, external: [{{llm_provider: tei, model_role: {role}, \
         llm_model_name: m, parser_type: classify, llm_endpoint: {{address: 127.0.0.1, port: {port}}}}}]}}",
        role == "guardrail"
    )
}

#[test]
fn the_classes_of_a_server_are_the_probabilities_of_domains() {
    let body = "[[{\"label\": \"math\", \"score\": 0.7}, {\"label\": \"weather\", \"score\": 0.2}, {\"label\": \"law\", \"score\": 0.1}]]";
    let server = Server::start(move |_, _| json(body));
    let scene = Scene::new(DOMAINS, &classifier("classification", server.port));
    let found = scene.on("1 + 1");
    assert_eq!(found.state(Domain, "numbers"), "matched");
    assert_eq!(found.value(Domain, "numbers"), Some(0.7));
    assert_eq!(found.state(Domain, "law"), "not matched");
    assert_eq!(found.value(Domain, "weather"), Some(0.2));
    let asked = server.asked().remove(0);
    assert!(asked.head.starts_with("POST /classify "), "{}", asked.head);
    assert_eq!(asked.body, serde_json::json!({ "model": "m", "input": "1 + 1", "inputs": "1 + 1" }));
}

#[test]
fn a_server_that_names_one_class_is_understood_too() {
    let body = "{\"data\": [{\"index\": 0, \"label\": \"law\", \"probs\": [0.2, 0.8], \"num_classes\": 2}]}";
    let server = Server::start(move |_, _| json(body));
    let scene = Scene::new(DOMAINS, &classifier("classification", server.port));
    let found = scene.on("sue them");
    assert_eq!(found.state(Domain, "law"), "matched");
    assert_eq!(found.state(Domain, "numbers"), "not matched");
}

#[test]
fn a_guardrails_score_is_the_probability_of_all_attacks() {
    for (body, state, value) in [
        (
            "[{\"label\": \"safe\", \"score\": 0.2}, {\"label\": \"jailbreak\", \"score\": 0.5}, {\"label\": \"INJECTION\", \"score\": 0.3}]",
            "matched",
            Some(0.8),
        ),
        (
            "[{\"label\": \"benign\", \"score\": 0.9}, {\"label\": \"jailbreak\", \"score\": 0.1}]",
            "not matched",
            Some(0.1),
        ),
        ("{\"data\": [{\"label\": \"safe\", \"probs\": [0.75, 0.25]}]}", "not matched", Some(0.25)),
        // No class of a known name, a class left out, a number that is none.
        (
            "[{\"label\": \"LABEL_0\", \"score\": 0.9}, {\"label\": \"LABEL_1\", \"score\": 0.1}]",
            "Failed",
            None,
        ),
        ("[{\"label\": \"safe\", \"score\": 0.6}]", "Failed", None),
        (
            "[{\"label\": \"safe\", \"score\": 1.5}, {\"label\": \"jailbreak\", \"score\": -0.5}]",
            "Failed",
            None,
        ),
        ("[{\"label\": \"safe\", \"score\": 0.5}, {\"label\": \"safe\", \"score\": 0.5}]", "Failed", None),
        ("{\"data\": [{\"label\": \"LABEL_0\", \"probs\": [0.9, 0.1]}]}", "Failed", None),
        ("[]", "Failed", None),
        ("safe", "Failed", None),
    ] {
        let server = Server::start(move |_, _| json(body));
        let scene = Scene::new("{jailbreak: [{name: attack}]}", &classifier("guardrail", server.port));
        let found = scene.on("hello");
        assert_eq!(found.state(Jailbreak, "attack"), state, "{body}");
        assert_eq!(found.value(Jailbreak, "attack"), value, "{body}");
    }
}
