//! The service: worker threads behind one bounded queue, with results cached and identical texts encoded once.

use std::collections::HashMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::cache::{Cache, Key};
use crate::engine::Scratch;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::model::{Depth, Encoded, Model};
use crate::queue::{Caller, FairQueue};
use crate::ticket::{Flight, Ticket};

/// What a worker may keep of its memory between texts.
const KEPT_SCRATCH_BYTES: usize = 24 << 20;

/// How a pool works.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Threads; each encodes one text at a time.
    pub workers: usize,
    /// Texts that may wait in each lane.
    pub queue: usize,
    /// Bytes of results that are kept.
    pub cache_bytes: usize,
    /// By how much the workers' priority is below the process's (`nice`, 0 to 19; Linux only).
    pub niceness: i32,
}

impl Default for PoolOptions {
    /// One thread less than there are cores, 1,024 texts, 64 MiB, ten steps below the data plane.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { workers: cores.saturating_sub(1).max(1), queue: 1024, cache_bytes: 64 << 20, niceness: 10 }
    }
}

/// What is encoded in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// One text.
    Text(Arc<str>),
    /// Two texts, such as a premise and a hypothesis.
    Pair(Arc<str>, Arc<str>),
    /// An image file, for models with a tower for images.
    Image(Arc<[u8]>),
    /// A WAV file, for models with a tower for sounds.
    Audio(Arc<[u8]>),
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Arc<str>> for Query {
    fn from(text: Arc<str>) -> Self {
        Self::Text(text)
    }
}

/// Which texts go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// Before all of the other lane.
    #[default]
    First,
    /// When nothing waits in the first lane; with a queue of its own, so that it keeps nobody out of the first.
    Later,
}

/// How a text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Whether an encoding as of [`Model::classify`] will do.
    pub heads_only: bool,
    /// When its turn comes.
    pub lane: Lane,
    /// Who asks; the callers of a lane are served in turn. Without one each text is a caller of its own.
    pub caller: Option<Caller>,
}

/// What a pool has done so far, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Texts that wait now.
    pub queued: usize,
    /// Bytes of cached results now.
    pub cache_bytes: usize,
    /// Texts encoded.
    pub done: u64,
    /// Tokens encoded, special ones included.
    pub tokens: u64,
    /// Requests answered from the cache.
    pub cache_hits: u64,
    /// Requests that joined one for the same text.
    pub joined: u64,
    /// Requests refused or given up because the queue was full or the deadline passed.
    pub overloaded: u64,
    /// Texts that could not be encoded, panics included.
    pub failed: u64,
    /// Microseconds that workers spent encoding.
    pub busy_micros: u64,
}

#[derive(Debug, Default)]
struct Totals {
    done: AtomicU64,
    tokens: AtomicU64,
    cache_hits: AtomicU64,
    joined: AtomicU64,
    overloaded: AtomicU64,
    failed: AtomicU64,
    busy_micros: AtomicU64,
}

#[derive(Debug)]
struct Job {
    key: Key,
    model: Arc<Model>,
    text: Query,
    depth: Depth,
}

#[derive(Debug)]
struct Waiting {
    flight: Arc<Flight>,
    waiters: usize,
    /// The latest of those who wait.
    deadline: Instant,
    started: bool,
    /// Where its job waits.
    lane: Lane,
    caller: Caller,
}

#[derive(Debug)]
struct Queue {
    /// By lane.
    jobs: [FairQueue<Job>; 2],
    flights: HashMap<Key, Waiting, foldhash::fast::RandomState>,
    cache: Cache,
    closed: bool,
}

/// What the pool, its workers and its tickets share.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    limit: usize,
    totals: Totals,
    callers: AtomicU64,
}

/// Worker threads that encode texts with any number of models. Dropping it ends them; what waits is refused.
#[derive(Debug)]
pub struct EncoderPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl EncoderPool {
    /// Starts the workers.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(options: PoolOptions) -> Result<Self, Error> {
        let queue = Queue {
            jobs: Default::default(),
            flights: HashMap::default(),
            cache: Cache::new(options.cache_bytes),
            closed: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            arrived: Condvar::new(),
            limit: options.queue.max(1),
            totals: Totals::default(),
            callers: AtomicU64::new(0),
        });
        let mut pool = Self { shared, workers: Vec::new() };
        for i in 0..options.workers.max(1) {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("encoder-{i}"));
            let worker = thread.spawn(move || {
                lower_priority(options.niceness);
                shared.work();
            });
            pool.workers
                .push(worker.map_err(|e| Error::Failed(format!("a worker could not be started: {e}")))?);
        }
        Ok(pool)
    }

    /// A caller that is no other.
    pub fn caller(&self) -> Caller {
        self.shared.caller()
    }

    /// Asks for an encoding by `deadline`. Never blocks: a result that is known is given at once, a text that is already
    /// being encoded is joined, and a full queue refuses.
    pub fn submit(&self, model: &Arc<Model>, text: impl Into<Query>, deadline: Instant) -> Ticket {
        self.submit_as(model, text, Pass::default(), deadline)
    }

    /// As [`Self::submit`], in another way than whole and first.
    pub fn submit_as(
        &self,
        model: &Arc<Model>,
        text: impl Into<Query>,
        pass: Pass,
        deadline: Instant,
    ) -> Ticket {
        let text = text.into();
        let is_early = pass.heads_only && model.classifies_early() && matches!(text, Query::Text(_));
        let depth = if is_early { Depth::Heads } else { Depth::Whole };
        self.shared.submit(model, text, (depth, pass), deadline)
    }

    /// As [`Self::submit`], and waits on this thread.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if it is late or the queue full, or what the encoding failed with.
    pub fn encode(
        &self,
        model: &Arc<Model>,
        text: impl Into<Query>,
        deadline: Instant,
    ) -> Result<Arc<Encoded>, Error> {
        self.submit(model, text, deadline).wait()
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        let (queued, cache_bytes) = {
            let queue = self.shared.lock();
            (queue.jobs.iter().map(FairQueue::len).sum(), queue.cache.bytes())
        };
        let totals = &self.shared.totals;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            queued,
            cache_bytes,
            done: read(&totals.done),
            tokens: read(&totals.tokens),
            cache_hits: read(&totals.cache_hits),
            joined: read(&totals.joined),
            overloaded: read(&totals.overloaded),
            failed: read(&totals.failed),
            busy_micros: read(&totals.busy_micros),
        }
    }
}

impl Drop for EncoderPool {
    fn drop(&mut self) {
        let flights = {
            let mut queue = self.shared.lock();
            queue.closed = true;
            let jobs: Vec<Job> = queue.jobs.iter_mut().flat_map(FairQueue::drain).collect();
            jobs.iter().filter_map(|job| queue.flights.remove(&job.key)).collect::<Vec<_>>()
        };
        self.shared.arrived.notify_all();
        for waiting in flights {
            waiting.flight.land(Err(Error::Overloaded("the encoder is shutting down")));
        }
        for worker in self.workers.drain(..) {
            // A worker catches its jobs' panics, so there is nothing to learn from how it ended.
            let _ended = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caller(&self) -> Caller {
        Caller(self.callers.fetch_add(1, Ordering::Relaxed))
    }

    fn submit(
        self: &Arc<Self>,
        model: &Arc<Model>,
        text: Query,
        (depth, Pass { lane, caller, .. }): (Depth, Pass),
        deadline: Instant,
    ) -> Ticket {
        let whole = key(model, &text, Depth::Whole);
        let key = if depth == Depth::Whole { whole } else { key(model, &text, depth) };
        let caller = caller.unwrap_or_else(|| self.caller());
        let mut guard = self.lock();
        let queue = &mut *guard;
        // A whole encoding serves whoever wants less.
        for key in [whole, key] {
            if let Some(found) = queue.cache.get(&key) {
                self.totals.cache_hits.fetch_add(1, Ordering::Relaxed);
                return Ticket::ready(Ok(found));
            }
            if let Some(waiting) = queue.flights.get_mut(&key) {
                waiting.waiters += 1;
                waiting.deadline = waiting.deadline.max(deadline);
                waiting.hasten(&key, (lane, caller), &mut queue.jobs);
                self.totals.joined.fetch_add(1, Ordering::Relaxed);
                return Ticket::waiting(Arc::clone(&waiting.flight), key, deadline, Arc::clone(self));
            }
        }
        if queue.closed || queue.jobs[lane as usize].len() >= self.limit {
            self.totals.overloaded.fetch_add(1, Ordering::Relaxed);
            return Ticket::ready(Err(Error::Overloaded("its queue is full")));
        }
        let flight = Arc::new(Flight::default());
        let waiting =
            Waiting { flight: Arc::clone(&flight), waiters: 1, deadline, started: false, lane, caller };
        queue.flights.insert(key, waiting);
        queue.jobs[lane as usize].push(caller, Job { key, model: Arc::clone(model), text, depth });
        drop(guard);
        self.arrived.notify_one();
        Ticket::waiting(flight, key, deadline, Arc::clone(self))
    }

    /// One who waited no longer does; the last one takes the job out of the queue.
    pub(crate) fn leave(&self, key: &Key, flight: &Arc<Flight>) {
        let mut queue = self.lock();
        let Some(waiting) = queue.flights.get_mut(key).filter(|w| Arc::ptr_eq(&w.flight, flight)) else {
            return;
        };
        waiting.waiters = waiting.waiters.saturating_sub(1);
        if waiting.waiters == 0 && !waiting.started {
            let (lane, caller) = (waiting.lane, waiting.caller);
            queue.flights.remove(key);
            let _given_up = queue.jobs[lane as usize].remove(caller, |job| job.key == *key);
        }
    }

    fn work(&self) {
        let mut scratch = Scratch::default();
        while let Some(job) = self.next() {
            let begun = Instant::now();
            // A panic leaves the scratch in a state that the next job does not look at: it is replaced.
            let caught = catch_unwind(AssertUnwindSafe(|| match &job.text {
                Query::Text(text) if job.depth == Depth::Heads => job.model.classify(text, &mut scratch),
                Query::Text(text) => job.model.encode(text, &mut scratch),
                Query::Pair(first, second) => job.model.encode_pair(first, second, &mut scratch),
                Query::Image(file) => job.model.encode_image(file, &mut scratch),
                Query::Audio(file) => job.model.encode_audio(file, &mut scratch),
            }));
            let result = caught.unwrap_or_else(|_| {
                scratch = Scratch::default();
                Err(Error::Failed(
                    "the computation panicked; the panic's message is on standard error".to_owned(),
                ))
            });
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.totals.busy_micros.fetch_add(micros, Ordering::Relaxed);
            scratch.shrink(KEPT_SCRATCH_BYTES);
            self.finish(&job.key, result.map(Arc::new));
        }
    }

    fn finish(&self, key: &Key, result: Result<Arc<Encoded>, Error>) {
        match &result {
            Ok(encoded) => {
                self.totals.done.fetch_add(1, Ordering::Relaxed);
                self.totals.tokens.fetch_add(encoded.token_count as u64, Ordering::Relaxed);
            }
            Err(_) => {
                self.totals.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let waiting = {
            let mut queue = self.lock();
            if let Ok(encoded) = &result {
                queue.cache.insert(*key, Arc::clone(encoded));
            }
            queue.flights.remove(key)
        };
        if let Some(waiting) = waiting {
            waiting.flight.land(result);
        }
    }

    /// The next job that is not late; none once the pool is closed.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let Some(job) = queue.jobs.iter_mut().find_map(FairQueue::pop) else {
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            match queue.flights.get_mut(&job.key) {
                Some(waiting) if Instant::now() <= waiting.deadline => {
                    waiting.started = true;
                    return Some(job);
                }
                _ => {}
            }
            if let Some(late) = queue.flights.remove(&job.key) {
                // Whoever is woken may drop its ticket, which takes the lock.
                drop(queue);
                self.totals.overloaded.fetch_add(late.waiters as u64, Ordering::Relaxed);
                late.flight.land(Err(Error::Overloaded("the deadline passed before a worker was free")));
                queue = self.lock();
            }
        }
    }
}

impl Waiting {
    /// Moves the job, if it still waits, to where another who wants it asks for it, should that be served before.
    fn hasten(&mut self, key: &Key, (lane, caller): (Lane, Caller), jobs: &mut [FairQueue<Job>; 2]) {
        if self.started || (lane, self.lane) != (Lane::First, Lane::Later) {
            return;
        }
        if let Some(job) = jobs[self.lane as usize].remove(self.caller, |job| job.key == *key) {
            jobs[lane as usize].push(caller, job);
            (self.lane, self.caller) = (lane, caller);
        }
    }
}

fn key(model: &Model, text: &Query, depth: Depth) -> Key {
    let identity = model.identity();
    let depth: &[u8] = match depth {
        Depth::Whole => b"whole",
        Depth::Heads => b"heads",
    };
    match text {
        Query::Text(text) => Fingerprint::of([&identity.0[..], depth, text.as_bytes()]),
        Query::Pair(first, second) => {
            Fingerprint::of([&identity.0[..], depth, first.as_bytes(), second.as_bytes()])
        }
        Query::Image(file) => Fingerprint::of([&identity.0[..], b"image", file]),
        Query::Audio(file) => Fingerprint::of([&identity.0[..], b"audio", file]),
    }
}

/// Puts this thread below those that serve requests. Where that is not allowed, it runs as they do.
#[cfg(target_os = "linux")]
fn lower_priority(niceness: i32) {
    // Linux counts priorities per thread, and no process id means the calling one.
    let now = rustix::process::getpriority_process(None).unwrap_or(0);
    let _unchanged = rustix::process::setpriority_process(None, (now + niceness.clamp(0, 19)).min(19));
}

#[cfg(not(target_os = "linux"))]
fn lower_priority(_niceness: i32) {}
