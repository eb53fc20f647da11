//! The tables of `docs/configuration.md`.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;
use vsr_reader::Reader;

use crate::probe::{Probe, Step};

/// Words of an enumeration that fit into a table; more stand below it.
const FEW_WORDS: usize = 3;

/// Writes a section for each mapping of the schema, the first time that it is reached.
pub(crate) fn write(schema: &Value, reader: &Reader) -> String {
    let mut writer =
        Writer { probe: Probe::new(schema, reader), text: String::new(), sections: BTreeMap::new() };
    writer.section(&schema["$defs"]["Config"], "", &[], None);
    writer.text
}

struct Writer<'s> {
    probe: Probe<'s>,
    text: String,
    /// Where each definition is described.
    sections: BTreeMap<String, String>,
}

/// A mapping that a section will be about.
struct Below<'s> {
    schema: &'s Value,
    title: String,
    steps: Vec<Step>,
}

// === impl Writer

impl<'s> Writer<'s> {
    fn section(&mut self, schema: &'s Value, title: &str, steps: &[Step], above: Option<&str>) {
        let level = "#".repeat((2 + title.matches('.').count()).min(4));
        let heading = if title.is_empty() { "The file".to_owned() } else { format!("`{title}`") };
        let _ = writeln!(self.text, "\n<a id=\"{}\"></a>\n\n{level} {heading}\n", anchor(title));
        let schema = self.probe.resolve(schema);
        if let Some(meaning) = schema["description"].as_str() {
            let _ = writeln!(self.text, "{meaning}\n");
        }
        let own = self.probe.not_active(steps, &self.probe.sample(schema));
        let inactive = above.map(str::to_owned).or(own);
        match (above, &inactive) {
            (None, Some(reason)) => {
                let _ = writeln!(self.text, "⊘ Not active in this version: {reason}.\n");
            }
            (Some(_), _) => self.text += "⊘ Not active in this version.\n\n",
            (None, None) => {}
        }
        let is_required = |key: &str| {
            schema["required"].as_array().is_some_and(|keys| keys.iter().any(|required| required == key))
        };
        self.text += "| key | type | default | meaning |\n|---|---|---|---|\n";
        let (mut below, mut words) = (Vec::new(), String::new());
        for (key, property) in ordered(schema, title) {
            let steps = [steps, &[Step::Key(key.clone())]].concat();
            let title = if title.is_empty() { key.clone() } else { format!("{title}.{key}") };
            let (kind, mut found) = self.kind(property, &title, &steps);
            let default = match property.get("default") {
                _ if is_required(key) => "**required**".to_owned(),
                Some(default) => format!("`{}`", shown(default)),
                None if found.is_empty() && !kind.starts_with('[') => "–".to_owned(),
                None => String::new(),
            };
            let mut meaning = cell(property["description"].as_str().unwrap_or_default());
            let listed = self.words(property, &steps, inactive.is_some());
            if inactive.is_none()
                && found.is_empty()
                && listed.is_empty()
                && let Some(reason) = self.probe.not_active(&steps, &self.probe.sample(property))
            {
                let _ = write!(meaning, " ⊘ {}.", cell(&reason));
            }
            if listed.len() > FEW_WORDS {
                let _ = write!(words, "\n`{key}` is one of:\n\n");
                listed.iter().for_each(|word| {
                    let _ = writeln!(words, "- {word}");
                });
            } else if !listed.is_empty() {
                let _ = write!(meaning, " {}", listed.join(" "));
            }
            let _ = writeln!(self.text, "| `{key}` | {kind} | {default} | {meaning} |");
            below.append(&mut found);
        }
        self.text += &words;
        for Below { schema, title, steps } in below {
            self.section(schema, &title, &steps, inactive.as_deref());
        }
    }

    /// The type of a value, and the mappings within it that no section is about yet.
    fn kind(&mut self, schema: &'s Value, title: &str, steps: &[Step]) -> (String, Vec<Below<'s>>) {
        let resolved = self.probe.resolve(schema);
        let expands = if resolved["$comment"].is_string() { " `$`" } else { "" };
        let kind = resolved["type"].as_str().or_else(|| resolved["type"][0].as_str()).unwrap_or_default();
        let examples = resolved["examples"][0].as_str().unwrap_or_default();
        match kind {
            _ if resolved["enum"].is_array() || resolved["enumDescriptions"].is_array() => {
                ("word".to_owned(), Vec::new())
            }
            _ if resolved["writeOnly"] == true => (format!("secret{expands}"), Vec::new()),
            "string" if examples == "300s" => ("duration".to_owned(), Vec::new()),
            "string" if examples == "32K" => ("tokens".to_owned(), Vec::new()),
            "string" => (format!("text{expands}"), Vec::new()),
            "integer" | "number" => (self.number(kind, resolved, steps), Vec::new()),
            "array" => {
                let steps = [steps, &[Step::Item]].concat();
                let (kind, below) = self.kind(&resolved["items"], &format!("{title}[]"), &steps);
                (format!("list of {kind}"), below)
            }
            "object" if resolved["properties"].is_object() => self.mapping(schema, title, steps),
            "object" => {
                let steps = [steps, &[Step::Entry]].concat();
                let (kind, below) =
                    self.kind(&resolved["additionalProperties"], &format!("{title}.NAME"), &steps);
                (format!("map to {kind}"), below)
            }
            "boolean" => ("boolean".to_owned(), Vec::new()),
            _ => match resolved["oneOf"].as_array() {
                Some(alternatives) => self.alternatives(alternatives, title, steps),
                None => ("anything".to_owned(), Vec::new()),
            },
        }
    }

    fn mapping(&mut self, schema: &'s Value, title: &str, steps: &[Step]) -> (String, Vec<Below<'s>>) {
        let name = schema["$ref"].as_str().unwrap_or(title).to_owned();
        if let Some(known) = self.sections.get(&name) {
            return (format!("[as `{known}`](#{})", anchor(known)), Vec::new());
        }
        self.sections.insert(name, title.to_owned());
        let below = Below { schema, title: title.to_owned(), steps: steps.to_vec() };
        (format!("[mapping](#{})", anchor(title)), vec![below])
    }

    fn alternatives(
        &mut self,
        alternatives: &'s [Value],
        title: &str,
        steps: &[Step],
    ) -> (String, Vec<Below<'s>>) {
        let below = alternatives.iter().enumerate().map(|(index, schema)| {
            let name = shown(&schema["properties"]["type"]["enum"][0]);
            let steps = [steps, &[Step::Variant(index)]].concat();
            Below { schema, title: format!("{title} ({name})"), steps }
        });
        let below: Vec<Below<'s>> = below.collect();
        let links = below.iter().map(|one| {
            let name = one.title.rsplit('(').next().unwrap_or_default().trim_end_matches(')');
            format!("[{name}](#{})", anchor(&one.title))
        });
        (format!("one of {}", links.collect::<Vec<_>>().join(", ")), below)
    }

    fn number(&self, kind: &str, schema: &Value, steps: &[Step]) -> String {
        let is_integer = kind == "integer";
        if let Some(range) = self.probe.range(steps, is_integer) {
            return format!("{kind} {range}");
        }
        match (schema["minimum"].as_i64(), schema["maximum"].as_u64()) {
            (Some(0), Some(65_535)) => format!("{kind} from 0 to 65535"),
            (Some(0), _) => format!("{kind} from 0"),
            _ => kind.to_owned(),
        }
    }

    /// The words of an enumeration with what they mean; spellings of the same meaning are together.
    fn words(&self, property: &'s Value, steps: &[Step], is_inactive: bool) -> Vec<String> {
        let (mut property, mut steps) = (self.probe.resolve(property), steps.to_vec());
        while property["items"].is_object() {
            property = self.probe.resolve(&property["items"]);
            steps.push(Step::Item);
        }
        let words = property["enum"].as_array().or_else(|| property["examples"].as_array());
        if let (Some(words), None) = (words, property.get("enumDescriptions")) {
            let is_word = property["enum"].is_array();
            let spellings = words.iter().filter(|_| is_word).map(|word| format!("`{}`", shown(word)));
            let spellings: Vec<String> = spellings.collect();
            return if spellings.is_empty() { Vec::new() } else { vec![spellings.join(", ")] };
        }
        let (Some(words), Some(meanings)) = (words, property["enumDescriptions"].as_array()) else {
            return Vec::new();
        };
        let mut listed: Vec<(String, String, Option<String>)> = Vec::new();
        for (word, meaning) in words.iter().zip(meanings) {
            if word == "" {
                continue;
            }
            let meaning = meaning.as_str().unwrap_or_default();
            match listed.last_mut() {
                Some((spellings, known, _)) if known == meaning => {
                    let _ = write!(spellings, ", `{}`", shown(word));
                }
                _ => {
                    let inactive = (!is_inactive).then(|| self.probe.not_active(&steps, word)).flatten();
                    listed.push((format!("`{}`", shown(word)), meaning.to_owned(), inactive));
                }
            }
        }
        let line = |(spellings, meaning, inactive): (String, String, Option<String>)| {
            let inactive = inactive.map(|reason| format!(" ⊘ {}.", cell(&reason))).unwrap_or_default();
            format!("{spellings}: {}{inactive}", cell(&meaning))
        };
        listed.into_iter().map(line).collect()
    }
}

/// The keys of a mapping: by name, and at the top in the order of a file.
fn ordered<'s>(schema: &'s Value, title: &str) -> Vec<(&'s String, &'s Value)> {
    const TOP: [&str; 5] = ["version", "listeners", "providers", "routing", "global"];
    let rank = |key: &str| TOP.iter().position(|known| *known == key).unwrap_or(TOP.len());
    let mut keys: Vec<_> = schema["properties"].as_object().into_iter().flatten().collect();
    if title.is_empty() {
        keys.sort_by_key(|(key, _)| rank(key));
    }
    keys
}

/// The name of a section's link target.
fn anchor(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    if name.is_empty() { "the-file".to_owned() } else { name }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text within a table: bars and line ends would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
