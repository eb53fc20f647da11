//! Names, resolved by a name server on loopback that the test answers for.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::net::UdpSocket;
use vsr_upstream::{AddressPolicy, Client, ClientConfig, Endpoint, ErrorKind, Timeouts};

use crate::{
    server::{OK, PATIENT, Server, client, get},
    timeouts::Silent,
};

const A: u16 = 1;
const AAAA: u16 = 28;

/// A name server that knows the names under `.test` it was given, and counts what it is asked.
struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

struct Record {
    name: &'static str,
    address: IpAddr,
    ttl_seconds: u32,
}

fn record(name: &'static str, address: &str, ttl_seconds: u32) -> Record {
    Record { name, address: address.parse().unwrap(), ttl_seconds }
}

impl NameServer {
    async fn start(records: Vec<Record>) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                counter.fetch_add(1, Ordering::SeqCst);
                socket.send_to(&reply(&query[..length], &records), from).await.unwrap();
            }
        });
        Self { address, asked }
    }

    fn client(&self) -> Client {
        Client::new(&self.config())
    }

    fn config(&self) -> ClientConfig {
        ClientConfig { dns: Some(vec![self.address]), pool_max_idle_per_host: 0, ..ClientConfig::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Answers the one question of `query`: with the matching records, with none of its type, or with "no such name".
fn reply(query: &[u8], records: &[Record]) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let name = labels.join(".").to_lowercase();
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let known = records.iter().filter(|record| record.name == name);
    let answers: Vec<&Record> =
        known.clone().filter(|record| kind == if record.address.is_ipv4() { A } else { AAAA }).collect();
    let code = if known.count() == 0 { 3 } else { 0 };

    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1]);
    reply.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&query[12..at + 5]);
    for record in answers {
        let data = match record.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(record.ttl_seconds.to_be_bytes());
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    reply
}

fn named(host: &str, port: u16) -> Arc<Endpoint> {
    Arc::new(Endpoint::parse(&format!("http://{host}:{port}")).unwrap())
}

#[tokio::test]
async fn a_name_is_resolved_by_the_configured_name_server() {
    let server = Server::start().await;
    let names = NameServer::start(vec![record("backend.test", "127.0.0.1", 60)]).await;
    let endpoint = named("backend.test", server.port());
    let client = names.client();
    let (response, seen) =
        tokio::join!(client.send(get(&endpoint), &PATIENT), async { server.accept().await.answer(OK).await });
    assert_eq!(response.unwrap().status, 200);
    assert!(seen.head.contains(&format!("host: backend.test:{}\r\n", server.port())), "{}", seen.head);
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_to_live_and_no_longer() {
    let server = Server::start().await;
    let names = NameServer::start(vec![
        record("kept.test", "127.0.0.1", 60),
        record("kept.test", "::1", 60),
        record("fleeting.test", "127.0.0.1", 0),
    ])
    .await;
    let client = names.client();
    let mut asked = Vec::new();
    for host in ["kept.test", "kept.test", "fleeting.test", "fleeting.test"] {
        let before = names.asked();
        let endpoint = named(host, server.port());
        let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
        response.unwrap();
        asked.push(names.asked() > before);
    }
    assert_eq!(asked, [true, false, true, true]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_error_before_the_request() {
    let names = NameServer::start(vec![record("other.test", "127.0.0.1", 60)]).await;
    let error = names.client().send(get(&named("missing.test", 80)), &PATIENT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dns);
    assert!(error.is_before_request_sent());
    assert_eq!(error.to_string(), "missing.test:80: host name not resolved: no such name");
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_counts_as_connecting() {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let config = ClientConfig { dns: Some(vec![socket.local_addr().unwrap()]), ..ClientConfig::default() };
    let limits = Timeouts { connect: Duration::from_millis(80), ..PATIENT };
    let error = Client::new(&config).send(get(&named("backend.test", 80)), &limits).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(error.to_string().ends_with("gave up while resolving the name"), "{error}");
}

#[tokio::test]
async fn localhost_is_this_host_without_asking_anyone_and_either_family_serves() {
    let names = NameServer::start(vec![record("localhost", "192.0.2.1", 60)]).await;
    let client = names.client();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::start_on(address).await;
        for host in ["localhost", "LOCALHOST.", "models.localhost"] {
            let endpoint = named(host, server.port());
            let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
            assert_eq!(response.unwrap().status, 200);
        }
    }
    assert_eq!(names.asked(), 0);
}

#[tokio::test]
async fn a_name_in_the_hosts_file_needs_no_name_server() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut listed =
        hosts.lines().filter_map(|line| line.trim().strip_prefix("127.0.0.1")?.split_whitespace().next());
    let Some(name) = listed.rfind(|name| !name.ends_with("localhost")) else {
        println!("skipped: /etc/hosts lists no name of its own for 127.0.0.1");
        return;
    };
    let server = Server::start().await;
    let names = NameServer::start(Vec::new()).await;
    let (client, endpoint) = (names.client(), named(name, server.port()));
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
    assert_eq!(response.unwrap().status, 200);
    assert_eq!(names.asked(), 0);
}

#[tokio::test]
async fn an_address_that_refuses_gives_way_to_the_next() {
    let server = Server::start_on("127.0.0.1:0").await;
    let names =
        NameServer::start(vec![record("dual.test", "::1", 60), record("dual.test", "127.0.0.1", 60)]).await;
    let (client, endpoint) = (names.client(), named("dual.test", server.port()));
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
    assert_eq!(response.unwrap().status, 200);
}

#[tokio::test]
async fn an_address_that_never_answers_is_overtaken_by_the_next() {
    let silent = Silent::start_on("[::1]:0").await;
    let server = Server::start_on(&format!("127.0.0.1:{}", silent.address.port())).await;
    let names =
        NameServer::start(vec![record("dual.test", "::1", 60), record("dual.test", "127.0.0.1", 60)]).await;
    let (client, endpoint) = (names.client(), named("dual.test", server.port()));
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
    let connect = response.unwrap().timings.connect.unwrap();
    assert!(connect >= Duration::from_millis(250), "the second address was tried after {connect:?}");
}

#[tokio::test]
async fn a_name_that_points_inside_is_refused_where_only_the_public_internet_is_allowed() {
    let names = NameServer::start(vec![
        record("rebound.test", "169.254.169.254", 0),
        record("rebound.test", "::ffff:127.0.0.1", 0),
    ])
    .await;
    let client = Client::new(&ClientConfig { address_policy: AddressPolicy::PublicOnly, ..names.config() });
    let error = client.send(get(&named("rebound.test", 80)), &PATIENT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddressRefused);
}

#[test]
fn clients_on_several_threads_resolve_each_for_itself() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let main = runtime();
    let (server, names) = main.block_on(async {
        (Server::start().await, NameServer::start(vec![record("backend.test", "127.0.0.1", 0)]).await)
    });
    let endpoint = named("backend.test", server.port());
    let shared = names.client();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (client, endpoint) = (shared.clone(), Arc::clone(&endpoint));
            std::thread::spawn(move || {
                runtime().block_on(client.send(get(&endpoint), &PATIENT)).unwrap().status
            })
        })
        .collect();
    let peers =
        main.block_on(async { [server.answer(OK).await, server.answer(OK).await, server.answer(OK).await] });
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 200);
    }
    drop(peers);
}

#[tokio::test]
async fn an_address_needs_no_name_server() {
    let server = Server::start().await;
    let (client, endpoint) = (client(), Arc::clone(&server.endpoint));
    let (response, _peer) = tokio::join!(client.send(get(&endpoint), &PATIENT), server.answer(OK));
    assert_eq!(response.unwrap().status, 200);
}
