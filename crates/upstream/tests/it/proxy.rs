//! Servers behind an HTTP proxy that the test plays.

use std::{collections::HashMap, sync::Arc, time::Duration};

use vsr_upstream::{
    AddressPolicy, Client, ClientConfig, Endpoint, Error, ErrorKind, Http2, Proxies, Proxy, Timeouts, Via,
    Way, parse_name_servers,
};

use crate::server::{OK, PATIENT, Server, client, get, post};

fn through(server: &Server, credentials: &str) -> Way {
    let proxy = Proxy::parse(&format!("http://{credentials}127.0.0.1:{}", server.port())).unwrap();
    Way { via: Via::Proxy(proxy), ..Way::default() }
}

fn far(way: Way) -> Arc<Endpoint> {
    Arc::new(Endpoint::parse("http://models.example:8000").unwrap().by(way))
}

/// What comes of a call through a proxy that answers so.
async fn refused(answer: &[u8]) -> Error {
    let proxy = Server::start().await;
    let (client, endpoint) = (client(), far(through(&proxy, "ann:s3cret@")));
    let (outcome, ()) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = proxy.accept().await;
        peer.request().await;
        peer.write(answer).await;
        drop(peer);
    });
    let error = outcome.unwrap_err();
    assert!(error.is_before_request_sent());
    assert!(!error.to_string().contains("s3cret"), "{error}");
    error
}

#[tokio::test]
async fn a_tunnel_is_asked_for_with_the_credentials_and_the_request_goes_through_it() {
    let proxy = Server::start().await;
    let (client, endpoint) = (client(), far(through(&proxy, "ann:p%40ss%zz@")));
    let (response, (connect, seen, mut peer)) =
        tokio::join!(client.send(post(&endpoint, "hello"), &PATIENT), async {
            let mut peer = proxy.accept().await;
            let connect = peer.answer("HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n").await;
            let seen = peer.answer(OK).await;
            (connect, seen, peer)
        });
    // ann:p@ss%zz
    assert_eq!(
        connect.head,
        "CONNECT models.example:8000 HTTP/1.1\r\nhost: models.example:8000\r\n\
         proxy-authorization: Basic YW5uOnBAc3Mleno=\r\n\r\n"
    );
    assert_eq!(seen.body, b"hello");
    assert!(seen.head.contains("host: models.example:8000\r\n"), "{}", seen.head);
    assert!(!seen.head.contains("proxy-authorization"), "{}", seen.head);
    assert_eq!(response.unwrap().body.collect(2).await.unwrap(), "ok");
    // The tunnel is kept as any connection is.
    let (response, _) = tokio::join!(client.send(get(&endpoint), &PATIENT), peer.answer(OK));
    assert!(response.unwrap().reused);
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_told_of_without_its_credentials() {
    for (answer, said) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "does not accept the credentials"),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "status 403"),
        ("HTTP/1.1 302 Found\r\nlocation: http://elsewhere\r\n\r\n", "status 302"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "not valid HTTP"),
        ("HTTP/1.1 200 OK\r\nhalf a hea", "closed the connection"),
        ("", "closed the connection"),
    ] {
        let error = refused(answer.as_bytes()).await;
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let endless = [b"HTTP/1.1 200 OK\r\n".as_slice(), "x-filler: y\r\n".repeat(3000).as_bytes()].concat();
    let error = refused(&endless).await;
    assert!(error.to_string().contains("has no end"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_or_does_not_answer_costs_the_time_to_connect() {
    let proxy = Server::start().await;
    let endpoint = far(through(&proxy, ""));
    let timeouts = Timeouts { connect: Duration::from_millis(100), ..PATIENT };
    let error = client().send(get(&endpoint), &timeouts).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(error.to_string().contains("waiting for the proxy's tunnel"), "{error}");
    let way = through(&proxy, "");
    drop(proxy);
    let error = client().send(get(&far(way)), &PATIENT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proxy);
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn not_one_byte_behind_the_proxys_answer_is_lost() {
    let proxy = Server::start().await;
    let way = Way { http2: Http2::Only, ..through(&proxy, "") };
    let endpoint = far(way);
    let client = client();
    let (response, mut peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        let mut peer = proxy.accept().await;
        peer.request().await;
        // An HTTP/2 server speaks first: its settings come with the proxy's answer.
        peer.write([b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat()).await;
        let mut peer = crate::http2::Raw::greeted(peer.stream).await;
        assert_eq!(peer.wait_headers().await, 1);
        peer.answer(1).await;
        peer
    });
    assert_eq!(response.unwrap().status, 200);
    drop(client);
    peer.closed().await;
}

#[tokio::test]
async fn a_client_of_public_addresses_does_not_reach_others_through_a_proxy() {
    let proxy = Server::start().await;
    let config = ClientConfig { address_policy: AddressPolicy::PublicOnly, ..ClientConfig::default() };
    let endpoint = Endpoint::parse("http://10.0.0.1").unwrap().by(through(&proxy, ""));
    let error = Client::new(&config).send(get(&Arc::new(endpoint)), &PATIENT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddressRefused);
    let endpoint = Arc::new(Endpoint::parse("http://1.1.1.1").unwrap().by(through(&proxy, "")));
    let client = Client::new(&config);
    let (_, connect) = tokio::join!(client.send(get(&endpoint), &PATIENT), async {
        proxy.answer("HTTP/1.1 403 Forbidden\r\n\r\n").await
    });
    drop(connect);
}

fn variables(written: &[(&str, &str)]) -> Result<Proxies, Error> {
    let written: HashMap<_, _> = written.iter().copied().collect();
    Proxies::from_variables(&|name| written.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn the_environment_says_which_servers_are_behind_which_proxy() {
    let proxies = variables(&[
        ("HTTPS_PROXY", "http://upper:1"),
        ("https_proxy", "http://lower:1"),
        ("HTTP_PROXY", "plain:3128"),
        ("NO_PROXY", "internal.example, .corp ,10.0.0.0/8,[fd00::1],8.8.8.8:443,*.svc:8000"),
    ])
    .unwrap();
    let lower = Proxy::parse("http://lower:1").unwrap();
    let plain = Proxy::parse("http://plain:3128/").unwrap();
    for (url, expected) in [
        ("https://api.openai.com", Some(&lower)),
        ("http://api.example", Some(&plain)),
        ("https://internal.example", None),
        ("https://INTERNAL.example.:444", None),
        ("https://a.internal.example", None),
        ("https://notinternal.example", Some(&lower)),
        ("https://x.corp", None),
        ("https://corp", None),
        ("http://10.200.0.1:8000", None),
        ("http://11.0.0.1", Some(&plain)),
        ("http://[fd00::1]", None),
        ("https://8.8.8.8", None),
        ("https://8.8.8.8:444", Some(&lower)),
        ("http://vllm.svc:8000", None),
        ("http://vllm.svc", Some(&plain)),
        ("http://127.0.0.1:8000", None),
        ("http://localhost:8000", None),
        ("http://[::1]:8000", None),
    ] {
        assert_eq!(proxies.find(&Endpoint::parse(url).unwrap()), expected, "{url}");
    }
    let all = variables(&[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", "*")]).unwrap();
    assert_eq!(all.find(&Endpoint::parse("http://a").unwrap()), None);
    assert_eq!(variables(&[("HTTPS_PROXY", "  ")]).unwrap(), Proxies::default());
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_and_no_credentials_are_shown() {
    for written in [
        "socks5://ann:s3cret@p:1080",
        "https://ann:s3cret@p",
        "http://ann:s3cret@",
        "http://ann:s3cret@p:0",
        "http://ann:s3cret@p/path",
        "ann:s3cret@p/@",
        "http://",
        "",
    ] {
        let error = Proxy::parse(written).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        if !written.is_empty() {
            let error = variables(&[("HTTPS_PROXY", written)]).unwrap_err();
            assert!(error.to_string().starts_with("HTTPS_PROXY: "), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
    let proxy = Proxy::parse("http://ann:s3cret@p:1").unwrap();
    let endpoint = Endpoint::parse("http://a").unwrap().by(Way { via: Via::Proxy(proxy), ..Way::default() });
    assert!(!format!("{endpoint:?} {endpoint}").contains("s3cret"));
}

#[test]
fn name_servers_are_read_with_and_without_ports() {
    let servers = parse_name_servers(" 10.0.0.2, [fd00::2]:5353 fd00::3,1.2.3.4:54 ").unwrap();
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["10.0.0.2:53", "[fd00::2]:5353", "[fd00::3]:53", "1.2.3.4:54"]);
    for written in ["", " , ", "dns.example", "10.0.0.2:0", "10.0.0.2:port", "10.0.0.2;10.0.0.3"] {
        assert!(parse_name_servers(written).is_err(), "{written}");
    }
    let broken = ClientConfig::from_variables(&|name| (name == "VLLM_SR_DNS").then(|| "dns.example".into()));
    assert!(broken.unwrap_err().to_string().starts_with("VLLM_SR_DNS: "));
    let config = ClientConfig::from_variables(&|name| (name == "VLLM_SR_DNS").then(|| "127.0.0.1".into()));
    assert_eq!(config.unwrap().dns, Some(vec!["127.0.0.1:53".parse().unwrap()]));
}
