//! Which connections are kept, reused, replaced and closed.

use std::{sync::Arc, time::Duration};

use vsr_upstream::{Client, ClientConfig, Endpoint, ErrorKind};

use crate::server::{OK, PATIENT, Peer, Server, client, get, post};

/// One exchange answered with `OK` on a new connection, read to its end.
async fn exchange(client: &Client, server: &Server) -> Peer {
    let (response, peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(OK));
    assert_eq!(response.unwrap().body.collect(100).await.unwrap(), "ok");
    peer
}

#[tokio::test]
async fn a_connection_read_to_its_end_is_used_again() {
    let (server, client) = (Server::start().await, client());
    let mut peer = exchange(&client, &server).await;
    for _ in 0..3 {
        assert_eq!(client.idle_connections(), 1);
        let request = post(&server.endpoint, "hello");
        let (response, seen) =
            tokio::join!(async { client.send(request, &PATIENT).await.unwrap() }, peer.answer(OK));
        assert_eq!(seen.body, b"hello");
        assert!(response.reused);
        assert_eq!(response.timings.connect, None);
        assert_eq!(response.body.collect(2).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_first_exchange_reports_its_connect_time_and_no_reuse() {
    let (server, client) = (Server::start().await, client());
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(OK));
    let response = response.unwrap();
    assert!(!response.reused);
    assert!(response.timings.connect.is_some());
}

#[tokio::test]
async fn a_response_without_a_body_frees_its_connection_at_once() {
    let (server, client) = (Server::start().await, client());
    let answer = server.answer("HTTP/1.1 204 No Content\r\n\r\n");
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), answer);
    assert_eq!(response.unwrap().status, 204);
    assert_eq!(client.idle_connections(), 1);
}

#[tokio::test]
async fn endpoints_do_not_share_connections() {
    let (one, two, client) = (Server::start().await, Server::start().await, client());
    let _one = exchange(&client, &one).await;
    let _two = exchange(&client, &two).await;
    assert_eq!(client.idle_connections(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_its_server_closed_is_replaced_silently() {
    let (server, client) = (Server::start().await, client());
    let peer = exchange(&client, &server).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    // Closed, and the next request made, without the runtime having a chance to hear of it in between.
    drop(peer);
    let (response, _peer) =
        tokio::join!(client.send(post(&server.endpoint, "again"), &PATIENT), server.answer(OK));
    let response = response.unwrap();
    assert!(!response.reused);
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_kept_connection_that_was_reset_is_replaced_silently() {
    let (server, client) = (Server::start().await, client());
    let peer = exchange(&client, &server).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    peer.reset();
    let (response, _peer) =
        tokio::join!(client.send(post(&server.endpoint, "again"), &PATIENT), server.answer(OK));
    assert!(!response.unwrap().reused);
}

#[tokio::test]
async fn a_kept_connection_closed_after_it_took_the_request_is_a_reset_the_caller_must_judge() {
    let (server, client) = (Server::start().await, client());
    let mut peer = exchange(&client, &server).await;
    let (response, ()) = tokio::join!(client.send(post(&server.endpoint, "once"), &PATIENT), async {
        peer.request().await;
        drop(peer);
    });
    let error = response.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reset);
    assert!(error.is_on_reused_connection());
    assert!(!error.is_before_request_sent());
}

#[tokio::test]
async fn a_connection_on_which_the_server_speaks_unasked_is_discarded() {
    let (server, client) = (Server::start().await, client());
    let mut peer = exchange(&client, &server).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned").await;
    peer.closed().await;
    exchange(&client, &server).await;
}

#[tokio::test]
async fn bytes_behind_a_response_spoil_its_connection_and_not_the_next_response() {
    let (server, client) = (Server::start().await, client());
    let answer = format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned");
    let (response, mut peer) =
        tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(answer));
    assert_eq!(response.unwrap().body.collect(100).await.unwrap(), "ok");
    peer.closed().await;
    exchange(&client, &server).await;
}

#[tokio::test]
async fn a_response_that_says_close_is_not_followed_by_another_on_its_connection() {
    let (server, client) = (Server::start().await, client());
    let answer = server.answer("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    let (response, mut peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), answer);
    assert_eq!(response.unwrap().body.collect(100).await.unwrap(), "ok");
    peer.closed().await;
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn an_http_1_0_response_ends_with_its_connection() {
    let (server, client) = (Server::start().await, client());
    let (response, peer) = tokio::join!(
        client.send(get(&server.endpoint), &PATIENT),
        server.answer("HTTP/1.0 200 OK\r\n\r\nold")
    );
    drop(peer);
    assert_eq!(response.unwrap().body.collect(100).await.unwrap(), "old");
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn at_most_the_configured_number_of_idle_connections_is_kept_per_endpoint() {
    let server = Server::start().await;
    let client = Client::new(&ClientConfig { pool_max_idle_per_host: 2, ..ClientConfig::default() });
    let mut open = Vec::new();
    for _ in 0..4 {
        let (response, peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(OK));
        open.push((response.unwrap(), peer));
    }
    let mut peers = Vec::new();
    for (response, peer) in open {
        response.body.collect(100).await.unwrap();
        peers.push(peer);
    }
    assert_eq!(client.idle_connections(), 2);
    peers[0].closed().await;
    peers[1].closed().await;
    let (response, _) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), peers[3].answer(OK));
    assert!(response.unwrap().reused, "the newest connection is taken first");
}

#[tokio::test]
async fn the_oldest_idle_connection_gives_way_when_the_whole_pool_is_full() {
    let client = Client::new(&ClientConfig { pool_max_idle: 2, ..ClientConfig::default() });
    let mut kept = Vec::new();
    for _ in 0..3 {
        let server = Server::start().await;
        let peer = exchange(&client, &server).await;
        kept.push((server, peer));
    }
    kept[0].1.closed().await;
    assert_eq!(client.idle_connections(), 2);
}

#[tokio::test]
async fn a_pool_of_size_zero_keeps_nothing() {
    let server = Server::start().await;
    let client = Client::new(&ClientConfig { pool_max_idle_per_host: 0, ..ClientConfig::default() });
    exchange(&client, &server).await.closed().await;
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_timeout_though_nobody_asks() {
    let server = Server::start().await;
    let config = ClientConfig { pool_idle_timeout: Duration::from_millis(50), ..ClientConfig::default() };
    let client = Client::new(&config);
    for _ in 0..2 {
        exchange(&client, &server).await.closed().await;
        assert_eq!(client.idle_connections(), 0);
    }
}

#[tokio::test]
async fn a_server_that_announces_a_short_keep_alive_is_not_kept_longer() {
    let (server, client) = (Server::start().await, client());
    let answer = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=0, max=5\r\ncontent-length: 2\r\n\r\nok";
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(answer));
    response.unwrap().body.collect(100).await.unwrap();
    let (response, _peer) = tokio::join!(client.send(get(&server.endpoint), &PATIENT), server.answer(OK));
    assert!(!response.unwrap().reused);
}

#[tokio::test]
async fn dropping_the_client_closes_its_idle_connections() {
    let (server, client) = (Server::start().await, client());
    let mut peer = exchange(&client, &server).await;
    drop(client);
    peer.closed().await;
}

#[test]
fn a_client_used_from_two_runtimes_survives_the_end_of_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, first, second) = (client(), runtime(), runtime());
    let endpoint = first.block_on(async {
        let server = Server::start().await;
        exchange(&client, &server).await;
        Arc::clone(&server.endpoint)
    });
    drop(first);
    second.block_on(async {
        let server = Server::start_on(endpoint.authority()).await;
        exchange(&client, &server).await;
    });
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_error_before_the_request() {
    let endpoint: Arc<Endpoint> = Arc::clone(&Server::start().await.endpoint);
    let error = client().send(post(&endpoint, "never sent"), &PATIENT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_before_request_sent());
    assert!(!error.is_on_reused_connection());
    let text = error.to_string();
    assert!(text.starts_with(endpoint.authority()) && text.contains("refused"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
