//! Downloads that succeed.

use std::{fs, path::Path};

use vsr_hub::Step;
use vsr_testkit::{HubFault, ModelHub};

use crate::{COMMIT, FILES, LATER, MODEL, Scene, model, names_in, secret, told};

#[test]
fn a_model_is_fetched_checked_and_found_again_without_asking() {
    let scene = Scene::with_model();
    let downloaded = scene.download(MODEL).unwrap();
    assert_eq!((downloaded.commit.as_str(), downloaded.bytes), (COMMIT, 100_009));
    for (name, bytes) in FILES {
        assert_eq!(fs::read(downloaded.directory.join(name)).unwrap(), bytes, "{name}");
    }
    let manifest = fs::read_to_string(downloaded.directory.join("vllm-sr.json")).unwrap();
    assert!(manifest.contains(COMMIT) && manifest.contains("model.safetensors"), "{manifest}");
    let found = scene.cache().find(&model(MODEL)).unwrap();
    assert_eq!((found.directory, found.commit.as_str()), (downloaded.directory, COMMIT));
    let asked = scene.hub.requests().len();
    assert_eq!(scene.download(&format!("{MODEL}@{COMMIT}")).unwrap().bytes, 0);
    assert_eq!(scene.hub.requests().len(), asked, "a commit that is here needs no hub");
}

#[test]
fn a_branch_stays_at_its_first_commit_until_it_is_downloaded_again() {
    let scene = Scene::with_model();
    scene.download(MODEL).unwrap();
    let mut newer = FILES;
    newer[2].1 = &[8; 50];
    scene.hub.add("owner/model", "main", LATER, &newer);
    assert_eq!(scene.cache().find(&model(MODEL)).unwrap().commit, COMMIT);
    assert_eq!(scene.download(MODEL).unwrap().commit, LATER);
    assert_eq!(scene.cache().find(&model(MODEL)).unwrap().commit, LATER);
    let earlier = format!("{MODEL}@{COMMIT}");
    assert_eq!(scene.cache().find(&model(&earlier)).unwrap().commit, COMMIT, "the earlier one stays");
}

#[test]
fn a_revision_with_a_slash_is_one_name() {
    let scene = Scene::new();
    scene.hub.add("owner/model", "refs/pr/1", COMMIT, &FILES);
    assert_eq!(scene.download("hf://owner/model@refs/pr/1").unwrap().commit, COMMIT);
    assert_eq!(scene.cache().find(&model("hf://owner/model@refs/pr/1")).unwrap().commit, COMMIT);
}

#[test]
fn only_files_of_a_checkpoint_are_fetched() {
    let scene = Scene::new();
    let mut files = FILES.to_vec();
    files.extend([
        ("label_mapping.json", &b"{}"[..]),
        ("pytorch_model.bin", b"pickle"),
        ("README.md", b"x"),
        ("onnx/model.onnx", b"x"),
        ("nested/category_mapping.json", b"{}"),
    ]);
    scene.hub.add("owner/model", "main", COMMIT, &files);
    let directory = scene.download(MODEL).unwrap().directory;
    let kept = ["config.json", "label_mapping.json", "model.safetensors", "tokenizer.json", "vllm-sr.json"];
    assert_eq!(names_in(&directory), kept);
}

#[test]
fn weights_in_several_files_are_fetched_with_their_index() {
    let scene = Scene::new();
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}"#;
    let files: Vec<(&str, &[u8])> = vec![
        FILES[0],
        FILES[1],
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", &[1; 10]),
        ("model-2.safetensors", &[2; 20]),
        ("model-3.safetensors", &[3; 30]),
    ];
    scene.hub.add("owner/model", "main", COMMIT, &files);
    let steps = told(&scene, MODEL);
    let directory = scene.cache().find(&model(MODEL)).unwrap().directory;
    let names = names_in(&directory);
    assert!(names.contains(&"model-2.safetensors".to_owned()), "{names:?}");
    assert!(!names.contains(&"model-3.safetensors".to_owned()), "{names:?}");
    let all = (2 + 7 + index.len() + 30) as u64;
    assert_eq!(steps.last().map(|(_, _, bytes, total)| (*bytes, *total)), Some((all, all)));
}

#[test]
fn progress_tells_the_file_and_the_bytes_of_all() {
    let scene = Scene::with_model();
    let steps = told(&scene, MODEL);
    assert_eq!(steps[0].0, Step::Resolving);
    assert!(
        steps[1..].iter().all(|(step, _, _, total)| (*step, *total) == (Step::Fetching, 100_009)),
        "{steps:?}"
    );
    let bytes: Vec<u64> = steps[1..].iter().map(|(_, _, bytes, _)| *bytes).collect();
    assert!(bytes.is_sorted(), "{bytes:?}");
    assert_eq!(
        steps.last().map(|(_, file, bytes, _)| (file.as_str(), *bytes)),
        Some(("model.safetensors", 100_009))
    );
}

#[test]
fn a_token_is_sent_to_the_hub_and_not_to_the_store_that_it_sends_us_to() {
    let mut scene = Scene::new();
    let store = ModelHub::start();
    scene.hub.add_with_store("owner/model", "main", COMMIT, &FILES, &store);
    scene.hub.demand_token("hf_secret");
    scene.settings.token = secret();
    let directory = scene.download(MODEL).unwrap().directory;
    assert_eq!(fs::read(directory.join("model.safetensors")).unwrap(), FILES[2].1);
    assert!(
        scene
            .hub
            .requests()
            .iter()
            .all(|request| request.header("authorization") == Some("Bearer hf_secret"))
    );
    let stored = store.requests();
    assert_eq!(stored.len(), 1);
    assert!(stored[0].path.ends_with("?signature=secret"), "{}", stored[0].path);
    assert_eq!(stored[0].header("authorization"), None);
    let manifest = fs::read_to_string(directory.join("vllm-sr.json")).unwrap();
    assert!(!manifest.contains("hf_secret"), "{manifest}");
}

#[test]
fn a_hub_under_a_path_is_asked_there() {
    let mut scene = Scene::with_model();
    scene.settings.base_path = "/mirror".to_owned();
    scene.download(MODEL).unwrap_err();
    assert!(scene.hub.requests()[0].path.starts_with("/mirror/api/models/owner/model/revision/main"));
}

#[test]
fn two_downloads_at_once_fetch_every_file_once() {
    let scene = Scene::with_model();
    let gate = vsr_testkit::Gate::new();
    scene.hub.fail("/resolve/", HubFault::Hold(gate.clone()), 1);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| scene.download(MODEL).unwrap());
        gate.wait_arrived(1);
        let second = scope.spawn(|| {
            let waits = |progress: &vsr_hub::Progress<'_>| {
                if progress.step == Step::Waiting {
                    gate.open();
                }
            };
            vsr_hub::Hub::new(scene.settings.clone()).download(&model(MODEL), &waits).unwrap()
        });
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!((first.directory, first.bytes), (second.directory, 100_009));
        assert_eq!(second.bytes, 0);
    });
    let fetched = scene.hub.requests().iter().filter(|request| request.path.contains("/resolve/")).count();
    assert_eq!(fetched, 3);
    assert_eq!(names_in(&scene.repository()), [COMMIT, "lock", "revisions"]);
    assert_eq!(names_in(Path::new(&scene.repository().join("revisions"))), ["main"]);
}
