//! What the environment says of name servers, trust and proxies.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    process::Command,
    sync::Arc,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use vsr_testkit::{RawClient, RouterSpec, free_port};

use crate::{config, text};

const BINARY: &str = env!("CARGO_BIN_EXE_vllm-sr");
const BODY: &str = r#"{"model":"auto","messages":[{"role":"user","content":"hello"}]}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

/// A name server on loopback by which every name is this machine.
fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let end = 12 + query[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let is_v4 = query[end - 3] == 1;
            let mut reply = [&query[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]].concat();
            reply.extend_from_slice(&query[12..end]);
            if is_v4 {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            socket.send_to(&reply, from).unwrap();
        }
    });
    port
}

/// A backend with TLS for `models.test`; returns its port and its authority.
fn secure_backend() -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed(["models.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut seen = Vec::new();
            while !seen.ends_with(b"}]}") {
                let mut part = [0; 4096];
                match stream.read(&mut part) {
                    Ok(count) if count > 0 => seen.extend_from_slice(&part[..count]),
                    _ => break,
                }
            }
            let length = ANSWER.len();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{ANSWER}");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (port, certified.cert.pem())
}

#[test]
fn name_servers_and_trust_come_from_the_environment() {
    let (backend, pem) = secure_backend();
    let port = free_port();
    let config = config(port, free_port(), free_port(), backend);
    let config = config.replace(&format!("127.0.0.1:{backend}"), &format!("https://models.test:{backend}"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    fs::write(&file, pem).unwrap();
    let servers = format!("127.0.0.1:{}", name_server());
    let spec =
        RouterSpec::serve(BINARY, &config, port).env("VLLM_SR_DNS", servers).env("SSL_CERT_FILE", file);
    let router = spec.env("HTTPS_PROXY", "").env("https_proxy", "").start();
    let answer = RawClient::post_json(port, "/v1/chat/completions", BODY);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    router.terminate();
}

#[test]
fn an_environment_that_cannot_be_used_is_an_error_and_shows_no_credentials() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(free_port(), free_port(), free_port(), 9))
        .unwrap();
    for (name, value) in [("VLLM_SR_DNS", "dns.example"), ("HTTPS_PROXY", "socks5://ann:s3cret@proxy:1080")] {
        for command in ["serve", "validate"] {
            let output = Command::new(BINARY)
                .args([command, "--config", "config.yaml"])
                .current_dir(directory.path())
                .env_remove("https_proxy")
                .env(name, value)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{command} with {name}");
            let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert!(told.contains(name) && !told.contains("s3cret"), "{told}");
        }
    }
}
