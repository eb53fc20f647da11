//! One configuration after the other: checked, prepared, put in force or refused.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError},
};

use vsr_config::{Config, Masks, Problem};
use vsr_reader::Reader;
use vsr_router::{ReloadResult, Router, Snapshot, Surroundings};
use vsr_types::{Clock, Severity};

use crate::{
    downloads, restart,
    status::{Cause, LastReload, LiveStatus},
    text::ConfigText,
    versions::Versions,
};

/// Looks up environment variables.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Prepares what a part of the process takes over from a new configuration, or says why it cannot. Nothing has changed
/// if what it returns is dropped.
pub type Follower = Box<dyn Fn(&Snapshot) -> Result<Change, String> + Send + Sync>;

/// What a part of the process takes over from a new configuration.
pub struct Change {
    apply: Box<dyn FnOnce() + Send>,
    restart_needed: Vec<String>,
}

/// The most problems that the status keeps.
const MOST_PROBLEMS: usize = 100;

/// What a [`Live`] is made of.
pub struct LiveParts {
    /// What the process was started with.
    pub text: ConfigText,
    /// The file.
    pub file: PathBuf,
    /// The router's own models, without what the configuration puts in their place.
    pub reader: Reader,
    /// Environment variables, looked up anew each time.
    pub variables: Variables,
    /// The router, which runs on what the process was started with.
    pub router: Arc<Router>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where earlier texts are kept.
    pub versions: PathBuf,
}

/// The configuration of a running router. Shared by whoever follows or changes it.
pub struct Live {
    file: PathBuf,
    reader: Reader,
    pub(crate) variables: Variables,
    router: Arc<Router>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) versions: Versions,
    pub(crate) masks: Masks,
    started: Arc<Config>,
    followers: RwLock<Vec<Follower>>,
    /// Held while a configuration is read, checked and put in force.
    turn: Mutex<()>,
    state: Mutex<State>,
}

struct State {
    status: LiveStatus,
    /// The content that was read last, whatever became of it.
    seen: String,
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// The content hash, if it can run.
    pub hash: Option<String>,
    /// Why it cannot, where that is no problem of the text.
    pub refusal: Option<String>,
    /// All problems, with their places.
    pub problems: Vec<Problem>,
    /// Keys that would take effect after a restart.
    pub restart_needed: Vec<String>,
    candidate: Option<Candidate>,
}

/// A configuration that can run.
struct Candidate {
    snapshot: Arc<Snapshot>,
    changes: Vec<Change>,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, PartialEq)]
pub enum Reload {
    /// The file says what it said before.
    Unchanged,
    /// It is in force.
    Applied {
        /// The content hash.
        hash: String,
        /// Keys that take effect after a restart.
        restart_needed: Vec<String>,
    },
    /// It is not in force; the one before stays.
    Refused {
        /// Why.
        message: String,
        /// What is wrong with the text.
        problems: Vec<Problem>,
    },
}

// === impl Change

impl Change {
    /// `apply` runs once the new configuration is in force. It must not block and cannot fail.
    pub fn new(apply: impl FnOnce() + Send + 'static) -> Self {
        Self { apply: Box::new(apply), restart_needed: Vec::new() }
    }

    /// These keys take effect after a restart only.
    #[must_use]
    pub fn but_for(self, keys: &[String]) -> Self {
        Self { restart_needed: keys.to_vec(), ..self }
    }
}

// === impl Live

impl Live {
    /// The configuration that `parts.router` runs on.
    pub fn new(parts: LiveParts) -> Arc<Self> {
        let LiveParts { text, file, reader, variables, router, clock, versions } = parts;
        let (snapshot, now) = (router.snapshot(), clock.now());
        router.metrics().configured(now, 0);
        let status = LiveStatus {
            file: file.display().to_string(),
            hash: snapshot.hash().to_string(),
            file_hash: text.hash().to_owned(),
            since: now.rfc3339(),
            current: true,
            restart_needed: Vec::new(),
            applied: 0,
            refused: 0,
            last: None,
        };
        Arc::new(Self {
            file,
            reader,
            variables,
            clock,
            versions: Versions::new(versions),
            masks: Masks::default(),
            started: Arc::clone(snapshot.config()),
            followers: RwLock::default(),
            turn: Mutex::default(),
            state: Mutex::new(State { status, seen: text.hash().to_owned() }),
            router,
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is in force, and what became of the last attempt to change it.
    pub fn status(&self) -> LiveStatus {
        self.state().status.clone()
    }

    /// From now on `follower` takes over new configurations too.
    pub fn follow(&self, follower: Follower) {
        self.followers.write().unwrap_or_else(PoisonError::into_inner).push(follower);
    }

    /// Reads the file again and puts it in force, or refuses it. For [`Cause::File`], a file that says what it said
    /// before is left alone. Blocks, also while another change goes on: not for threads that serve requests.
    pub fn reload(&self, cause: Cause) -> Reload {
        self.reload_telling(cause, &|_| {})
    }

    /// The same; `progress` is told of downloads. Must not be called by a thread that runs a runtime.
    pub fn reload_telling(&self, cause: Cause, progress: &dyn Fn(&vsr_hub::Progress<'_>)) -> Reload {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match ConfigText::read(&self.file) {
            Ok(text) => text,
            Err(error) => {
                // When it is back it is read again, also if it says what it said before.
                self.state().seen.clear();
                return self.refuse(cause, &format!("it cannot be read: {error}"), Vec::new());
            }
        };
        let is_known = std::mem::replace(&mut self.state().seen, text.hash().to_owned()) == text.hash();
        if is_known && cause == Cause::File {
            return Reload::Unchanged;
        }
        let mut checked = self.check(&text);
        self.prepare(&mut checked, &text, progress);
        self.put_in_force(checked, &text, cause)
    }

    /// Whether the configuration in force names models that a hub has and this machine lacks.
    pub fn wants_downloads(&self) -> bool {
        !downloads::missing(&self.router.snapshot()).is_empty()
    }

    /// Leave to change the configuration, unless another change goes on.
    pub(crate) fn try_turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether a text could be put in force, and what would come of it. Blocks.
    pub fn check(&self, text: &ConfigText) -> Checked {
        let mut document = text.document(&*self.variables);
        let surroundings = Surroundings { variables: &*self.variables, reader: &self.reader };
        let previous = self.router.snapshot();
        let compiled = vsr_router::compile_after(&mut document, &surroundings, Some(&previous));
        let problems = document.problems().into_iter().cloned().collect();
        let mut checked =
            Checked { hash: None, refusal: None, problems, restart_needed: Vec::new(), candidate: None };
        let Some(snapshot) = compiled else {
            checked.refusal = Some("it has errors".to_owned());
            return checked;
        };
        if text.is_blank() {
            checked.refusal = Some("it is empty".to_owned());
            return checked;
        }
        let followers = self.followers.read().unwrap_or_else(PoisonError::into_inner);
        match followers.iter().map(|follower| follower(&snapshot)).collect::<Result<Vec<_>, _>>() {
            Err(refusal) => checked.refusal = Some(refusal),
            Ok(changes) => {
                checked.restart_needed =
                    changes.iter().flat_map(|change| change.restart_needed.iter().cloned()).collect();
                checked.restart_needed.extend(restart::needed(&self.started, snapshot.config()));
                checked.hash = Some(snapshot.hash().to_string());
                checked.candidate = Some(Candidate { snapshot, changes });
            }
        }
        checked
    }

    /// Brings the models that a checked configuration names from their hub, loads those that it needs and embeds its
    /// examples, while the one before serves.
    pub(crate) fn prepare(
        &self,
        checked: &mut Checked,
        text: &ConfigText,
        progress: &dyn Fn(&vsr_hub::Progress<'_>),
    ) {
        if let Some(candidate) = &checked.candidate {
            let directory = self.file.parent().unwrap_or(Path::new(""));
            match downloads::fetch(&candidate.snapshot, directory, &*self.variables, progress) {
                Ok(false) => {}
                // What has come takes the place of what was compiled without it.
                Ok(true) => {
                    checked.candidate = None;
                    *checked = self.check(text);
                }
                Err(why) => {
                    checked.refusal = Some(why);
                    checked.candidate = None;
                }
            }
        }
        let Some(candidate) = &checked.candidate else { return };
        if !candidate.snapshot.needs_preparation() {
            return;
        }
        let store = Some((&**self.router.store(), &*self.clock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let prepared = match &runtime {
            Ok(runtime) => {
                let prepared = runtime.block_on(candidate.snapshot.prepare(store, &|_, _| {}));
                prepared.map_err(|error| format!("its models cannot be used: {error}"))
            }
            Err(error) => Err(format!("no runtime for its models: {error}")),
        };
        if let Err(refusal) = prepared {
            checked.refusal = Some(refusal);
            checked.candidate = None;
        }
    }

    /// Puts what was checked and prepared in force, or says why not.
    pub(crate) fn put_in_force(&self, checked: Checked, text: &ConfigText, cause: Cause) -> Reload {
        let Checked { refusal, problems, restart_needed, candidate, .. } = checked;
        let Some(Candidate { snapshot, changes }) = candidate else {
            return self.refuse(cause, refusal.as_deref().unwrap_or("it has errors"), problems);
        };
        let hash = snapshot.hash().to_string();
        for change in changes {
            (change.apply)();
        }
        self.router.replace(snapshot);
        let now = self.clock.now();
        self.router.metrics().configured(now, restart_needed.len());
        self.router.metrics().reloaded(ReloadResult::Applied);
        tell(&problems);
        if restart_needed.is_empty() {
            tracing::info!(file = %self.file.display(), hash, ?cause, "the configuration is in force");
        } else {
            let keys = restart_needed.join(", ");
            tracing::warn!(
                file = %self.file.display(), hash, ?cause, restart_needed = keys,
                "the configuration is in force, but for keys that need a restart"
            );
        }
        let mut state = self.state();
        state.seen = text.hash().to_owned();
        let status = &mut state.status;
        status.hash.clone_from(&hash);
        text.hash().clone_into(&mut status.file_hash);
        status.since = now.rfc3339();
        status.current = true;
        status.restart_needed.clone_from(&restart_needed);
        status.applied += 1;
        status.last = Some(self.last(cause, ReloadResult::Applied, None, problems));
        Reload::Applied { hash, restart_needed }
    }

    fn refuse(&self, cause: Cause, why: &str, problems: Vec<Problem>) -> Reload {
        tell(&problems);
        self.router.metrics().reloaded(ReloadResult::Refused);
        let mut state = self.state();
        let in_force = &state.status.hash;
        tracing::error!(
            file = %self.file.display(), ?cause, in_force, problems = problems.len(),
            "the configuration was not taken over: {why}; the one before stays in force"
        );
        state.status.current = false;
        state.status.refused += 1;
        let message = why.to_owned();
        state.status.last =
            Some(self.last(cause, ReloadResult::Refused, Some(message.clone()), problems.clone()));
        Reload::Refused { message, problems }
    }

    fn last(
        &self,
        cause: Cause,
        result: ReloadResult,
        message: Option<String>,
        mut problems: Vec<Problem>,
    ) -> LastReload {
        problems.truncate(MOST_PROBLEMS);
        LastReload { at: self.clock.now().rfc3339(), cause, result: result.as_str(), message, problems }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every field is a valid one, whatever panicked beside it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs problems with their places.
fn tell(problems: &[Problem]) {
    for problem in problems {
        let at = format!("{}:{}:{}", problem.file, problem.line, problem.column);
        let diagnostic = &problem.diagnostic;
        let (path, help, message) = (&diagnostic.path, diagnostic.help.as_deref(), &diagnostic.message);
        match diagnostic.severity {
            Severity::Error => tracing::error!(at, %path, help, "{message}"),
            Severity::Warning => tracing::warn!(at, %path, help, "{message}"),
            Severity::NotActive => tracing::warn!(at, %path, help, "accepted, not active: {message}"),
        }
    }
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("hash", self.snapshot.hash()).finish_non_exhaustive()
    }
}
