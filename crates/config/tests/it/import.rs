//! Models of OpenClaw and of servers as models of a configuration.

use vsr_config::{Document, ImportedModel, OpenClaw, add_models};

use crate::sample::{BASE, shown};

const OPENCLAW: &str = r#"{
	"agents": {"defaults": {"model": {"primary": "home/shared"}, "models": {"cloud/shared": {"alias": "big"}}}},
	"models": {
		"providers": {
			"home": {
				"baseUrl": "http://127.0.0.1:8000/v1",
				"apiKey": "not-needed",
				"models": [{"id": "shared", "contextWindow": 32768, "input": ["text", "image"], "reasoning": true}, {"id": "own"}]
			},
			"cloud": {
				"api": "openai-completions",
				"baseUrl": "https://user:pw@api.example.com/v1",
				"apiKey": "cloud-secret",
				"headers": {"x-team": "routing"},
				"models": [{"id": "shared"}]
			}
		}
	}
}
"#;

fn openclaw() -> OpenClaw {
    OpenClaw::read(OPENCLAW).unwrap()
}

#[track_caller]
fn refused(text: &str) -> String {
    OpenClaw::read(text).err().unwrap().to_string()
}

fn model(name: &str) -> ImportedModel {
    ImportedModel {
        name: name.into(),
        id: name.into(),
        base_url: "http://127.0.0.1:9000/v1".into(),
        api_key: None,
        api_key_env: None,
        headers: Vec::new(),
        context_window: None,
        capabilities: Vec::new(),
    }
}

#[test]
fn ids_that_several_providers_have_get_the_providers_name() {
    let names: Vec<String> = openclaw().models().into_iter().map(|model| model.name).collect();
    assert_eq!(names, ["home/shared", "own", "cloud/shared"]);
}

#[test]
fn imported_models_make_a_configuration_that_has_no_problems() {
    let made = add_models(None, &openclaw().models()).unwrap();
    let document = Document::parse("c.yaml", &made.text, &|_| None);
    assert_eq!(shown(&document), Vec::<String>::new(), "{}", made.text);
    let config = document.config().unwrap();
    assert_eq!(config.listeners[0].address.0, "127.0.0.1", "keys are not offered to the network");
    assert_eq!(config.providers.defaults.default_model.as_deref(), Some("home/shared"));
    let card = &config.routing.model_cards[0];
    assert_eq!(
        (card.context_window_size, card.capabilities.join(" ")),
        (Some(32_768), "chat vision reasoning".into())
    );
    let cloud = &config.providers.models[2];
    assert_eq!(cloud.external_model_ids["openai"], "shared");
    assert!(
        cloud.backend_refs[0].api_key.is_some() && cloud.backend_refs[0].extra_headers.contains_key("x-team")
    );
    assert!(config.providers.models[0].backend_refs[0].api_key.is_none());
    assert_eq!(config.routing.decisions[0].name, "openclaw-import-default");
    let notes = made.notes.join("\n");
    assert!(!notes.contains("secret") && !notes.contains("pw@"), "{notes}");
}

#[test]
fn importing_again_changes_nothing() {
    let once = add_models(None, &openclaw().models()).unwrap().text;
    assert_eq!(add_models(Some(&once), &openclaw().models()).unwrap().text, once);
}

#[test]
fn an_import_keeps_the_policy_and_what_is_known_of_a_model() {
    let before = format!(
        "# Ours.\n{BASE}  decisions:\n    - {{name: d, modelRefs: [{{model: large}}]}} # keep\nsetup: {{mode: true}}\n"
    );
    let made = add_models(Some(&before), &[model("small"), model("new")]).unwrap();
    let document = Document::parse("c.yaml", &made.text, &|_| None);
    assert_eq!(shown(&document), Vec::<String>::new(), "{}", made.text);
    let config = document.config().unwrap();
    assert_eq!(config.routing.decisions.len(), 1);
    assert_eq!(config.routing.model_cards[0].description.as_deref(), Some("Quick"));
    assert_eq!(config.providers.models[0].reasoning_family.as_deref(), Some("qwen3"));
    let url = config.providers.models[0].backend_refs[0].base_url.as_ref().unwrap();
    assert_eq!(url.0, "http://127.0.0.1:9000/v1");
    assert_eq!(config.providers.models[2].name, "new");
    assert!(made.text.starts_with("# Ours.\n") && made.text.contains(" # keep\n"), "{}", made.text);
    assert!(!made.text.contains("setup"));
}

#[test]
fn an_older_layout_is_migrated_before_models_are_added() {
    let before = "vllm_endpoints: []\ndecisions: []\nmom_registry: {a: b}\n";
    let made = add_models(Some(before), &[model("new")]).unwrap();
    assert!(made.text.contains("version: v0.3"), "{}", made.text);
    assert!(made.notes.iter().any(|note| note.contains("not carried: mom_registry")), "{:?}", made.notes);
}

#[test]
fn models_cannot_be_added_where_something_else_stands() {
    let error = add_models(Some("version: v0.3\nproviders: {models: 7}\n"), &[model("new")]).unwrap_err();
    assert_eq!(error[0].to_string(), "`providers.models` is no list; models cannot be added");
}

#[test]
fn the_other_file_changes_only_where_the_router_stands_in_front() {
    let behind = openclaw().behind_router("http://127.0.0.1:8899/v1");
    let expected = OPENCLAW
        .replace("http://127.0.0.1:8000/v1", "http://127.0.0.1:8899/v1")
        .replace("https://user:pw@api.example.com/v1", "http://127.0.0.1:8899/v1")
        .replace("\"primary\": \"home/shared\"", "\"primary\": \"home/home/shared\"")
        .replace("{\"cloud/shared\": {", "{\"cloud/cloud/shared\": {")
        .replace("[{\"id\": \"shared\", \"contextWindow\"", "[{\"id\": \"home/shared\", \"contextWindow\"")
        .replace("[{\"id\": \"shared\"}]", "[{\"id\": \"cloud/shared\"}]");
    assert_eq!(behind, expected);
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_place() {
    let provider = |inner: &str| format!("{{\"models\": {{\"providers\": {{\"p\": {{{inner}}}}}}}}}");
    assert_eq!(refused("{\n // no\n}"), "2:2: not JSON here; comments and trailing commas are not read");
    assert_eq!(refused("{}"), "1:1: no models under models.providers");
    assert!(refused(&provider("\"api\": \"anthropic-messages\"")).contains("speaks `anthropic-messages`"));
    assert!(refused(&provider("\"models\": []")).contains("has no baseUrl"));
    assert!(refused(&provider("\"baseUrl\": \"http://x\", \"models\": [{}]")).contains("has no id"));
    let twice = "\"baseUrl\": \"http://x\", \"models\": [{\"id\": \"a\"}, {\"id\": \"a\"}]";
    assert!(refused(&provider(twice)).contains("twice"));
}
