//! Listeners with TLS: handshakes, certificates that change, clients that have to show one.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tempfile::TempDir;
use vsr_testkit::{Backend, Behaviour, Fault, Gate};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting, refusal_to_compile};

/// An authority of the test's own.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A directory with the files of a listener.
pub(crate) struct Files(TempDir);

pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate and its key, as PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Settings of a client that trusts this authority and shows `shown`, if anything.
    pub(crate) fn client(&self, shown: Option<(String, String)>, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Files {
    pub(crate) fn of((certificate, key): &(String, String)) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("cert.pem", certificate);
        files.write("key.pem", key);
        files
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The listener's `tls`.
    pub(crate) fn listener(&self) -> String {
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        let mut text =
            format!("tls:\n  cert_file: {}\n  key_file: {}\n", certificate.display(), key.display());
        if self.path("ca.pem").exists() {
            text.push_str(&format!("  client_ca_file: {}\n", self.path("ca.pem").display()));
        }
        text
    }
}

fn connect(scene: &Scene, config: &Arc<ClientConfig>) -> io::Result<Secure> {
    connect_to(scene.addresses[0], config)
}

fn connect_to(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Secure> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(vsr_testkit::DEADLINE))?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream);
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock)?;
    }
    Ok(client)
}

/// Sends a chat on a connection that is closed after it, and returns the bytes that come.
fn ask(client: &mut Secure, body: &str) -> io::Result<String> {
    let length = body.len();
    client.write_all(
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .as_bytes(),
    )?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The certificate that new connections are shown.
fn shown(scene: &Scene, config: &Arc<ClientConfig>) -> Vec<u8> {
    let client = connect(scene, config).unwrap();
    client.conn.peer_certificates().unwrap()[0].to_vec()
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

fn scene(files: &Files) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener(&files.listener()));
    (backend, scene)
}

#[test]
fn a_client_is_answered_over_tls_and_the_close_is_a_clean_one() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let (_backend, scene) = scene(&files);
    let mut client = connect(&scene, &authority.client(None, &["http/1.1"])).unwrap();
    assert_eq!(client.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    for body in [CHAT, STREAM] {
        let mut client = connect(&scene, &authority.client(None, &[])).unwrap();
        // An end without the TLS farewell would be an error.
        let answer = ask(&mut client, body).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert!(ask(&mut client, CHAT).unwrap().contains("\"choices\""));
}

#[test]
fn a_protocol_that_is_not_spoken_and_a_client_in_clear_are_refused() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let (backend, scene) = scene(&files);
    assert!(connect(&scene, &authority.client(None, &["spdy/3"])).is_err());
    let mut clear = scene.connect();
    clear.send_request("POST", CHAT_PATH, &[], CHAT.as_bytes());
    let text = clear.read_to_close();
    assert!(!text.starts_with(b"HTTP"), "{text:?}");
    assert!(backend.requests().is_empty());
    let refused = scene.wait_metric("llm_request_errors_total{model=\"unknown\",reason=\"tls_handshake\"}");
    assert!(refused == "1" || refused == "2", "{refused}");
}

#[test]
fn a_handshake_that_does_not_end_is_cut_off() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let backend = Backend::start(Behaviour::default());
    let listener = format!("limits: {{header_timeout: 150ms}}\n{}", files.listener());
    let scene = Scene::set(&backend, &Setting::listener(&listener));
    let mut silent = scene.connect();
    assert!(silent.read_to_close().is_empty());
    let mut slow = scene.connect();
    // The beginning of a record.
    slow.send(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    slow.read_to_close();
}

#[test]
fn a_renewed_certificate_is_for_new_connections_and_a_broken_one_for_none() {
    let authority = Authority::new();
    let first = authority.issue("localhost");
    let files = Files::of(&first);
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::set(&backend, &Setting::listener(&files.listener()));
    let config = authority.client(None, &[]);
    assert_eq!(shown(&scene, &config), der(&first.0));

    let mut open = connect(&scene, &config).unwrap();
    let asked = std::thread::spawn(move || ask(&mut open, CHAT));
    gate.wait_arrived(1);

    // A key that does not belong to the certificate: the one before stays.
    let second = authority.issue("localhost");
    files.write("cert.pem", &second.0);
    scene.listeners.renew_certificates();
    assert_eq!(shown(&scene, &config), der(&first.0));
    files.write("key.pem", &second.1);
    scene.listeners.renew_certificates();
    assert_eq!(shown(&scene, &config), der(&second.0));
    fs::remove_file(files.path("key.pem")).unwrap();
    scene.listeners.renew_certificates();
    assert_eq!(shown(&scene, &config), der(&second.0));

    gate.open();
    assert!(asked.join().unwrap().unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn renewals_under_load_fail_no_request() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let (_backend, scene) = scene(&files);
    let config = authority.client(None, &[]);
    let (address, stop) = (scene.addresses[0], AtomicBool::new(false));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut answered = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let answer = ask(&mut connect_to(address, &config).unwrap(), CHAT).unwrap();
                        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        let mut last = Vec::new();
        for _ in 0..20 {
            let (certificate, key) = authority.issue("localhost");
            files.write("cert.pem", &certificate);
            // For a moment one does not belong to the other.
            scene.listeners.renew_certificates();
            files.write("key.pem", &key);
            scene.listeners.renew_certificates();
            last = der(&certificate);
            assert_eq!(shown(&scene, &config), last);
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
        assert_eq!(shown(&scene, &config), last);
    });
}

#[test]
fn certificates_are_followed_without_being_told() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let (_backend, scene) = scene(&files);
    let (certificate, key) = authority.issue("localhost");
    files.write("cert.pem", &certificate);
    files.write("key.pem", &key);
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    let config = authority.client(None, &[]);
    while shown(&scene, &config) != der(&certificate) {
        assert!(std::time::Instant::now() < deadline, "the certificate stayed");
        std::thread::yield_now();
    }
}

#[test]
fn a_new_configuration_switches_tls_on_and_off() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("localhost"));
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let mut clear = scene.connect();
    clear.send_request("POST", CHAT_PATH, &[], CHAT.as_bytes());
    assert_eq!(clear.read_response().status(), 200);
    let config = authority.client(None, &[]);
    scene.reload(&Setting::listener(&files.listener()).yaml(backend.port()));
    assert!(ask(&mut connect(&scene, &config).unwrap(), CHAT).unwrap().starts_with("HTTP/1.1 200"));
    assert!(clear.read_to_close().is_empty(), "nobody goes on in clear");
    scene.reload(&Setting::default().yaml(backend.port()));
    assert_eq!(scene.chat(CHAT).status(), 200);
}

#[test]
fn a_client_has_to_show_a_certificate_of_the_right_authority() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::of(&authority.issue("localhost"));
    files.write("ca.pem", &clients.pem);
    let (backend, scene) = scene(&files);
    for shown in [None, Some(strangers.issue("somebody"))] {
        let config = authority.client(shown, &[]);
        // With TLS 1.3 the client learns of it when it reads.
        assert!(connect(&scene, &config).and_then(|mut client| ask(&mut client, CHAT)).is_err());
    }
    assert!(backend.requests().is_empty());
    let config = authority.client(Some(clients.issue("somebody")), &[]);
    for _ in 0..2 {
        let mut client = connect(&scene, &config).unwrap();
        assert!(ask(&mut client, CHAT).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.conn.handshake_kind(), Some(rustls::HandshakeKind::Full), "none is resumed");
    }
}

#[test]
fn files_that_cannot_be_used_are_told_with_their_place() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let other_key = authority.issue("localhost").1;
    for (name, text, key_name, says) in [
        ("cert.pem", "", "cert_file", "holds no certificate"),
        (
            "cert.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "cert_file",
            "cannot be used",
        ),
        ("key.pem", "no key", "key_file", "holds no private key"),
        ("key.pem", other_key.as_str(), "key_file", "does not belong to the certificate"),
        ("ca.pem", "", "client_ca_file", "holds no certificate"),
    ] {
        let files = Files::of(&(certificate.clone(), key.clone()));
        files.write(name, text);
        let yaml = Setting::listener(&files.listener()).yaml(1);
        let line = 1 + yaml.lines().position(|line| line.trim_start().starts_with(key_name)).unwrap();
        let problems = refusal_to_compile(&yaml);
        assert!(problems.contains(&format!("test.yaml:{line}:")) && problems.contains(says), "{problems}");
        assert!(!problems.contains("PRIVATE KEY-----"), "{problems}");
    }
    let files = Files::of(&(certificate, key));
    fs::remove_file(files.path("key.pem")).unwrap();
    let problems = refusal_to_compile(&Setting::listener(&files.listener()).yaml(1));
    assert!(problems.contains("key.pem` cannot be read"), "{problems}");
}
