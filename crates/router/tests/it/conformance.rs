//! The public release's configurations compile, where they lie beside the checkout.

use std::path::{Path, PathBuf};

use vsr_config::Document;

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    if !corpus.is_dir() {
        println!("skipped: the conformance corpus is not beside this checkout");
        return None;
    }
    Some(corpus)
}

/// Every file under `folder` with this ending.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
}

/// Files that are no whole configuration: identity and Kubernetes fragments, an inventory without routing.
const NOT_WHOLE: &[&str] = &["authz-profile-", "prometheus", "gateway-resources", "crds", "manifests"];

fn problems_of(mut document: Document) -> Vec<String> {
    let snapshot = vsr_router::compile(
        &mut document,
        &vsr_router::Surroundings {
            variables: &|_| Some("set".into()),
            reader: &vsr_reader::Reader::without_models(),
        },
    );
    if snapshot.is_some() {
        return Vec::new();
    }
    document
        .problems()
        .iter()
        .map(ToString::to_string)
        .filter(|problem| problem.contains(": error: "))
        .collect()
}

#[test]
fn every_full_configuration_compiles() {
    let Some(corpus) = corpus() else { return };
    let mut paths = vec![corpus.join("config/config.yaml"), corpus.join("deploy/recipes/balance.yaml")];
    files(&corpus.join("e2e/config"), ".yaml", &mut paths);
    files(&corpus.join("src"), ".yaml", &mut paths);
    paths.retain(|path| {
        let name = path.to_string_lossy();
        !NOT_WHOLE.iter().any(|part| name.contains(part)) && !name.contains("testdata/input")
    });
    assert!(paths.len() > 20, "{paths:?}");
    let failing: Vec<String> = paths
        .iter()
        .map(|path| (path, problems_of(Document::read(path, &|_| Some("set".into())).unwrap())))
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(path, problems)| format!("{}:\n  {}", path.display(), problems.join("\n  ")))
        .collect();
    assert!(failing.is_empty(), "{}", failing.join("\n"));
}

#[test]
fn every_helm_configuration_compiles() {
    let Some(corpus) = corpus() else { return };
    let mut paths = Vec::new();
    files(&corpus.join("e2e/profiles"), "values.yaml", &mut paths);
    assert!(paths.len() > 3, "{paths:?}");
    let failing: Vec<String> = paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let name = path.display().to_string();
            (path, problems_of(Document::parse_helm_values(&name, &text, &|_| Some("set".into()))))
        })
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(path, problems)| format!("{}:\n  {}", path.display(), problems.join("\n  ")))
        .collect();
    assert!(failing.is_empty(), "{}", failing.join("\n"));
}
