//! Trains the language detector's model from the n-gram statistics of the `lingua` language model crates.

mod alphabet;
mod counts;
mod evaluate;
mod learner;
mod pack;
mod synthesis;
#[expect(dead_code, reason = "the public functions are for the router")]
#[path = "../../../crates/signals/src/language"]
mod language {
    pub mod detector;
}
use language::detector;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use alphabet::LANGUAGES;
use detector::script::{GROUPS, HAN_COUNT, HAN_FIRST, LETTER_SLOTS};
use learner::{Learner, Recipe};
use pack::Part;
use synthesis::{Author, Dice};

struct Options {
    crates: PathBuf,
    simplified: PathBuf,
    out: PathBuf,
    exclude: Vec<PathBuf>,
    measure: Vec<PathBuf>,
    scale: f64,
    postings: usize,
    prior: f32,
}

fn main() {
    let options = options();
    let mut classes = [0u8; LETTER_SLOTS];
    let mut parts = Vec::new();
    let held_out = evaluate::test_texts(&options.crates, &options.exclude);
    for group in 0..GROUPS {
        let learner = train_group(group, &options, &mut classes);
        let mut part = Part { group, learner, temperature: 1.0, exponent: 0.0 };
        evaluate::calibrate(&mut part, &held_out, &classes);
        parts.push(part);
    }
    let bytes = pack::pack(&parts, &classes, &han_weights(&options));
    eprintln!("model: {} bytes", bytes.len());
    std::fs::write(&options.out, &bytes).expect("the model can be written");
    let detector = detector::Detector::from_bytes(bytes.leak()).expect("the model can be read");
    evaluate::report("held-out texts of the crates", &detector, &held_out);
    for path in &options.measure {
        evaluate::report(&path.display().to_string(), &detector, &evaluate::jsonl(path));
    }
}

fn train_group(group: usize, options: &Options, classes: &mut [u8; LETTER_SLOTS]) -> Learner {
    eprintln!("group {group}");
    let files: Vec<_> =
        LANGUAGES[group].iter().map(|(_, name)| counts::open(&options.crates, name)).collect();
    let mut frequencies: BTreeMap<char, f64> = BTreeMap::new();
    for file in &files {
        for (c, f) in counts::letters(file) {
            let most = frequencies.entry(c).or_default();
            *most = most.max(f);
        }
    }
    let letters = alphabet::assign_classes(group, &frequencies, classes);
    let tables: Vec<_> = files.iter().map(|file| counts::ngrams(file, group, classes)).collect();
    drop(files);
    eprintln!(
        "  {letters} letters, {} n-grams in all",
        tables.iter().map(|table| table.len()).sum::<usize>()
    );
    let mut learner = Learner::new(&tables, recipe(group, options));
    let mut authors: Vec<_> = tables.iter().map(Author::new).collect();
    for (author, (code, _)) in authors.iter_mut().zip(LANGUAGES[group]) {
        author.chat_words = synthesis::chat_words(code, group, classes);
    }
    drop(tables);
    learner.train(&authors, &mut Dice(1 + group as u64));
    learner.biases = LANGUAGES[group].iter().map(|(code, _)| prior(code, options.prior)).collect();
    learner
}

/// What a language is favoured by in short texts, where the letters leave it open.
fn prior(code: &str, unit: f32) -> f32 {
    match code {
        "en" => 2.0 * unit,
        code if evaluate::MAJOR.contains(&code) => unit,
        _ => 0.0,
    }
}

fn recipe(group: usize, options: &Options) -> Recipe {
    let samples = |count: f64| (count * options.scale) as usize;
    match group {
        0 => Recipe {
            rarest: 8e-6,
            l1: 1.0,
            rate: 0.3,
            samples: samples(4e6),
            refit_samples: samples(2e6),
            postings: options.postings,
        },
        1 => Recipe {
            rarest: 1e-5,
            l1: 1.0,
            rate: 0.3,
            samples: samples(1e6),
            refit_samples: samples(4e5),
            postings: 150_000,
        },
        _ => Recipe {
            rarest: 2e-5,
            l1: 1.0,
            rate: 0.3,
            samples: samples(6e5),
            refit_samples: samples(2e5),
            postings: 30_000,
        },
    }
}

/// Sixteenths of a nat by which each Han character is likelier in Chinese than in Japanese.
///
/// The Chinese statistics are of traditional characters; half of the Chinese side is the same text in
/// simplified ones, through the character table of OpenCC.
fn han_weights(options: &Options) -> Vec<i8> {
    let simplified = simplified_characters(&options.simplified);
    let mut chinese = vec![0f64; HAN_COUNT];
    let mut japanese = vec![0f64; HAN_COUNT];
    for (c, frequency) in counts::letters(&counts::open(&options.crates, "chinese")) {
        for form in [c, *simplified.get(&c).unwrap_or(&c)] {
            if let Some(at) = han_offset(form) {
                chinese[at] += frequency;
            }
        }
    }
    for (c, frequency) in counts::letters(&counts::open(&options.crates, "japanese")) {
        if let Some(at) = han_offset(c) {
            japanese[at] += frequency;
        }
    }
    let (chinese_total, japanese_total) = (chinese.iter().sum::<f64>(), japanese.iter().sum::<f64>());
    let floor = 2e-6;
    let weight = |(zh, ja): (&f64, &f64)| {
        let ratio = (zh / chinese_total + floor) / (ja / japanese_total + floor);
        (ratio.ln() * 16.0).round().clamp(-96.0, 96.0) as i8
    };
    chinese.iter().zip(&japanese).map(weight).collect()
}

fn han_offset(c: char) -> Option<usize> {
    (c as usize).checked_sub(HAN_FIRST as usize).filter(|at| *at < HAN_COUNT)
}

fn simplified_characters(path: &std::path::Path) -> HashMap<char, char> {
    let content = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    content
        .lines()
        .filter_map(|line| {
            let (from, to) = line.split_once('\t')?;
            Some((from.chars().next()?, to.chars().next()?))
        })
        .collect()
}

fn options() -> Options {
    let mut options = Options {
        crates: PathBuf::new(),
        simplified: PathBuf::new(),
        out: PathBuf::from("model.bin"),
        exclude: vec![],
        measure: vec![],
        scale: 1.0,
        postings: 700_000,
        prior: 0.6,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--crates" => options.crates = value.into(),
            "--simplified" => options.simplified = value.into(),
            "--out" => options.out = value.into(),
            "--exclude" => options.exclude.push(value.into()),
            "--measure" => options.measure.push(value.into()),
            "--scale" => options.scale = value.parse().expect("--scale is a number"),
            "--prior" => options.prior = value.parse().expect("--prior is a number"),
            "--postings" => options.postings = value.parse().expect("--postings is a number"),
            _ => panic!(
                "unknown option {name}; known: --crates --simplified --out --exclude --measure --scale"
            ),
        }
    }
    options
}
