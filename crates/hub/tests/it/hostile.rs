//! Hubs that lie, and names that are tricks.

use proptest::prelude::*;
use serde_json::{Value, json};
use vsr_hub::Error;
use vsr_testkit::HubFault;

use crate::{COMMIT, FILES, LATER, MODEL, Scene, model, names_in};

/// Why a model is refused that the hub lists like this; nothing may be kept of it.
fn refusal(listing: &Value) -> String {
    let scene = Scene::with_model();
    scene.hub.list("owner/model", "main", listing);
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(!error.is_transient());
    assert_eq!(scene.cache().find(&model(MODEL)), None);
    let outside = names_in(scene.cache.path());
    assert!(outside.is_empty() || outside == ["kept"], "{outside:?}");
    error.to_string()
}

fn listed(weights: &Value) -> Value {
    let mut siblings = vec![json!({ "rfilename": "config.json" }), json!({ "rfilename": "tokenizer.json" })];
    siblings.extend(weights.as_array().unwrap().iter().cloned());
    json!({ "sha": COMMIT, "siblings": siblings })
}

#[test]
fn pickles_are_refused_with_advice() {
    let error = refusal(&listed(&json!([{ "rfilename": "pytorch_model.bin" }])));
    assert!(error.contains("pickle") && error.contains("safe_serialization"), "{error}");
    let error = refusal(&listed(&json!([])));
    assert!(error.contains("model.safetensors"), "{error}");
}

#[test]
fn listings_that_make_no_sense_are_refused() {
    for listing in [
        json!([]),
        json!({ "sha": "../../../etc", "siblings": [] }),
        json!({ "sha": "main", "siblings": [] }),
        json!({ "sha": COMMIT, "siblings": [{ "rfilename": 3 }] }),
        listed(&json!([{ "rfilename": "model.safetensors", "lfs": { "sha256": "abc" } }])),
        json!({ "sha": COMMIT, "siblings": [{ "rfilename": "config.json" }] }),
    ] {
        refusal(&listing);
    }
}

#[test]
fn a_commit_is_what_was_asked_for_or_nothing() {
    let scene = Scene::with_model();
    scene.hub.list("owner/model", LATER, &json!({ "sha": COMMIT, "siblings": [] }));
    let error = scene.download(&format!("{MODEL}@{LATER}")).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[test]
fn weights_without_a_checksum_are_refused() {
    let scene = Scene::new();
    // The mock gives no checksum for files of other names, and the listing none at all.
    scene.hub.add("owner/model", "main", COMMIT, &FILES[..2]);
    scene.hub.list("owner/model", "main", &listed(&json!([{ "rfilename": "model.safetensors" }])));
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let scene = Scene::with_model();
    scene.hub.list("owner/model", "main", &listed(&json!([{ "rfilename": "model.safetensors" }])));
    assert_eq!(scene.download(MODEL).unwrap().commit, COMMIT, "the answer's own checksum will do");
    let wrong = json!([{ "rfilename": "model.safetensors", "lfs": { "sha256": "0".repeat(64) } }]);
    let scene = Scene::with_model();
    scene.hub.list("owner/model", "main", &listed(&wrong));
    let error = scene.download(MODEL).unwrap_err().to_string();
    assert!(error.contains("two checksums"), "{error}");
}

#[test]
fn files_of_weights_lie_in_the_repository_itself() {
    for trick in [
        "../outside.safetensors",
        "/etc/x.safetensors",
        "a/../../x.safetensors",
        "..\\x.safetensors",
        "weights.bin",
        ".safetensors",
    ] {
        let scene = Scene::new();
        let index = json!({ "weight_map": { "a": trick } }).to_string();
        let files = [FILES[0], FILES[1], ("model.safetensors.index.json", index.as_bytes()), (trick, b"x")];
        scene.hub.add("owner/model", "main", COMMIT, &files);
        let error = scene.download(MODEL).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{trick}: {error}");
        assert_eq!(names_in(scene.cache.path()), ["kept"]);
    }
}

#[test]
fn names_of_mappings_that_leave_the_directory_are_not_fetched() {
    let scene = Scene::new();
    let mut files = FILES.to_vec();
    files.extend([
        ("../evil_mapping.json", &b"{}"[..]),
        ("a/b_mapping.json", b"{}"),
        ("..\\c_mapping.json", b"{}"),
    ]);
    scene.hub.add("owner/model", "main", COMMIT, &files);
    let directory = scene.download(MODEL).unwrap().directory;
    assert_eq!(names_in(&directory), ["config.json", "model.safetensors", "tokenizer.json", "vllm-sr.json"]);
}

#[test]
fn a_model_larger_than_allowed_is_refused_before_and_while_it_comes() {
    let mut scene = Scene::with_model();
    scene.settings.max_model_bytes = 100_008;
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 100_008, .. }), "{error}");
    assert_eq!(scene.hub.requests().len(), 1, "nothing is fetched");
    // A hub that does not say how large files are is stopped while they come.
    scene.hub.list("owner/model", "main", &listed(&json!([{ "rfilename": "model.safetensors" }])));
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn content_longer_than_the_listing_says_is_refused() {
    let scene = Scene::with_model();
    scene.hub.fail("tokenizer.json", HubFault::TooLong(10), 1);
    let error = scene.download(MODEL).unwrap_err();
    assert!(error.to_string().contains("longer than the hub said"), "{error}");
}

#[test]
fn redirects_without_end_or_without_sense_are_refused() {
    for location in
        ["/owner/model/resolve/x", "ftp://example.invalid/", "http://user:password@127.0.0.1/", ""]
    {
        let scene = Scene::with_model();
        let headers = vec![("location".to_owned(), location.to_owned())];
        scene.hub.fail("/resolve/", HubFault::Status { code: 302, headers }, 100);
        let error = scene.download(MODEL).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{location:?}: {error}");
        assert!(!error.to_string().contains("password"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever a name is, it never leads out of the cache, and it is written as it is read.
    #[test]
    fn any_name_is_refused_or_stays_in_the_cache(name in "hf://[a-zA-Z0-9._/@%\\\\ -]{0,40}") {
        if let Ok(parsed) = name.parse::<vsr_hub::HubModel>() {
            prop_assert_eq!(&model(&parsed.to_string()), &parsed);
            let parts: Vec<String> = parsed.repository().split('/').map(str::to_owned).collect();
            prop_assert_eq!(parts.len(), 2);
            prop_assert!(parts.iter().all(|part| !part.starts_with('.') && !part.contains("..")));
            prop_assert!(!parsed.revision().contains("..") && !parsed.revision().starts_with('/'));
        }
    }
}
