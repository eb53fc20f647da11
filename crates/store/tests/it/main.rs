//! Every store behaves the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use vsr_store::{Change, EmbeddedStore, Error, KeyValue, MemoryStore};
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

#[test]
fn changes_are_made_together_and_a_scan_shows_one_space_in_order() {
    each_store(|store| {
        store.put("b", "0", b"other", None, Timestamp(0)).unwrap();
        store.put("a", "old", b"gone", None, Timestamp(0)).unwrap();
        let lives = Some(Duration::from_millis(10));
        let changes = [
            Change::Put { key: "2", value: b"two", time_to_live: None },
            Change::Put { key: "1", value: b"one", time_to_live: lives },
            Change::Delete { key: "old" },
        ];
        store.write("a", &changes, Timestamp(100)).unwrap();
        let seen = |now| {
            let mut seen = Vec::new();
            store
                .scan("a", now, &mut |stored| {
                    let value = String::from_utf8(stored.value.to_vec()).unwrap();
                    seen.push((stored.key.to_owned(), value, stored.expires));
                })
                .unwrap();
            seen
        };
        let one = ("1".to_owned(), "one".to_owned(), Some(Timestamp(110)));
        let two = ("2".to_owned(), "two".to_owned(), None);
        assert_eq!(seen(Timestamp(109)), [one, two.clone()]);
        assert_eq!(seen(Timestamp(110)), [two]);
    });
}

#[test]
fn a_memory_store_that_cannot_take_all_changes_takes_none() {
    let store = MemoryStore::new(2);
    store.put("a", "1", b"x", None, Timestamp(0)).unwrap();
    let put = |key| Change::Put { key, value: b"y", time_to_live: None };
    let refused = store.write("a", &[put("1"), put("2"), put("3")], Timestamp(0));
    assert!(matches!(refused, Err(Error::Full { entries: 1 })));
    assert_eq!(store.get("a", "1", Timestamp(0)).unwrap(), Some(b"x".to_vec()));
    store.write("a", &[Change::Delete { key: "1" }, put("2"), put("3")], Timestamp(0)).unwrap();
    assert_eq!(store.get("a", "3", Timestamp(0)).unwrap(), Some(b"y".to_vec()));
}

#[cfg(unix)]
#[test]
fn the_embedded_store_is_not_for_other_users() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let _store = EmbeddedStore::open(&state).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o077;
    assert_eq!((mode(&state), mode(&state.join("state.redb"))), (0, 0));
}
