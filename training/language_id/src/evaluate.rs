//! Fits confidence to held-out texts and measures accuracy.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::alphabet::{LANGUAGES, OTHER_LANGUAGES};
use crate::counts::crate_folder;
use crate::detector::Detector;
use crate::detector::sample::{self, Sink};
use crate::detector::script::{Glyph, LETTER_SLOTS};
use crate::learner::Learner;
use crate::pack::Part;

/// A text and the code of its language.
pub struct Labelled {
    pub text: String,
    pub language: String,
    pub kind: &'static str,
}

/// The sentences and word pairs that the crates carry for tests, less the excluded ones.
pub fn test_texts(crates: &Path, exclude: &[PathBuf]) -> Vec<Labelled> {
    let excluded: HashSet<String> = exclude.iter().flat_map(|path| jsonl(path)).map(|row| row.text).collect();
    let mut texts = Vec::new();
    for (code, name) in LANGUAGES.iter().copied().flatten().chain(&OTHER_LANGUAGES) {
        for (kind, file) in [("sentences", "sentences.txt"), ("word pairs", "word-pairs.txt")] {
            let path = crate_folder(crates, name).join("testdata").join(file);
            let content = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
            for line in
                content.lines().map(str::trim).filter(|line| !line.is_empty() && !excluded.contains(*line))
            {
                texts.push(Labelled { text: line.to_owned(), language: (*code).to_owned(), kind });
            }
        }
    }
    texts
}

pub fn jsonl(path: &Path) -> Vec<Labelled> {
    let content = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let parse = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a JSON object in every line");
        let field = |name: &str| row[name].as_str().expect("text and lang are strings").to_owned();
        Labelled { text: field("text"), language: field("lang"), kind: "all" }
    };
    content.lines().map(parse).collect()
}

struct Rows<'l> {
    learner: &'l Learner,
    group: usize,
    word: Vec<u8>,
    rows: Vec<u32>,
    letters: usize,
}

impl Sink for Rows<'_> {
    fn letter(&mut self, group: usize, class: u8) {
        if group == self.group {
            self.word.push(class);
            self.letters += 1;
        } else {
            self.word_end();
        }
    }
    fn word_end(&mut self) {
        if !self.word.is_empty() {
            self.learner.rows_of(&self.word, &mut self.rows);
            self.word.clear();
        }
    }
    fn other_script(&mut self, _: Glyph) {
        self.word_end();
    }
    fn code(&mut self, _: usize) {}
}

/// Fits `temperature * letters^-exponent` to the held-out texts of the group's languages.
pub fn calibrate(part: &mut Part, texts: &[Labelled], classes: &[u8; LETTER_SLOTS]) {
    let languages = LANGUAGES[part.group];
    let mut cases = Vec::new();
    let mut right = [[0usize; 2]; 2];
    for text in texts {
        let Some(language) = languages.iter().position(|(code, _)| *code == text.language) else { continue };
        let mut sink =
            Rows { learner: &part.learner, group: part.group, word: vec![], rows: vec![], letters: 0 };
        sample::scan(&text.text, classes, &mut sink);
        sink.word_end();
        let scores = part.learner.scores(&sink.rows);
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let kind = usize::from(text.kind != "sentences");
        right[kind][0] += usize::from(scores[language] == best);
        right[kind][1] += 1;
        cases.push((scores, language, sink.letters.max(1) as f32));
    }
    for (kind, [right, all]) in ["sentences", "word pairs"].iter().zip(right) {
        eprintln!("  {kind}: {:.4} before packing", right as f64 / all as f64);
    }
    let mut best = f64::INFINITY;
    for exponent in (0..16).map(|step| step as f32 * 0.05) {
        for temperature in (0..50).map(|step| 0.1 * 1.1f32.powi(step)) {
            let loss: f64 = cases
                .iter()
                .step_by(3)
                .map(|(scores, language, letters)| {
                    let factor = temperature * letters.powf(-exponent);
                    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let total: f32 = scores.iter().map(|score| ((score - top) * factor).exp()).sum();
                    f64::from(total.ln() - (scores[*language] - top) * factor)
                })
                .sum();
            if loss < best {
                best = loss;
                (part.temperature, part.exponent) = (temperature, exponent);
            }
        }
    }
    eprintln!(
        "  temperature {:.3}, exponent {:.2}, loss {:.4}",
        part.temperature,
        part.exponent,
        best * 3.0 / cases.len() as f64
    );
}

/// Prints accuracy by kind, the weakest languages and how true the confidence is.
pub fn report(name: &str, detector: &Detector, texts: &[Labelled]) {
    let kinds: HashSet<&str> = texts.iter().map(|text| text.kind).collect();
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_unstable();
    for kind in kinds {
        let mut by_language: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut confusions: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut bins = [(0usize, 0usize, 0f64); 10];
        for text in texts.iter().filter(|text| text.kind == kind) {
            let found = detector.detect(&text.text);
            let (code, confidence) = found.map_or(("-", 0.0), |found| (found.language, found.confidence));
            let right = code == text.language;
            let entry = by_language.entry(&text.language).or_default();
            entry.0 += usize::from(right);
            entry.1 += 1;
            if !right {
                *confusions.entry((text.language.clone(), code.to_owned())).or_default() += 1;
            }
            let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
            *bin = (bin.0 + usize::from(right), bin.1 + 1, bin.2 + f64::from(confidence));
        }
        let (right, all) = by_language.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let mean: f64 = by_language.values().map(|one| one.0 as f64 / one.1 as f64).sum::<f64>()
            / by_language.len() as f64;
        println!(
            "{name}, {kind}: {right}/{all} = {:.4}; mean over {} languages {mean:.4}",
            right as f64 / all as f64,
            by_language.len()
        );
        let major: Vec<_> = MAJOR.iter().filter_map(|code| by_language.get(code)).collect();
        let (major_right, major_all) = major.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        println!("  {} major languages: {:.4}", major.len(), major_right as f64 / major_all as f64);
        let mut weakest: Vec<_> =
            by_language.iter().map(|(code, one)| (one.0 as f64 / one.1 as f64, *code)).collect();
        weakest.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weakest: Vec<_> =
            weakest.iter().take(14).map(|(accuracy, code)| format!("{code} {accuracy:.3}")).collect();
        println!("  weakest: {}", weakest.join(", "));
        let mut confusions: Vec<_> = confusions.into_iter().collect();
        confusions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let confusions: Vec<_> =
            confusions.iter().take(16).map(|((from, to), count)| format!("{from}->{to} {count}")).collect();
        println!("  confusions: {}", confusions.join(", "));
        let bins: Vec<_> = bins
            .iter()
            .filter(|bin| bin.1 > 0)
            .map(|bin| format!("{:.2}:{:.2} ({})", bin.2 / bin.1 as f64, bin.0 as f64 / bin.1 as f64, bin.1))
            .collect();
        println!("  confidence:accuracy {}", bins.join(" "));
    }
}

/// The languages counted as major.
pub const MAJOR: [&str; 21] = [
    "ar", "bn", "de", "en", "es", "fa", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "th",
    "tr", "uk", "vi", "zh",
];
