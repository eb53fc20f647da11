//! The difference of two texts with the same number of lines.

use std::fmt::Write as _;

/// Lines shown around a change.
const CONTEXT: usize = 2;

/// A unified diff of two texts that have the same number of lines, as `patch` takes it.
pub fn unified_diff(name: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let changed: Vec<usize> = (0..old.len().min(new.len())).filter(|line| old[*line] != new[*line]).collect();
    if changed.is_empty() {
        return String::new();
    }
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for line in changed {
        let (start, end) = (line.saturating_sub(CONTEXT), (line + CONTEXT + 1).min(old.len()));
        match hunks.last_mut().filter(|(_, last)| start <= *last) {
            Some((_, last)) => *last = end,
            None => hunks.push((start, end)),
        }
    }
    // Writing to a String cannot fail.
    let mut diff = format!("--- a/{name}\n+++ b/{name}\n");
    for (start, end) in hunks {
        let _ = writeln!(diff, "@@ -{0},{1} +{0},{1} @@", start + 1, end - start);
        for line in start..end {
            if old[line] == new[line] {
                let _ = writeln!(diff, " {}", old[line]);
            } else {
                let _ = writeln!(diff, "-{}\n+{}", old[line], new[line]);
            }
        }
    }
    diff
}
