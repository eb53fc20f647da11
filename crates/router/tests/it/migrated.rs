//! Configurations of older layouts compile once they are migrated.

use vsr_config::{Document, migrate};
use vsr_router::{Surroundings, compile};

#[test]
fn every_example_of_an_older_layout_compiles_after_migration_and_not_before() {
    let examples = [
        include_str!("../../../config/tests/legacy/flat.yaml"),
        include_str!("../../../config/tests/legacy/cli.yaml"),
        include_str!("../../../config/tests/legacy/draft.yaml"),
    ];
    let reader = vsr_reader::Reader::without_models();
    let surroundings =
        Surroundings { variables: &|name| name.ends_with("_KEY").then(|| "set".into()), reader: &reader };
    let compiles = |text: &str| {
        let mut document = Document::parse("c.yaml", text, surroundings.variables);
        let snapshot = compile(&mut document, &surroundings);
        (snapshot.is_some(), document.problems().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    for text in examples {
        assert!(!compiles(text).0);
        let migrated = migrate(text).unwrap();
        let (is_valid, problems) = compiles(&migrated.text);
        assert!(is_valid, "{problems:#?}\n{}", migrated.text);
    }
}
