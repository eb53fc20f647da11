//! Backends that are asked regularly whether they are well.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use vsr_testkit::{Backend, Behaviour, Fault, free_port};

use crate::scene::{CHAT, Scene};

const OFTEN: &str = "health_check_path: /health, health_check_interval: 20ms, health_check_timeout: 10s, \
                     health_check_unhealthy_threshold: 2, health_check_healthy_threshold: 2";

/// Backends of one model; each gets nearly all that those before it do not take.
fn yaml(ports: &[u16], reliability: &str) -> String {
    let weights = ["1000000000", "1", "0.000000001"];
    let references: Vec<String> = { ports.iter().zip(weights) }
        .map(|(port, weight)| {
            format!("{{name: b{port}, endpoint: '127.0.0.1:{port}', api_key: sk-probe, weight: {weight}}}")
        })
        .collect();
    format!(
        "version: v0.3\n\
         listeners: [{{name: main, address: 127.0.0.1, port: 0}}]\n\
         providers: {{defaults: {{default_model: small}}, models: [{{name: small, reliability: {{{reliability}}}, \
         backend_refs: [{}]}}]}}\n\
         routing: {{modelCards: [{{name: small}}]}}\n\
         global: {{router: {{worker_threads: 2}}}}\n",
        references.join(", ")
    )
}

fn scene(ports: &[u16], reliability: &str) -> Scene {
    Scene::of_yaml(&yaml(ports, reliability), Duration::ZERO)
}

fn unwell() -> Behaviour {
    Behaviour::default().reply("/health", 503, "text/plain", "the engine is dead")
}

fn chats(backend: &Backend) -> usize {
    backend.requests().iter().filter(|request| request.path == "/v1/chat/completions").count()
}

fn checks(backend: &Backend) -> usize {
    backend.requests().len() - chats(backend)
}

fn wait_checks(backend: &Backend, more: usize) {
    backend.wait_for_requests(backend.requests().len() + more);
}

impl Scene {
    fn wait_passing(&self, port: u16, state: &str) {
        let metric = "vsr_upstream_health_checks_passing";
        self.wait_metric(&format!("{metric}{{backend=\"small/b{port}\"}} {state}"));
    }
}

#[test]
fn a_backend_whose_checks_fail_gets_no_requests_until_they_pass() {
    let (first, second) = (Backend::start(unwell()), Backend::start(Behaviour::default()));
    let scene = scene(&[first.port(), second.port()], OFTEN);
    scene.wait_passing(first.port(), "0");
    scene.wait_passing(second.port(), "1");
    let name = format!("small/b{}", first.port());
    let (left_out, failing) = scene.router.unwell_backends();
    assert_eq!((&*left_out[0], &*failing[0], left_out.len()), (&*name, &*name, 1));
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!((chats(&first), chats(&second)), (0, 1));
    first.behave(Behaviour::default());
    scene.wait_passing(first.port(), "1");
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!((chats(&first), chats(&second)), (1, 1));
    assert_eq!(scene.router.unwell_backends(), (Vec::new(), Vec::new()));
    let check = first.requests().into_iter().find(|request| request.path == "/health").unwrap();
    assert_eq!((check.method.as_str(), check.header("authorization")), ("GET", Some("Bearer sk-probe")));
    assert!(check.body.is_empty());
}

#[test]
fn backends_that_cannot_be_reached_or_do_not_answer_or_answer_nonsense_fail_their_checks() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let rude = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let rude_port = rude.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in rude.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"SSH-2.0-OpenSSH_9.9\r\n\r\n");
        }
    });
    let last = Backend::start(Behaviour::default());
    for port in [free_port(), silent.local_addr().unwrap().port(), rude_port] {
        let settings = OFTEN.replace("timeout: 10s", "timeout: 100ms");
        let scene = scene(&[port, last.port()], &settings);
        // On a busy machine the other one may be late at first, and left out before it.
        while !scene.router.unwell_backends().0.iter().any(|name| name.ends_with(&port.to_string())) {
            std::thread::yield_now();
        }
        assert_eq!(scene.chat(CHAT).status(), 200);
    }
    assert_eq!(chats(&last), 3);
}

#[test]
fn checks_never_leave_out_the_last_backend_nor_more_than_failures_of_requests_could() {
    let backends = [Backend::start(unwell()), Backend::start(unwell()), Backend::start(unwell())];
    let ports = backends.each_ref().map(Backend::port);
    let scene = scene(&ports, OFTEN);
    for port in ports {
        scene.wait_passing(port, "0");
    }
    let (left_out, failing) = scene.router.unwell_backends();
    assert_eq!((left_out.len(), failing.len()), (1, 3));
    assert_eq!(scene.chat(CHAT).status(), 200);
    // Whoever recovers makes room for another that fails.
    let recovered = ports.iter().position(|port| left_out[0].ends_with(&port.to_string())).unwrap();
    backends[recovered].behave(Behaviour::default());
    while scene.router.unwell_backends().0.iter().any(|name| *name == left_out[0]) {
        std::thread::yield_now();
    }
    while scene.router.unwell_backends().0.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(scene.router.unwell_backends().1.len(), 2);
}

#[test]
fn a_backend_left_out_for_its_failures_counts_for_the_floor_and_is_not_brought_back_by_checks() {
    let first = Backend::start(Behaviour::from(Fault::server_error()));
    let second = Backend::start(unwell());
    let settings = format!("{OFTEN}, consecutive_5xx: 1, base_ejection_time: 1h, max_ejection_time: 1h");
    let scene = scene(&[first.port(), second.port()], &settings.replace("threshold: 2", "threshold: 1000"));
    assert_eq!(scene.chat(CHAT).status(), 500);
    scene.reload(&yaml(&[first.port(), second.port()], &settings));
    scene.wait_passing(second.port(), "0");
    wait_checks(&first, 3);
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!((chats(&first), chats(&second)), (1, 1));
}

#[test]
fn checks_stop_with_their_backend_and_what_they_found_stays_over_a_reload() {
    let backends = [Backend::start(unwell()), Backend::start(Behaviour::default())];
    let third = Backend::start(Behaviour::default());
    let [first, second] = backends.each_ref().map(Backend::port);
    let scene = scene(&[first, second], OFTEN);
    scene.wait_passing(first, "0");
    scene.reload(&yaml(&[first, second], &OFTEN.replace("healthy_threshold: 2", "healthy_threshold: 9")));
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!((chats(&backends[0]), chats(&backends[1])), (0, 1));
    // New ones are checked, and those that are gone are not.
    scene.reload(&yaml(&[second, third.port()], OFTEN));
    scene.wait_passing(third.port(), "1");
    wait_checks(&third, 2);
    let before = checks(&backends[0]);
    wait_checks(&third, 10);
    assert_eq!(checks(&backends[0]), before);
    let metrics = scene.router.encode_metrics().unwrap();
    assert!(!metrics.contains(&format!("passing{{backend=\"small/b{first}\"}}")), "{metrics}");
}

#[test]
fn without_checks_what_they_found_counts_for_nothing() {
    let (first, second) = (Backend::start(unwell()), Backend::start(Behaviour::default()));
    let ports = [first.port(), second.port()];
    let scene = scene(&ports, OFTEN);
    scene.wait_passing(first.port(), "0");
    scene.reload(&yaml(&ports, "consecutive_5xx: 5"));
    while !scene.router.unwell_backends().0.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!((chats(&first), chats(&second)), (1, 0));
}
