//! Checks that rules of every family share.

use std::collections::HashMap;

use vsr_types::{Atom, AtomId, AtomTable, Diagnostics, Path, SignalFamily};

/// Where the rules of `family` are.
pub(crate) fn family_path(family: SignalFamily) -> Path {
    Path::keys("routing.signals").key(family.config_key())
}

/// Declares an atom per rule name, and reports names that are empty or used twice.
pub(crate) fn declare<'n>(
    family: SignalFamily,
    names: impl Iterator<Item = &'n str>,
    atoms: &mut AtomTable,
    diagnostics: &mut Diagnostics,
) -> Vec<AtomId> {
    let path = family_path(family);
    check_names(&path, names, diagnostics)
        .into_iter()
        .map(|name| atoms.declare(Atom::new(family, name)))
        .collect()
}

/// Reports names that are empty or used twice in the list at `path`; returns all names.
pub(crate) fn check_names<'n>(
    path: &Path,
    names: impl Iterator<Item = &'n str>,
    diagnostics: &mut Diagnostics,
) -> Vec<&'n str> {
    let names: Vec<&str> = names.collect();
    let mut first_use: HashMap<&str, usize> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let place = || path.index(index).key("name");
        if name.trim().is_empty() {
            diagnostics.error(place(), "the name is empty; decisions refer to the rule by it");
        } else if let Some(first) = first_use.get(name) {
            let first = path.index(*first);
            diagnostics.error(
                place(),
                format!("the name `{name}` is taken by {first}; names are unique within a family"),
            );
        } else {
            first_use.insert(name, index);
        }
    }
    names
}

/// Reports a number that is not between 0 and 1.
pub(crate) fn check_share(path: &Path, key: &str, value: Option<f64>, diagnostics: &mut Diagnostics) {
    if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
        diagnostics.error(path.key(key), format!("{value} is not between 0 and 1"));
    }
}
