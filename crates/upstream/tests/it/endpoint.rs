//! Endpoints as operators write them.

use proptest::prelude::*;
use vsr_upstream::{Endpoint, ErrorKind, Scheme};

#[test]
fn endpoints_are_parsed_with_their_default_ports() {
    for (url, authority, host_header) in [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://backend", "backend:80", "backend"),
        ("http://backend:80/", "backend:80", "backend"),
        ("https://API.Example.com", "api.example.com:443", "api.example.com"),
        ("HTTPS://api.example.com:80", "api.example.com:80", "api.example.com:80"),
        ("http://[::1]:9", "[::1]:9", "[::1]:9"),
        ("https://[2001:DB8:0::1]", "[2001:db8::1]:443", "[2001:db8::1]"),
        (
            "http://my_backend-1.ns.svc.cluster.local.:8000",
            "my_backend-1.ns.svc.cluster.local:8000",
            "my_backend-1.ns.svc.cluster.local:8000",
        ),
    ] {
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(
            (endpoint.authority(), endpoint.host_header().to_str().unwrap()),
            (authority, host_header),
            "{url}"
        );
    }
}

#[test]
fn a_base_url_yields_its_path_without_a_trailing_slash() {
    let path_of = |url| Endpoint::parse_with_path(url).unwrap().1;
    assert_eq!(path_of("https://api.example.com"), "");
    assert_eq!(path_of("https://api.example.com/"), "");
    assert_eq!(path_of("https://api.example.com/v1/"), "/v1");
    assert_eq!(path_of("https://api.example.com:8443/openai/v1"), "/openai/v1");
}

#[test]
fn an_address_and_port_alone_take_the_scheme_they_are_given() {
    let endpoint = Endpoint::from_authority(Scheme::Https, "10.0.0.1:8000").unwrap();
    assert_eq!(endpoint.to_string(), "https://10.0.0.1:8000");
    assert_eq!(endpoint.scheme(), Scheme::Https);
    assert_eq!(endpoint.port(), 8000);
}

#[test]
fn what_is_no_endpoint_is_refused_with_the_reason() {
    for (url, reason) in [
        ("", "does not begin with http:// or https://"),
        ("backend:8000", "does not begin with http:// or https://"),
        ("ftp://backend", "does not begin with http:// or https://"),
        ("http://", "has no host"),
        ("http://:80", "has no host"),
        ("http://backend:", "needs a port between 1 and 65535"),
        ("http://backend:0", "needs a port between 1 and 65535"),
        ("http://backend:65536", "needs a port between 1 and 65535"),
        ("http://backend:+80", "needs a port between 1 and 65535"),
        ("http://user:hunter2@backend", "holds credentials"),
        ("http://user:hunter2/slash@backend", "holds credentials"),
        ("http://user:hunter2:/@backend", "holds credentials"),
        ("http://::1:80", "put an IPv6 address in brackets"),
        ("http://[::1", "put an IPv6 address in brackets"),
        ("http://[fe80::1%25eth0]", "is not an IPv6 address"),
        ("http://[::1]x:80", "is not a valid host name"),
        ("http://b\u{fc}ro.example", "xn--"),
        ("http://a b", "is not a valid host name"),
        ("http://a..b", "is not a valid host name"),
        ("http://127.1", "is not a valid host name"),
        ("http://0x7f000001", "is not a valid host name"),
        ("http://2130706433", "is not a valid host name"),
        ("http://256.0.0.1", "is not a valid host name"),
        ("http://backend\r\nx", "is not a valid host name"),
        ("http://backend/v1", "has a path"),
        ("http://backend?key=hunter2", "has a query or fragment"),
        ("http://backend/v1#hunter2", "has a query or fragment"),
        ("http://backend/a b", "characters that a URL path cannot hold"),
    ] {
        let error = Endpoint::parse(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidEndpoint, "{url}");
        let text = error.to_string();
        assert!(text.contains(reason), "{url}: {text}");
        assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_showing_credentials(url in "(https?://)?\\PC{0,20}(:hunter2)?@?\\PC{0,30}") {
        match Endpoint::parse_with_path(&url) {
            Ok((endpoint, path)) => {
                let again = Endpoint::parse(&endpoint.to_string()).unwrap();
                prop_assert_eq!(&again, &endpoint);
                prop_assert!(path.is_empty() || path.starts_with('/'));
            }
            Err(error) => prop_assert!(!url.contains('@') || !error.to_string().contains("hunter2")),
        }
    }

    #[test]
    fn a_name_and_port_come_back_as_they_were_written(name in "[a-z]([a-z0-9-]{0,20}[a-z])?(\\.[a-z]([a-z0-9]{0,8}))?", port in 1_u16..) {
        let endpoint = Endpoint::parse(&format!("http://{name}:{port}")).unwrap();
        prop_assert_eq!(endpoint.authority(), format!("{name}:{port}"));
        let header = endpoint.host_header().to_str().unwrap();
        prop_assert_eq!(header, if port == 80 { name } else { format!("{name}:{port}") });
    }

    #[test]
    fn an_ipv6_address_comes_back_in_brackets(address: std::net::Ipv6Addr, port in 1_u16..) {
        let endpoint = Endpoint::parse(&format!("https://[{address}]:{port}")).unwrap();
        prop_assert_eq!(endpoint.authority(), format!("[{address}]:{port}"));
    }
}
