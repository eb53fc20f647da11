//! What roles alone permit.

use crate::fixture::{Case, with_rules};

const ATOMS: &[&str] = &["authz:admin", "keyword:a", "complexity:code:hard"];

fn is_permitted(case: &mut Case) -> bool {
    case.project();
    case.policy.permits(0, &case.evidence, &case.atoms)
}

#[test]
fn a_missing_role_forbids_and_other_evidence_is_left_open() {
    let tree = "{operator: AND, conditions: [{type: authz, name: admin}, {type: keyword, name: a}]}";
    let case = || Case::new(ATOMS, &with_rules(tree));
    assert!(!is_permitted(&mut case().matched("keyword:a", 1.0)));
    assert!(is_permitted(&mut case().matched("authz:admin", 1.0)));
    let no_roles = with_rules("{operator: NOT, conditions: [{type: keyword, name: a}]}");
    assert!(is_permitted(&mut Case::new(ATOMS, &no_roles).matched("keyword:a", 1.0)));
}

#[test]
fn roles_forbid_through_projections_and_composers() {
    let text = "
routing:
  signals: {complexity: [{name: code, composer: {type: authz, name: admin}}]}
  projections:
    scores: [{name: s, inputs: [{type: authz, name: admin, weight: 1}]}]
    mappings: [{name: m, source: s, outputs: [{name: trusted, gt: 0}]}]
  decisions: [{name: d, rules: {type: projection, name: trusted}}]
";
    assert!(!is_permitted(&mut Case::new(ATOMS, text)));
    assert!(is_permitted(&mut Case::new(ATOMS, text).matched("authz:admin", 1.0)));

    let composed = text.replace("type: projection, name: trusted", "type: complexity, name: 'code:hard'");
    let case = || Case::new(ATOMS, &composed).matched("complexity:code:hard", 0.5);
    assert!(!is_permitted(&mut case()));
    assert!(is_permitted(&mut case().matched("authz:admin", 1.0)));
}

#[test]
fn the_atoms_of_a_decision_are_those_it_names() {
    let tree = "{operator: OR, conditions: [{type: keyword, name: a}, {operator: NOT, conditions: [{type: authz, name: admin}]}]}";
    let case = Case::new(ATOMS, &with_rules(tree));
    assert_eq!(case.names(&case.policy.atoms_of(0)), ["keyword:a", "authz:admin"]);
    assert!(case.policy.atoms_of(7).is_empty());
}
