//! Context rules.

use vsr_types::{ContentFacts, RequestView, SignalFamily::Context};

use crate::policy::Policy;

#[test]
fn ranges_are_inclusive_and_may_overlap() {
    let policy = Policy::signals(
        "
context:
  - {name: small, max_tokens: 107}
  - {name: large, min_tokens: 107}
  - {name: huge, min_tokens: 1K}
  - {name: any}",
    );
    // 400 bytes are 100 tokens, with 4 for the message and 3 for the request.
    let found = policy.on(&"x".repeat(400));
    assert_eq!(found.summary.context_tokens, 107);
    assert_eq!(found.names(Context), ["small", "large", "any"]);
    assert_eq!(found.value(Context, "huge"), Some(107.0));
    assert_eq!(found.notes(Context, "small"), ["107 tokens, within 0 to 107"]);
    assert_eq!(found.notes(Context, "large"), ["107 tokens, at least 107"]);
}

#[test]
fn everything_that_the_model_reads_counts() {
    let policy = Policy::signals("context: [{name: any}]");
    let prompt = RequestView::from_prompt("hello there");
    let least = policy.on_request(&prompt).summary.context_tokens;
    let facts = prompt.facts;
    for more in [
        RequestView { prior_user: vec!["earlier question".into()], ..prompt.clone() },
        RequestView { non_user: vec!["you are helpful".into()], ..prompt.clone() },
        RequestView { tool_results: vec!["result of a tool".into()], ..prompt.clone() },
        RequestView { facts: ContentFacts { tool_definition_bytes: 100, ..facts }, ..prompt.clone() },
        RequestView { facts: ContentFacts { assistant_tool_call_bytes: 100, ..facts }, ..prompt.clone() },
        RequestView { facts: ContentFacts { images: 1, ..facts }, ..prompt.clone() },
    ] {
        assert!(policy.on_request(&more).summary.context_tokens > least, "{more:?}");
    }
}

#[test]
fn an_image_alone_is_measured() {
    let policy = Policy::signals("context: [{name: large, min_tokens: 1K}]");
    let facts = ContentFacts { images: 1, ..ContentFacts::default() };
    assert!(policy.on_request(&RequestView { facts, ..RequestView::default() }).matched(Context, "large"));
}

#[test]
fn empty_ranges_are_errors() {
    let policy = Policy::unchecked("context: [{name: a, min_tokens: 2K, max_tokens: 1K}]");
    assert_eq!(
        policy.problems(),
        ["routing.signals.context[0]: the range is empty: min_tokens is 2000 and max_tokens is 1000"]
    );
}
