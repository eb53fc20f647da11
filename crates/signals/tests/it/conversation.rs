//! Conversation rules.

use vsr_types::{ContentFacts, RequestView, Role, RoleCounts, SignalFamily::Conversation};

use crate::policy::Policy;

fn request() -> RequestView<'static> {
    let roles = RoleCounts { system: 1, developer: 2, user: 3, assistant: 4, tool: 5, other: 0 };
    let facts = ContentFacts {
        roles,
        last_role: Some(Role::Tool),
        tool_definitions: 6,
        assistant_tool_calls: 7,
        images: 2,
        ..ContentFacts::default()
    };
    RequestView { current_user: "go on".into(), facts, ..RequestView::default() }
}

fn count(source: &str) -> Option<f64> {
    let policy = Policy::signals(&format!(
        "conversation: [{{name: c, feature: {{type: count, source: {{{source}}}}}}}]"
    ));
    policy.on_request(&request()).value(Conversation, "c")
}

#[test]
fn every_source_is_counted() {
    assert_eq!(count("type: message"), Some(15.0));
    assert_eq!(count("type: message, role: user"), Some(3.0));
    assert_eq!(count("type: message, role: assistant"), Some(4.0));
    assert_eq!(count("type: message, role: system"), Some(1.0));
    assert_eq!(count("type: message, role: developer"), Some(2.0));
    assert_eq!(count("type: message, role: tool"), Some(5.0));
    assert_eq!(count("type: message, role: non_user"), Some(12.0));
    assert_eq!(count("type: tool_definition"), Some(6.0));
    assert_eq!(count("type: assistant_tool_call"), Some(7.0));
    assert_eq!(count("type: assistant_tool_cycle"), Some(5.0));
    assert_eq!(count("type: active_tool_loop"), Some(1.0));
    assert_eq!(count("type: image_content"), Some(2.0));
}

#[test]
fn without_a_predicate_nothing_does_not_match() {
    let policy = Policy::signals(
        "
conversation:
  - {name: tools, feature: {type: count, source: {type: tool_definition}}}
  - {name: developer, feature: {type: exists, source: {type: message, role: developer}}}
  - {name: many, feature: {type: count, source: {type: message, role: user}}, predicate: {gte: 3}}
  - {name: few, feature: {type: count, source: {type: message, role: user}}, predicate: {lt: 3}}",
    );
    assert_eq!(policy.on("hello").names(Conversation), ["few"]);
    let found = policy.on_request(&request());
    assert_eq!(found.names(Conversation), ["tools", "developer", "many"]);
    assert_eq!(found.confidence(Conversation, "many"), Some(1.0));
    assert_eq!(found.value(Conversation, "developer"), Some(1.0));
}

#[test]
fn an_image_alone_is_a_conversation() {
    let policy =
        Policy::signals("conversation: [{name: i, feature: {type: exists, source: {type: image_content}}}]");
    let facts = ContentFacts { images: 1, ..ContentFacts::default() };
    assert!(policy.on_request(&RequestView { facts, ..RequestView::default() }).matched(Conversation, "i"));
}

#[test]
fn impossible_rules_are_errors() {
    let policy = Policy::unchecked(
        "
conversation:
  - {name: a, feature: {type: exists, source: {type: message}}, predicate: {gt: 0}}
  - {name: b, feature: {type: count, source: {type: tool_definition, role: user}}}
  - {name: c, feature: {type: count, source: {type: message}}, predicate: {gt: 0, gte: 1}}",
    );
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.conversation[0].predicate: `exists` takes no predicate; leave it out, or use `type: count`",
            "routing.signals.conversation[1].feature.source.role: a role is for `message` sources only; leave it out",
            "routing.signals.conversation[2].predicate: `gt` and `gte` exclude each other; keep one",
        ]
    );
}
