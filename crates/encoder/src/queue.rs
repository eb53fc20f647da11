//! Jobs that wait in one lane, and whose turn it is: callers that were served least, then those that came first.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// One who asks. What callers ask for is served in turn, so that one who asks for much keeps nobody waiting who asks
/// for little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(pub(crate) u64);

/// A queue of jobs by caller.
#[derive(Debug)]
pub(crate) struct FairQueue<J> {
    lines: HashMap<Caller, Line<J>, foldhash::fast::RandomState>,
    turns: BTreeSet<Turn>,
    arrivals: u64,
    length: usize,
}

/// The jobs of one caller, in their order.
#[derive(Debug)]
struct Line<J> {
    turn: Turn,
    jobs: VecDeque<J>,
}

/// When a caller's next job is served: the order of the fields is the order of turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    /// How many jobs of the caller were served since it came.
    served: u64,
    /// When it came.
    arrival: u64,
    caller: Caller,
}

impl<J> Default for FairQueue<J> {
    fn default() -> Self {
        Self { lines: HashMap::default(), turns: BTreeSet::new(), arrivals: 0, length: 0 }
    }
}

impl<J> FairQueue<J> {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, caller: Caller, job: J) {
        self.length += 1;
        if let Some(line) = self.lines.get_mut(&caller) {
            line.jobs.push_back(job);
            return;
        }
        self.arrivals += 1;
        let turn = Turn { served: 0, arrival: self.arrivals, caller };
        self.turns.insert(turn);
        self.lines.insert(caller, Line { turn, jobs: VecDeque::from([job]) });
    }

    /// The job whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<J> {
        let turn = self.turns.pop_first()?;
        let line = self.lines.get_mut(&turn.caller)?;
        let job = line.jobs.pop_front();
        self.length -= usize::from(job.is_some());
        if line.jobs.is_empty() {
            self.lines.remove(&turn.caller);
        } else {
            line.turn.served += 1;
            self.turns.insert(line.turn);
        }
        job
    }

    /// Takes out the caller's first job that `is_it`.
    pub(crate) fn remove(&mut self, caller: Caller, is_it: impl Fn(&J) -> bool) -> Option<J> {
        let line = self.lines.get_mut(&caller)?;
        let at = line.jobs.iter().position(is_it)?;
        let job = line.jobs.remove(at);
        self.length -= usize::from(job.is_some());
        if line.jobs.is_empty() {
            self.turns.remove(&line.turn);
            self.lines.remove(&caller);
        }
        job
    }

    /// All jobs, in no order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = J> + use<J> {
        let lines = std::mem::take(self).lines;
        lines.into_values().flat_map(|line| line.jobs)
    }
}
