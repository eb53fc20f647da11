//! How long short texts wait beside long ones: `crowd [LONG [SHORT]]` prints the times of `SHORT` short requests, one after
//! the other, while `LONG` long ones are being read.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};
use vsr_signals::{Cover, Head, ReadingPlan, Wants};

const LIMIT: Duration = Duration::from_secs(600);
const BUDGET: u32 = 16_384;
/// Sentences of a long text; a window has about eight.
const SENTENCES: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

/// How long it takes to read all of a text.
async fn read(reader: &Reader, text: String) -> Duration {
    let started = Instant::now();
    let plan = ReadingPlan::for_text(&text, Wants::head(Head::Jailbreak), Cover::Whole, BUDGET);
    let _readings = reader.read(plan, LIMIT).await;
    started.elapsed()
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let long = arguments.next().transpose()?.unwrap_or(40);
    let short = arguments.next().transpose()?.unwrap_or(20);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let reader = Reader::open(ReaderModels::in_folder(&folder)?, ReaderOptions::default())?;
    reader.warm()?;
    let alone = read(&reader, "How is the weather in Lisbon?".to_owned()).await;
    let texts: Vec<String> = (0..long)
        .map(|text| {
            (0..SENTENCES)
                .map(|i| format!("Sentence {i} of text {text} tells of the weather in spring. "))
                .collect()
        })
        .collect();
    let crowd = join_all(texts.into_iter().map(|text| read(&reader, text)));
    let few = async {
        let mut times = Vec::new();
        for number in 0..short {
            tokio::time::sleep(Duration::from_millis(20)).await;
            times.push(read(&reader, format!("How is the weather in town number {number}?")).await);
        }
        times
    };
    let (crowd, mut times) = join(crowd, few).await;
    times.sort_unstable();
    let longest = crowd.iter().max().copied().unwrap_or_default();
    println!("a short text alone: {alone:.1?}; {long} long ones together: {longest:.1?}");
    let place = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    println!("{short} short ones beside them: median {:.1?}, longest {:.1?}", place(50), times.last());
    Ok(())
}
