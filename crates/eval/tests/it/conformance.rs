//! Every file of the public release's corpus, where it lies beside the checkout: each has its outcome here.

mod corpus;
mod outcome;

use std::path::Path;

use vsr_config::{Document, migrate};
use vsr_eval::{Policy, Probes};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};

use corpus::{corpus, files, helm_block, read};
use outcome::{FILES, Outcome, around};

const GREETING: &str =
    "decisions:\n- {id: any, expected_decision: '', variants: [{id: hello, query: Good morning}]}\n";

/// An environment with every key that a configuration may name, and nothing said of the network.
fn variables(name: &str) -> Option<String> {
    let is_of_network = name == "VLLM_SR_DNS" || name.to_ascii_uppercase().ends_with("_PROXY");
    (!is_of_network).then(|| "set".into())
}

/// What is needed to run policies: one reader for all of them.
struct Bench {
    corpus: &'static Path,
    reader: Reader,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn open() -> Option<Self> {
        let corpus = corpus()?;
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let models = ReaderModels::in_folder(&models).unwrap();
        let reader = Reader::open(models, ReaderOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Some(Self { corpus, reader, runtime })
    }

    /// The decisions that the probes reach under the configuration `text`.
    #[track_caller]
    fn decisions(&self, path: &str, texts: &[&str], probes: &str) -> Vec<String> {
        let directory = self.corpus.join(path);
        let policies = Policy::new(path, directory.parent().unwrap(), &variables, self.reader.clone());
        let probes = Probes::parse(probes).unwrap().list;
        let probes: Vec<_> = probes.iter().collect();
        let runs = texts.iter().map(|text| {
            let judged = self.runtime.block_on(policies.judge(text, &probes));
            judged.unwrap_or_else(|error| panic!("{path}: {error}\n{text}"))
        });
        let mut runs: Vec<Vec<String>> =
            runs.map(|run| run.into_iter().map(|judged| judged.decision).collect()).collect();
        let last = runs.pop().unwrap();
        assert!(runs.iter().all(|run| *run == last), "{path}: {runs:?} {last:?}");
        last
    }

    /// A configuration runs, and so does what `config show` makes of it; nothing in it has to be migrated.
    fn boots(&self, path: &str, text: &str) {
        let migrated = migrate(text).unwrap();
        assert_eq!((migrated.changed, migrated.text.as_str()), (false, text), "{path}");
        let document = Document::parse(path, text, &variables);
        self.decisions(path, &[text, &document.effective_yaml()], GREETING);
    }
}

/// The files with an outcome that `wanted` takes something of.
fn each<T: 'static>(wanted: fn(&'static Outcome) -> Option<T>) -> impl Iterator<Item = (&'static str, T)> {
    FILES.iter().filter_map(move |(path, outcome)| Some((*path, wanted(outcome)?)))
}

#[test]
fn every_file_has_one_outcome_and_every_outcome_its_file() {
    let Some(corpus) = corpus() else { return };
    let found = files(corpus);
    let mut expected: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn configurations_run_and_so_do_their_effective_forms() {
    let Some(bench) = Bench::open() else { return };
    for (path, ()) in each(|outcome| matches!(outcome, Outcome::Runs).then_some(())) {
        bench.boots(path, &read(bench.corpus, path));
    }
}

#[test]
fn the_configurations_in_helm_values_run_once_they_are_rendered() {
    let Some(bench) = Bench::open() else { return };
    for (path, ()) in each(|outcome| matches!(outcome, Outcome::HelmValues).then_some(())) {
        let values = read(bench.corpus, path);
        let block = helm_block(&values);
        let rendered = Document::parse(path, &block, &variables);
        let within = Document::parse_helm_values(path, &values, &variables);
        assert_eq!(rendered.hash(), within.hash(), "{path}");
        assert!(
            Document::parse(path, &values, &variables).has_errors(),
            "{path}: values are no configuration"
        );
        bench.boots(path, &block);
    }
}

#[test]
fn fragments_run_within_a_configuration_that_has_what_they_name() {
    let Some(bench) = Bench::open() else { return };
    for (path, kind) in each(|outcome| if let Outcome::Fragment(kind) = outcome { Some(kind) } else { None })
    {
        let text = around(*kind, &read(bench.corpus, path));
        let document = Document::parse(path, &text, &variables);
        let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{path}\n{text}");
        bench.boots(path, &text);
    }
}

#[test]
fn a_fragment_that_could_never_match_is_refused() {
    let Some(bench) = Bench::open() else { return };
    let refused = |outcome: &'static Outcome| match outcome {
        Outcome::Refused(kind, told) => Some((*kind, *told)),
        _ => None,
    };
    for (path, (kind, told)) in each(refused) {
        let text = around(kind, &read(bench.corpus, path));
        let policies = Policy::new(path, Path::new("."), &variables, bench.reader.clone());
        let refusal = bench.runtime.block_on(policies.judge(&text, &[])).unwrap_err().to_string();
        assert!(refusal.contains(told), "{path}: {refusal}");
    }
}

#[test]
fn what_is_no_whole_configuration_of_the_router_is_told_so() {
    let Some(bench) = Bench::open() else { return };
    for (path, told) in each(|outcome| if let Outcome::Told(told) = outcome { Some(told) } else { None }) {
        let document = Document::parse(path, &read(bench.corpus, path), &variables);
        let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
        assert!(problems.iter().any(|problem| problem.contains(told)), "{path}: {problems:#?}");
    }
}

#[test]
fn probes_reach_their_decisions_as_often_as_the_embedded_models_can() {
    let Some(bench) = Bench::open() else { return };
    let probes = |outcome: &'static Outcome| match outcome {
        Outcome::Probes { policy, probes, reached } => Some((*policy, *probes, *reached)),
        _ => None,
    };
    for (path, (policy, count, reached)) in each(probes) {
        let (text, probes) = (read(bench.corpus, policy), read(bench.corpus, path));
        let expected = Probes::parse(&probes).unwrap().list;
        assert_eq!(expected.len(), count, "{path}");
        let found = bench.decisions(policy, &[&text], &probes);
        let pairs = expected.iter().zip(&found);
        let missed: Vec<String> = pairs
            .filter(|(probe, found)| probe.expected_decision != **found)
            .map(|(probe, found)| format!("{} reached `{found}`", probe.id))
            .collect();
        assert!(
            count - missed.len() >= reached,
            "{path}: {} of {count}\n{}",
            count - missed.len(),
            missed.join("\n")
        );
    }
}

#[test]
fn knowledge_bases_know_their_own_examples() {
    let Some(bench) = Bench::open() else { return };
    let bases = |outcome: &'static Outcome| match outcome {
        Outcome::KnowledgeBase { labels, exemplars, reached } => Some((*labels, *exemplars, *reached)),
        _ => None,
    };
    for (path, (labels, exemplars, reached)) in each(bases) {
        let base: serde_json::Value = serde_json::from_str(&read(bench.corpus, path)).unwrap();
        let listed = base["labels"].as_object().unwrap();
        let counts = listed.values().map(|label| label["exemplars"].as_array().unwrap().len());
        assert_eq!((listed.len(), counts.sum::<usize>()), (labels, exemplars), "{path}");
        let folder = bench.corpus.join(path);
        let folder = folder.parent().unwrap().display();
        let (mut signals, mut decisions, mut probes) = (String::new(), String::new(), String::new());
        for (label, entry) in listed {
            signals += &format!(
                "    - {{name: {label:?}, kb: it, target: {{kind: label, value: {label:?}}}, match: best}}\n"
            );
            decisions += &format!(
                "  - {{name: {label:?}, rules: {{operator: OR, conditions: [{{type: kb, name: {label:?}}}]}}, modelRefs: [{{model: small}}]}}\n"
            );
            probes += &format!(
                "- {{id: {label:?}, expected_decision: {label:?}, variants: [{{query: {}}}]}}\n",
                entry["exemplars"][0]
            );
        }
        let text = format!(
            "version: v0.3
providers: {{defaults: {{default_model: small}}, models: [{{name: small, backend_refs: [{{endpoint: 'a:1'}}]}}]}}
routing:
  modelCards: [{{name: small}}]
  signals:
    kb:\n{signals}  decisions:\n{decisions}global: {{model_catalog: {{kbs: [{{name: it, source: {{path: '{folder}'}}}}]}}}}\n"
        );
        let found = bench.decisions(path, &[&text], &format!("decisions:\n{probes}"));
        let known = listed.keys().zip(&found).filter(|(label, found)| label == found).count();
        assert!(known >= reached, "{path}: {known} of {labels}: {found:?}");
    }
}
