//! The quality of the embedded models, as the router reads with them: `quality SAMPLES [MODELS]` prints
//! tables, of the models of the repository or of a folder laid out as `models/`.
//!
//! `SAMPLES` is what `training/signals/samples.py` writes: JSON lines of one of
//! `{"kind": "class", "head", "text", "label", "source", "language"}`,
//! `{"kind": "entities", "text", "spans": [[start, end, type]], "source"}` (in characters),
//! `{"kind": "similarity", "left", "right", "score"}`.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use vsr_encoder::PoolOptions;
use vsr_eval::metrics::{accuracy, auroc, calibration_error, macro_f1, spearman, threshold_at};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};
use vsr_signals::{Cover, Head, ReadingPlan, Wants};

const LIMIT: Duration = Duration::from_secs(600);
const BUDGET: u32 = 16_384;
/// Sources with fewer rows are pooled.
const FEW: usize = 50;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Sample {
    Class(ClassSample),
    Entities { text: String, spans: Vec<(usize, usize, String)>, source: String },
    Similarity { left: String, right: String, score: f64 },
}

#[derive(Deserialize)]
struct ClassSample {
    head: String,
    text: String,
    label: String,
    source: String,
    language: String,
}

/// A classified sample: the probabilities by label.
struct Judged<'s> {
    sample: &'s ClassSample,
    classes: Vec<(String, f64)>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let (samples, models) = match arguments.as_slice() {
        [samples] => (samples, &embedded),
        [samples, models] => (samples, models),
        _ => return Err("usage: quality SAMPLES [MODELS]".into()),
    };
    let pool = PoolOptions { workers: 2, cache_bytes: 16 << 20, ..PoolOptions::default() };
    let reader = Reader::open(ReaderModels::in_folder(models)?, ReaderOptions { pool })?;
    let text = std::fs::read_to_string(samples)?;
    let samples: Vec<Sample> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut pairs: (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut by_head: BTreeMap<&str, Vec<&ClassSample>> = BTreeMap::new();
    let mut entities = Vec::new();
    for sample in &samples {
        match sample {
            Sample::Class(sample) => by_head.entry(&sample.head).or_default().push(sample),
            Sample::Entities { text, spans, source } => entities.push((text, spans, source)),
            Sample::Similarity { left, right, score } => {
                let (left, right) =
                    (reader.embedding(left, LIMIT).await?, reader.embedding(right, LIMIT).await?);
                let dot: f32 =
                    left.vector.iter().zip(right.vector.iter()).map(|(left, right)| left * right).sum();
                pairs.0.push(f64::from(dot));
                pairs.1.push(*score);
            }
        }
    }
    if !pairs.0.is_empty() {
        println!(
            "## Embedding\n\nSpearman {:.3} over {} pairs.\n",
            spearman(&pairs.0, &pairs.1),
            pairs.0.len()
        );
    }
    for (name, samples) in by_head {
        let head = Head::ALL.into_iter().find(|head| head.as_str() == name).ok_or("no such head")?;
        match head {
            Head::Jailbreak => attacks(&reader, &samples).await?,
            _ => classes(&reader, head, &samples).await?,
        }
    }
    if !entities.is_empty() {
        found_entities(&reader, &entities).await?;
    }
    Ok(())
}

async fn judge<'s>(reader: &Reader, head: Head, sample: &'s ClassSample) -> Option<Judged<'s>> {
    let plan = ReadingPlan::for_text(&sample.text, Wants::head(head), Cover::Ends, BUDGET);
    let classes = reader.read(plan, LIMIT).await.text_probabilities(head).ok()?;
    let classes = classes.into_iter().map(|(label, probability)| (label.to_string(), probability)).collect();
    Some(Judged { sample, classes })
}

/// The highest probability of an attack in any window of any view.
async fn attack(reader: &Reader, text: &str) -> Option<f64> {
    let plan = ReadingPlan::for_scan(text, true, false, BUDGET);
    reader.read(plan, LIMIT).await.attack().ok().map(|attack| attack.probability)
}

/// Sources with their rows, few rows pooled.
fn sliced<T>(rows: &[T], source: impl Fn(&T) -> String) -> BTreeMap<String, Vec<&T>> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(source(row)).or_default() += 1);
    let mut slices: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for row in rows {
        let name = source(row);
        let name = if counts[&name] < FEW { "(smaller ones)".to_owned() } else { name };
        slices.entry(name).or_default().push(row);
    }
    slices
}

async fn classes(
    reader: &Reader,
    head: Head,
    samples: &[&ClassSample],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut judged = Vec::new();
    for sample in samples {
        judged.extend(judge(reader, head, sample).await);
    }
    let first = judged.first().ok_or("no sample could be judged")?;
    let labels: Vec<String> = first.classes.iter().map(|(label, _)| label.clone()).collect();
    let index = |label: &str| labels.iter().position(|own| own == label).unwrap_or(usize::MAX);
    let best = |judged: &Judged<'_>| {
        let best = judged.classes.iter().enumerate().max_by(|left, right| left.1.1.total_cmp(&right.1.1));
        best.map_or((0, 0.0), |(index, (_, probability))| (index, *probability))
    };
    println!("## {}\n", head.as_str());
    println!("{} of {} texts are in a language that the head reads.\n", judged.len(), samples.len());
    println!("| slice | rows | accuracy | macro-F1 |\n|---|---|---|---|");
    let line = |name: &str, rows: &[&Judged<'_>]| {
        let predicted: Vec<usize> = rows.iter().map(|row| best(row).0).collect();
        let truth: Vec<usize> = rows.iter().map(|row| index(&row.sample.label)).collect();
        let f1 = macro_f1(&predicted, &truth, labels.len());
        println!("| {name} | {} | {:.3} | {f1:.3} |", rows.len(), accuracy(&predicted, &truth));
    };
    line("all", &judged.iter().collect::<Vec<_>>());
    for (name, rows) in sliced(&judged, |row| row.sample.source.clone()) {
        line(&name, &rows);
    }
    for (name, rows) in sliced(&judged, |row| format!("language {}", row.sample.language)) {
        line(&name, &rows);
    }
    println!("\n| class | AUROC |\n|---|---|");
    for (position, label) in labels.iter().enumerate() {
        let scores: Vec<f64> = judged.iter().map(|row| row.classes[position].1).collect();
        let truth: Vec<bool> = judged.iter().map(|row| row.sample.label == *label).collect();
        if let Some(area) = auroc(&scores, &truth) {
            println!("| {label} | {area:.3} |");
        }
    }
    let confidences: Vec<f64> = judged.iter().map(|row| best(row).1).collect();
    let right: Vec<bool> = judged.iter().map(|row| best(row).0 == index(&row.sample.label)).collect();
    println!("\nCalibration error {:.3}.\n", calibration_error(&confidences, &right));
    Ok(())
}

/// How an attack is written differently, each with what it is called.
fn disguises(attack: &str, harmless: &str, long: &str) -> Vec<(&'static str, String)> {
    let middle = long.char_indices().nth(long.chars().count() / 2).map_or(0, |(at, _)| at);
    let fullwidth = |c: char| match u32::from(c) {
        code @ 0x21..=0x7e => char::from_u32(code + 0xfee0).unwrap_or(c),
        _ => c,
    };
    vec![
        ("harmless words appended", format!("{attack}\n\n{harmless}")),
        ("harmless words before", format!("{harmless}\n\n{attack}")),
        ("inside 8,000 tokens", format!("{} {attack} {}", &long[..middle], &long[middle..])),
        ("zero-width characters", attack.chars().flat_map(|c| [c, '\u{200b}']).collect()),
        ("full-width letters", attack.chars().map(fullwidth).collect()),
        ("base64", base64(attack.as_bytes())),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => out.push(char::from(DIGITS[(group >> (18 - 6 * digit) & 63) as usize])),
                false => out.push('='),
            }
        }
    }
    out
}

async fn attacks(reader: &Reader, samples: &[&ClassSample]) -> Result<(), Box<dyn std::error::Error>> {
    let mut judged = Vec::new();
    for sample in samples {
        if let Some(probability) = attack(reader, &sample.text).await {
            judged.push((*sample, probability));
        }
    }
    let is_attack = |sample: &ClassSample| sample.label == "jailbreak";
    let scores: Vec<f64> = judged.iter().map(|(_, probability)| *probability).collect();
    let truth: Vec<bool> = judged.iter().map(|(sample, _)| is_attack(sample)).collect();
    let (threshold, recall) = threshold_at(&scores, &truth, 0.01).ok_or("no harmless texts")?;
    println!("## jailbreak\n\nPer request: all windows of all views. {} texts.\n", judged.len());
    println!(
        "AUROC {:.3}, recall {recall:.3} at 1 % false positives (threshold {threshold:.4}).\n",
        auroc(&scores, &truth).unwrap_or_default()
    );
    println!("| slice | rows | AUROC | reaches the threshold |\n|---|---|---|---|");
    let negatives: Vec<f64> =
        judged.iter().filter(|(sample, _)| !is_attack(sample)).map(|(_, p)| *p).collect();
    for (name, rows) in sliced(&judged, |(sample, _)| format!("{}: {}", sample.label, sample.source)) {
        let own: Vec<f64> = rows.iter().map(|(_, probability)| *probability).collect();
        let share =
            own.iter().filter(|probability| **probability >= threshold).count() as f64 / own.len() as f64;
        let area = name.starts_with("jailbreak").then(|| {
            let scores: Vec<f64> = own.iter().chain(&negatives).copied().collect();
            auroc(&scores, &(0..scores.len()).map(|index| index < own.len()).collect::<Vec<_>>())
        });
        let area = area.flatten().map_or("–".to_owned(), |area| format!("{area:.3}"));
        println!("| {name} | {} | {area} | {share:.3} |", rows.len());
    }
    for (name, rows) in sliced(&judged, |(sample, _)| format!("language {}", sample.language)) {
        let share = |wanted: bool| {
            let rows = rows.iter().filter(|(sample, _)| is_attack(sample) == wanted);
            let reached = rows.clone().filter(|(_, probability)| *probability >= threshold).count();
            format!("{reached} of {}", rows.count())
        };
        println!("| {name} | {} | – | attacks {}, harmless {} |", rows.len(), share(true), share(false));
    }
    let right: Vec<bool> = judged.iter().map(|(sample, p)| is_attack(sample) == (*p >= 0.5)).collect();
    let sure: Vec<f64> = scores.iter().map(|p| p.max(1.0 - p)).collect();
    println!("\nCalibration error {:.3}.\n", calibration_error(&sure, &right));
    flips(reader, &judged, threshold).await;
    Ok(())
}

/// How many attacks that are caught as they stand are not when they are written differently.
async fn flips(reader: &Reader, judged: &[(&ClassSample, f64)], threshold: f64) {
    let harmless: Vec<&str> = judged
        .iter()
        .filter(|(sample, _)| sample.label != "jailbreak")
        .map(|(sample, _)| sample.text.as_str())
        .collect();
    let mut long = String::new();
    for text in &harmless {
        if long.len() > 32_000 {
            break;
        }
        long.push_str(text);
        long.push('\n');
    }
    let caught = judged.iter().filter(|(sample, p)| sample.label == "jailbreak" && *p >= threshold);
    let caught: Vec<&ClassSample> = caught.map(|(sample, _)| *sample).collect();
    let step = (caught.len() / 100).max(1);
    let mut missed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (place, sample) in caught.iter().step_by(step).enumerate() {
        let padding = harmless[(place * 37) % harmless.len().max(1)];
        for (name, text) in disguises(&sample.text, padding, &long) {
            let is_missed = attack(reader, &text).await.is_none_or(|probability| probability < threshold);
            let (flipped, count) = missed.entry(name).or_default();
            *flipped += usize::from(is_missed);
            *count += 1;
        }
    }
    println!("| written differently | attacks | not caught any more |\n|---|---|---|");
    for (name, (flipped, count)) in missed {
        println!("| {name} | {count} | {:.3} |", flipped as f64 / count.max(1) as f64);
    }
    println!();
}

type Spans = Vec<(usize, usize, String)>;

async fn found_entities(
    reader: &Reader,
    samples: &[(&String, &Spans, &String)],
) -> Result<(), Box<dyn std::error::Error>> {
    // By source and type: exact hits, partial hits, found, wanted.
    let mut counts: BTreeMap<(String, String), [usize; 4]> = BTreeMap::new();
    for (text, wanted, source) in samples {
        let plan = ReadingPlan::for_scan(text, false, true, BUDGET);
        let Ok(reading) = reader.read(plan, LIMIT).await.entities() else { continue };
        let characters = |at: usize| text[..at].chars().count();
        let found: Vec<(usize, usize, String)> = reading
            .entities
            .iter()
            .filter(|entity| entity.probability >= 0.5)
            .map(|entity| {
                (characters(entity.bytes.start), characters(entity.bytes.end), entity.kind.to_string())
            })
            .collect();
        let kinds: BTreeSet<&String> =
            wanted.iter().map(|span| &span.2).chain(found.iter().map(|span| &span.2)).collect();
        for kind in kinds {
            let of = |spans: &Spans| spans.iter().filter(|span| span.2 == *kind).cloned().collect::<Vec<_>>();
            let (own, theirs) = (of(&found), of(wanted));
            let overlaps =
                |span: &(usize, usize, String)| own.iter().any(|own| own.0 < span.1 && span.0 < own.1);
            let count = counts.entry(((*source).clone(), kind.clone())).or_default();
            count[0] += theirs.iter().filter(|span| own.contains(span)).count();
            count[1] += theirs.iter().filter(|span| overlaps(span)).count();
            count[2] += own.len();
            count[3] += theirs.len();
        }
    }
    println!(
        "## Personal data\n\n| source | type | wanted | recall exact / partial | F1 exact / partial |\n|---|---|---|---|---|"
    );
    for ((source, kind), [exact, partial, found, wanted]) in counts.iter().filter(|(_, count)| count[3] > 0) {
        let f1 = |hits: usize| 2.0 * hits as f64 / (found + wanted).max(1) as f64;
        let recall = |hits: usize| hits as f64 / (*wanted).max(1) as f64;
        println!(
            "| {source} | {kind} | {wanted} | {:.3} / {:.3} | {:.3} / {:.3} |",
            recall(*exact),
            recall(*partial),
            f1(*exact),
            f1(*partial)
        );
    }
    println!();
    Ok(())
}
