//! Times passes of a checkpoint over token sequences: `passes DIR LENGTHS [--precision P] [--closing P] [--level L] [--dump FILE]`.
//!
//! With `--engine rten`, or `onnxruntime`, `cuda` and the others in builds with the feature `ort`, the directory's
//! `model.onnx` is run instead of its safetensors.
//!
//! Prints one line per length with the median and the least milliseconds of CPU time; `--dump` writes the hidden states
//! of all lengths as little-endian f32.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::path::Path;
use std::time::Instant;

use vsr_encoder::native::{Level, NativeEngine, Width};
use vsr_encoder::onnx::OnnxEngine;
use vsr_encoder::{Backend, Blob, Engine, Input, PackOptions, Package, Scratch, pack};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut paths, mut precision, mut closing, mut level, mut dump, mut backend) =
        (Vec::new(), Width::Float, None, None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--precision" => precision = width(arguments.next().as_deref()),
            "--closing" => closing = Some(width(arguments.next().as_deref())),
            "--level" => {
                let name = arguments.next().unwrap_or_default();
                level = Level::ALL.into_iter().find(|l| format!("{l:?}").eq_ignore_ascii_case(&name));
            }
            "--dump" => dump = arguments.next(),
            "--engine" => {
                let name = arguments.next().unwrap_or_default();
                let known = |it: &Backend| it.as_str() == name || it.engine() == name;
                backend = Backend::ALL.into_iter().find(known);
            }
            _ => paths.push(argument),
        }
    }
    let [directory, lengths] = paths.as_slice() else {
        return Err(
            "usage: passes DIR LENGTHS [--engine rten|onnxruntime|cuda] [--precision f32|bf16|int8] [--level L] [--dump FILE]"
                .into(),
        );
    };
    let directory = Path::new(directory);
    let (engine, name): (Box<dyn Engine>, String) = if let Some(backend) = backend {
        let config = serde_json::from_slice(&std::fs::read(directory.join("config.json"))?)?;
        let engine = OnnxEngine::load(&directory.join("model.onnx"), &config, backend)?;
        (Box::new(engine), backend.engine().to_owned())
    } else {
        let options = PackOptions { closing: closing.unwrap_or(precision), ..PackOptions::all(precision) };
        let engine = NativeEngine::new(&Package::open(&Blob::from(pack(directory, options)?))?, level)?;
        let name = format!("{:?} {precision:?}", engine.level());
        (Box::new(engine), name)
    };
    let mut scratch = Scratch::default();
    let mut states = Vec::new();
    for length in lengths.split(',') {
        let length: usize = length.parse()?;
        // Ids spread over the vocabulary, the same in every run and in the script that compares engines.
        let ids: Vec<u32> = (0..length as u32).map(|i| 1000 + (i * 7919 + 13) % 20000).collect();
        let types = vec![0; length];
        let mut times = Vec::new();
        let begin = Instant::now();
        while times.len() < 5 || (times.len() < 200 && begin.elapsed().as_millis() < 400) {
            let start = Instant::now();
            engine.run(Input::whole(&ids, &types), &mut scratch)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{name} {length} {:.3} {:.3}", times[times.len() / 2], times[0]);
        states.extend(scratch.hidden.iter().flat_map(|x| x.to_le_bytes()));
    }
    if let Some(path) = dump {
        std::fs::write(path, states)?;
    }
    Ok(())
}

fn width(name: Option<&str>) -> Width {
    match name {
        Some("bf16") => Width::Bf16,
        Some("int8") => Width::Int8,
        _ => Width::Float,
    }
}
