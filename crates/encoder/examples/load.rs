//! Loads packed models by mapping and tells what it took: `load FILE...`.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::path::Path;
use std::time::Instant;

use vsr_encoder::{Blob, Model, Scratch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut models = Vec::new();
    let mut scratch = Scratch::default();
    for path in std::env::args().skip(1) {
        let start = Instant::now();
        let model = Model::from_packed(&Blob::map(Path::new(&path))?, None)?;
        let loaded = start.elapsed();
        let encoded = model.encode("A short text to see that it runs.", &mut scratch)?;
        println!(
            "{path}: loaded in {loaded:.1?}, first pass of {} tokens after {:.1?}",
            encoded.token_count,
            start.elapsed()
        );
        models.push(model);
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("Rss")) {
        println!("{line}");
    }
    Ok(())
}
