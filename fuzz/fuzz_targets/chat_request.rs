//! Reads any bytes as a chat request, edits it, and compares with serde_json.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vsr_protocol::{ChatRequest, Edits, RequestLimits};

fuzz_target!(|body: &[u8]| {
    let Ok(request) = ChatRequest::parse(Bytes::copy_from_slice(body), &RequestLimits::default()) else {
        return;
    };
    let before: Value = serde_json::from_slice(body).expect("an accepted body is JSON");
    assert_eq!(before["model"], request.model());
    assert_eq!(before["messages"].as_array().map(Vec::len), Some(request.messages().len()));
    for (message, expected) in request.messages().iter().zip(before["messages"].as_array().into_iter().flatten()) {
        if let Some(text) = expected["content"].as_str() {
            assert_eq!(&*message.text, text);
        }
    }
    let _ = request.view();

    let plain: Value = serde_json::from_slice(request.body()).expect("the body to send is JSON");
    assert_eq!(before, plain);

    let mut edits = Edits::default();
    edits.set_model("another");
    edits.remove_reasoning_effort();
    edits.include_usage();
    let edited: Value = serde_json::from_slice(&edits.apply(&request)).expect("an edited body is JSON");
    let mut expected = before;
    expected["model"] = "another".into();
    if let Some(members) = expected.as_object_mut() {
        members.remove("reasoning_effort");
    }
    if !expected["stream_options"].is_object() {
        expected["stream_options"] = Value::Object(serde_json::Map::new());
    }
    expected["stream_options"]["include_usage"] = true.into();
    assert_eq!(edited, expected);
});
