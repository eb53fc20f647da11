//! TLS to a server whose certificate comes from the test's own authority.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use vsr_upstream::{Client, ClientConfig, Endpoint, ErrorKind, TlsRoots};

use crate::server::{OK, PATIENT, Peer, Server, client, get, post};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn acceptor(&self, names: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    fn trusting_client(&self) -> Client {
        let tls = TlsRoots::none().with_pem(self.pem.as_bytes(), "test authority").unwrap();
        Client::new(&ClientConfig { tls, ..ClientConfig::default() })
    }
}

async fn accept(server: &Server, acceptor: &TlsAcceptor) -> std::io::Result<Peer<TlsStream<TcpStream>>> {
    Ok(Peer { stream: acceptor.accept(server.accept().await.stream).await? })
}

fn https(host: &str, server: &Server) -> Arc<Endpoint> {
    Arc::new(Endpoint::parse(&format!("https://{host}:{}", server.port())).unwrap())
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_spoken_to_and_its_connection_kept() {
    let (server, authority) = (Server::start().await, Authority::new());
    let acceptor = authority.acceptor(&["localhost"]);
    let (client, endpoint) = (authority.trusting_client(), https("localhost", &server));
    let (response, mut peer) = tokio::join!(client.send(post(&endpoint, "hello"), &PATIENT), async {
        let mut peer = accept(&server, &acceptor).await.unwrap();
        assert_eq!(peer.answer(OK).await.body, b"hello");
        peer
    });
    assert_eq!(peer.stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(peer.stream.get_ref().1.server_name(), Some("localhost"));
    assert_eq!(response.unwrap().body.collect(2).await.unwrap(), "ok");

    let (response, _) = tokio::join!(client.send(get(&endpoint), &PATIENT), peer.answer(OK));
    assert!(response.unwrap().reused);
}

#[tokio::test]
async fn a_certificate_for_an_address_serves_that_address() {
    let (server, authority) = (Server::start().await, Authority::new());
    let acceptor = authority.acceptor(&["127.0.0.1"]);
    let (client, endpoint) = (authority.trusting_client(), https("127.0.0.1", &server));
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = accept(&server, &acceptor).await.unwrap();
        peer.answer(OK).await;
        peer
    });
    assert_eq!(response.unwrap().status, 200);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (server, authority) = (Server::start().await, Authority::new());
    let acceptor = authority.acceptor(&["other.example.com"]);
    let (client, endpoint) = (authority.trusting_client(), https("localhost", &server));
    let (outcome, peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), accept(&server, &acceptor));
    let error = outcome.unwrap_err();
    assert!(peer.is_err());
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.is_before_request_sent());
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_certificate_from_an_unknown_authority_is_refused() {
    let (server, authority) = (Server::start().await, Authority::new());
    let acceptor = authority.acceptor(&["localhost"]);
    for tls in [TlsRoots::system(), TlsRoots::embedded(), TlsRoots::none()] {
        let client = Client::new(&ClientConfig { tls, ..ClientConfig::default() });
        let endpoint = https("localhost", &server);
        let (outcome, peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), accept(&server, &acceptor));
        assert!(peer.is_err());
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    }
}

#[tokio::test]
async fn a_plain_server_does_not_pass_for_tls() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), https("localhost", &server));
    let (outcome, ()) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = server.accept().await;
        peer.write("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.closed().await;
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Tls);
}

#[tokio::test]
async fn a_body_cut_off_without_the_tls_farewell_is_truncated() {
    let (server, authority) = (Server::start().await, Authority::new());
    let acceptor = authority.acceptor(&["localhost"]);
    let (client, endpoint) = (authority.trusting_client(), https("localhost", &server));
    let (response, peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = accept(&server, &acceptor).await.unwrap();
        peer.answer("HTTP/1.1 200 OK\r\n\r\nuntil the end, or is it").await;
        peer
    });
    drop(peer.stream.into_inner().0);
    assert_eq!(response.unwrap().body.collect(100).await.unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn certificates_that_cannot_be_read_are_refused_by_name() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = TlsRoots::none().with_pem(pem.as_bytes(), "ca.pem").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCertificates);
        assert!(error.to_string().starts_with("ca.pem: "), "{error}");
    }
}
