//! Models from a hub on loopback sockets into a cache of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod download;
mod faults;
mod hostile;
mod names;
mod settings;

use std::{cell::RefCell, path::Path, time::Duration};

use tempfile::TempDir;
use vsr_hub::{Cache, Downloaded, Error, Hub, HubModel, HubSettings, Retries, Step};
use vsr_testkit::ModelHub;
use vsr_types::Secret;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const LATER: &str = "89abcdef0123456789abcdef0123456789abcdef";
const MODEL: &str = "hf://owner/model";

/// What a checkpoint consists of; nobody reads its content here.
const FILES: [(&str, &[u8]); 3] =
    [("config.json", b"{}"), ("tokenizer.json", b"{\"t\":1}"), ("model.safetensors", &[7; 100_000])];

/// A hub and an empty cache.
struct Scene {
    hub: ModelHub,
    cache: TempDir,
    settings: HubSettings,
}

impl Scene {
    fn new() -> Self {
        let (hub, cache) = (ModelHub::start(), tempfile::tempdir().unwrap());
        let written = vsr_config::HubSettings {
            endpoint: Some(vsr_config::Expanded(hub.url())),
            cache_dir: Some(vsr_config::Expanded("kept".to_owned())),
            ..vsr_config::HubSettings::default()
        };
        let settings = HubSettings::of(&written, cache.path(), &|_| None).unwrap();
        let pause = Duration::from_millis(1);
        let retries = Retries { first_pause: pause, longest_pause: pause, ..Retries::default() };
        Self { hub, cache, settings: HubSettings { retries, ..settings } }
    }

    /// A hub that has [`FILES`] on its main branch.
    fn with_model() -> Self {
        let scene = Self::new();
        scene.hub.add("owner/model", "main", COMMIT, &FILES);
        scene
    }

    fn download(&self, model: &str) -> Result<Downloaded, Error> {
        Hub::new(self.settings.clone()).download(&model.parse().unwrap(), &|_| {})
    }

    fn cache(&self) -> Cache {
        Cache::at(self.cache.path().join("kept"))
    }

    fn repository(&self) -> std::path::PathBuf {
        self.cache.path().join("kept/owner--model")
    }
}

fn model(name: &str) -> HubModel {
    name.parse().unwrap()
}

fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The steps that a download told, each with the bytes there and in all.
fn told(scene: &Scene, name: &str) -> Vec<(Step, String, u64, u64)> {
    let told = RefCell::new(Vec::new());
    let note = |progress: &vsr_hub::Progress<'_>| {
        told.borrow_mut().push((
            progress.step,
            progress.file.to_owned(),
            progress.bytes,
            progress.total_bytes,
        ));
    };
    Hub::new(scene.settings.clone()).download(&model(name), &note).unwrap();
    told.into_inner()
}

fn secret() -> Option<Secret> {
    Some(Secret::new("hf_secret"))
}
