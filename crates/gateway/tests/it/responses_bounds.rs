//! Stored responses: how much is kept, for how long, and what a broken store does.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use vsr_responses::{Bounds, Kept, MAX_DEPTH, Owner, Record, ResponseId, Responses};
use vsr_store::{Change, EmbeddedStore, Error, KeyValue, MemoryStore, Stored};
use vsr_testkit::{Backend, Behaviour, RawClient};
use vsr_types::{Identity, Timestamp};

use crate::{
    responses::{ask, code, get, id_of, last_event, of, with_global},
    scene::{Scene, Setting, TripwireClock},
};

#[test]
fn responses_expire_and_chains_with_them() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = with_global(&backend, "ttl_seconds: 100");
    let id = id_of(&ask(&scene, &json!({"input": "hi"})));
    scene.clock.advance(Duration::from_secs(99));
    assert_eq!(get(&scene, &of(&id)).status(), 200);
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(get(&scene, &of(&id)).status(), 404);
    assert_eq!(ask(&scene, &json!({"input": "and?", "previous_response_id": id})).status(), 400);
}

#[test]
fn what_is_too_large_is_answered_and_told_not_to_be_stored() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = with_global(&backend, "store_backend: memory, max_bytes: 4000");
    let large = "x".repeat(5000);
    let whole = ask(&scene, &json!({"input": large}));
    assert_eq!((whole.status(), &whole.json()["store"]), (200, &json!(false)));
    let streamed = ask(&scene, &json!({"input": large, "stream": true}));
    let told = last_event(&streamed);
    assert_eq!((&told["type"], &told["response"]["store"]), (&json!("response.completed"), &json!(false)));
    for id in [id_of(&whole), told["response"]["id"].as_str().unwrap().to_owned()] {
        assert_eq!(get(&scene, &of(&id)).status(), 404);
    }
    scene.wait_metric("vsr_stored_responses_total{outcome=\"too_large\"} 2");
}

#[test]
fn no_more_are_kept_than_configured() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = with_global(&backend, "store_backend: memory, max_responses: 2");
    let ids: Vec<String> = (0..3).map(|_| id_of(&ask(&scene, &json!({"input": "hi"})))).collect();
    let statuses: Vec<u16> = ids.iter().map(|id| get(&scene, &of(id)).status()).collect();
    assert_eq!(statuses, [404, 200, 200]);
    scene.wait_metric("vsr_stored_responses_total{outcome=\"evicted\"} 1");
}

#[test]
fn a_chain_longer_than_a_request_may_be_is_refused_or_cut_as_asked() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = Scene::set(&backend, &Setting::listener("limits: {max_body_bytes: 3000}"));
    let long = "x".repeat(1000);
    let mut id = id_of(&ask(&scene, &json!({"input": long})));
    id = id_of(&ask(&scene, &json!({"input": long, "previous_response_id": id})));
    id = id_of(&ask(&scene, &json!({"input": "short", "previous_response_id": id})));
    let third = json!({"input": long, "previous_response_id": id});
    id = id_of(&ask(&scene, &third));
    let refused = ask(&scene, &json!({"input": "go on", "previous_response_id": id}));
    assert_eq!((refused.status(), &refused.json()["error"]["param"]), (413, &json!("previous_response_id")));
    let cut = ask(&scene, &json!({"input": "go on", "truncation": "auto", "previous_response_id": id}));
    assert_eq!(cut.status(), 200);
    let sent = backend.requests().last().unwrap().json();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 7);
    assert_eq!(cut.header("x-vsr-lossiness-warnings"), Some("lossy;history_left_out;input"));
    let whole = ask(&scene, &json!({"input": "hi", "truncation": "auto"}));
    assert_eq!(whole.header("x-vsr-lossiness-warnings"), None);
}

/// A store whose disk is full.
struct FullStore(MemoryStore);

impl KeyValue for FullStore {
    fn get(&self, space: &str, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(space, key, now)
    }

    fn put(
        &self,
        space: &str,
        key: &str,
        value: &[u8],
        time_to_live: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.0.put(space, key, value, time_to_live, now)
    }

    fn delete(&self, space: &str, key: &str) -> Result<bool, Error> {
        self.0.delete(space, key)
    }

    fn write(&self, _: &str, _: &[Change<'_>], _: Timestamp) -> Result<(), Error> {
        Err(Error::Storage("no space left".to_owned()))
    }

    fn scan(&self, space: &str, now: Timestamp, show: &mut dyn FnMut(Stored<'_>)) -> Result<(), Error> {
        self.0.scan(space, now, show)
    }

    fn sweep(&self, now: Timestamp) -> Result<usize, Error> {
        self.0.sweep(now)
    }
}

#[test]
fn the_end_of_an_answer_waits_for_the_store_and_tells_what_became_of_it() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let store = Arc::new(FullStore(MemoryStore::new(8)));
    let scene = Scene::set(&backend, &Setting { store, ..Setting::default() });
    let whole = ask(&scene, &json!({"input": "hi"}));
    assert_eq!((whole.status(), &whole.json()["store"]), (200, &json!(false)));
    let streamed = ask(&scene, &json!({"input": "hi", "stream": true}));
    assert_eq!(streamed.events()[0].json().unwrap()["response"]["store"], true);
    let told = last_event(&streamed);
    assert_eq!((&told["type"], &told["response"]["store"]), (&json!("response.completed"), &json!(false)));
    assert_eq!(told["response"]["output"][0]["content"][0]["text"], "Hello.");
    let made = RawClient::post_json(scene.port(), "/v1/conversations", "{}");
    assert_eq!((made.status(), &made.json()["error"]["code"]), (500, &json!("response_store_failed")));
    scene.wait_metric("vsr_stored_responses_total{outcome=\"failed\"} 2");
}

#[test]
fn a_chain_of_a_thousand_turns_is_the_longest() {
    let store = Arc::new(MemoryStore::new(4096));
    let newest = chain_of(&store, MAX_DEPTH - 1);
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let global = "services:\n  response_api: {max_responses: 2000}\n".to_owned();
    let scene = Scene::set(&backend, &Setting { store, global, ..Setting::default() });
    let last = ask(&scene, &json!({"input": "last", "previous_response_id": newest}));
    assert_eq!(last.status(), 200);
    let sent = backend.requests()[0].json();
    assert_eq!(sent["messages"].as_array().unwrap().len(), MAX_DEPTH as usize);
    assert_eq!(sent["messages"][0]["content"], "0");
    assert_eq!(sent["messages"][998]["content"], "998");
    let beyond = json!({"input": "x", "stream": true, "previous_response_id": id_of(&last)});
    // The thousandth may be continued; what continues it may not.
    let last_event = last_event(&ask(&scene, &beyond));
    let refused = ask(&scene, &json!({"input": "x", "previous_response_id": last_event["response"]["id"]}));
    assert_eq!(code(&refused), (400, json!("previous_response_id"), json!("chain_too_deep")));
    let body =
        json!({"input": "x", "truncation": "auto", "previous_response_id": last_event["response"]["id"]});
    let cut = ask(&scene, &body);
    assert_eq!(cut.status(), 200);
    assert!(cut.header("x-vsr-lossiness-warnings").unwrap().contains("history_left_out"));
}

/// Stores a chain of so many turns of everybody's; the id of the newest.
fn chain_of(store: &Arc<MemoryStore>, turns: u32) -> String {
    let bounds = Bounds {
        max_entries: 2000,
        max_bytes: 1 << 24,
        max_entry_bytes: 1 << 16,
        time_to_live: Duration::from_secs(3600),
    };
    let clock = Arc::new(TripwireClock::default());
    let responses =
        Responses::start(Arc::clone(store) as Arc<dyn KeyValue>, clock, bounds, Box::new(|_| {})).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut previous: Option<String> = None;
    for depth in 0..turns {
        let id = ResponseId::fresh().unwrap().id();
        let record = Record {
            previous: previous.replace(id.clone()),
            depth,
            input: vec![json!({"role": "user", "content": depth.to_string()}).to_string()],
            body: Some(json!({"output": []}).to_string()),
            ..Record::default()
        };
        let owner = Owner::of(&Identity::default());
        let kept = Kept { owner, id, record, chain: Vec::new(), progress: None };
        runtime.block_on(responses.keep(kept)).unwrap();
    }
    previous.unwrap()
}

#[test]
fn a_restart_keeps_what_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let setting = || {
        let store = Arc::new(EmbeddedStore::open(directory.path()).unwrap());
        Setting { store, ..Setting::default() }
    };
    let scene = Scene::set(&backend, &setting());
    let answer = ask(&scene, &json!({"input": "one"}));
    let id = id_of(&answer);
    let streamed = ask(&scene, &json!({"input": "two", "stream": true, "previous_response_id": id}));
    let second = last_event(&streamed)["response"]["id"].as_str().unwrap().to_owned();
    drop(scene);
    let scene = Scene::set(&backend, &setting());
    assert_eq!(get(&scene, &of(&id)).text(), answer.text());
    let third = ask(&scene, &json!({"input": "three", "previous_response_id": second}));
    assert_eq!(third.status(), 200);
    assert_eq!(backend.requests()[2].json()["messages"].as_array().unwrap().len(), 5);
}
