//! Older layouts, moved to the canonical one.

use std::{collections::HashSet, fs};

use proptest::prelude::*;
use vsr_config::{Document, Migrated, Node, Outcome, Value, migrate, parse_tree};

use crate::{
    conformance::{corpus, documents, yaml_files},
    sample::{BASE, config, findings, shown},
};

/// The examples of the layouts that came before v0.3.
const EXAMPLES: &[(&str, &str)] = &[
    ("flat.yaml", include_str!("../legacy/flat.yaml")),
    ("cli.yaml", include_str!("../legacy/cli.yaml")),
    ("draft.yaml", include_str!("../legacy/draft.yaml")),
];

fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|(known, _)| *known == name).unwrap().1
}

fn migrated(text: &str) -> Migrated {
    migrate(text).unwrap()
}

fn steps(migrated: &Migrated, outcome: Outcome) -> Vec<String> {
    migrated.steps.iter().filter(|step| step.outcome == outcome).map(ToString::to_string).collect()
}

#[test]
fn print_examples() {
    for (name, text) in EXAMPLES {
        let migrated = migrated(text);
        println!("=== {name}\n{}", migrated.text);
        for step in &migrated.steps {
            println!("{step}");
        }
        println!("{:#?}", shown(&Document::parse(name, &migrated.text, &|_| Some("set".into()))));
    }
}
