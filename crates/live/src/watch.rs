//! Follows the configuration file. It looks at the file again and again instead of asking the system to be told: that
//! works on every file system and through every kind of replacement, an editor's rename or a `ConfigMap`'s link as well
//! as a plain write.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{Cause, Live};

/// How often the file is looked at. A change is read once two looks in a row see the same.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Follows a file until it is dropped.
pub struct Watcher(Arc<Orders>);

#[derive(Default)]
struct Orders {
    given: Mutex<Given>,
    changed: Condvar,
}

#[derive(Default)]
struct Given {
    stop: bool,
    reload: bool,
}

/// What tells one state of a file from another without reading it; `None` if there is no file.
type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

// === impl Live

impl Live {
    /// Starts to follow the file on a thread of its own.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn watch(self: &Arc<Self>, interval: Duration) -> io::Result<Watcher> {
        let (live, orders) = (Arc::clone(self), Arc::<Orders>::default());
        let given = Arc::clone(&orders);
        thread::Builder::new().name("config".into()).spawn(move || follow(&live, &given, interval))?;
        Ok(Watcher(orders))
    }
}

fn follow(live: &Live, orders: &Orders, interval: Duration) {
    // Nothing is known to have been read: what changed since the process read it is found at the second look.
    let (mut read, mut before): (Option<Stamp>, Option<Stamp>) = (None, None);
    loop {
        let Given { stop, reload } = orders.wait(interval);
        if stop {
            return;
        }
        let now = stamp(live.file());
        if reload {
            live.reload(Cause::Signal);
            read = Some(now);
        } else if read != Some(now) && before == Some(now) {
            live.reload(Cause::File);
            read = Some(now);
        }
        before = Some(now);
    }
}

#[cfg(unix)]
fn stamp(file: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(file).ok()?;
    let (modified, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
    Some((found.dev(), found.ino(), found.len(), modified.0, modified.1, changed.0, changed.1))
}

#[cfg(not(unix))]
fn stamp(file: &Path) -> Stamp {
    let found = fs::metadata(file).ok()?;
    let modified = found.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((0, 0, found.len(), modified.as_secs() as i64, i64::from(modified.subsec_nanos()), 0, 0))
}

// === impl Watcher

impl Watcher {
    /// Has the file read again now, whether it changed or not. Returns at once.
    pub fn reload(&self) {
        self.0.give(|given| given.reload = true);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.give(|given| given.stop = true);
    }
}

// === impl Orders

impl Orders {
    fn give(&self, order: impl FnOnce(&mut Given)) {
        order(&mut self.given());
        self.changed.notify_all();
    }

    /// Waits for an order, but not longer than `interval`; the order to reload is then carried out.
    fn wait(&self, interval: Duration) -> Given {
        let is_idle = |given: &mut Given| !given.stop && !given.reload;
        let waited = self.changed.wait_timeout_while(self.given(), interval, is_idle);
        let (mut given, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Given { stop: given.stop, reload: std::mem::take(&mut given.reload) }
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
