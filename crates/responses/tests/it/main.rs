//! Stored responses through the public surface, without sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use vsr_protocol::{ClientRequest, Edits, Protocol, RequestLimits, Target, json::Document};
use vsr_responses::{
    Bounds, Draft, Event, History, HistoryError, HistoryLimits, Kept, MAX_DEPTH, Owner, PageQuery, Record,
    ResponseId, Responses, Upstream, page,
};
use vsr_store::MemoryStore;
use vsr_types::{FixedClock, Identity, KeyPrint, Timestamp};

const HOUR: Duration = Duration::from_secs(3600);
const WIDE: HistoryLimits = HistoryLimits { max_bytes: 1 << 24, truncates: false };

/// A service in memory, with its clock and what happened in it.
struct Service {
    responses: Responses,
    clock: FixedClock,
    events: Arc<Mutex<Vec<Event>>>,
}

fn bounds() -> Bounds {
    Bounds { max_entries: 2000, max_bytes: 1 << 24, max_entry_bytes: 4096, time_to_live: HOUR }
}

fn service(bounds: Bounds) -> Service {
    let clock = FixedClock::new(Timestamp(1_000_000));
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let seen = Arc::clone(&events);
    let count = Box::new(move |event| seen.lock().unwrap().push(event));
    let store = Arc::new(MemoryStore::new(bounds.max_entries + 256));
    let responses = Responses::start(store, Arc::new(clock.clone()), bounds, count).unwrap();
    Service { responses, clock, events }
}

fn owner(name: &str) -> Owner {
    Owner::of(&Identity { user: Some(name.into()), ..Identity::default() })
}

fn said(text: &str) -> String {
    format!(r#"{{"role":"user","content":"{text}"}}"#)
}

impl Service {
    /// Keeps a turn after `history`; its id.
    async fn turn(&self, owner: &Owner, text: &str, history: &History) -> String {
        let id = ResponseId::fresh().unwrap().id();
        let record = Record {
            previous: history.chain.first().cloned(),
            depth: history.turns,
            input: vec![said(text)],
            body: Some(r#"{"output":[]}"#.to_owned()),
            ..Record::default()
        };
        let kept = Kept {
            owner: owner.clone(),
            id: id.clone(),
            record,
            chain: history.chain.clone(),
            progress: None,
        };
        self.responses.keep(kept).await.unwrap();
        id
    }

    fn counted(&self, event: Event) -> usize {
        self.events.lock().unwrap().iter().filter(|seen| **seen == event).count()
    }
}

#[tokio::test]
async fn a_chain_has_at_most_so_many_turns() {
    let service = service(bounds());
    let ann = owner("ann");
    let mut history = History::default();
    let mut last = String::new();
    for number in 0..MAX_DEPTH {
        last = service.turn(&ann, &number.to_string(), &history).await;
        history.chain.insert(0, last.clone());
        history.turns += 1;
    }
    let read = service.responses.history(&ann, &last, &WIDE).unwrap();
    assert_eq!((read.turns, read.items.len()), (MAX_DEPTH, MAX_DEPTH as usize));
    assert_eq!((&read.items[0], &read.items[999]), (&said("0"), &said("999")));
    assert_eq!(read.chain, history.chain);
    let beyond = service.turn(&ann, "beyond", &history).await;
    assert!(matches!(service.responses.history(&ann, &beyond, &WIDE), Err(HistoryError::TooDeep)));
}

#[tokio::test]
async fn a_chain_that_leads_to_itself_ends() {
    let service = service(bounds());
    let ann = owner("ann");
    let first = service.turn(&ann, "1", &History::default()).await;
    let history = History { chain: vec![first.clone()], turns: 1, ..History::default() };
    let second = service.turn(&ann, "2", &history).await;
    // The first is written again as if it came after the second.
    let record = Record {
        previous: Some(second.clone()),
        depth: 2,
        body: Some(r#"{"output":[]}"#.to_owned()),
        ..Record::default()
    };
    let kept = Kept { owner: ann.clone(), id: first.clone(), record, chain: Vec::new(), progress: None };
    service.responses.keep(kept).await.unwrap();
    for id in [&first, &second] {
        assert!(matches!(service.responses.history(&ann, id, &WIDE), Err(HistoryError::Broken)));
    }
}

#[tokio::test]
async fn owners_do_not_see_each_other_and_keys_without_a_user_are_owners() {
    let service = service(bounds());
    let key = |byte| Identity { key: Some(KeyPrint([byte; 16])), ..Identity::default() };
    let tenant = |name: &str| Identity { tenant: Some(name.into()), ..Identity::default() };
    let user = |name: &str| Identity { user: Some(name.into()), ..Identity::default() };
    let everyone: Vec<Owner> = [Identity::default(), key(1), key(2), tenant("a"), user("a"), user("b")]
        .iter()
        .map(Owner::of)
        .collect();
    let id = service.turn(&everyone[0], "mine", &History::default()).await;
    for (index, other) in everyone.iter().enumerate() {
        assert_eq!(service.responses.find(other, &id).unwrap().is_some(), index == 0, "{index}");
        assert_eq!(everyone.iter().filter(|owner| *owner == other).count(), 1);
    }
    for other in &everyone[1..] {
        assert!(!service.responses.delete(other.clone(), id.clone()).await.unwrap());
        assert!(matches!(service.responses.history(other, &id, &WIDE), Err(HistoryError::NotFound)));
    }
    let named = Identity { key: Some(KeyPrint([9; 16])), ..user("a") };
    assert_eq!(Owner::of(&named), Owner::of(&user("a")));
}

#[tokio::test]
async fn who_has_most_gives_way_and_what_was_used_last_stays() {
    let service = service(Bounds { max_entries: 4, ..bounds() });
    let (ann, bob) = (owner("ann"), owner("bob"));
    let none = History::default();
    let of_bob = service.turn(&bob, "bob", &none).await;
    let first = service.turn(&ann, "1", &none).await;
    let second = service.turn(&ann, "2", &none).await;
    let third = service.turn(&ann, "3", &none).await;
    let after_first = History { chain: vec![first.clone()], turns: 1, ..History::default() };
    let fourth = service.turn(&ann, "4", &after_first).await;
    let is_there = |owner: &Owner, id: &str| service.responses.find(owner, id).unwrap().is_some();
    assert!(is_there(&bob, &of_bob) && is_there(&ann, &first) && is_there(&ann, &fourth));
    assert!(is_there(&ann, &third) && !is_there(&ann, &second));
    assert_eq!(service.counted(Event::Evicted), 1);
}

#[tokio::test]
async fn bytes_are_bounded_in_all_and_for_each() {
    let service = service(Bounds { max_bytes: 1000, max_entry_bytes: 600, ..bounds() });
    let ann = owner("ann");
    let long = "x".repeat(300);
    let first = service.turn(&ann, &long, &History::default()).await;
    let second = service.turn(&ann, &long, &History::default()).await;
    let third = service.turn(&ann, &long, &History::default()).await;
    assert!(service.responses.find(&ann, &first).unwrap().is_none());
    assert!(service.responses.find(&ann, &second).unwrap().is_some());
    assert!(service.responses.find(&ann, &third).unwrap().is_some());
    let record = Record { input: vec![said(&"x".repeat(700))], ..Record::default() };
    let kept =
        Kept { owner: ann, id: ResponseId::fresh().unwrap().id(), record, chain: Vec::new(), progress: None };
    assert!(service.responses.keep(kept).await.is_err());
    assert_eq!((service.counted(Event::Kept), service.counted(Event::TooLarge)), (3, 1));
}

#[tokio::test]
async fn what_is_continued_lives_on_and_all_else_expires() {
    let service = service(bounds());
    let ann = owner("ann");
    let root = service.turn(&ann, "root", &History::default()).await;
    let other = service.turn(&ann, "other", &History::default()).await;
    service.clock.set(Timestamp(1_000_000 + 40 * 60_000));
    let history = service.responses.history(&ann, &root, &WIDE).unwrap();
    let leaf = service.turn(&ann, "leaf", &history).await;
    service.clock.set(Timestamp(1_000_000 + 70 * 60_000));
    assert!(service.responses.find(&ann, &other).unwrap().is_none());
    assert_eq!(service.responses.history(&ann, &leaf, &WIDE).unwrap().items, [said("root"), said("leaf")]);
    service.clock.set(Timestamp(1_000_000 + 101 * 60_000));
    assert!(service.responses.find(&ann, &leaf).unwrap().is_none());
    service.turn(&ann, "later", &History::default()).await;
    assert_eq!(service.counted(Event::Expired), 3);
}

#[tokio::test]
async fn a_chain_with_a_deleted_turn_is_not_continued_in_part() {
    let service = service(bounds());
    let ann = owner("ann");
    let root = service.turn(&ann, "root", &History::default()).await;
    let history = service.responses.history(&ann, &root, &WIDE).unwrap();
    let leaf = service.turn(&ann, "leaf", &history).await;
    assert!(service.responses.delete(ann.clone(), root.clone()).await.unwrap());
    assert!(!service.responses.delete(ann.clone(), root).await.unwrap());
    assert!(service.responses.find(&ann, &leaf).unwrap().is_some());
    assert!(matches!(service.responses.history(&ann, &leaf, &WIDE), Err(HistoryError::Broken)));
}

#[tokio::test]
async fn the_oldest_turns_are_left_out_where_that_is_asked_for_and_no_result_without_its_call() {
    let service = service(bounds());
    let ann = owner("ann");
    let keep = async |input: &str, output: &str, history: &History| {
        let id = ResponseId::fresh().unwrap().id();
        let record = Record {
            previous: history.chain.first().cloned(),
            depth: history.turns,
            input: vec![input.to_owned()],
            body: Some(format!(r#"{{"output":[{output}]}}"#)),
            ..Record::default()
        };
        let kept =
            Kept { owner: ann.clone(), id: id.clone(), record, chain: history.chain.clone(), progress: None };
        service.responses.keep(kept).await.unwrap();
        service.responses.history(&ann, &id, &WIDE).unwrap()
    };
    let call = r#"{"type":"function_call","id":"fc_1","status":"completed","call_id":"c1","name":"f","arguments":"{}"}"#;
    let result = r#"{"type":"function_call_output","call_id":"c1","output":"42"}"#;
    let first = keep(&said(&"x".repeat(200)), call, &History::default()).await;
    let answer = r#"{"type":"message","role":"assistant","content":"42"}"#;
    let second = keep(result, answer, &first).await;
    let plain_call = r#"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#;
    assert_eq!(second.items, [&said(&"x".repeat(200)), plain_call, result, answer]);
    let newest = &second.chain[0];
    let narrow = HistoryLimits { max_bytes: 250, truncates: false };
    let refused = service.responses.history(&ann, newest, &narrow);
    assert!(matches!(refused, Err(HistoryError::TooLong { max_bytes: 250 })));
    let cut = service.responses.history(&ann, newest, &HistoryLimits { truncates: true, ..narrow }).unwrap();
    assert_eq!((cut.items, cut.is_truncated), (vec![answer.to_owned()], true));
}

#[tokio::test]
async fn what_only_the_upstream_knows_is_not_said_to_others() {
    let service = service(bounds());
    let ann = owner("ann");
    let id = ResponseId::fresh().unwrap().id();
    let upstream =
        Upstream { backend: "b".into(), model: "m".into(), id: "resp_u".into(), is_portable: false };
    let output = [
        r#"{"type":"reasoning","id":"rs_1","summary":[]}"#,
        r#"{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"abc"}"#,
        r#"{"type":"web_search_call","id":"ws_1"}"#,
    ];
    let record = Record {
        body: Some(format!(r#"{{"output":[{}]}}"#, output.join(","))),
        upstream: Some(upstream.clone()),
        ..Record::default()
    };
    let kept = Kept { owner: ann.clone(), id: id.clone(), record, chain: Vec::new(), progress: None };
    service.responses.keep(kept).await.unwrap();
    let history = service.responses.history(&ann, &id, &WIDE).unwrap();
    // What it sealed goes back to it as it was, and to no other.
    let body = format!(r#"{{"model":"auto","input":[{}]}}"#, history.items.join(","));
    let request = ClientRequest::parse(Protocol::Responses, body.into(), &RequestLimits::default()).unwrap();
    let sent_to = |model: &str| {
        let outgoing = request.outgoing(&Target::new(Protocol::Responses, model), &Edits::default()).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&outgoing.body).unwrap();
        (body["input"].to_string(), outgoing.losses.iter().count())
    };
    let own = r#"[{"encrypted_content":"abc","summary":[],"type":"reasoning"}]"#;
    assert_eq!(sent_to("m"), (own.to_owned(), 0));
    assert_eq!(sent_to("another"), ("[]".to_owned(), 1));
    assert_eq!((history.upstream, history.has_sealed_parts), (Some(upstream), true));
}

#[test]
fn pages_follow_each_other_without_gaps() {
    let all: Vec<(String, String)> =
        (0..5).map(|index| (format!("i{index}"), format!("{{{index}}}"))).collect();
    for newest_first in [true, false] {
        let mut seen = Vec::new();
        let mut query = PageQuery { limit: 2, after: None, newest_first };
        loop {
            let part = page(all.clone(), &query).unwrap();
            seen.extend(part.items.iter().map(|(id, _)| id.clone()));
            query.after = seen.last().cloned();
            if !part.has_more {
                break;
            }
        }
        let mut expected: Vec<String> = all.iter().map(|(id, _)| id.clone()).collect();
        if newest_first {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
    assert_eq!(page(all, &PageQuery { after: Some("i9".into()), ..PageQuery::default() }), None);
}

#[test]
fn a_draft_holds_what_was_said_and_no_half_calls() {
    let mut draft = Draft::new(1000);
    for event in [
        r#"{"type":"response.created","response":{"id":"r","status":"in_progress","output":[]}}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_0"}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc_0","call_id":"c"}}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"msg_1"}}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Hel"}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"lo"}"#,
        r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","id":"fc_2"}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"a\":"}"#,
    ] {
        let document = Document::parse_tolerant(event.into()).unwrap();
        draft.note(document.root());
    }
    let ended: serde_json::Value =
        serde_json::from_str(&draft.ended("incomplete", Edits::default()).unwrap()).unwrap();
    assert_eq!(ended["status"], "incomplete");
    assert_eq!(ended["output"].as_array().unwrap().len(), 2);
    assert_eq!(ended["output"][0]["call_id"], "c");
    assert_eq!(ended["output"][1]["content"][0]["text"], "Hello");
    assert_eq!(ended["output"][1]["status"], "incomplete");
}

#[tokio::test]
async fn many_small_values_push_out_their_owners_own_and_not_the_large_ones_of_others() {
    let service = service(Bounds { max_entries: 8, ..bounds() });
    let (ann, bob) = (owner("ann"), owner("bob"));
    let large = service.turn(&ann, &"x".repeat(2000), &History::default()).await;
    let mut small = Vec::new();
    for number in 0..20 {
        small.push(service.turn(&bob, &number.to_string(), &History::default()).await);
    }
    assert!(service.responses.find(&ann, &large).unwrap().is_some());
    let left = small.iter().filter(|id| service.responses.find(&bob, id).unwrap().is_some()).count();
    assert_eq!((left, service.counted(Event::Evicted)), (7, 13));
}

#[test]
fn a_draft_that_is_too_large_holds_nothing() {
    let note = |draft: &mut Draft, json: String| {
        draft.note(Document::parse_tolerant(json.into()).unwrap().root());
    };
    let events: [fn(u64) -> String; 4] = [
        |n| {
            format!(
                r#"{{"type":"response.output_item.added","output_index":{n},"item":{{"type":"message","id":"m"}}}}"#
            )
        },
        |n| {
            format!(
                r#"{{"type":"response.output_item.added","output_index":{n},"item":{{"type":"reasoning"}}}}"#
            )
        },
        |n| format!(r#"{{"type":"response.output_item.done","output_index":{n},"item":{{}}}}"#),
        |n| {
            format!(
                r#"{{"type":"response.output_text.delta","output_index":0,"content_index":{n},"delta":""}}"#
            )
        },
    ];
    for event in events {
        let mut draft = Draft::new(10_000);
        note(&mut draft, r#"{"type":"response.created","response":{"id":"r"}}"#.to_owned());
        note(&mut draft, events[0](0));
        (0..1000).for_each(|n| note(&mut draft, event(n)));
        assert!(draft.is_full());
        assert_eq!(draft.ended("incomplete", Edits::default()), None);
        note(&mut draft, r#"{"type":"response.in_progress","response":{"id":"r"}}"#.to_owned());
        assert_eq!(draft.ended("incomplete", Edits::default()), None);
    }
}
