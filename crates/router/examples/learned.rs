//! What learned signals cost: `learned [WORKERS]` prints a table. A policy with a rule of every learned family is put to
//! texts of several lengths, none of which was read before, beside one pass of each model over the same text.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use vsr_config::Document;
use vsr_encoder::{Model, PoolOptions, Scratch};
use vsr_protocol::{ClientRequest, Protocol, RequestLimits, ViewedRequest};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};
use vsr_router::{Metrics, RouteInput, Router, RouterParts, Snapshot, Surroundings, compile};
use vsr_store::MemoryStore;
use vsr_types::{Identity, RequestId, SystemClock};
use vsr_upstream::{Client, ClientConfig};

const POLICY: &str = "
version: v0.3
providers: {defaults: {default_model: m}, models: [{name: m, backend_refs: [{endpoint: '127.0.0.1:1'}]}]}
routing:
  modelCards: [{name: m}]
  signals:
    domains: [{name: math}, {name: law}]
    jailbreak: [{name: attack, include_history: true}]
    pii: [{name: personal, include_history: true}]
    embeddings: [{name: code, threshold: 0.9, candidates: [write a function, debug a program, review this code]}]
    preferences: [{name: terse, examples: [be brief, short answers please]}]
    fact_check: [{name: needs_fact_check}]
    user_feedbacks: [{name: wrong_answer}]
    modality: [{name: DIFFUSION}]
    reasks: [{name: again}]
    complexity: [{name: hard, threshold: 0.1, hard: {candidates: [prove the theorem]}, easy: {candidates: [what is this]}}]
    kb: [{name: private, kb: privacy_kb, target: {kind: group, value: private}, match: best}]
  decisions:
  - name: all
    rules:
      operator: OR
      conditions: [{type: domain, name: math}, {type: jailbreak, name: attack}, {type: pii, name: personal}, {type: embedding, name: code},
        {type: preference, name: terse}, {type: fact_check, name: needs_fact_check}, {type: user_feedback, name: wrong_answer},
        {type: modality, name: DIFFUSION}, {type: reask, name: again}, {type: complexity, name: 'hard:hard'}, {type: kb, name: private}]
    modelRefs: [{model: m}]
global: {model_catalog: {modules: {scan: {timeout: 60s}, modality_detector: {enabled: true, method: classifier, confidence_threshold: 0.5, classifier: {model_path: embedded}}}}}
";

const WORDS: [&str; 24] = [
    "river", "report", "garden", "market", "engine", "letter", "window", "music", "summer", "bridge",
    "paper", "doctor", "table", "number", "forest", "school", "winter", "camera", "coffee", "island",
    "mirror", "pocket", "signal", "train",
];

/// A text of about so many tokens that no other call gives.
fn text(tokens: usize, seed: &mut u64) -> String {
    let mut words = Vec::with_capacity(tokens);
    for _ in 0..tokens {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words.push(WORDS[(*seed >> 33) as usize % WORDS.len()]);
    }
    words.join(" ")
}

fn request(messages: &[(&str, &str)]) -> Result<ViewedRequest, Box<dyn std::error::Error>> {
    let list: Vec<_> = messages
        .iter()
        .map(|(role, content)| serde_json::json!({ "role": role, "content": content }))
        .collect();
    let body = serde_json::json!({ "model": "auto", "messages": list }).to_string();
    Ok(ClientRequest::parse(Protocol::Chat, Bytes::from(body), &RequestLimits::default())?.into())
}

struct Bench {
    snapshot: Arc<Snapshot>,
    router: Arc<Router>,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn route(&self, request: &ViewedRequest) -> Duration {
        let started = Instant::now();
        let identity = Identity::default();
        let reading = self.snapshot.reading(request, &identity);
        let read = reading.map(|reading| self.runtime.block_on(reading.run(&self.client)));
        let input = RouteInput {
            request,
            identity,
            request_id: RequestId::from("bench"),
            answer_id: "bench",
            received: started,
            via: vsr_types::Via::default(),
            parse: Duration::ZERO,
            session: None,
            read,
        };
        drop(self.router.route(&self.snapshot, input));
        started.elapsed()
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workers = std::env::args().nth(1).map_or(Ok(1), |workers| workers.parse())?;
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let packed = ReaderModels::in_folder(&models)?;
    let missing = "models/ lacks one";
    let (trunk, tagger) = (packed.trunk.clone().ok_or(missing)?, packed.tagger.clone().ok_or(missing)?);
    let pool = PoolOptions { workers, ..PoolOptions::default() };
    let started = Instant::now();
    let reader = Reader::open(packed, ReaderOptions { pool })?;
    let mut document = Document::parse("bench", POLICY, &|_| None);
    let snapshot = compile(&mut document, &Surroundings { variables: &|_| None, reader: &reader });
    let snapshot = snapshot.ok_or_else(|| format!("{:?}", document.problems()))?;
    let compiled = started.elapsed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(snapshot.prepare(None, &|_, _| {}))?;
    println!(
        "compiled in {:.0} ms, ready in {:.0} ms\n",
        compiled.as_secs_f64() * 1e3,
        started.elapsed().as_secs_f64() * 1e3
    );
    let parts = RouterParts {
        clock: Arc::new(SystemClock),
        store: Arc::new(MemoryStore::new(10)),
        metrics: Metrics::default(),
    };
    let router = Router::new(Arc::clone(&snapshot), parts);
    let bench = Bench { snapshot, router, client: Client::new(&ClientConfig::default()), runtime };
    let (trunk, tagger) = (Model::from_packed(&trunk, None)?, Model::from_packed(&tagger, None)?);
    let (mut scratch, mut seed) = (Scratch::default(), 1);
    println!(
        "| words | trunk + tagger, one pass each, ms | all signals, {workers} thread(s), ms | ratio |\n|---|---|---|---|"
    );
    for words in [16, 64, 128, 256, 384, 512, 1024, 4096] {
        let rounds = if words > 512 { 5 } else { 21 };
        let (mut passes, mut routes) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let text = text(words, &mut seed);
            let started = Instant::now();
            trunk.encode(&text, &mut scratch)?;
            tagger.encode(&text, &mut scratch)?;
            passes.push(started.elapsed());
            routes.push(bench.route(&request(&[("user", &text)])?));
        }
        let (pass, route) = (median(passes), median(routes));
        println!("| {words} | {pass:.1} | {route:.1} | {:.2} |", route / pass);
    }
    session(&bench, &mut seed)
}

/// Fifty turns of 200 words, all history scanned: what each turn costs.
fn session(bench: &Bench, seed: &mut u64) -> Result<(), Box<dyn std::error::Error>> {
    println!("\n| turn | windows read | ms |\n|---|---|---|");
    let mut turns: Vec<(&str, String)> = Vec::new();
    for turn in 1..=50 {
        turns.push(("user", text(200, seed)));
        let messages: Vec<(&str, &str)> = turns.iter().map(|(role, text)| (*role, text.as_str())).collect();
        let before = bench.snapshot.reader().counters().done;
        let took = bench.route(&request(&messages)?);
        let read = bench.snapshot.reader().counters().done - before;
        if turn % 10 == 0 || turn <= 2 {
            println!("| {turn} | {read} | {:.1} |", took.as_secs_f64() * 1e3);
        }
        turns.push(("assistant", text(100, seed)));
    }
    Ok(())
}
