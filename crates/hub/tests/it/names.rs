//! Names of models.

use vsr_hub::HubModel;

use crate::{COMMIT, model};

#[test]
fn a_name_has_an_owner_a_model_and_a_revision() {
    let named = model("hf://some-owner/Some.Model_2@v1.0");
    assert_eq!((named.repository().as_str(), named.revision()), ("some-owner/Some.Model_2", "v1.0"));
    assert_eq!(named.commit(), None);
    assert_eq!(model(" hf://a/b ").to_string(), "hf://a/b@main");
    assert_eq!(model(&format!("hf://a/b@{COMMIT}")).commit(), Some(COMMIT));
    assert_eq!(model("hf://a/b").at(COMMIT).unwrap().to_string(), format!("hf://a/b@{COMMIT}"));
    assert!(!HubModel::is_named("models/mine") && HubModel::is_named("hf://"));
}

#[test]
fn tricks_are_no_names() {
    for trick in [
        "hf://",
        "hf://model",
        "hf://a/b/c",
        "hf://../b",
        "hf://a/..",
        "hf://.a/b",
        "hf://a--b/c",
        "hf://a/b@",
        "hf://a/b@..",
        "hf://a/b@x/../y",
        "hf://a/b@/etc",
        "hf://a/b@x//y",
        "hf://a/b@x?y=z",
        "hf://a/b c",
        "hf://a%2Fb/c",
        "hf://a/b@\u{202e}x",
        "https://hub.invalid/a/b",
    ] {
        let error = trick.parse::<HubModel>().unwrap_err().to_string();
        assert!(error.contains("hf://owner/model"), "{trick}: {error}");
    }
}
