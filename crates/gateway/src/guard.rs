//! Keeps a panic inside the request that caused it.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

/// What a panic was raised with.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Runs `future`; a panic in it becomes an error. The caller must not poll it after a panic.
pub(crate) async fn contain<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Payload> {
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
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_panic_after_a_wait_becomes_an_error() {
        let future = pin!(async {
            tokio::task::yield_now().await;
            if std::hint::black_box(true) {
                panic!("expected by the test");
            }
        });
        assert!(contain(future).await.is_err());
    }

    #[tokio::test]
    async fn a_future_that_ends_well_passes_its_output() {
        assert_eq!(contain(pin!(async { 7 })).await.ok(), Some(7));
    }
}
