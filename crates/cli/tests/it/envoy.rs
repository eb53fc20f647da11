//! `config envoy`.

use std::fs;

use serde_json::Value;

use crate::{config, run, text};

#[test]
fn a_bootstrap_leads_to_every_listener_and_takes_no_identity_from_clients() {
    let directory = tempfile::tempdir().unwrap();
    let more = config(8899, 8080, 9190, 9).replace(
        "listeners: [",
        "listeners: [{name: all, address: 0.0.0.0, port: 9000, timeout: 60s, limits: {max_streams: 7}}, ",
    );
    let more = more + "    authz: {identity: {user_id_header: x-my-user}}\n";
    fs::write(directory.path().join("config.yaml"), more).unwrap();
    let output = run(directory.path(), &["config", "envoy"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let bootstrap: Value = vsr_config::yaml_to_json(&text(&output.stdout)).unwrap();
    let resources = &bootstrap["static_resources"];
    let listener = &resources["listeners"][0];
    assert_eq!(listener["address"]["socket_address"]["port_value"], 10_000);
    assert_eq!(listener["address"]["socket_address"]["address"], "0.0.0.0");
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["http2_protocol_options"]["max_concurrent_streams"], 7);
    let route = &manager["route_config"];
    assert_eq!(route["virtual_hosts"][0]["routes"][0]["route"]["timeout"], "65s");
    let removed = route["request_headers_to_remove"].as_array().unwrap();
    assert!(
        removed.contains(&"x-authz-user-id".into()) && removed.contains(&"x-my-user".into()),
        "{removed:?}"
    );
    let cluster = &resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    assert_eq!(
        cluster["address"]["socket_address"],
        serde_json::json!({ "address": "127.0.0.1", "port_value": 9000 })
    );
    assert_eq!(resources["listeners"][1]["address"]["socket_address"]["port_value"], 9899);
    let beyond = run(directory.path(), &["config", "envoy", "--port-offset", "65535"]);
    assert_eq!(beyond.status.code(), Some(1));
    assert!(text(&beyond.stderr).contains("listeners[0].port"), "{}", text(&beyond.stderr));
}

#[test]
fn a_listener_with_tls_is_never_spoken_to_in_clear() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("a.crt"), made.cert.pem()).unwrap();
    fs::write(path("a.key"), made.signing_key.serialize_pem()).unwrap();
    let tls = |more: &str| {
        let tls = format!("tls: {{cert_file: {}, key_file: {}{more}}}", path("a.crt"), path("a.key"));
        let secure = format!("listeners: [{{name: secure, port: 9000, {tls}}}, ");
        config(8899, 8080, 9190, 9).replace("listeners: [", &secure)
    };
    fs::write(path("config.yaml"), tls("")).unwrap();
    let output = run(directory.path(), &["config", "envoy"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let bootstrap: Value = vsr_config::yaml_to_json(&text(&output.stdout)).unwrap();
    let resources = &bootstrap["static_resources"];
    let front = &resources["listeners"][0]["filter_chains"][0]["transport_socket"]["typed_config"];
    let shown = &front["common_tls_context"]["tls_certificates"][0];
    assert_eq!(shown["certificate_chain"]["filename"], path("a.crt"));
    assert_eq!(shown["private_key"]["filename"], path("a.key"));
    let router = &resources["clusters"][0]["transport_socket"]["typed_config"];
    assert_eq!(router["common_tls_context"]["validation_context"]["trusted_ca"]["filename"], path("a.crt"));
    let clear = (&resources["listeners"][1]["filter_chains"][0], &resources["clusters"][1]);
    assert!(clear.0["transport_socket"].is_null() && clear.1["transport_socket"].is_null());

    fs::write(path("config.yaml"), tls(&format!(", client_ca_file: {}", path("a.crt")))).unwrap();
    let refused = run(directory.path(), &["config", "envoy"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("listeners[0].tls.client_ca_file"), "{}", text(&refused.stderr));
}
