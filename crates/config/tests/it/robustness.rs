//! Texts that are broken, hostile or merely strange.

use proptest::prelude::*;
use vsr_config::{Document, MAX_FILE_BYTES, closest};

use crate::sample::{BASE, problems, read};

/// The only problem of `text`, without the file's name.
#[track_caller]
fn only(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].strip_prefix("c.yaml:").unwrap().to_owned()
}

#[test]
fn duplicate_keys_are_all_told() {
    assert_eq!(
        problems("version: v0.3\nrouting: {}\nversion: v0.3\nrouting: {}\n"),
        [
            "c.yaml:3:1: error: duplicate key `version`, first set on line 1; keep one of them",
            "c.yaml:4:1: error: duplicate key `routing`, first set on line 2; keep one of them",
        ]
    );
}

#[test]
fn anchors_that_multiply_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert!(only(&bomb).contains("more than 250000 values once aliases are expanded"), "{}", only(&bomb));
}

#[test]
fn anchors_within_anchors_do_not_multiply_memory() {
    let nested = format!("{}x{}", "&a [".repeat(60), "]".repeat(60));
    assert_eq!(only(&nested), "1:4: error: expected a mapping, found a list");
    let wide = format!("a: {}[{}]{}\n", "&x [".repeat(50), "1, ".repeat(6000), "]".repeat(50));
    assert!(only(&wide).contains("more than 250000 values"), "{}", only(&wide));
}

#[test]
fn an_alias_of_what_it_stands_in_is_refused() {
    assert_eq!(only("a: &a [*a]\n"), "1:8: error: an alias to a value that contains it");
    assert!(only("a: *nothing\n").starts_with("1:4: error: "));
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000), "? ".repeat(100_000)] {
        assert!(only(&text).contains("1:"), "{}", only(&text));
    }
}

#[test]
fn a_text_larger_than_the_bound_is_refused_unread() {
    let bound = usize::try_from(MAX_FILE_BYTES).unwrap();
    let text = format!("a: {}", "x".repeat(50 * 1024 * 1024));
    assert_eq!(only(&text), "1:1: error: larger than 8388608 bytes, the most that is read");
    let cut = Document::parse_bytes("c.yaml", &"é".repeat(bound).as_bytes()[..=bound], &|_| None);
    assert_eq!(cut.problems().len(), 1);
    assert!(cut.problems()[0].to_string().contains("larger than"));
}

#[test]
fn a_large_file_is_not_read_into_memory() {
    let path = std::env::temp_dir().join(format!("vsr-config-large-{}.yaml", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let document = Document::read(&path, &|_| None);
    std::fs::remove_file(&path).unwrap();
    assert!(document.unwrap().problems()[0].to_string().contains("larger than"));
}

#[test]
fn text_that_is_not_utf_8_is_refused_where_it_begins() {
    let document = Document::parse_bytes("c.yaml", b"version: v0.3\nname: \xff\xfe\n", &|_| None);
    assert_eq!(
        document.problems()[0].to_string(),
        "c.yaml:2:7: error: not UTF-8 from here on; save the file as UTF-8"
    );
    assert!(document.has_errors());
}

#[test]
fn tabs_in_the_indentation_are_refused_where_they_stand() {
    let found = only("routing:\n\tdecisions: []\n");
    assert!(found.starts_with("2:"), "{found}");
}

#[test]
fn unknown_tags_are_refused_and_core_tags_are_read() {
    assert_eq!(
        only("version: !custom v0.3\n"),
        "1:18: error: the tag `!custom` has no meaning here; leave it out"
    );
    let text = BASE.replace("description: Quick", "description: !!str 7");
    assert_eq!(problems(&text), Vec::<String>::new());
}

#[test]
fn a_second_document_is_refused() {
    assert_eq!(
        only("version: v0.3\n---\nversion: v0.3\n"),
        "3:1: error: a second document begins here; keep one document per file"
    );
}

#[test]
fn something_else_than_a_mapping_is_refused() {
    assert_eq!(only("just text\n"), "1:1: error: expected a mapping, found `just text`");
    assert_eq!(only("[1]\n"), "1:1: error: expected a mapping, found a list");
    assert_eq!(only("? [a]\n: 1\n"), "1:3: error: a key must be text");
}

#[test]
fn long_keys_are_refused() {
    let found = only(&format!("version: v0.3\n? {}\n: 1\n", "k".repeat(5000)));
    assert_eq!(found, "2:3: error: a key of more than 1024 bytes");
}

#[test]
fn the_number_of_problems_is_bounded_and_an_error_remains() {
    let mut text = String::from("version: v0.3\nrouting:\n");
    for number in 0..5000 {
        text += &format!("  unknown_{number}: 1\n");
    }
    text += "listeners: 7\n";
    let document = read(&text);
    assert_eq!(document.problems().len(), 1001);
    assert!(document.has_errors());
}

#[test]
fn the_nearest_name_does_not_depend_on_the_order() {
    assert_eq!(closest("aa", ["ab", "ac"]), Some("ab"));
    assert_eq!(closest("aa", ["ac", "ab"]), Some("ab"));
    assert_eq!(closest("x", ["y"]), None);
    assert_eq!(closest("", ["y"]), None);
    assert_eq!(closest(&"k".repeat(100_000), ["key"]), None);
}

/// Pieces of configurations, so that broken texts get far.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "version: v0.3",
        "listeners:",
        "routing:",
        "global:",
        "providers:",
        "decisions:",
        "name: x",
        "- ",
        "  ",
        "    ",
        "\n",
        "\t",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!x ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "${",
        "}",
        "null",
        "~",
        "port: 1",
        "type: elo",
        "algorithm:",
        "plugins:",
        "configuration:",
        "modelRefs:",
        "signals:",
        "? ",
        "\u{feff}",
        "\r\n",
        "é",
        "\u{0}",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let document = read(&text);
        let _ = (document.problems(), document.effective_yaml(), document.hash());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let document = Document::parse_bytes("c.yaml", &bytes, &|_| None);
        prop_assert!(document.config().is_some() || document.has_errors());
    }

    #[test]
    fn pieces_of_configurations_are_read_without_a_panic(pieces in proptest::collection::vec(piece(), 0..60)) {
        let text = pieces.concat();
        let document = read(&text);
        for problem in document.problems() {
            prop_assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
        }
        let _ = Document::parse_helm_values("c.yaml", &text, &|_| None);
    }

    #[test]
    fn a_changed_configuration_is_read_without_a_panic(
        place in 0..BASE.len(), length in 0..20_usize, put in piece()
    ) {
        let end = (place + length).min(BASE.len());
        let _ = read(&format!("{}{put}{}", &BASE[..place], &BASE[end..]));
    }
}
