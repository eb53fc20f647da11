//! Values, their kinds, and where problems are said to be.

use std::time::Duration;

use vsr_config::{Document, Strategy};
use vsr_types::{Diagnostic, Diagnostics, Path};

use crate::sample::{BASE, config, findings, problems, read, shown};

#[test]
fn every_problem_is_found_at_once_and_has_a_place() {
    let text = "\
version: v0.3
listeners:
  - port: eighty
    timeout: soon
  - port: 70000
global:
  router: {strategy: prioritie}
";
    assert_eq!(
        problems(text),
        [
            "c.yaml:3:5: error: listeners[0].port: expected a whole number from 0 to 65535, found `eighty`",
            "c.yaml:4:5: error: listeners[0].timeout: expected a time span such as `300s`, `5m` or `250ms`, ten years at most, found `soon`",
            "c.yaml:5:5: error: listeners[1].port: expected a whole number from 0 to 65535, found `70000`",
            "c.yaml:7:12: error: global.router.strategy: expected `priority` or `confidence`, found `prioritie` (did you mean `priority`?)",
        ]
    );
}

#[test]
fn an_unknown_key_is_a_warning_with_the_nearest_known_one() {
    let text = format!("{BASE}global: {{router: {{auto_modelname: x}}}}\n");
    assert_eq!(
        findings(&text),
        ["warning: global.router.auto_modelname: unknown key `auto_modelname`; it has no effect \
          (did you mean `auto_model_name`?)"]
    );
    assert!(!read(&text).has_errors());
}

#[test]
fn a_missing_key_makes_a_place_of_its_own_only_once() {
    let text = format!("{BASE}  decisions: [{{priority: 1}}]\n");
    assert_eq!(findings(&text), ["error: routing.decisions[0]: missing key `name`"]);
}

#[test]
fn absent_keys_keep_their_own_defaults() {
    let config = config(&format!("{BASE}global:\n  stores: {{memory: {{milvus: {{dimension: 768}}}}}}\n"));
    let memory = &config.global.stores.memory;
    assert_eq!(memory.milvus.dimension, 768);
    assert_eq!(memory.milvus.collection, "agentic_memory");
    assert_eq!(memory.default_similarity_threshold, 0.7);
    assert_eq!(config.global.model_catalog.kbs.len(), 2);
    assert_eq!(config.global.services.observability.metrics.port, 9190);
    assert_eq!(config.global.router.worker_threads, None);
}

#[test]
fn a_written_list_replaces_the_default_one() {
    let config = config(&format!("{BASE}global: {{model_catalog: {{kbs: []}}}}\n"));
    assert!(config.global.model_catalog.kbs.is_empty());
}

#[test]
fn null_keeps_a_scalar_and_clears_a_list() {
    let config = config(&format!(
        "{BASE}global: {{router: {{auto_model_name: null, strategy: ~}}, model_catalog: {{kbs: }}}}\n"
    ));
    assert_eq!(config.global.router.auto_model_name, "MoM");
    assert_eq!(config.global.router.strategy, None);
    assert!(config.global.model_catalog.kbs.is_empty());
}

#[test]
fn words_of_yaml_1_1_are_read_by_what_is_expected() {
    let config = config(&format!(
        "{BASE}  signals:\n    language: [{{name: no}}]\n    keywords: [{{name: k, keywords: [on, 1], case_sensitive: yes}}]\n"
    ));
    assert_eq!(config.routing.signals.language[0].name, "no");
    assert_eq!(config.routing.signals.keywords[0].keywords, ["on", "1"]);
    assert!(config.routing.signals.keywords[0].case_sensitive);
}

#[test]
fn numbers_in_quotes_are_no_numbers() {
    let text = format!("{BASE}global: {{integrations: {{tools: {{top_k: '3'}}}}}}\n");
    assert_eq!(
        findings(&text),
        [
            "error: global.integrations.tools.top_k: expected a whole number from 0 to 4294967295, found the text \"3\""
        ]
    );
    let text = format!("{BASE}global: {{integrations: {{tools: {{top_k: 2.5}}}}}}\n");
    assert!(read(&text).has_errors());
}

#[test]
fn time_spans_take_units_and_bare_seconds() {
    let spans = ["90", "90s", "1m30s", "90000ms", "1.5m"];
    for span in spans {
        let config = config(&BASE.replace("port: 8899", &format!("port: 8899, timeout: {span}")));
        assert_eq!(config.listeners[0].timeout.0, Duration::from_secs(90), "{span}");
    }
    for wrong in ["-1s", "1 fortnight", "1e9h", "''", "s"] {
        let text = BASE.replace("port: 8899", &format!("port: 8899, timeout: {wrong}"));
        assert!(read(&text).has_errors(), "{wrong}");
    }
}

#[test]
fn variables_are_expanded_in_addresses_and_credentials_alone() {
    let text = "\
version: v0.3
listeners: [{address: '${HOST:-127.0.0.1}', api_keys: ['${KEY}']}]
routing:
  signals: {keywords: [{name: k, keywords: ['${HOST}']}]}
";
    let document = Document::parse("c.yaml", text, &|name| (name == "KEY").then(|| "top-secret".to_owned()));
    assert_eq!(shown(&document), Vec::<String>::new());
    let config = document.config().unwrap();
    assert_eq!(&*config.listeners[0].address, "127.0.0.1");
    assert!(config.listeners[0].api_keys[0].matches("top-secret"));
    assert_eq!(config.routing.signals.keywords[0].keywords, ["${HOST}"]);
    assert!(!format!("{document:?}").contains("top-secret"));
}

#[test]
fn an_unset_variable_is_an_error_where_it_stands() {
    let text = "version: v0.3\nlisteners:\n  - address: ${HOST}\n";
    assert_eq!(
        problems(text),
        [
            "c.yaml:3:5: error: listeners[0].address: the environment variable `HOST` is not set; set it, or write ${HOST:-default}"
        ]
    );
}

#[test]
fn a_misplaced_credential_is_not_shown() {
    let text = "version: v0.3\nlisteners:\n  - api_keys: hush\n";
    assert_eq!(problems(text), ["c.yaml:3:5: error: listeners[0].api_keys: expected a list of credentials"]);
    let headers = BASE
        .replace("endpoint: '127.0.0.1:8000'", "endpoint: '127.0.0.1:8000', extra_headers: 'x-key: sk-1'");
    assert_eq!(
        problems(&headers),
        [
            "c.yaml:12:51: error: providers.models[0].backend_refs[0].extra_headers: expected a mapping of names to credentials"
        ]
    );
    let text = format!("{BASE}global: {{stores: {{memory: {{redis_cache: {{password: [hush]}}}}}}}}\n");
    assert_eq!(
        findings(&text),
        ["error: global.stores.memory.redis_cache.password: expected a credential as text"]
    );
}

#[test]
fn json_is_read_as_yaml_is() {
    let json = r#"{"version": "v0.3", "routing": {"strategy": "confidence"}}"#;
    assert_eq!(config(json).routing.strategy, Some(Strategy::Confidence));
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_are_read() {
    let text = format!("\u{feff}{}", BASE.replace('\n', "\r\n"));
    assert_eq!(config(&text), config(BASE));
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let text = BASE.replace(
        "    - {name: small, description: Quick}\n",
        "    - &card {name: small, description: Quick, tags: [a]}\n    - {<<: *card, name: large2}\n",
    );
    let config = read(&text).config().unwrap().clone();
    assert_eq!(config.routing.model_cards[1].name, "large2");
    assert_eq!(config.routing.model_cards[1].tags, ["a"]);
}

#[test]
fn helm_values_are_read_under_their_key_with_places_in_the_file() {
    let values = format!("replicas: 2\nconfig:\n{}", BASE.replace("port: 8899", "port: x"))
        .lines()
        .enumerate()
        .map(|(number, line)| if number > 1 { format!("  {line}\n") } else { format!("{line}\n") })
        .collect::<String>();
    let document = Document::parse_helm_values("values.yaml", &values, &|_| None);
    assert_eq!(
        shown(&document),
        ["values.yaml:5:40: error: listeners[0].port: expected a whole number from 0 to 65535, found `x`"]
    );
    let none = Document::parse_helm_values("values.yaml", "replicas: 2\n", &|_| None);
    assert_eq!(
        shown(&none),
        ["values.yaml:1:1: error: no key `config`, under which Helm values hold a configuration"]
    );
}

#[test]
fn the_version_is_checked() {
    assert_eq!(findings("routing: {}\n"), ["warning: no `version`; v0.3 is assumed (write `version: v0.3`)"]);
    assert_eq!(
        problems("version: v0.2\nrouting: {}\n"),
        [
            "c.yaml:1:1: error: version: unknown version `v0.2`; this router reads v0.3 (write `version: v0.3`)"
        ]
    );
}

#[test]
fn a_file_without_routing_and_global_is_fine() {
    let text = "version: v0.3\nlisteners: [{port: 9000}]\nproviders: {}\n";
    assert_eq!(config(text).listeners[0].port, 9000);
}

#[test]
fn an_empty_file_is_an_empty_configuration() {
    assert_eq!(findings(""), ["warning: no `version`; v0.3 is assumed (write `version: v0.3`)"]);
    assert!(!read("# nothing\n").has_errors());
}

#[test]
fn a_document_knows_what_was_written() {
    let document = read(BASE);
    for (path, is_written) in [
        ("routing.modelCards", true),
        ("global", false),
        ("global.router.strategy", false),
        ("providers.defaults.default_model", true),
    ] {
        assert_eq!(document.is_written(&Path::keys(path)), is_written, "{path}");
    }
    assert!(document.is_written(&Path::keys("listeners").index(0).key("port")));
    assert!(!document.is_written(&Path::keys("listeners").index(1)));
    assert!(document.is_written(&Path::root()));
}

#[test]
fn problems_of_other_crates_get_places_and_do_not_repeat() {
    let mut document = read(BASE);
    let model = Path::keys("providers.models").index(1);
    let mut found = Diagnostics::default();
    found.warning(model.clone(), "a warning of a broken place");
    found.error(model.clone(), "broken");
    found.error(model.key("name"), "follows from that");
    found.push(Diagnostic::not_active(Path::keys("global.stores"), "nothing here"));
    document.report(found);
    assert_eq!(
        shown(&document),
        [
            "c.yaml:1:1: accepted, not active: global.stores: nothing here",
            "c.yaml:13:7: error: providers.models[1]: broken",
        ]
    );
}
