//! Models that clients name: same pipeline, same rules.

use serde_json::{Value, json};
use vsr_types::Identity;

use crate::scene::{Scene, user};

fn policy(explicit: &str) -> String {
    format!(
        r#"
providers:
  defaults: {{default_model: small}}
  models:
    - {{name: small, backend_refs: [{{endpoint: "127.0.0.1:1"}}]}}
    - {{name: premium, backend_refs: [{{endpoint: "127.0.0.1:2"}}]}}
    - {{name: unlisted, backend_refs: [{{endpoint: "127.0.0.1:3"}}]}}
routing:
  modelCards: [{{name: small}}, {{name: premium}}, {{name: unlisted}}]
  signals:
    keywords: [{{name: code, operator: OR, keywords: [refactor]}}]
    role_bindings:
      - {{name: staff, role: staff_role, subjects: [{{kind: Group, name: staff}}]}}
  projections:
    scores:
      - {{name: rank, method: weighted_sum, inputs: [{{type: authz, name: staff_role, weight: 1}}]}}
    mappings:
      - {{name: ranks, source: rank, outputs: [{{name: high_rank, gte: 0.5}}]}}
  decisions:
    - name: staff_code
      rules:
        operator: AND
        conditions: [{{type: projection, name: high_rank}}, {{type: keyword, name: code}}]
      modelRefs: [{{model: premium}}]
global:
  router: {{explicit_models: {explicit}}}
"#
    )
}

fn named(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] })
}

#[test]
fn a_model_reserved_for_a_role_cannot_be_reached_by_naming_it() {
    let scene = Scene::new(&policy("allow"));
    let (status, message) = scene.refused(&named("premium"), user("eve", &["guests"]));
    assert_eq!(status, 403);
    assert!(message.contains("do not permit"), "{message}");
    let sent = scene.sent(&named("premium"), user("ann", &["staff"]));
    assert_eq!((sent.model.as_str(), sent.method), ("premium", "pinned"));
}

#[test]
fn nobody_vouched_for_is_refused_where_roles_are_asked_for() {
    let scene = Scene::new(&policy("allow"));
    let body = named("small");
    assert_eq!(scene.refused(&body, Identity::default()).0, 403);
}

#[test]
fn an_unknown_model_is_not_found() {
    let scene = Scene::new(&policy("allow"));
    let (status, message) = scene.refused(&named("gpt-unknown"), user("ann", &[]));
    assert_eq!(status, 404);
    assert!(message.contains("gpt-unknown"));
}

#[test]
fn the_switch_limits_naming_to_listed_models_or_forbids_it() {
    let scene = Scene::new(&policy("listed"));
    assert_eq!(scene.refused(&named("unlisted"), user("ann", &["staff"])).0, 403);
    assert_eq!(scene.sent(&named("small"), user("ann", &["staff"])).method, "pinned");
    let scene = Scene::new(&policy("deny"));
    assert_eq!(scene.refused(&named("small"), user("ann", &["staff"])).0, 403);
    assert_eq!(scene.sent(&named("auto"), user("ann", &["staff"])).model, "small");
}

#[test]
fn an_adapter_is_reserved_with_its_card_and_a_card_with_its_adapter() {
    let text = policy("allow").replace("{name: premium}", "{name: premium, loras: [{name: premium-law}]}");
    let scene = Scene::new(&text);
    assert_eq!(scene.refused(&named("premium-law"), user("eve", &[])).0, 403);
    assert_eq!(scene.sent(&named("premium-law"), user("ann", &["staff"])).model, "premium-law");
    let scene = Scene::new(&text.replace("{model: premium}", "{model: premium, lora_name: premium-law}"));
    assert_eq!(scene.refused(&named("premium"), user("eve", &[])).0, 403);
}
