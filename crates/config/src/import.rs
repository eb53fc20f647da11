//! Models of other programs as models of a configuration.

mod openclaw;

use std::fmt;

use crate::{
    comments::Comments,
    migrate::{
        Outcome, SCHEMA_LINE, list, migrate,
        tree::{list_node, map_node, text_node},
    },
    node::{Entry, Node, Span, SyntaxError, Value, parse},
    write::Writer,
};

pub use openclaw::{OpenClaw, OpenClawError};

/// A model that is served elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedModel {
    /// Its name in the configuration.
    pub name: String,
    /// The id its server knows.
    pub id: String,
    /// The URL that `/chat/completions` is appended to.
    pub base_url: String,
    /// The key its server asks for; `${VAR}` is expanded when the configuration is read.
    pub api_key: Option<String>,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// Headers its server asks for.
    pub headers: Vec<(String, String)>,
    /// Tokens it can take in.
    pub context_window: Option<u64>,
    /// What it can do.
    pub capabilities: Vec<String>,
}

/// A configuration with imported models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithModels {
    /// The configuration.
    pub text: String,
    /// What was done, one thing each.
    pub notes: Vec<String>,
}

/// The decision of a configuration that had none.
const CATCH_ALL: &str = "openclaw-import-default";

const LISTENER: &str = "listeners:
  - name: http-8899
    address: 127.0.0.1
    port: 8899
    timeout: 300s
";

/// Adds models to a configuration of any layout, or to a new one with a listener on this machine.
/// A model of the same name gets the imported address and keeps what else is known of it. The default
/// model becomes the first imported one if there was none; a policy without decisions gets one that
/// takes every request to the default model. The result is not checked.
///
/// # Errors
/// If the configuration is no mapping in YAML, or models stand where none can be added.
pub fn add_models(config: Option<&str>, models: &[ImportedModel]) -> Result<WithModels, Vec<SyntaxError>> {
    let mut notes = Vec::new();
    let text = match config {
        Some(config) => {
            let migrated = migrate(config)?;
            let lost = migrated.steps.iter().filter(|step| step.outcome == Outcome::NotCarried);
            notes.extend(lost.map(ToString::to_string));
            migrated.text
        }
        None => format!("{SCHEMA_LINE}\nversion: v0.3\n{LISTENER}"),
    };
    let mut root = parse(&text)?;
    if root.take("setup").is_some() {
        notes.push("removed setup: the configuration is complete".into());
    }
    for model in models {
        let is_new = provider_model(&mut root, model).ok_or_else(|| no_room(&root, "providers.models"))?;
        card(&mut root, model).ok_or_else(|| no_room(&root, "routing.modelCards"))?;
        let verb = if is_new { "added" } else { "updated" };
        notes.push(format!("{verb} the model {} at {}", model.name, without_credentials(&model.base_url)));
    }
    if let Some(first) = models.first() {
        notes.extend(default_model(&mut root, &first.name));
        notes.extend(catch_all(&mut root));
    }
    crate::migrate::sort(&mut root);
    let mut comments = Comments::read(&text);
    let head: String = comments.take_head().into_iter().map(|line| format!("{line}\n")).collect();
    let text = Writer::write(&head, &root, &mut comments);
    notes.extend(
        comments
            .left()
            .into_iter()
            .map(|(line, text)| format!("left out the comment of line {line}: {text}")),
    );
    Ok(WithModels { text, notes })
}

fn no_room(root: &Node, path: &str) -> Vec<SyntaxError> {
    vec![SyntaxError { span: root.span, message: format!("`{path}` is no list; models cannot be added") }]
}

/// The model of that name under `providers.models`, with the imported address. Whether it is new.
fn provider_model(root: &mut Node, model: &ImportedModel) -> Option<bool> {
    let (node, is_new) = item(list(root.child("providers")?, "models")?, &model.name)?;
    set(node, "provider_model_id", text_node(&model.id));
    if node.get("api_format").is_none_or(Node::is_null) {
        set(node, "api_format", text_node("openai"));
    }
    set(node.child("external_model_ids")?, "openai", text_node(&model.id));
    let mut backend = vec![
        Entry::made("name", text_node("imported")),
        Entry::made("base_url", text_node(&model.base_url)),
        Entry::made("provider", text_node("openai")),
        Entry::made("weight", plain("1")),
    ];
    let keys = [("api_key", &model.api_key), ("api_key_env", &model.api_key_env)];
    let keys: Vec<_> = keys.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))).collect();
    if !keys.is_empty() {
        backend.push(Entry::made("auth_header", text_node("Authorization")));
        backend.push(Entry::made("auth_prefix", text_node("Bearer")));
    }
    backend.extend(keys.into_iter().map(|(key, value)| Entry::made(key, text_node(value))));
    if !model.headers.is_empty() {
        let headers = model.headers.iter().map(|(name, value)| Entry::made(name, text_node(value)));
        backend.push(Entry::made("extra_headers", map_node(headers.collect())));
    }
    set(node, "backend_refs", list_node(vec![map_node(backend)]));
    Some(is_new)
}

/// The card of the model, with what is known of it.
fn card(root: &mut Node, model: &ImportedModel) -> Option<()> {
    let (node, _) = item(list(root.child("routing")?, "modelCards")?, &model.name)?;
    if let Some(window) = model.context_window.filter(|window| *window > 0) {
        set(node, "context_window_size", plain(&window.to_string()));
    }
    if !model.capabilities.is_empty() {
        let capabilities = model.capabilities.iter().map(|capability| text_node(capability));
        set(node, "capabilities", list_node(capabilities.collect()));
    }
    if node.get("description").is_none_or(Node::is_null) {
        let host = without_credentials(&model.base_url);
        set(node, "description", text_node(&format!("{} at {host}", model.id)));
    }
    Some(())
}

/// Names the first imported model where the default model is unset or unknown.
fn default_model(root: &mut Node, first: &str) -> Option<String> {
    let routing = root.get("routing");
    let cards =
        routing.and_then(|routing| routing.get("modelCards")).and_then(Node::items).unwrap_or_default();
    let adapters = cards.iter().filter_map(|card| card.get("loras")).filter_map(Node::items).flatten();
    let names: Vec<&str> = cards.iter().chain(adapters).filter_map(|node| node.get("name")?.text()).collect();
    let defaults = root.get("providers").and_then(|providers| providers.get("defaults"));
    let now = defaults.and_then(|defaults| defaults.get("default_model")).and_then(Node::text);
    if now.is_some_and(|now| names.contains(&now)) {
        return None;
    }
    let defaults = root.child("providers")?.child("defaults")?;
    set(defaults, "default_model", text_node(first));
    Some(format!("the default model is {first}"))
}

/// A decision that takes every request to the default model, where there is none.
fn catch_all(root: &mut Node) -> Option<String> {
    let model = root.get("providers")?.get("defaults")?.get("default_model")?.text()?.to_owned();
    let decisions = list(root.child("routing")?, "decisions")?;
    if !decisions.is_empty() {
        return None;
    }
    decisions.push(map_node(vec![
        Entry::made("name", text_node(CATCH_ALL)),
        Entry::made("description", text_node("Every request goes to the default model.")),
        Entry::made("priority", plain("100")),
        Entry::made(
            "rules",
            map_node(vec![
                Entry::made("operator", text_node("AND")),
                Entry::made("conditions", list_node(Vec::new())),
            ]),
        ),
        Entry::made("modelRefs", list_node(vec![map_node(vec![Entry::made("model", text_node(&model))])])),
    ]));
    Some(format!("added the decision {CATCH_ALL}, which takes every request to {model}"))
}

/// The item of that name, made if there is none, and whether it was.
fn item<'n>(items: &'n mut Vec<Node>, name: &str) -> Option<(&'n mut Node, bool)> {
    let known = items.iter().position(|item| item.get("name").and_then(Node::text) == Some(name));
    let position = known.unwrap_or_else(|| {
        items.push(map_node(vec![Entry::made("name", text_node(name))]));
        items.len() - 1
    });
    items.get_mut(position).map(|item| (item, known.is_none()))
}

/// Sets a key of a mapping.
fn set(node: &mut Node, key: &str, value: Node) {
    if let Some(known) = node.get_mut(key) {
        *known = value;
    } else if let Value::Map(entries) = &mut node.value {
        entries.push(Entry::made(key, value));
    }
}

/// A plain scalar that is no text.
fn plain(text: &str) -> Node {
    Node { span: Span::default(), value: Value::Scalar { text: text.to_owned(), plain: true } }
}

/// A URL for people: without user, password, query and fragment.
fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = rest.get(authority.len()..).unwrap_or_default();
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

// === impl ImportedModel

impl fmt::Debug for ImportedModel {
    /// Leaves out the key and the headers, which may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ImportedModel");
        shown.field("name", &self.name).field("id", &self.id);
        shown.field("base_url", &without_credentials(&self.base_url)).finish_non_exhaustive()
    }
}
