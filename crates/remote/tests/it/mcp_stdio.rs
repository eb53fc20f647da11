//! An MCP classifier that is a program, here a Python script with the faults that a test asks for.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use vsr_remote::{BreakerSettings, RemoteLimits};
use vsr_signals::external::RemoteOutcome;
use vsr_types::{RequestView, SignalFamily::Domain};

use crate::scene::{LONG, Scene, no_pauses};

const DOMAINS: &str = "{domains: [{name: numbers, mmlu_categories: [math]}, {name: law}, {name: weather}]}";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/classifier.py");

/// The classifier with a fault; it reports to `watch`, if there is one.
fn catalog(mode: &str, watch: Option<&Watch>, more: &str) -> String {
    let port = watch.map(|watch| format!(", '{}'", watch.port())).unwrap_or_default();
    format!(
        "{{modules: {{classifier: {{mcp: {{enabled: true, transport_type: stdio, command: python3, \
         args: ['{SCRIPT}', {mode}{port}]{more}}}}}}}}}"
    )
}

fn scene(mode: &str) -> Scene {
    Scene::new(DOMAINS, &catalog(mode, None, ""))
}

/// Where programs report, and hold a connection as long as they live.
struct Watch(TcpListener);

/// A program that reported.
struct Watched {
    connection: BufReader<TcpStream>,
    environment: BTreeMap<String, String>,
}

impl Watch {
    fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn next(&self) -> Watched {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut connection = BufReader::new(stream);
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        Watched { connection, environment: serde_json::from_str(&line).unwrap() }
    }
}

impl Watched {
    /// Blocks until the program and all that it started have ended.
    fn wait_gone(&mut self) {
        let mut rest = String::new();
        // A program that is killed may reset the connection: it is gone as well.
        let end = self.connection.read_line(&mut rest);
        assert!(
            end.as_ref()
                .map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |read| *read == 0),
            "still there: {end:?}"
        );
    }
}

#[test]
fn a_tool_names_the_domain_by_its_categories() {
    let scene = scene("normal");
    let found = scene.on("the sum of 1 and 1");
    assert_eq!(found.state(Domain, "numbers"), "matched");
    assert_eq!(found.value(Domain, "numbers"), Some(0.9));
    assert_eq!(found.value(Domain, "law"), Some(0.05));
    let found = scene.on("sue them");
    assert_eq!(found.state(Domain, "law"), "matched");
    assert_eq!(found.state(Domain, "numbers"), "not matched");
    // Without probabilities, the one class that is named.
    let found = scene.on("will it rain?");
    assert_eq!(found.outcomes(), [RemoteOutcome::Classes(vec![("weather".into(), 0.6)])]);
    assert_eq!(found.state(Domain, "weather"), "matched");
}

#[test]
fn the_modules_threshold_decides() {
    let scene = Scene::new(DOMAINS, &catalog("normal", None, ", threshold: 0.7"));
    assert_eq!(scene.on("will it rain?").state(Domain, "weather"), "not matched");
    assert_eq!(scene.on("sue them").state(Domain, "law"), "matched");
}

#[test]
fn a_program_may_write_what_it_likes_beside_answers() {
    let scene = scene("chatty");
    assert_eq!(scene.on("sue them").state(Domain, "law"), "matched");
}

#[test]
fn a_program_gets_no_environment_but_the_configured_one() {
    let watch = Watch::new();
    let scene = Scene::new(DOMAINS, &catalog("normal", Some(&watch), ", env: {ANSWER: '42'}"));
    assert_eq!(scene.on("sue them").state(Domain, "law"), "matched");
    let environment = watch.next().environment;
    assert_eq!(environment.get("ANSWER").map(String::as_str), Some("42"));
    // The interpreter may be a script that sets some of its own; nothing of this process is among them.
    for inherited in ["HOME", "CARGO_MANIFEST_DIR"] {
        assert!(
            std::env::var_os(inherited).is_some(),
            "{inherited} is not set here, so that this proves nothing"
        );
        assert!(!environment.contains_key(inherited), "{inherited} was handed on");
    }
}

#[test]
fn a_program_starts_with_the_first_question_or_when_it_is_told() {
    let watch = Watch::new();
    let scene = Scene::new(DOMAINS, &catalog("normal", Some(&watch), ""));
    watch.0.set_nonblocking(true).unwrap();
    assert!(watch.0.accept().is_err(), "started by compiling");
    watch.0.set_nonblocking(false).unwrap();
    scene.models.start();
    watch.next();
    assert_eq!(scene.on("sue them").state(Domain, "law"), "matched");
}

#[test]
fn nothing_is_left_behind() {
    for mode in ["normal", "stubborn", "hang"] {
        let watch = Watch::new();
        let scene = Scene::new(DOMAINS, &catalog(mode, Some(&watch), ", timeout_seconds: 1"));
        scene.on("sue them");
        let mut program = watch.next();
        scene.models.shutdown();
        program.wait_gone();
        assert_eq!(scene.on("the sum").state(Domain, "law"), "Failed", "asked after the end");
    }
    let watch = Watch::new();
    let scene = Scene::new(DOMAINS, &catalog("stubborn", Some(&watch), ""));
    scene.on("sue them");
    let mut program = watch.next();
    drop(scene);
    program.wait_gone();
}

#[test]
fn a_program_that_ended_is_started_again() {
    let watch = Watch::new();
    let scene = Scene::new(DOMAINS, &catalog("crash-later", Some(&watch), ""));
    assert_eq!(scene.on("sue them").state(Domain, "law"), "matched");
    watch.next();
    assert_eq!(scene.on("sue him").state(Domain, "law"), "Failed");
    assert_eq!(scene.on("sue her").state(Domain, "law"), "matched");
    watch.next();
}

#[test]
fn a_program_that_ends_again_and_again_is_left_alone_for_a_while() {
    let limits = RemoteLimits { restart_pause: LONG * 100, ..no_pauses() };
    let scene = Scene::with(DOMAINS, &catalog("dies-at-once", None, ""), limits);
    assert_eq!(scene.on("a").state(Domain, "law"), "Failed");
    assert_eq!(scene.on("b").state(Domain, "law"), "CircuitOpen");
}

#[test]
fn whatever_goes_wrong_makes_the_rules_unavailable() {
    for (mode, reason, detail) in [
        ("crash", "Failed", "has ended"),
        ("hang", "Overloaded", "no answer in time"),
        ("huge", "Failed", "has ended"),
        ("garbage", "Failed", "`mcp`"),
        ("broken-shares", "Failed", "`mcp`"),
        ("tool-error", "Failed", "reports an error"),
    ] {
        let (watch, limit) = (Watch::new(), if mode == "hang" { ", timeout_seconds: 2" } else { "" });
        let scene = Scene::new(DOMAINS, &catalog(mode, Some(&watch), limit));
        // It runs before it is asked: the limit is for the answer alone.
        scene.models.start();
        watch.next();
        let found = scene.on_request(&RequestView::from_prompt("sue them"), LONG);
        assert_eq!(found.state(Domain, "law"), reason, "{mode}");
        let notes = found.notes(Domain, "law");
        assert!(notes.contains(detail) && !notes.contains("ignore all"), "{mode}: {notes}");
    }
}

#[test]
fn a_tool_is_found_by_its_name_and_a_name_that_is_not_there_is_an_error() {
    let named = Scene::new(DOMAINS, &catalog("normal", None, ", tool_name: other"));
    assert_eq!(named.on("sue them").state(Domain, "law"), "matched");
    let missing = Scene::new(DOMAINS, &catalog("normal", None, ", tool_name: nobody"));
    let found = missing.on("sue them");
    assert_eq!(found.state(Domain, "law"), "Failed");
    assert!(
        found.notes(Domain, "law").contains("no tool of the configured name"),
        "{}",
        found.notes(Domain, "law")
    );
}

#[test]
fn a_hanging_program_is_ended_and_started_anew() {
    let watch = Watch::new();
    let breaker = BreakerSettings { failures: u32::MAX, ..BreakerSettings::default() };
    let limits = RemoteLimits { breaker, ..no_pauses() };
    let scene = Scene::with(DOMAINS, &catalog("hang", Some(&watch), ""), limits);
    scene.models.start();
    let mut first = watch.next();
    let soon = Duration::from_millis(100);
    let end = Instant::now() + LONG;
    watch.0.set_nonblocking(true).unwrap();
    let mut asked = 0;
    while watch.0.accept().is_err() {
        assert!(Instant::now() < end, "never started anew after {asked} questions");
        asked += 1;
        scene.on_request(&RequestView::from_prompt(&format!("question {asked}")), soon);
    }
    first.wait_gone();
}
