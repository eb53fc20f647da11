//! How backends are reached: through proxies, with other trust, over HTTP/2, with signatures; and how they share requests.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use vsr_testkit::{Backend, Behaviour, Fault, Gate, RawClient};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, refusal_to_compile};

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"over another way"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const EVENTS: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"over \"},\"finish_reason\":null}]}\n\ndata: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"it\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn yaml(references: &[String], reliability: &str) -> String {
    format!(
        "version: v0.3\n\
         listeners: [{{name: main, address: 127.0.0.1, port: 0, limits: {{max_connections: 1000}}}}]\n\
         providers: {{defaults: {{default_model: small}}, models: [{{name: small, reliability: {{{reliability}}}, \
         backend_refs: [{}]}}]}}\n\
         routing: {{modelCards: [{{name: small}}]}}\n\
         global: {{router: {{worker_threads: 2}}}}\n",
        references.join(", ")
    )
}

fn scene_of(reference: &str) -> Scene {
    Scene::of_yaml(&yaml(&[format!("{{name: a, {reference}}}")], ""), Duration::ZERO)
}

fn content(scene: &Scene) -> String {
    let answer = scene.chat(CHAT);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

/// A proxy that opens tunnels to `port` wherever it is asked to; returns its port and a list of what it was asked.
fn proxy_to(port: u16) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    let (asked, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let _ = asked.send(String::from_utf8(head).unwrap());
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(Shutdown::Write);
            });
        }
    });
    (own, told)
}

#[test]
fn a_backend_is_reached_through_the_proxy_that_it_names() {
    let backend = Backend::start(Behaviour::default().text("from far away"));
    let (proxy, asked) = proxy_to(backend.port());
    let scene =
        scene_of(&format!("endpoint: 'models.example:8000', proxy: 'http://ann:s3cret@127.0.0.1:{proxy}'"));
    assert_eq!(content(&scene), "from far away");
    let head = asked.recv().unwrap();
    assert!(head.starts_with("CONNECT models.example:8000 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: Basic YW5uOnMzY3JldA==\r\n"), "{head}");
    let request = &backend.requests()[0];
    assert_eq!(
        (request.header("host"), request.header("proxy-authorization")),
        (Some("models.example:8000"), None)
    );
}

#[test]
fn the_environments_proxy_is_used_unless_the_backend_says_direct() {
    let backend = Backend::start(Behaviour::default());
    let (proxy, asked) = proxy_to(backend.port());
    let variables = move |name: &str| match name {
        "http_proxy" => Some(format!("http://127.0.0.1:{proxy}")),
        "NO_PROXY" => Some("spared.example".to_owned()),
        _ => None,
    };
    let scene = |reference: &str| {
        let yaml = yaml(&[format!("{{name: a, {reference}}}")], "");
        Scene::in_environment(&yaml, &variables)
    };
    assert_eq!(scene("endpoint: 'models.example:80'").chat(CHAT).status(), 200);
    assert!(asked.recv().unwrap().starts_with("CONNECT models.example:80 "));
    // Names under .invalid have no address, whoever is asked.
    assert_eq!(scene("endpoint: 'models.invalid:80', proxy: direct").chat(CHAT).status(), 502);
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_proxy_that_refuses_is_told_of_without_its_credentials() {
    let rude = Backend::start(Behaviour::default());
    let scene = scene_of(&format!(
        "endpoint: 'models.example:80', proxy: 'http://ann:s3cret@127.0.0.1:{}'",
        rude.port()
    ));
    let answer = scene.chat(CHAT);
    assert_eq!(answer.status(), 502);
    assert!(!answer.text().contains("s3cret") && !answer.text().contains("127.0.0.1"), "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "upstream_unreachable");
}

/// A server of chat completions over HTTP/2, in plain text or with a certificate for `localhost` whose authority is
/// returned, on its own thread.
fn http2_server(is_secure: bool, protocols: &'static [&'static str]) -> (u16, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = certified.cert.pem();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
            let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certified.cert.der().clone()], key)
                .unwrap();
            config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if !is_secure {
                        serve_http2(stream).await;
                    } else if let Ok(stream) = acceptor.accept(stream).await {
                        serve_http2(stream).await;
                    }
                });
            }
        });
    });
    (port, pem)
}

async fn serve_http2(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut reply))) = connection.accept().await {
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut seen = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
                seen.extend_from_slice(&data);
            }
            let is_stream = String::from_utf8_lossy(&seen).contains("\"stream\":true");
            let kind = if is_stream { "text/event-stream" } else { "application/json" };
            let head = http::Response::builder().header("content-type", kind).body(()).unwrap();
            let mut sending = reply.send_response(head, false).unwrap();
            let text = if is_stream { EVENTS } else { ANSWER };
            let _ = sending.send_data(Bytes::from_static(text.as_bytes()), true);
        });
    }
}

#[test]
fn backends_are_spoken_to_over_http2_where_that_is_configured() {
    let (plain, _) = http2_server(false, &[]);
    let (secure, pem) = http2_server(true, &["h2"]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    for reference in [
        format!("endpoint: 'http://127.0.0.1:{plain}', http2: only"),
        format!(
            "endpoint: 'https://localhost:{secure}', http2: offered, tls: {{ca_file: '{}'}}",
            file.display()
        ),
        format!(
            "base_url: 'https://localhost:{secure}/v1', http2: only, tls: {{ca_file: '{}'}}",
            file.display()
        ),
    ] {
        let scene = scene_of(&reference);
        assert_eq!(content(&scene), "over another way");
        let streamed = scene.chat(STREAM);
        assert!(streamed.text().ends_with("data: [DONE]\n\n"), "{}", streamed.text());
        scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 0");
    }
    // Its authority is not the system's.
    let scene = scene_of(&format!("endpoint: 'https://localhost:{secure}', http2: offered"));
    assert_eq!(scene.chat(CHAT).status(), 502);
}

#[test]
fn ways_that_cannot_be_gone_are_errors_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.display();
    for (reference, key) in [
        ("endpoint: 'a:1', proxy: 'socks5://ann:s3cret@p'".to_owned(), "proxy"),
        ("endpoint: 'a:1', http2: offered".to_owned(), "http2"),
        ("endpoint: 'a:1', tls: {ca_file: x}".to_owned(), "tls"),
        ("endpoint: 'https://a', tls: {ca_file: /nowhere/ca.pem}".to_owned(), "tls.ca_file"),
        (format!("endpoint: 'https://a', tls: {{ca_file: '{empty}'}}"), "tls.ca_file"),
        (format!("endpoint: 'https://a', tls: {{cert_file: '{empty}'}}"), "tls"),
        (format!("endpoint: 'https://a', tls: {{cert_file: '{empty}', key_file: '{empty}'}}"), "tls.cert_file"),
        ("base_url: 'https://a.b/v1', provider: openai, aws: {}".to_owned(), "aws"),
        ("base_url: 'https://a.b/v1', provider: bedrock, aws: {}".to_owned(), "aws.region"),
        (
            "base_url: 'https://bedrock-runtime.eu-west-1.amazonaws.com/v1', provider: bedrock, api_key: k, aws: {}"
                .to_owned(),
            "aws",
        ),
    ] {
        let problems = refusal_to_compile(&yaml(&[format!("{{name: a, {reference}}}")], ""));
        let place = format!("providers.models[0].backend_refs[0].{key}");
        assert!(problems.contains(&place) && !problems.contains("s3cret"), "{place} in {problems}");
    }
}

#[test]
fn requests_to_bedrock_are_signed_and_carry_no_key() {
    let backend = Backend::start(Behaviour::default());
    let variables = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        "TOKEN" => Some("session".to_owned()),
        _ => None,
    };
    let reference = format!(
        "{{name: a, base_url: 'http://127.0.0.1:{}/openai/v1', provider: bedrock, \
         aws: {{region: us-east-1, session_token_env: TOKEN}}}}",
        backend.port()
    );
    let scene = Scene::in_environment(&yaml(&[reference], ""), &variables);
    let mut client = scene.connect();
    client.send_request("POST", CHAT_PATH, &[("authorization", "Bearer of-the-client")], CHAT.as_bytes());
    assert_eq!(client.read_response().status(), 404, "the mock knows no such path, and saw the request");
    let request = &backend.requests()[0];
    assert_eq!(request.path, "/openai/v1/chat/completions");
    let authorization = request.header("authorization").unwrap();
    assert!(
        authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/us-east-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="
        ),
        "{authorization}"
    );
    assert_eq!(request.header("x-amz-date"), Some("20231114T221320Z"));
    assert_eq!(request.header("x-amz-security-token"), Some("session"));
}

#[test]
fn a_backend_is_left_alone_until_the_date_that_it_says() {
    let busy = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Fault::Status { code: 429, headers, body: String::new() }
    };
    for (headers, away) in [
        (&[("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")][..], 30),
        // Its clock is an hour ahead.
        (&[("retry-after", "Tue, 14 Nov 2023 23:13:50 GMT"), ("date", "Tue, 14 Nov 2023 23:13:20 GMT")], 30),
        // Nobody is left alone for longer than a minute.
        (&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], 60),
        (&[("retry-after", "184467440737095516160")], 60),
    ] {
        let (first, second) = (Backend::start(busy(headers)), Backend::start(Behaviour::default()));
        let references = [
            format!("{{name: first, endpoint: '127.0.0.1:{}', weight: 1000000}}", first.port()),
            format!("{{name: second, endpoint: '127.0.0.1:{}', weight: 0.000001}}", second.port()),
        ];
        let scene = Scene::of_yaml(&yaml(&references, ""), Duration::ZERO);
        assert_eq!(scene.chat(CHAT).status(), 200);
        first.behave(Behaviour::default());
        scene.clock.advance(Duration::from_secs(away - 1));
        assert_eq!(scene.chat(CHAT).status(), 200);
        assert_eq!((first.requests().len(), second.requests().len()), (1, 2), "{headers:?}");
        scene.clock.advance(Duration::from_secs(2));
        assert_eq!(scene.chat(CHAT).status(), 200);
        assert_eq!((first.requests().len(), second.requests().len()), (2, 2), "{headers:?}");
    }
}

fn ask(client: &mut RawClient, session: &str) {
    client.send_request("POST", CHAT_PATH, &[("x-session-id", session)], CHAT.as_bytes());
    assert_eq!(client.read_response().status(), 200);
}

#[test]
fn ten_thousand_requests_are_shared_by_weight_to_within_two_in_a_hundred() {
    let backends = [(); 3].map(|()| Backend::start(Behaviour::default()));
    let weights = [5, 3, 2];
    let references: Vec<String> = { backends.iter().zip(weights).enumerate() }
        .map(|(at, (backend, weight))| {
            format!("{{name: b{at}, endpoint: '127.0.0.1:{}', weight: {weight}}}", backend.port())
        })
        .collect();
    let scene = Scene::of_yaml(&yaml(&references, ""), Duration::ZERO);
    let port = scene.port();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let mut client = RawClient::connect(port);
                (0..2_500).for_each(|_| ask(&mut client, "s"));
            });
        }
    });
    for (backend, weight) in backends.iter().zip(weights) {
        let (got, share) = (backend.requests().len(), weight * 1_000);
        assert!(got.abs_diff(share) * 100 <= share * 2, "{got} of {share}");
    }
}

#[test]
fn the_idle_backend_is_preferred_under_least_request() {
    let gate = Gate::new();
    let slow = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let quick = Backend::start(Behaviour::default());
    let references =
        [&slow, &quick].map(|backend| format!("{{name: b{0}, endpoint: '127.0.0.1:{0}'}}", backend.port()));
    let scene = Scene::of_yaml(&yaml(&references, "lb_policy: least_request"), Duration::ZERO);
    let mut waiting = Vec::new();
    while slow.requests().is_empty() {
        let before = slow.requests().len() + quick.requests().len();
        let mut client = scene.connect();
        client.send_request("POST", CHAT_PATH, &[], CHAT.as_bytes());
        while slow.requests().len() + quick.requests().len() == before {
            std::thread::yield_now();
        }
        if slow.requests().is_empty() {
            assert_eq!(client.read_response().status(), 200);
        } else {
            waiting.push(client);
        }
    }
    let before = quick.requests().len();
    for _ in 0..20 {
        assert_eq!(scene.chat(CHAT).status(), 200);
    }
    assert_eq!((slow.requests().len(), quick.requests().len()), (1, before + 20));
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.read_response().status(), 200);
    }
}

#[test]
fn only_the_callers_of_a_backend_that_leaves_move() {
    let backends = [(); 3].map(|()| Backend::start(Behaviour::default()));
    let reference = |backend: &Backend| format!("{{name: b{0}, endpoint: '127.0.0.1:{0}'}}", backend.port());
    let references = backends.each_ref().map(reference);
    let policy = "lb_policy: consistent_hash";
    let scene = Scene::of_yaml(&yaml(&references, policy), Duration::ZERO);
    let mut client = scene.connect();
    let mut places = || -> BTreeMap<u32, usize> {
        (0..300)
            .map(|session| {
                let before = backends.each_ref().map(|backend| backend.requests().len());
                ask(&mut client, &format!("session-{session}"));
                let after = backends.each_ref().map(|backend| backend.requests().len());
                (session, (0..3).find(|at| after[*at] > before[*at]).unwrap())
            })
            .collect()
    };
    let before = places();
    scene.reload(&yaml(&references[..2], policy));
    let after = places();
    for (session, place) in &before {
        let moved = after[session];
        assert!(if *place == 2 { moved != 2 } else { moved == *place }, "{session}: {place} to {moved}");
    }
    let left = before.values().filter(|place| **place == 2).count();
    assert!((50..=150).contains(&left), "about a third: {left}");
    scene.reload(&yaml(&references, policy));
    assert_eq!(places(), before);
}
