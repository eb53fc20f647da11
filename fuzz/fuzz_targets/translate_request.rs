//! Reads any bytes as a request of each protocol, and writes it for each backend.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vsr_protocol::{ClientRequest, Edits, Protocol, RequestLimits, Target};

fuzz_target!(|body: &[u8]| {
    for client in [Protocol::Chat, Protocol::Responses, Protocol::Messages] {
        let body = Bytes::copy_from_slice(body);
        let Ok(request) = ClientRequest::parse(client, body, &RequestLimits::default()) else { continue };
        let view = request.view();
        assert!(view.facts.roles.total() > 0 || client != Protocol::Chat);
        for upstream in [Protocol::Chat, Protocol::Messages] {
            for model in ["served", "claude-opus-4-8"] {
                let target = Target::new(upstream, model);
                let mut edits = Edits::default();
                edits.set_model(model);
                edits.set(&["extra", "key"], &1.into());
                let outgoing = match request.outgoing(&target, &edits) {
                    Ok(outgoing) => outgoing,
                    // What cannot be translated is refused by the name of its field.
                    Err(error) => {
                        assert!(client != upstream && error.param().is_some(), "{error}");
                        continue;
                    }
                };
                let sent: Value = serde_json::from_slice(&outgoing.body).expect("a body is JSON");
                assert_eq!(sent["model"], model);
                assert_eq!(sent["extra"]["key"], 1);
                assert!(outgoing.losses.header_value().is_none_or(|value| value.len() <= 4096));
                if client != upstream {
                    let again = ClientRequest::parse(upstream, outgoing.body, &RequestLimits::default());
                    assert!(again.is_ok(), "{:?}", again.err());
                }
            }
        }
    }
});
