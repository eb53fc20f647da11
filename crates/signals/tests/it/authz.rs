//! Role bindings.

use vsr_signals::SignalRefusal;
use vsr_types::{Identity, IdentitySource, RequestView, SignalFamily::Authz};

use crate::policy::Policy;

fn policy() -> Policy {
    Policy::signals(
        "
role_bindings:
  - {name: a, role: admin, subjects: [{kind: User, name: ann}]}
  - {name: b, role: premium, subjects: [{kind: Group, name: gold}, {kind: User, name: bob}]}
  - {name: c, role: admin, subjects: [{kind: Group, name: ops}]}",
    )
}

fn caller(user: Option<&str>, groups: &[&str]) -> Identity {
    Identity {
        user: user.map(Into::into),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        source: IdentitySource::TrustedPeer,
        ..Identity::default()
    }
}

fn roles(identity: &Identity, fail_open: bool) -> Result<Vec<String>, SignalRefusal> {
    let policy = policy();
    let found = policy.try_on(&RequestView::from_prompt("hi"), identity, fail_open)?;
    Ok(found.names(Authz).into_iter().map(str::to_owned).collect())
}

#[test]
fn users_and_groups_get_their_roles_once() {
    assert_eq!(roles(&caller(Some("ann"), &[]), false).unwrap(), ["admin"]);
    assert_eq!(roles(&caller(Some("ann"), &["ops", "gold"]), false).unwrap(), ["admin", "premium"]);
    assert_eq!(roles(&caller(Some("bob"), &[]), false).unwrap(), ["premium"]);
    assert!(roles(&caller(Some("eve"), &["ann", "bob"]), false).unwrap().is_empty());
    assert!(roles(&caller(Some("Ann"), &["Gold", "gold "]), false).unwrap().is_empty());
    assert!(roles(&caller(Some("gold"), &[]), false).unwrap().is_empty());
}

#[test]
fn a_caller_without_a_user_is_refused_even_with_groups() {
    assert_eq!(roles(&caller(None, &[]), false), Err(SignalRefusal::NoSubject));
    assert_eq!(roles(&caller(None, &["gold"]), false), Err(SignalRefusal::NoSubject));
}

#[test]
fn failing_open_lets_the_anonymous_pass_without_roles() {
    assert!(roles(&caller(None, &[]), true).unwrap().is_empty());
    let policy = policy();
    let found = policy.try_on(&RequestView::from_prompt("hi"), &Identity::default(), true).unwrap();
    let admin = policy.atoms.find(Authz, "admin").unwrap();
    assert_eq!(found.evidence.reason(admin), Some(vsr_types::UnavailableReason::NoIdentity));
    assert!(!found.unavailable(Authz, "admin"));
}

#[test]
fn without_bindings_nobody_is_refused() {
    let policy = Policy::signals("keywords: []");
    assert!(policy.try_on(&RequestView::from_prompt("hi"), &Identity::default(), false).is_ok());
}

#[test]
fn the_note_tells_who_has_the_role_and_why() {
    let found = policy();
    assert_eq!(found.on("hi").notes(Authz, "admin"), ["user ann by binding a"]);
}

#[test]
fn incomplete_bindings_are_errors() {
    let policy = Policy::unchecked(
        "
role_bindings:
  - {name: a, role: '', subjects: [{kind: User, name: x}]}
  - {name: a, role: r, subjects: []}
  - {name: '', role: r, subjects: [{kind: User, name: ' '}]}",
    );
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.role_bindings[1].name: the name `a` is taken by routing.signals.role_bindings[0]; names are unique within a family",
            "routing.signals.role_bindings[2].name: the name is empty; decisions refer to the rule by it",
            "routing.signals.role_bindings[0].role: the role is empty; decisions refer to the binding by it",
            "routing.signals.role_bindings[1].subjects: the binding has no subjects, so nobody has the role",
            "routing.signals.role_bindings[2].subjects[0].name: the subject's name is empty",
        ]
    );
}
