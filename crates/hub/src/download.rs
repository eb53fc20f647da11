//! A model from the hub into the cache: resolve, choose, fetch, check, move into place.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    Cache, Error, Found, HubModel, HubSettings,
    http_get::{Fault, Session},
    listing::{Listing, RemoteFile},
    plan::{Plan, SHARD_INDEX},
    transfer::{Bounds, Kept, TEXT_BYTES, fetch},
};

/// The most bytes of a listing.
const LISTING_BYTES: usize = 8 << 20;
/// What was downloaded, and from where.
const MANIFEST: &str = "vllm-sr.json";

/// Downloads models of one hub into one cache.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
}

/// A model that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Where it is.
    pub directory: PathBuf,
    /// The commit it is of.
    pub commit: String,
    /// The bytes that were fetched; 0 if it was there.
    pub bytes: u64,
}

/// What a download is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Asking the hub what the revision is and has.
    Resolving,
    /// Another process downloads it.
    Waiting,
    /// Fetching.
    Fetching,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'p> {
    /// The model.
    pub model: &'p HubModel,
    /// What is being done.
    pub step: Step,
    /// The file that is being fetched; empty before the first.
    pub file: &'p str,
    /// Bytes of the model that are here.
    pub bytes: u64,
    /// Bytes of the model, as far as the hub has said; 0 at first.
    pub total_bytes: u64,
}

#[derive(Serialize)]
struct Manifest<'m> {
    model: String,
    hub: String,
    commit: &'m str,
    files: Vec<ManifestFile>,
}

#[derive(Serialize)]
struct ManifestFile {
    name: String,
    bytes: u64,
    sha256: String,
}

/// One model's download.
struct Work<'w> {
    session: Session<'w>,
    limit: u64,
    progress: &'w dyn Fn(&Progress<'_>),
    /// Bytes of the files that are complete.
    complete: Cell<u64>,
    total: Cell<u64>,
}

// === impl Hub

impl Hub {
    /// A hub with these settings. Nothing is asked before the first download.
    pub fn new(settings: HubSettings) -> Self {
        Self { settings }
    }

    /// Where models are kept.
    pub fn cache(&self) -> &Cache {
        &self.settings.cache
    }

    /// Brings a model into the cache. A branch or tag is resolved anew, and the commit recorded for [`Cache::find`];
    /// offline, what is recorded is what there is. Blocks, and must not be called by a thread that runs a runtime.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_transient`] tells whether it may succeed later.
    pub fn download(&self, model: &HubModel, progress: &dyn Fn(&Progress<'_>)) -> Result<Downloaded, Error> {
        let cache = &self.settings.cache;
        let here = if model.commit().is_some() || self.settings.offline { cache.find(model) } else { None };
        if let Some(found) = here {
            return Ok(Downloaded::found(found));
        }
        if self.settings.offline {
            return Err(Error::Offline { model: model.to_string() });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Error::Settings(format!("no runtime can be started: {error}")))?;
        let work = Work {
            session: Session::new(&self.settings, model),
            limit: self.settings.max_model_bytes,
            progress,
            complete: Cell::new(0),
            total: Cell::new(0),
        };
        work.tell(Step::Resolving, "", 0);
        let listing = runtime.block_on(work.listing())?;
        let commit = &listing.commit;
        let lock = cache.lock(model, &|| work.tell(Step::Waiting, "", 0))?;
        // Whoever held the lock may have brought it.
        let downloaded = match cache.find_commit(model, commit) {
            Some(found) => Downloaded::found(found),
            None => {
                let directory = cache.begin(model, commit)?;
                let files = runtime.block_on(work.fetch_all(&listing, &directory))?;
                let bytes = files.iter().map(|file| file.bytes).sum();
                let hub = self.settings.endpoint.to_string();
                let manifest = Manifest { model: model.to_string(), hub, commit, files };
                write_manifest(&directory.join(MANIFEST), &manifest)?;
                let Found { directory, commit } = cache.finish(model, commit)?;
                Downloaded { directory, commit, bytes }
            }
        };
        cache.pin(model, commit)?;
        drop(lock);
        Ok(downloaded)
    }
}

// === impl Downloaded

impl Downloaded {
    fn found(found: Found) -> Self {
        Self { directory: found.directory, commit: found.commit, bytes: 0 }
    }
}

// === impl Work

impl Work<'_> {
    fn tell(&self, step: Step, file: &str, bytes: u64) {
        let (model, total_bytes) = (self.session.model, self.total.get());
        (self.progress)(&Progress { model, step, file, bytes: self.complete.get() + bytes, total_bytes });
    }

    /// What the revision is and has.
    async fn listing(&self) -> Result<Listing, Error> {
        let model = self.session.model;
        let revision = model.revision().replace('/', "%2F");
        let path = format!("/api/models/{}/revision/{revision}?blobs=true", model.repository());
        let mut failures = 0;
        loop {
            let fault = match self.session.get(&path, 0).await {
                Ok(answer) => match answer.response.body.collect(LISTING_BYTES).await {
                    Ok(bytes) => {
                        let listing = Listing::parse(&bytes).map_err(|why| self.session.refusal(why))?;
                        return match model.commit() {
                            Some(commit) if commit != listing.commit => {
                                Err(self.session.refusal(format!("the hub lists {} instead", listing.commit)))
                            }
                            _ => Ok(listing),
                        };
                    }
                    Err(error) => Fault::Passing { why: error.to_string(), after: None },
                },
                Err(fault) => fault,
            };
            match fault {
                Fault::Final(error) => return Err(error),
                Fault::Passing { why, after } => {
                    failures += 1;
                    tokio::time::sleep(self.session.pause(failures, why, after)?).await;
                }
            }
        }
    }

    /// Fetches all that makes a checkpoint, the small files first.
    async fn fetch_all(&self, listing: &Listing, directory: &Path) -> Result<Vec<ManifestFile>, Error> {
        let refusal = |why| self.session.refusal(why);
        let mut plan = Plan::of(listing).map_err(refusal)?;
        self.check_size(&plan)?;
        let mut files = Vec::new();
        for file in &plan.texts {
            files.push(self.fetch(listing, file, directory, false).await?);
        }
        if plan.is_sharded {
            let index = directory.join(SHARD_INDEX);
            let index = fs::read(&index).map_err(Error::disk(&index))?;
            plan.add_shards(&index, listing).map_err(refusal)?;
            self.check_size(&plan)?;
        }
        for file in &plan.weights {
            files.push(self.fetch(listing, file, directory, true).await?);
        }
        Ok(files)
    }

    fn check_size(&self, plan: &Plan) -> Result<(), Error> {
        self.total.set(plan.bytes());
        if plan.bytes() > self.limit { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> Error {
        Error::TooLarge { model: self.session.model.to_string(), limit: self.limit }
    }

    async fn fetch(
        &self,
        listing: &Listing,
        file: &RemoteFile,
        directory: &Path,
        is_weights: bool,
    ) -> Result<ManifestFile, Error> {
        let left = self.limit.saturating_sub(self.complete.get());
        let long = || self.session.refusal(format!("{} has more than {TEXT_BYTES} bytes", file.name));
        let is_cut_short = !is_weights && left > TEXT_BYTES;
        let bounds = Bounds {
            bytes: if is_weights { left } else { left.min(TEXT_BYTES) },
            needs_checksum: is_weights,
            progress: &|bytes| self.tell(Step::Fetching, &file.name, bytes),
            too_large: &|| if is_cut_short { long() } else { self.too_large() },
        };
        self.tell(Step::Fetching, &file.name, 0);
        let Kept { bytes, sha256 } = fetch(&self.session, &listing.commit, file, directory, &bounds).await?;
        self.complete.set(self.complete.get() + bytes);
        Ok(ManifestFile { name: file.name.clone(), bytes, sha256 })
    }
}

fn write_manifest(path: &Path, manifest: &Manifest<'_>) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::Settings(error.to_string()))?;
    fs::write(path, text).map_err(Error::disk(path))
}
