//! Finds the model in any bytes, as JSON and as a form, and puts another in its place.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vsr_protocol::NamedBody;

const FORM: &[u8] = b"multipart/form-data; boundary=b";

/// The fields `model` of a form, by a reader that takes whatever comes.
fn naive(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let text = format!("\r\n{}", text.strip_prefix("\r\n").unwrap_or(&text));
    let parts = text.split("\r\n--b").skip(1).filter_map(|part| part.split_once("\r\n\r\n"));
    let is_model = |head: &str| {
        head.split(['\r', '\n']).any(|line| {
            let line = line.to_ascii_lowercase();
            let parameters = line.strip_prefix("content-disposition:").unwrap_or_default().split(';').skip(1);
            parameters.filter_map(|parameter| parameter.split_once('=')).any(|(key, value)| {
                key.trim() == "name" && value.trim().trim_matches('"') == "model"
            })
        })
    };
    parts.filter(|(head, _)| is_model(head)).map(|(_, value)| value.to_owned()).collect()
}

fuzz_target!(|body: &[u8]| {
    for content_type in [None, Some(FORM)] {
        let Ok(named) = NamedBody::parse(content_type, Bytes::copy_from_slice(body)) else { continue };
        let found = named.model().to_owned();
        if named.is_form() {
            assert!(naive(body).iter().all(|other| *other == found), "{:?} beside {found:?}", naive(body));
        } else {
            let value: serde_json::Value = match serde_json::from_slice(body) {
                Ok(value) => value,
                // Numbers that it cannot hold.
                Err(_) => continue,
            };
            assert_eq!(value["model"], *found);
        }
        let other = named.naming("other");
        let again = NamedBody::parse(content_type, other.clone()).expect("a renamed body names a model");
        assert_eq!(again.model(), "other");
        assert_eq!(again.naming(&found), body);
    }
});
