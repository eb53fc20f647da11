//! Keeps a panic inside the request that caused it.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

/// What a panic was raised with.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Runs `future`; a panic in it becomes an error. Nothing of the future is used after a panic.
pub(crate) async fn contain<F: Future>(future: F) -> Result<F::Output, Payload> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// Runs `step`; a panic in it becomes an error. The caller must not use what `step` changed after a panic.
pub(crate) fn contain_step<R>(step: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_after_a_wait_becomes_an_error() {
        let outcome = contain(async {
            tokio::task::yield_now().await;
            if std::hint::black_box(true) {
                panic!("expected by the test");
            }
        });
        assert!(outcome.await.is_err());
    }

    #[tokio::test]
    async fn a_future_that_ends_well_passes_its_output() {
        assert_eq!(contain(async { 7 }).await.ok(), Some(7));
    }
}
