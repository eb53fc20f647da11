//! What signals cost: forty rules over a realistic prompt of 1 KB and of 100 KB, all together and by family.

#![expect(missing_docs, reason = "criterion's macros declare items without documentation")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the benchmark reports what its policy matched")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vsr_config::Document;
use vsr_signals::{SignalInput, SignalSet, TokenCalibration};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily};

const LITERAL_AND_REGEX: &str = r#"
    keywords:
      - {name: l1, keywords: [urgent, asap, immediately, emergency, right away]}
      - {name: l2, keywords: [refund, chargeback, invoice, billing, payment], operator: OR}
      - {name: l3, keywords: [stack trace, segfault, exception, panic, core dump]}
      - {name: l4, keywords: [contract, liability, lawsuit, 法律, 合规, data protection]}
      - {name: l5, keywords: [translate, übersetzen, traducir, 翻译, перевести]}
      - {name: l6, keywords: [SELECT, INSERT, UPDATE, DELETE], case_sensitive: true}
      - {name: l7, keywords: [password, api key, credential, token], operator: NOR}
      - {name: l8, keywords: [table, columns], operator: AND}
      - {name: l9, keywords: [photosynthesis, mitochondria, enzyme, protein, genome]}
      - {name: l10, keywords: [derivative, integral, matrix, theorem, proof, lemma]}
      - {name: r1, method: regex, keywords: ["\\bCVE-\\d{4}-\\d{4,}\\b", "\\bCWE-\\d+\\b"]}
      - {name: r2, method: regex, keywords: ["\\b\\d{3}-\\d{2}-\\d{4}\\b"]}
      - {name: r3, method: regex, keywords: ["(?:write|generate|create)\\s+(?:a|an|the)\\s+(?:poem|song|story)"]}
      - {name: r4, method: regex, keywords: ["ignore\\s+(?:all\\s+)?previous\\s+instructions", "system\\s+prompt"]}
      - {name: r5, method: regex, keywords: ["[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}"]}
      - {name: r6, method: regex, keywords: ["```(?:rust|python|go|js)"]}
"#;
const NEAR: &str = r#"
    keywords:
      - {name: b1, method: bm25, keywords: [code, function, debug, algorithm, refactor]}
      - {name: b2, method: bm25, keywords: [machine learning, model training, gradient, neural network, classifier]}
      - {name: b3, method: bm25, keywords: [legal risk, compliance analysis, liability, 合规分析, 法律风险]}
      - {name: n1, method: ngram, keywords: [urgent, immediate, asap, emergency]}
      - {name: n2, method: ngram, keywords: [reconciliation, tenant, ledger, currency]}
      - {name: f1, method: fuzzy, fuzzy_threshold: 82, keywords: [social security, credit card, password, api key]}
      - {name: f2, fuzzy_match: true, keywords: [deployment, kubernetes, terraform, container, pipeline]}
      - {name: f3, fuzzy_match: true, fuzzy_threshold: 1, keywords: [diagnosis, prescription, symptom, treatment]}
"#;
const STRUCTURE: &str = r#"
    structure:
      - {name: s1, feature: {type: count, source: {type: regex, pattern: '[?？]'}}, predicate: {gte: 4}}
      - {name: s2, feature: {type: exists, source: {type: regex, pattern: '(?m)^\s*\d+\.\s+'}}}
      - {name: s3, feature: {type: sequence, source: {type: sequence, sequences: [[first, then], [first, next, finally], [首先, 然后], [先, 再]]}}}
      - {name: s4, feature: {type: density, source: {type: keyword_set, keywords: [under, at most, at least, within, no more than, 不超过, 至少, 最多]}}, predicate: {gt: 0.08}}
      - {name: s5, feature: {type: density, source: {type: keyword_set, keywords: [table, bullet, json, markdown, 表格, 列表, JSON]}}, predicate: {gt: 0.08}}
      - {name: s6, feature: {type: density, source: {type: regex, pattern: '[?？]'}}, predicate: {lt: 0.05}}
      - {name: s7, feature: {type: count, source: {type: regex, pattern: '[!！]'}}, predicate: {gte: 2}}
      - {name: s8, feature: {type: count, source: {type: text_bytes}}, predicate: {gt: 4000}}
"#;
const CONTEXT: &str = r#"
    context: [{name: c1, max_tokens: 1K}, {name: c2, min_tokens: 1K, max_tokens: 32K}, {name: c3, min_tokens: 32K}]
    conversation: [{name: v1, feature: {type: count, source: {type: message, role: user}}, predicate: {gte: 2}}]
"#;
const LANGUAGE: &str = "
    language: [{name: en}, {name: zh}, {name: es}, {name: de}]
";

const PARTS: &[&str] = &[
    "We migrated the billing service last night and the nightly reconciliation now fails for three tenants. ",
    "The stack trace points at a currency conversion, but the rates table looks right to me. Could you explain what changed? ",
    "1. read the config\n2. compare the totals\n3. first list the differences, then propose a fix, finally write a test\n",
    "```rust\nfn total(lines: &[Line]) -> Result<Money, Error> {\n    lines.iter().try_fold(Money::ZERO, |sum, l| sum.checked_add(l.amount.convert(l.rate)?).ok_or(Error::Overflow))\n}\n```\n",
    "Der Bericht muss bis Freitag fertig sein, und höchstens zwei Seiten lang. ",
    "请先总结问题，然后给出不超过三个步骤的解决方案。 ",
    "¿Puedes comparar las dos opciones y decir cuál conviene más a largo plazo? ",
    "Keep the answer in a table with at most four columns; no more than 200 words. ",
    "SELECT tenant, SUM(amount) FROM ledger WHERE posted_at >= '2026-01-01' GROUP BY tenant HAVING SUM(amount) <> 0;\n",
    "If the customer is in the EU, which data protection rules apply to these records, and who must be informed? ",
];

/// The prompt of the project's load tests; `varied` adds words that occur once, as real texts have.
fn prompt(bytes: usize, varied: bool) -> String {
    let mut text = String::new();
    for (index, part) in PARTS.iter().cycle().enumerate() {
        if text.len() >= bytes {
            break;
        }
        text.push_str(part);
        if index % 7 == 0 {
            text.push_str(&format!("(case {index}) "));
        }
        if varied {
            let number = index.wrapping_mul(2_654_435_761);
            for shift in [0, 5, 9] {
                let letters =
                    (0..4 + number % 6).map(|at| char::from(b'a' + ((number >> (shift + at)) % 26) as u8));
                text.extend(letters);
                text.push(' ');
            }
        }
    }
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

fn compile(blocks: &[&str]) -> (SignalSet, AtomTable) {
    let keywords: Vec<&str> =
        blocks.iter().filter_map(|block| block.strip_prefix("\n    keywords:\n")).collect();
    let others: Vec<&str> =
        blocks.iter().copied().filter(|block| !block.starts_with("\n    keywords:\n")).collect();
    let mut yaml = String::from("version: v0.3\nrouting:\n  signals:\n");
    if !keywords.is_empty() {
        yaml += &format!("    keywords:\n{}", keywords.concat());
    }
    yaml += &others.concat();
    let document = Document::parse("bench.yaml", &yaml, &|_| None);
    let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
    let config = document.config().expect("the benchmark's policy is read");
    let set = SignalSet::compile(config, &mut atoms, &mut diagnostics);
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    (set, atoms)
}

fn benchmark(criterion: &mut Criterion) {
    let policies: &[(&str, &[&str])] = &[
        ("all without language", &[LITERAL_AND_REGEX, NEAR, STRUCTURE, CONTEXT]),
        ("all", &[LITERAL_AND_REGEX, NEAR, STRUCTURE, CONTEXT, LANGUAGE]),
        ("literal, regex, structure, context", &[LITERAL_AND_REGEX, STRUCTURE, CONTEXT]),
        ("literal, regex", &[LITERAL_AND_REGEX]),
        ("bm25, ngram, fuzzy", &[NEAR]),
        ("structure", &[STRUCTURE]),
        ("context, conversation", &[CONTEXT]),
        ("language", &[LANGUAGE]),
    ];
    let texts = [
        ("1 KB", prompt(900, false)),
        ("100 KB", prompt(102_200, false)),
        ("100 KB varied", prompt(102_200, true)),
    ];
    let identity = Identity::default();
    let tokens = TokenCalibration::new();
    for (size, text) in &texts {
        let mut group = criterion.benchmark_group(*size);
        let request = RequestView::from_prompt(text);
        let input = SignalInput {
            request: &request,
            identity: &identity,
            tokens: &tokens,
            authz_fail_open: false,
            readings: None,
        };
        for (name, blocks) in policies {
            let (set, atoms) = compile(blocks);
            group.bench_function(*name, |bencher| {
                bencher.iter(|| {
                    let mut evidence = Evidence::new(&atoms);
                    set.evaluate(black_box(&input), FamilySet::ALL, &mut evidence)
                        .expect("nobody is refused");
                    evidence
                });
            });
        }
        let (set, atoms) = compile(policies[1].1);
        let mut evidence = Evidence::new(&atoms);
        set.evaluate(&input, FamilySet::ALL, &mut evidence).expect("nobody is refused");
        let matched: Vec<String> = evidence.matched().iter().map(|id| atoms.atom(id).to_string()).collect();
        println!("{size}: matched {}", matched.join(" "));
        for family in SignalFamily::ALL {
            let nanos = evidence.family_nanos(*family);
            if nanos > 0 {
                println!("{size}: {family} {nanos} ns in one run");
            }
        }
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
