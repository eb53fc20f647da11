//! What heads of the trunk read, for fitting them on what the engine itself computes:
//! `layer_means TRUNK TEXTS OUT LAYERS`, as in `layer_means trunk.bin texts.jsonl means 3,6,9`.
//!
//! `TEXTS` has JSON lines `{"text", "scan"}`: a text is read as the safety scan reads it, in all its views, or as it
//! stands. `OUT.windows.jsonl` has a line per text, the numbers of its windows; `OUT.f32` of every window the means of
//! the layers (little-endian).
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Deserialize;
use vsr_encoder::{Blob, Model, Scratch, WindowPlan};
use vsr_signals::ReadingPlan;

const WINDOW: WindowPlan = WindowPlan { tokens: 128, overlap: 32, budget: BUDGET as usize, deadline: None };
const BUDGET: u32 = 16_384;

#[derive(Deserialize)]
struct Text {
    text: String,
    #[serde(default)]
    scan: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [trunk, texts, out, layers] = arguments.as_slice() else {
        return Err("usage: layer_means TRUNK TEXTS OUT LAYERS".into());
    };
    let layers: Vec<usize> = layers.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let model = Model::from_packed(&Blob::map(Path::new(trunk))?, None)?;
    let create = |ending: &str| File::create(format!("{out}.{ending}")).map(BufWriter::new);
    let (mut lists, mut floats) = (create("windows.jsonl")?, create("f32")?);
    let mut scratch = Scratch::default();
    let mut known: HashMap<String, usize> = HashMap::new();
    for line in std::fs::read_to_string(texts)?.lines() {
        let Text { text, scan } = serde_json::from_str(line)?;
        let plan = ReadingPlan::for_scan(&text, true, false, BUDGET);
        let views = plan.needs().iter().filter(|need| need.wants.reads_trunk()).map(|need| &*need.text);
        let views: Vec<&str> = if scan { views.collect() } else { vec![&text] };
        let mut numbers = Vec::new();
        for view in views {
            for range in model.windows(view, WINDOW)?.ranges {
                let window = &view[range];
                let next = known.len();
                let number = *known.entry(window.to_owned()).or_insert(next);
                if number == next {
                    for value in model.layer_means(window, &layers, &mut scratch)? {
                        floats.write_all(&value.to_le_bytes())?;
                    }
                }
                numbers.push(number);
            }
        }
        writeln!(lists, "{}", serde_json::to_string(&numbers)?)?;
    }
    lists.flush()?;
    Ok(floats.flush()?)
}
