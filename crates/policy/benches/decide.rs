//! The decision step: 100 decisions of 5 conditions.

#![expect(missing_docs, reason = "criterion's macros declare items without documentation")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::fmt::Write as _;

use criterion::{Criterion, criterion_group, criterion_main};
use vsr_config::Document;
use vsr_policy::Policy;
use vsr_types::{
    Atom, AtomTable, Diagnostics, Evidence, OnError, ProjectionTrace, SignalFamily, UnavailableReason,
};

const DECISIONS: usize = 100;
const CONDITIONS: usize = 5;
const RULES: usize = 200;

/// 100 decisions: `AND` over 3 rules, an `OR` of one more, and a `NOT`.
fn policy(atoms: &mut AtomTable) -> Policy {
    let mut text = String::from("routing:\n  decisions:\n");
    for decision in 0..DECISIONS {
        let rule = |condition: usize| {
            format!("{{type: keyword, name: k{}}}", (decision * 7 + condition * 31) % RULES)
        };
        let _ = writeln!(text, "    - name: d{decision}");
        let _ = writeln!(text, "      priority: {}", decision % 10);
        let _ = writeln!(text, "      rules:\n        operator: AND\n        conditions:");
        for condition in 0..CONDITIONS - 2 {
            let _ = writeln!(text, "          - {}", rule(condition));
        }
        let or = (rule(CONDITIONS - 2), rule(CONDITIONS));
        let _ = writeln!(text, "          - {{operator: OR, conditions: [{}, {}]}}", or.0, or.1);
        let _ =
            writeln!(text, "          - {{operator: NOT, conditions: [{{type: jailbreak, name: attack}}]}}");
    }
    let document = Document::parse("bench.yaml", &text, &|_| None);
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::compile(document.config().expect("a configuration"), atoms, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    policy
}

fn decide(criterion: &mut Criterion) {
    let mut atoms = AtomTable::default();
    let rules: Vec<_> =
        (0..RULES).map(|rule| atoms.declare(Atom::new(SignalFamily::Keyword, format!("k{rule}")))).collect();
    let attack = atoms.declare(Atom::new(SignalFamily::Jailbreak, "attack"));
    let policy = policy(&mut atoms);

    let mut all = Evidence::new(&atoms);
    rules.iter().for_each(|id| all.set_matched(*id, 0.7));
    let mut some = Evidence::new(&atoms);
    rules.iter().step_by(2).for_each(|id| some.set_matched(*id, 0.7));
    let mut unavailable = all.clone();
    unavailable.set_unavailable(attack, UnavailableReason::Failed, OnError::Unavailable);

    let mut group = criterion.benchmark_group("decide 100 x 5");
    for (name, evidence) in [("all match", &all), ("every other rule", &some), ("undecided", &unavailable)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| policy.decide(std::hint::black_box(evidence), ProjectionTrace::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
