//! The files of the corpus.

use std::{fs, path::Path};

/// The folder of the release's files, if it is there.
pub(super) fn corpus() -> Option<&'static Path> {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    if !corpus.is_dir() {
        println!("skipped: the conformance corpus is not beside this checkout");
        return None;
    }
    Some(corpus)
}

/// The paths of all files, sorted.
pub(super) fn files(corpus: &Path) -> Vec<String> {
    let (mut open, mut found) = (vec![String::new()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(corpus.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                open.push(path + "/");
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(super) fn read(corpus: &Path, path: &str) -> String {
    fs::read_to_string(corpus.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The block under `config:` of Helm values, as the chart writes it to a file of its own.
pub(super) fn helm_block(values: &str) -> String {
    let is_top = |line: &str| line.starts_with(|c: char| !c.is_whitespace() && c != '#');
    let block = values.lines().skip_while(|line| *line != "config:").skip(1).take_while(|line| !is_top(line));
    block.map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}
