//! What tasks write is what is committed.

use std::fs;

#[test]
fn the_reference_of_the_configuration_is_current() {
    let committed = fs::read_to_string(xtask::root().join("docs/configuration.md")).unwrap();
    let is_current = committed == xtask::configuration().unwrap();
    assert!(is_current, "docs/configuration.md is out of date; run `cargo xtask docs`");
}

#[test]
fn every_link_of_the_reference_has_its_target() {
    let text = xtask::configuration().unwrap();
    let links: Vec<&str> = text.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 100, "{}", links.len());
    for link in links {
        assert!(text.contains(&format!("<a id=\"{link}\"></a>")), "{link}");
    }
}

#[test]
fn the_reference_tells_defaults_ranges_words_and_what_is_not_active() {
    let text = xtask::configuration().unwrap();
    let line = |section: &str, key: &str| {
        let after = text.split(&format!("<a id=\"{section}\"></a>")).nth(1).unwrap();
        let row = after.lines().find(|line| line.starts_with(&format!("| `{key}` ")));
        row.unwrap_or_default().to_owned()
    };
    for (section, key, told) in [
        ("listeners", "port", "integer from 0 to 65535 | `8899` "),
        ("listeners", "api_keys", "list of secret `$`"),
        ("listeners", "timeout", "duration | `300s` "),
        ("providers-models-backend_refs", "weight", "number at least 0"),
        ("providers-models", "name", "**required**"),
        ("global-router", "explicit_models", "`listed`: Only models that some decision lists."),
        ("global-services-response_api", "store_backend", "⊘ Redis as the store of responses"),
    ] {
        let line = line(section, key);
        assert!(line.contains(told), "{section}: {line}");
    }
    for whole in ["rate limits", "candidate iterations", "plugin `memory`"] {
        assert!(text.contains(&format!("⊘ Not active in this version: {whole}.")), "{whole}");
    }
    assert!(text.contains("- `latency_aware`: By measured latency. ⊘"));
}
