//! The pool: bounds, deadlines, sharing, and what one failure leaves standing.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use vsr_encoder::native::Width;
use vsr_encoder::{
    Blob, EncoderPool, Engine, Error, Input, Lane, Model, PackOptions, Package, Pass, PoolOptions, Query,
    Scratch, pack,
};

use crate::{golden, golden_model};

fn pool(workers: usize, queue: usize) -> EncoderPool {
    EncoderPool::start(PoolOptions { workers, queue, ..PoolOptions::default() }).unwrap()
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Tells when a pass begins and goes on when told to; panics at sequences of three tokens.
#[derive(Debug)]
struct Gated {
    begun: Mutex<Sender<usize>>,
    go: Mutex<Receiver<()>>,
}

impl Engine for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }
    fn hidden_size(&self) -> usize {
        32
    }
    fn layers(&self) -> usize {
        1
    }
    fn max_tokens(&self) -> usize {
        64
    }
    fn run(&self, input: Input<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        self.begun.lock().unwrap().send(input.ids.len()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        scratch.hidden = vec![input.ids.len() as f32; 32 * input.ids.len()];
        Ok(())
    }
}

#[derive(Debug)]
struct Panicking;

impl Engine for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }
    fn hidden_size(&self) -> usize {
        32
    }
    fn layers(&self) -> usize {
        1
    }
    fn max_tokens(&self) -> usize {
        64
    }
    fn run(&self, input: Input<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        assert_ne!(input.ids.len(), 3, "three tokens");
        scratch.hidden = vec![1.0; 32 * input.ids.len()];
        Ok(())
    }
}

fn with_engine(engine: Box<dyn Engine>) -> Arc<Model> {
    let packed = pack(&golden("bert"), PackOptions::all(Width::Float)).unwrap();
    Arc::new(Model::with_engine(&Package::open(&Blob::from(packed)).unwrap(), engine).unwrap())
}

fn gated() -> (Arc<Model>, Receiver<usize>, Sender<()>) {
    let (begun, begins) = channel();
    let (goes, go) = channel();
    (with_engine(Box::new(Gated { begun: Mutex::new(begun), go: Mutex::new(go) })), begins, goes)
}

#[test]
fn a_text_is_encoded_once_and_then_known() {
    let (pool, model) = (pool(2, 16), golden_model("bert"));
    let first = pool.encode(&model, "the cat", soon()).unwrap();
    let second = pool.encode(&model, "the cat", soon()).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let counters = pool.counters();
    assert_eq!((counters.done, counters.cache_hits, counters.tokens), (1, 1, first.token_count as u64));
    assert!(counters.cache_bytes > 0);
    assert_eq!(*first, model.encode("the cat", &mut Scratch::default()).unwrap());
}

#[test]
fn models_and_pairs_do_not_share_results() {
    let (pool, bert, modern) = (pool(1, 16), golden_model("bert"), golden_model("modernbert"));
    let one = pool.encode(&bert, "the cat", soon()).unwrap();
    let other = pool.encode(&modern, "the cat", soon()).unwrap();
    assert_ne!(one.embedding, other.embedding);
    let pair = pool.encode(&bert, Query::Pair("the".into(), "cat".into()), soon()).unwrap();
    let swapped = pool.encode(&bert, Query::Pair("thec".into(), "at".into()), soon()).unwrap();
    assert_ne!(pair.embedding, swapped.embedding);
    assert_eq!(pool.counters().cache_hits, 0);
}

#[test]
fn a_full_queue_refuses_and_a_dropped_ticket_makes_room() {
    let (model, begins, goes) = gated();
    let pool = pool(1, 1);
    let running = pool.submit(&model, "a", soon());
    begins.recv().unwrap();
    let waiting = pool.submit(&model, "b c", soon());
    assert!(matches!(pool.encode(&model, "d e f", soon()), Err(Error::Overloaded(_))));
    assert_eq!(pool.counters().queued, 1);
    drop(waiting);
    assert_eq!(pool.counters().queued, 0);
    let next = pool.submit(&model, "d e f", soon());
    goes.send(()).unwrap();
    goes.send(()).unwrap();
    assert_eq!(running.wait().unwrap().token_count, 3);
    assert_eq!(next.wait().unwrap().token_count, 5);
    // "b c" was never begun.
    assert_eq!(begins.recv().unwrap(), 5);
    assert_eq!(pool.counters().overloaded, 1);
}

#[test]
fn identical_texts_in_flight_are_encoded_once_even_if_one_asker_leaves() {
    let (model, begins, goes) = gated();
    let pool = pool(1, 8);
    let blocking = pool.submit(&model, "a", soon());
    begins.recv().unwrap();
    let leaving = pool.submit(&model, "b c", soon());
    let staying = pool.submit(&model, "b c", soon());
    assert_eq!(pool.counters().queued, 1);
    drop(leaving);
    goes.send(()).unwrap();
    goes.send(()).unwrap();
    assert_eq!(staying.wait().unwrap().token_count, 4);
    assert!(blocking.wait().is_ok());
    let counters = pool.counters();
    assert_eq!((counters.done, counters.joined), (2, 1));
}

#[test]
fn what_no_worker_came_to_in_time_is_overloaded_and_not_computed() {
    let (model, begins, goes) = gated();
    let pool = pool(1, 8);
    let running = pool.submit(&model, "a", soon());
    begins.recv().unwrap();
    let late = pool.submit(&model, "b c", Instant::now());
    let blocked = pool.submit(&model, "d e f", Instant::now());
    assert!(matches!(blocked.wait(), Err(Error::Overloaded(_))));
    goes.send(()).unwrap();
    assert!(running.wait().is_ok());
    let mut late = Box::pin(late);
    // The worker refuses it when it comes to it; a text in time behind it shows that it has.
    let after = pool.submit(&model, "a b c d e", soon());
    assert_eq!(begins.recv().unwrap(), 7);
    goes.send(()).unwrap();
    assert!(after.wait().is_ok());
    let answer = late.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(answer, Poll::Ready(Err(Error::Overloaded(_)))));
}

#[test]
fn a_panic_fails_its_own_text_only() {
    let (pool, model) = (pool(1, 8), with_engine(Box::new(Panicking)));
    assert!(matches!(pool.encode(&model, "a", soon()), Err(Error::Failed(_))));
    assert_eq!(pool.encode(&model, "a b", soon()).unwrap().token_count, 4);
    assert_eq!(pool.counters().failed, 1);
}

#[test]
fn a_pool_that_ends_refuses_what_waits() {
    let (model, begins, goes) = gated();
    let pool = pool(1, 8);
    let running = pool.submit(&model, "a", soon());
    begins.recv().unwrap();
    let waiting = pool.submit(&model, "b c", soon());
    goes.send(()).unwrap();
    // Should the worker take up the second text first, it must not wait for ever.
    goes.send(()).unwrap();
    drop(pool);
    assert!(running.wait().is_ok());
    assert!(matches!(waiting.wait(), Ok(_) | Err(Error::Overloaded(_))));
}

#[test]
fn results_are_kept_within_their_bytes() {
    let model = golden_model("bert");
    let options = PoolOptions { workers: 1, cache_bytes: 8 << 10, ..PoolOptions::default() };
    let pool = EncoderPool::start(options).unwrap();
    for i in 0..100 {
        pool.encode(&model, &*format!("the cat {i}"), soon()).unwrap();
        assert!(pool.counters().cache_bytes <= 8 << 10);
    }
    pool.encode(&model, "the cat 99", soon()).unwrap();
    assert_eq!(pool.counters().cache_hits, 1);
}

/// Tells the priority of the thread it runs on.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Prioritised(Mutex<Sender<i32>>);

#[cfg(target_os = "linux")]
impl Engine for Prioritised {
    fn name(&self) -> &'static str {
        "prioritised"
    }
    fn hidden_size(&self) -> usize {
        32
    }
    fn layers(&self) -> usize {
        1
    }
    fn max_tokens(&self) -> usize {
        64
    }
    fn run(&self, input: Input<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        self.0.lock().unwrap().send(rustix::process::getpriority_process(None).unwrap()).unwrap();
        scratch.hidden = vec![1.0; 32 * input.ids.len()];
        Ok(())
    }
}

#[cfg(target_os = "linux")]
#[test]
fn workers_run_below_the_thread_that_asks() {
    let (told, tells) = channel();
    let model = with_engine(Box::new(Prioritised(Mutex::new(told))));
    let options = PoolOptions { workers: 1, niceness: 19, ..PoolOptions::default() };
    let pool = EncoderPool::start(options).unwrap();
    pool.encode(&model, "a", soon()).unwrap();
    assert_eq!(tells.recv().unwrap(), 19);
}

#[test]
fn a_whole_encoding_serves_those_who_want_heads_alone() {
    let model = golden_model("bert-token");
    let pool = EncoderPool::start(PoolOptions { workers: 1, ..PoolOptions::default() }).unwrap();
    let whole = pool.encode(&model, "the cat", soon()).unwrap();
    let again = pool
        .submit_as(&model, "the cat", Pass { heads_only: true, ..Pass::default() }, soon())
        .wait()
        .unwrap();
    assert!(Arc::ptr_eq(&whole, &again));
    assert_eq!(pool.counters().done, 1);
}

#[test]
fn the_first_lane_goes_before_the_later_one_and_is_not_kept_out_by_it() {
    let (model, begun, go) = gated();
    let pool = pool(1, 1);
    let running = pool.submit(&model, "a", soon());
    begun.recv().unwrap();
    let later = Pass { lane: Lane::Later, ..Pass::default() };
    let waiting = pool.submit_as(&model, "b c d", later, soon());
    let refused = pool.submit_as(&model, "x y", later, soon());
    assert!(matches!(refused.wait(), Err(Error::Overloaded(_))));
    let first = pool.submit(&model, "e f", soon());
    go.send(()).unwrap();
    let second = begun.recv().unwrap();
    go.send(()).unwrap();
    let third = begun.recv().unwrap();
    go.send(()).unwrap();
    assert!(second < third, "{second} {third}");
    assert!(running.wait().is_ok() && first.wait().is_ok() && waiting.wait().is_ok());
}

/// Asks for texts of these many words, one after the other.
fn ask(pool: &EncoderPool, model: &Arc<Model>, letter: char, lengths: &[usize]) -> Vec<vsr_encoder::Ticket> {
    let pass = Pass { caller: Some(pool.caller()), ..Pass::default() };
    let text = |length: &usize| vec![letter.to_string(); *length].join(" ");
    lengths.iter().map(|length| pool.submit_as(model, text(length).as_str(), pass, soon())).collect()
}

#[test]
fn callers_are_served_in_turn_and_one_who_comes_late_with_little_waits_for_one_text_of_each() {
    let (model, begun, go) = gated();
    let pool = pool(1, 64);
    let running = pool.submit(&model, "a", soon());
    let single = begun.recv().unwrap();
    // The number of tokens says which text is read.
    let much = ask(&pool, &model, 'b', &[2, 3, 4, 5]);
    let more = ask(&pool, &model, 'c', &[12, 13, 14]);
    let mut order = Vec::new();
    let mut next = || {
        go.send(()).unwrap();
        order.push(begun.recv().unwrap() - single + 1);
    };
    next();
    next();
    next();
    let little = ask(&pool, &model, 'd', &[22]);
    (0..5).for_each(|_| next());
    go.send(()).unwrap();
    assert_eq!(order, [2, 12, 3, 22, 13, 4, 14, 5]);
    assert!([much, more, little].into_iter().flatten().all(|ticket| ticket.wait().is_ok()));
    assert!(running.wait().is_ok());
}

#[test]
fn a_text_that_waits_in_the_later_lane_is_read_early_for_one_who_asks_early() {
    let (model, begun, go) = gated();
    let pool = pool(1, 64);
    let running = pool.submit(&model, "a", soon());
    let single = begun.recv().unwrap();
    let later = Pass { lane: Lane::Later, ..Pass::default() };
    let ticket = |text: &str, pass| pool.submit_as(&model, text, pass, soon());
    let (filler, shared) = (ticket("b b b", later), ticket("c c", later));
    let joined = ticket("c c", Pass::default());
    assert_eq!(pool.counters().queued, 2);
    go.send(()).unwrap();
    assert_eq!(begun.recv().unwrap() - single + 1, 2, "the shared text is first");
    go.send(()).unwrap();
    begun.recv().unwrap();
    go.send(()).unwrap();
    assert!([running, filler, shared, joined].into_iter().all(|ticket| ticket.wait().is_ok()));
}
