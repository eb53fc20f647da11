//! Examples and other texts are embedded.

use std::sync::Arc;

use vsr_reader::{Reader, ReaderError};
use vsr_store::{KeyValue, MemoryStore};
use vsr_types::{Clock, FixedClock, Timestamp};

use crate::{AMPLE, reader, wait};

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn similar_texts_are_nearer_than_others_whatever_the_language() {
    let reader = reader();
    let embed = |text: &str| wait(reader.embedding(text, AMPLE)).unwrap().vector;
    let question = embed("How do I sort a list in Python?");
    let same = embed("What is the way to order a Python list?");
    let chinese = embed("如何在 Python 中对列表进行排序？");
    let other = embed("The weather in Lisbon is lovely in May.");
    assert!(dot(&question, &same) > dot(&question, &other) + 0.2);
    assert!(dot(&question, &chinese) > dot(&question, &other) + 0.1);
}

#[test]
fn examples_are_taken_from_the_store_and_what_the_store_garbles_is_made_again() {
    let store = MemoryStore::new(100);
    let clock = FixedClock::new(Timestamp(1));
    let texts: Vec<Arc<str>> = vec!["write a function".into(), "debug this program".into()];
    let kept = Some((&store as &dyn KeyValue, &clock as &dyn Clock));
    let first = reader();
    let vectors = wait(first.embed(&texts, kept, &|_, _| {})).unwrap();
    assert_eq!(first.counters().done, 2);
    let second = reader();
    assert_eq!(wait(second.embed(&texts, kept, &|_, _| {})).unwrap(), vectors);
    assert_eq!(second.counters().done, 0);
    wait(second.embed(&["a third".into()], kept, &|_, _| {})).unwrap();
    assert_eq!(second.counters().done, 1);
}

#[test]
fn without_a_model_there_are_no_embeddings() {
    let reader = Reader::without_models();
    let error = wait(reader.embedding("text", AMPLE)).unwrap_err();
    assert!(matches!(error, ReaderError::Absent(_)), "{error}");
}
