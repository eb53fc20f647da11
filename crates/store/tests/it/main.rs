//! Every store behaves the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use vsr_store::{EmbeddedStore, Error, KeyValue, MemoryStore};
use vsr_types::Timestamp;

fn each_store(check: impl Fn(&dyn KeyValue)) {
    check(&MemoryStore::new(100));
    let directory = tempfile::tempdir().unwrap();
    check(&EmbeddedStore::open(directory.path()).unwrap());
}

#[test]
fn a_value_is_read_as_written_and_spaces_are_apart() {
    each_store(|store| {
        assert_eq!(store.get("a", "k", Timestamp(0)).unwrap(), None);
        store.put("a", "k", b"1", None, Timestamp(0)).unwrap();
        store.put("b", "k", b"2", None, Timestamp(0)).unwrap();
        assert_eq!(store.get("a", "k", Timestamp(u64::MAX)).unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.get("b", "k", Timestamp(0)).unwrap(), Some(b"2".to_vec()));
        assert!(store.delete("a", "k").unwrap());
        assert!(!store.delete("a", "k").unwrap());
        assert_eq!(store.get("a", "k", Timestamp(0)).unwrap(), None);
    });
}

#[test]
fn an_expired_value_is_not_read_and_is_swept() {
    each_store(|store| {
        store.put("a", "short", b"1", Some(Duration::from_millis(10)), Timestamp(100)).unwrap();
        store.put("a", "long", b"2", None, Timestamp(100)).unwrap();
        assert_eq!(store.get("a", "short", Timestamp(109)).unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.get("a", "short", Timestamp(110)).unwrap(), None);
        assert_eq!(store.sweep(Timestamp(110)).unwrap(), 1);
        assert_eq!(store.get("a", "long", Timestamp(110)).unwrap(), Some(b"2".to_vec()));
    });
}

#[test]
fn a_full_memory_store_refuses_new_keys_and_takes_them_once_others_expired() {
    let store = MemoryStore::new(1);
    store.put("a", "1", b"x", Some(Duration::from_millis(5)), Timestamp(0)).unwrap();
    assert!(matches!(store.put("a", "2", b"x", None, Timestamp(1)), Err(Error::Full { entries: 1 })));
    store.put("a", "2", b"x", None, Timestamp(5)).unwrap();
}

#[test]
fn the_embedded_store_keeps_values_and_lets_one_process_in() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    store.put("a", "k", b"1", None, Timestamp(0)).unwrap();
    assert!(matches!(EmbeddedStore::open(directory.path()), Err(Error::InUse { .. })));
    drop(store);
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(store.get("a", "k", Timestamp(0)).unwrap(), Some(b"1".to_vec()));
}
