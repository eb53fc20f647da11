//! Which addresses a client that must stay on the public internet refuses.

use std::net::IpAddr;

use vsr_upstream::{AddressPolicy, Client, ClientConfig, ErrorKind};

use crate::server::{PATIENT, Server, get};

#[test]
fn addresses_that_are_not_public_are_refused() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert!(!AddressPolicy::PublicOnly.permits(address), "{address} is not public");
        assert!(AddressPolicy::Any.permits(address));
    }
}

#[test]
fn public_addresses_are_permitted() {
    for address in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "3fff:1000::1",
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert!(AddressPolicy::PublicOnly.permits(address), "{address} is public");
    }
}

#[tokio::test]
async fn a_public_only_client_does_not_even_connect_to_loopback() {
    let server = Server::start().await;
    let client =
        Client::new(&ClientConfig { address_policy: AddressPolicy::PublicOnly, ..ClientConfig::default() });
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"] {
        let endpoint = format!("http://{host}:{}", server.port()).parse().unwrap();
        let error = client.send(get(&std::sync::Arc::new(endpoint)), &PATIENT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddressRefused, "{host}");
        assert!(error.is_before_request_sent());
    }
    let accepted =
        std::future::poll_fn(|cx| std::task::Poll::Ready(server.listener.poll_accept(cx).is_ready())).await;
    assert!(!accepted);
}
