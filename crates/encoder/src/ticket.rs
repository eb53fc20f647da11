//! A place in the queue: awaited or waited for, and given up by dropping it.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::cache::Key;
use crate::error::Error;
use crate::model::Encoded;
use crate::pool::Shared;

/// One computation, and all who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    state: Mutex<FlightState>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct FlightState {
    result: Option<Result<Arc<Encoded>, Error>>,
    wakers: Vec<Waker>,
}

impl Flight {
    fn lock(&self) -> MutexGuard<'_, FlightState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the result to all who wait.
    pub(crate) fn land(&self, result: Result<Arc<Encoded>, Error>) {
        let wakers = {
            let mut state = self.lock();
            state.result = Some(result);
            std::mem::take(&mut state.wakers)
        };
        self.done.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl FlightState {
    fn answer(&self) -> Option<Result<Arc<Encoded>, Error>> {
        self.result.as_ref().map(|result| match result {
            Ok(encoded) => Ok(Arc::clone(encoded)),
            Err(error) => Err(error.again()),
        })
    }
}

/// A requested encoding: a future, or [`wait`](Self::wait) for it on the thread. Dropped, it leaves the queue unless
/// others want the same text.
///
/// The future does not set a timer: whoever awaits it bounds the wait, and a result that comes after the deadline is
/// still given.
#[derive(Debug)]
#[must_use = "a dropped ticket leaves the queue"]
pub struct Ticket(State);

#[derive(Debug)]
enum State {
    Ready(Option<Result<Arc<Encoded>, Error>>),
    Waiting { flight: Arc<Flight>, key: Key, deadline: Instant, pool: Arc<Shared> },
}

impl Ticket {
    pub(crate) fn ready(result: Result<Arc<Encoded>, Error>) -> Self {
        Self(State::Ready(Some(result)))
    }

    pub(crate) fn waiting(flight: Arc<Flight>, key: Key, deadline: Instant, pool: Arc<Shared>) -> Self {
        Self(State::Waiting { flight, key, deadline, pool })
    }

    /// Blocks until the result is there or the deadline has passed. Not for threads that run a runtime.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if no worker came to it in time, or what the encoding failed with.
    pub fn wait(mut self) -> Result<Arc<Encoded>, Error> {
        match &mut self.0 {
            State::Ready(result) => result.take().unwrap_or_else(|| Err(taken())),
            State::Waiting { flight, deadline, .. } => {
                let mut state = flight.lock();
                loop {
                    if let Some(answer) = state.answer() {
                        return answer;
                    }
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Error::Overloaded("the deadline passed before the text was encoded"));
                    }
                    (state, _) =
                        flight.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Future for Ticket {
    type Output = Result<Arc<Encoded>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().unwrap_or_else(|| Err(taken()))),
            State::Waiting { flight, .. } => {
                let mut state = flight.lock();
                if let Some(answer) = state.answer() {
                    return Poll::Ready(answer);
                }
                if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    state.wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let State::Waiting { flight, key, pool, .. } = &self.0 {
            pool.leave(key, flight);
        }
    }
}

fn taken() -> Error {
    Error::Failed("the result was taken before".to_owned())
}
