//! What is done with texts before and after models read them: recognisers, views, compression, banks.

#![expect(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark of known input; the harness makes the functions"
)]

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vsr_config::{Document, PromptCompression};
use vsr_signals::{
    Head, ModelSupport, PrototypeVectors, SignalInput, SignalSet, TagReading, TextReading, TextReadings,
    TokenCalibration, TrunkReading, Window, compression::Compressor, pii, views,
};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView};

const DIMENSION: usize = 384;

fn prose(bytes: usize) -> String {
    let part = "We migrated the billing service on 2026-03-04, and invoice 4711-22 of ann@example.org fails. \
                Could you explain what changed between version 1.2.3 and 1.3? 请先总结问题。 ";
    part.chars()
        .cycle()
        .scan(0, |sum, c| {
            *sum += c.len_utf8();
            (*sum <= bytes).then_some(c)
        })
        .collect()
}

fn vector(seed: usize) -> Arc<[f32]> {
    let raw: Vec<f32> = (0..DIMENSION).map(|at| ((at * 31 + seed * 17) % 101) as f32 - 50.0).collect();
    let norm = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.into_iter().map(|value| value / norm).collect()
}

fn texts(criterion: &mut Criterion) {
    let settings = PromptCompression { enabled: true, max_tokens: 512, ..PromptCompression::default() };
    let compressor = Compressor::new(&settings, false).expect("compression is on");
    let mut group = criterion.benchmark_group("texts");
    for bytes in [1_000, 64_000] {
        let text = prose(bytes);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("recognise", bytes), |bench| {
            bench.iter(|| pii::recognise(black_box(&text)));
        });
        group.bench_function(BenchmarkId::new("views", bytes), |bench| {
            bench.iter(|| (views::plain(black_box(&text)), views::decoded(&text)));
        });
        group.bench_function(BenchmarkId::new("compress", bytes), |bench| {
            bench.iter(|| compressor.compress(black_box(&text)));
        });
    }
}

/// Twenty rules of eight examples each, on one embedding.
fn banks(criterion: &mut Criterion) {
    let rules: String = (0..20)
        .map(|rule| {
            let examples: Vec<String> = (0..8).map(|example| format!("example {rule} {example}")).collect();
            format!("      - {{name: e{rule}, threshold: 0.5, candidates: [{}]}}\n", examples.join(", "))
        })
        .collect();
    let yaml = format!("version: v0.3\nrouting:\n  signals:\n    embeddings:\n{rules}");
    let document = Document::parse("bench.yaml", &yaml, &|_| None);
    let config = document.config().expect("the benchmark's policy is read");
    let support = ModelSupport {
        embeddings: true,
        images: false,
        sounds: false,
        heads: Head::ALL.into_iter().map(|head| (head, Vec::new())).collect(),
        tagger: true,
        remote: true,
        manifests: &|_| None,
        pictures: &|_| None,
    };
    let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
    let set = SignalSet::compile_for(config, &support, &mut atoms, &mut diagnostics);
    let prototypes = set.prototype_texts().into_iter().enumerate().map(|(seed, text)| (text, vector(seed)));
    set.install(&PrototypeVectors::new("bench", prototypes));

    let request = RequestView::from_prompt("what changed?");
    let window = Window { bytes: 0..13, tokens: 3, embedding: Some(vector(7)), heads: Vec::new() };
    let trunk = TrunkReading { windows: vec![window], tokens_seen: 3, tokens_present: 3 };
    let outputs = vec![TextReading { trunk: Ok(trunk), tags: Ok(TagReading::default()) }];
    let readings = TextReadings::new(set.plan(&request, FamilySet::ALL), "bench", outputs);
    let (identity, tokens) = (Identity::default(), TokenCalibration::new());
    let input = SignalInput {
        request: &request,
        identity: &identity,
        tokens: &tokens,
        authz_fail_open: false,
        readings: Some(&readings),
    };
    criterion.bench_function("160 prototypes", |bench| {
        bench.iter(|| {
            let mut evidence = Evidence::new(&atoms);
            set.evaluate(&input, FamilySet::ALL, &mut evidence).map(|_| evidence)
        });
    });
}

criterion_group!(benches, texts, banks);
criterion_main!(benches);
