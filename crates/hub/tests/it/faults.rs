//! Downloads that are cut off, damaged, refused or not possible now.

use std::fs;

use vsr_hub::{Error, HubSettings};
use vsr_testkit::{HubFault, ModelHub};

use crate::{COMMIT, FILES, LATER, MODEL, Scene, model, names_in, secret};

fn status(code: u16, header: Option<(&str, &str)>) -> HubFault {
    let headers = header.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    HubFault::Status { code, headers }
}

#[test]
fn a_download_that_is_cut_off_goes_on_where_it_stopped() {
    let scene = Scene::with_model();
    scene.hub.fail("model.safetensors", HubFault::CutAfter(60_000), 1);
    assert_eq!(scene.download(MODEL).unwrap().bytes, 100_009);
    let weights = |requests: Vec<vsr_testkit::Recorded>| -> Vec<Option<String>> {
        let weights = requests.into_iter().filter(|request| request.path.contains("model.safetensors"));
        weights.map(|request| request.header("range").map(str::to_owned)).collect()
    };
    assert_eq!(weights(scene.hub.requests()), [None, Some("bytes=60000-".to_owned())]);
}

#[test]
fn a_later_process_goes_on_with_what_an_earlier_one_left() {
    let mut scene = Scene::with_model();
    scene.settings.retries.attempts = 1;
    scene.hub.fail("model.safetensors", HubFault::CutAfter(60_000), 1);
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(error, Error::Network { .. }) && error.is_transient(), "{error}");
    assert_eq!(scene.cache().find(&model(MODEL)), None, "a part of a model is no model");
    let before = scene.hub.requests().len();
    scene.download(MODEL).unwrap();
    let after: Vec<String> =
        scene.hub.requests()[before..].iter().map(|request| request.path.clone()).collect();
    assert_eq!(after.len(), 2, "the listing and the rest of the weights: {after:?}");
    let directory = scene.cache().find(&model(MODEL)).unwrap().directory;
    assert_eq!(fs::read(directory.join("model.safetensors")).unwrap(), FILES[2].1);
}

#[test]
fn what_is_left_of_an_attempt_at_another_commit_goes_when_a_download_succeeds() {
    let mut scene = Scene::with_model();
    scene.settings.retries.attempts = 1;
    scene.hub.fail("model.safetensors", HubFault::CutAfter(60_000), 1);
    scene.download(MODEL).unwrap_err();
    scene.hub.add("owner/model", "main", LATER, &FILES);
    scene.download(MODEL).unwrap();
    assert_eq!(names_in(&scene.repository()), [LATER, "lock", "revisions"]);
}

#[test]
fn a_leftover_that_is_damaged_is_fetched_again() {
    let scene = Scene::with_model();
    let partial = scene.repository().join(format!("{COMMIT}.partial"));
    fs::create_dir_all(&partial).unwrap();
    fs::write(partial.join("model.safetensors.part"), [9; 70_000]).unwrap();
    fs::write(partial.join("config.json"), "longer than the hub says").unwrap();
    let directory = scene.download(MODEL).unwrap().directory;
    assert_eq!(fs::read(directory.join("model.safetensors")).unwrap(), FILES[2].1);
    assert_eq!(fs::read(directory.join("config.json")).unwrap(), FILES[0].1);
}

#[test]
fn content_that_is_damaged_twice_is_an_error_and_never_a_model() {
    let scene = Scene::with_model();
    scene.hub.fail("model.safetensors", HubFault::Corrupt, 2);
    let error = scene.download(MODEL).unwrap_err();
    let Error::Checksum { file, expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!(file, "model.safetensors");
    assert_ne!(expected, found);
    assert!(!error.is_transient());
    assert_eq!(scene.cache().find(&model(MODEL)), None);
    scene.download(MODEL).unwrap();
}

#[test]
fn failures_that_pass_are_waited_out_and_the_hub_may_say_how_long() {
    let scene = Scene::with_model();
    scene.hub.fail("/api/models/", status(503, None), 2);
    scene.hub.fail("config.json", status(429, Some(("retry-after", "7200"))), 2);
    scene.download(MODEL).unwrap();
    scene.hub.fail("/api/models/", status(502, None), 5);
    let error = scene.download(MODEL).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("502"), "{error}");
}

#[test]
fn a_model_that_is_gated_says_how_to_get_it() {
    let mut scene = Scene::with_model();
    scene.hub.demand_token("another");
    let error = scene.download(MODEL).unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("HF_TOKEN"), "{error}");
    scene.settings.token = secret();
    let error = scene.download(MODEL).unwrap_err().to_string();
    assert!(
        error.contains("gated") && error.contains("ask for access") && !error.contains("hf_secret"),
        "{error}"
    );
    assert_eq!(scene.hub.requests().len(), 2, "it is not asked again");
    assert!(!format!("{:?}", scene.settings).contains("hf_secret"));
}

#[test]
fn a_model_or_revision_that_is_not_there_is_named() {
    let scene = Scene::with_model();
    let error = scene.download("hf://owner/other").unwrap_err().to_string();
    assert!(error.contains("hf://owner/other@main") && error.contains("no such model"), "{error}");
    scene.hub.fail("/revision/v9", status(404, Some(("x-error-code", "RevisionNotFound"))), 1);
    let error = scene.download("hf://owner/model@v9").unwrap_err();
    assert!(matches!(&error, Error::NotFound { what, .. } if what == "revision `v9`"), "{error}");
    assert!(!error.is_transient());
}

#[test]
fn a_link_to_the_store_that_has_expired_is_asked_for_again() {
    let scene = Scene::new();
    let store = ModelHub::start();
    scene.hub.add_with_store("owner/model", "main", COMMIT, &FILES, &store);
    store.fail("/store/", status(403, None), 1);
    scene.download(MODEL).unwrap();
    assert_eq!(store.requests().len(), 2);
}

#[test]
fn offline_nothing_is_asked_and_what_was_recorded_is_used() {
    let scene = Scene::with_model();
    let offline = HubSettings { offline: true, ..scene.settings.clone() };
    let download = || vsr_hub::Hub::new(offline.clone()).download(&model(MODEL), &|_| {});
    let error = download().unwrap_err();
    assert!(matches!(error, Error::Offline { .. }) && !error.is_transient(), "{error}");
    assert_eq!(scene.hub.requests(), []);
    scene.download(MODEL).unwrap();
    let asked = scene.hub.requests().len();
    assert_eq!(download().unwrap().commit, COMMIT);
    assert_eq!(scene.hub.requests().len(), asked);
}

#[test]
fn a_hub_that_is_not_there_is_an_error_that_passes() {
    let mut scene = Scene::with_model();
    scene.settings.endpoint = format!("http://127.0.0.1:{}", vsr_testkit::free_port()).parse().unwrap();
    let error = scene.download(MODEL).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("127.0.0.1"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_with_what_to_do() {
    let scene = Scene::with_model();
    let partial = scene.repository().join(format!("{COMMIT}.partial"));
    fs::create_dir_all(&partial).unwrap();
    std::os::unix::fs::symlink("/dev/full", partial.join("model.safetensors.part")).unwrap();
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(error, Error::Disk { .. }) && error.is_transient(), "{error}");
    assert!(error.to_string().contains("cache_dir"), "{error}");
}

#[test]
fn a_cache_that_cannot_be_written_names_the_directory() {
    let scene = Scene::with_model();
    fs::write(scene.cache.path().join("kept"), "a file").unwrap();
    let error = scene.download(MODEL).unwrap_err();
    assert!(matches!(&error, Error::Disk { path, .. } if path.starts_with(scene.cache.path())), "{error}");
}
