//! Asks the validator about a key: a configuration that says little else is compiled.

use serde_json::{Map, Value, json};
use vsr_config::{Document, Problem};
use vsr_reader::Reader;
use vsr_router::{Surroundings, compile};
use vsr_types::{Path, Severity};

/// A step from a value of the schema to one within.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Key(String),
    Item,
    /// An entry of a map, whose key is a name.
    Entry,
    /// One of the alternatives.
    Variant(usize),
}

/// Compiles small configurations.
pub(crate) struct Probe<'p> {
    schema: &'p Value,
    reader: &'p Reader,
}

/// What stands for any name.
const NAME: &str = "x";

// === impl Probe

impl<'p> Probe<'p> {
    pub(crate) fn new(schema: &'p Value, reader: &'p Reader) -> Self {
        Self { schema, reader }
    }

    /// The schema that a reference leads to.
    pub(crate) fn resolve(&self, schema: &'p Value) -> &'p Value {
        match schema["$ref"].as_str().and_then(|place| place.strip_prefix("#/$defs/")) {
            Some(name) => &self.schema["$defs"][name],
            None => schema,
        }
    }

    /// Why `value` at the end of `steps` is accepted and not active; the place that is not active may be above.
    pub(crate) fn not_active(&self, steps: &[Step], value: &Value) -> Option<String> {
        let place = place(steps);
        let problems = self.problems(steps, value);
        problems.into_iter().find_map(|problem| {
            let problem = problem.diagnostic;
            let holds = place.segments().starts_with(problem.path.segments());
            (problem.severity == Severity::NotActive && holds).then_some(problem.message)
        })
    }

    /// The values that are accepted of a number at the end of `steps`: "from 0 to 1".
    pub(crate) fn range(&self, steps: &[Step], is_integer: bool) -> Option<String> {
        let place = place(steps);
        let beyond = if is_integer { [json!(0), json!(1_000_000_000)] } else { [json!(-7.5), json!(1e12)] };
        let told = beyond.iter().flat_map(|value| self.problems(steps, value));
        told.filter(|problem| problem.diagnostic.path == place).find_map(|problem| {
            let message = problem.diagnostic.message;
            let range = message.strip_prefix("expected a value ")?.split(", found").next()?;
            Some(range.to_owned())
        })
    }

    /// A value that fits: the default, an example, or what the type allows.
    pub(crate) fn sample(&self, schema: &'p Value) -> Value {
        let resolved = self.resolve(schema);
        if let Some(known) = schema.get("default").or_else(|| resolved["examples"].get(0)) {
            return known.clone();
        }
        if let Some(words) = resolved["enum"].as_array() {
            return words[0].clone();
        }
        if let Some(first) = resolved["oneOf"].get(0) {
            return self.sample(first);
        }
        match resolved["type"].as_str().or_else(|| resolved["type"][0].as_str()) {
            Some("boolean") => json!(true),
            Some("integer" | "number") => json!(1),
            Some("array") => json!([self.sample(&resolved["items"])]),
            Some("object") => self.required(resolved).into(),
            _ => json!(NAME),
        }
    }

    fn required(&self, schema: &'p Value) -> Map<String, Value> {
        let keys = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let sample = |key: &str| match key {
            // A rule about a knowledge base that is not there says nothing of such rules.
            "kb" => json!("privacy_kb"),
            _ => self.sample(&schema["properties"][key]),
        };
        keys.map(|key| (key.to_owned(), sample(key))).collect()
    }

    fn problems(&self, steps: &[Step], value: &Value) -> Vec<Problem> {
        let text = self.nest(&self.schema["$defs"]["Config"], steps, value).to_string();
        let variables = |_: &str| Some("set".to_owned());
        let mut document = Document::parse("", &text, &variables);
        compile(&mut document, &Surroundings { variables: &variables, reader: self.reader });
        document.problems().into_iter().cloned().collect()
    }

    fn nest(&self, schema: &'p Value, steps: &[Step], value: &Value) -> Value {
        let schema = self.resolve(schema);
        match steps {
            [] => value.clone(),
            [Step::Key(key), rest @ ..] => {
                let mut object = self.required(schema);
                // A type and the block of its name go together.
                if let Some(block) = value.as_str().filter(|_| rest.is_empty())
                    && let Some(property) = schema["properties"].get(block)
                {
                    object.insert(block.to_owned(), self.sample(property));
                }
                object.insert(key.clone(), self.nest(&schema["properties"][key], rest, value));
                object.into()
            }
            [Step::Item, rest @ ..] => json!([self.nest(&schema["items"], rest, value)]),
            [Step::Entry, rest @ ..] => {
                json!({ NAME: self.nest(&schema["additionalProperties"], rest, value) })
            }
            [Step::Variant(index), rest @ ..] => self.nest(&schema["oneOf"][index], rest, value),
        }
    }
}

fn place(steps: &[Step]) -> Path {
    steps.iter().fold(Path::root(), |path, step| match step {
        Step::Key(key) => path.key(key.as_str()),
        Step::Item => path.index(0),
        Step::Entry => path.key(NAME),
        Step::Variant(_) => path,
    })
}
