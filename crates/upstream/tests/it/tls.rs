//! TLS to a server whose certificate comes from the test's own authority.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use vsr_upstream::{Client, ClientConfig, Endpoint, ErrorKind, Http2, Proxy, TlsRoots, Via, Way};

use crate::{
    http2::Raw,
    server::{OK, PATIENT, Peer, Server, client, get, post},
};

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
        self.acceptor_of(names, &["h2", "http/1.1"], None)
    }

    /// A certificate for `names`, and its key.
    fn certified(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        (CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Picks the first of `protocols` that is offered; asks clients for certificates of `clients`.
    fn acceptor_of(&self, names: &[&str], protocols: &[&str], clients: Option<&Self>) -> TlsAcceptor {
        let (certificate, key) = self.certified(names);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                let pem = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
                roots.add(pem).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    fn roots(&self) -> TlsRoots {
        TlsRoots::none().with_pem(self.pem.as_bytes(), "test authority").unwrap()
    }

    fn trusting_client(&self) -> Client {
        Client::new(&ClientConfig { tls: self.roots(), ..ClientConfig::default() })
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

fn by(host: &str, server: &Server, way: Way) -> Arc<Endpoint> {
    Arc::new(Endpoint::clone(&https(host, server)).by(way))
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered_and_picked() {
    let (server, authority) = (Server::start().await, Authority::new());
    let client = authority.trusting_client();
    let mut peers = Vec::new();
    for http2 in [Http2::Offered, Http2::Only] {
        let endpoint = by("localhost", &server, Way { http2, ..Way::default() });
        let acceptor = authority.acceptor(&["localhost"]);
        let (response, peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
            let peer = accept(&server, &acceptor).await.unwrap();
            let mut peer = Raw::start(peer.stream, &[]).await;
            let stream = peer.wait_headers().await;
            peer.answer(stream).await;
            peer
        });
        assert_eq!(response.unwrap().body.collect(2).await.unwrap(), "ok");
        peers.push(peer);
    }
    assert_eq!(client.multiplexed_connections(), 2);
}

#[tokio::test]
async fn a_server_that_picks_http1_is_spoken_to_so_unless_only_http2_will_do() {
    let (server, authority) = (Server::start().await, Authority::new());
    let client = authority.trusting_client();
    let endpoint = by("localhost", &server, Way { http2: Http2::Offered, ..Way::default() });
    let acceptor = authority.acceptor_of(&["localhost"], &["http/1.1"], None);
    let (response, mut peer) = tokio::join!(client.send(post(&endpoint, "hello"), &PATIENT), async {
        let mut peer = accept(&server, &acceptor).await.unwrap();
        let seen = peer.answer(OK).await;
        assert!(seen.head.starts_with("POST /secret-path?secret-query HTTP/1.1\r\n"), "{}", seen.head);
        assert!(seen.head.contains(&format!("host: localhost:{}\r\n", server.port())), "{}", seen.head);
        peer
    });
    assert_eq!(response.unwrap().body.collect(2).await.unwrap(), "ok");
    let (response, _) = tokio::join!(client.send(get(&endpoint), &PATIENT), peer.answer(OK));
    assert!(response.unwrap().reused);
    let endpoint = by("localhost", &server, Way { http2: Http2::Only, ..Way::default() });
    let (outcome, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), accept(&server, &acceptor));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Tls);
}

#[tokio::test]
async fn an_endpoint_may_trust_other_authorities_than_its_client_and_none_besides() {
    let (server, ours, theirs) = (Server::start().await, Authority::new(), Authority::new());
    let client = theirs.trusting_client();
    let acceptor = ours.acceptor_of(&["localhost"], &["http/1.1"], None);
    let own = by("localhost", &server, Way { tls: Some(ours.roots()), ..Way::default() });
    let (response, _peer) = tokio::join!(client.send(get(&own), &PATIENT), async {
        let mut peer = accept(&server, &acceptor).await.unwrap();
        peer.answer(OK).await;
        peer
    });
    assert_eq!(response.unwrap().status, 200);
    // The connection that stands is not for those who trust differently.
    let plain = https("localhost", &server);
    let (outcome, _peer) = tokio::join!(client.send(get(&plain), &PATIENT), accept(&server, &acceptor));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Tls);
    let acceptor = theirs.acceptor_of(&["localhost"], &["http/1.1"], None);
    let own =
        by("localhost", &server, Way { tls: Some(ours.roots()), http2: Http2::Offered, ..Way::default() });
    let (outcome, _peer) = tokio::join!(client.send(get(&own), &PATIENT), accept(&server, &acceptor));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Tls);
}

#[tokio::test]
async fn a_server_that_asks_for_it_is_shown_the_routers_certificate() {
    let (server, authority, clients) = (Server::start().await, Authority::new(), Authority::new());
    let (certificate, key) = clients.certified(&["router.example"]);
    let tls = authority.roots();
    let (pem, key_pem) = (certificate.pem(), key.serialize_pem());
    let tls = tls.with_identity(pem.as_bytes(), key_pem.as_bytes(), "router.pem").unwrap();
    let acceptor = authority.acceptor_of(&["localhost"], &["http/1.1"], Some(&clients));
    let endpoint = by("localhost", &server, Way { tls: Some(tls), ..Way::default() });
    let client = client();
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = accept(&server, &acceptor).await.unwrap();
        peer.answer(OK).await;
        let shown = peer.stream.get_ref().1.peer_certificates().unwrap().to_vec();
        assert_eq!(shown, [certificate.der().clone()]);
        peer
    });
    assert_eq!(response.unwrap().status, 200);
    let other = KeyPair::generate().unwrap().serialize_pem();
    for (pem, key) in [(pem.as_str(), other.as_str()), (&pem, "no key"), ("", &key_pem), (&key_pem, &key_pem)]
    {
        let outcome = TlsRoots::none().with_identity(pem.as_bytes(), key.as_bytes(), "router.pem");
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCertificates);
        assert!(error.to_string().starts_with("router.pem: "), "{error}");
    }
}

#[tokio::test]
async fn tls_goes_through_a_proxys_tunnel_to_the_server_itself() {
    let (server, authority) = (Server::start().await, Authority::new());
    let proxy = Proxy::parse(&format!("127.0.0.1:{}", server.port())).unwrap();
    let endpoint = Endpoint::parse("https://models.example").unwrap();
    let endpoint = Arc::new(endpoint.by(Way { via: Via::Proxy(proxy), ..Way::default() }));
    let acceptor = authority.acceptor(&["models.example"]);
    let client = authority.trusting_client();
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut tunnel = server.accept().await;
        let connect = tunnel.answer("HTTP/1.0 200 OK\r\n\r\n").await;
        assert!(connect.head.starts_with("CONNECT models.example:443 HTTP/1.1\r\n"), "{}", connect.head);
        let mut peer = Peer { stream: acceptor.accept(tunnel.stream).await.unwrap() };
        assert_eq!(peer.stream.get_ref().1.server_name(), Some("models.example"));
        peer.answer(OK).await;
        peer
    });
    assert_eq!(response.unwrap().status, 200);
}
