//! Packs a checkpoint directory: `pack DIR OUT [--precision P] [--closing P] [--embeddings P]` with `P` one of f32, bf16,
//! int8; or heads alone that were fitted on a packed model: `pack DIR OUT --fitted-on MODEL`.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::path::Path;

use vsr_encoder::native::Width;
use vsr_encoder::{Blob, Model, PackOptions, Package, Scratch, pack, pack_heads};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = Vec::new();
    let (mut precision, mut closing, mut embeddings, mut base) = (Width::Int8, None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--precision" => precision = width(arguments.next().as_deref())?,
            "--closing" => closing = Some(width(arguments.next().as_deref())?),
            "--embeddings" => embeddings = Some(width(arguments.next().as_deref())?),
            "--fitted-on" => base = Some(arguments.next().ok_or("--fitted-on needs a packed model")?),
            _ => paths.push(argument),
        }
    }
    let [directory, out] = paths.as_slice() else {
        return Err("usage: pack DIR OUT [--precision f32|bf16|int8] [--closing …] [--embeddings …]".into());
    };
    let scratch = &mut Scratch::default();
    if let Some(base) = base {
        let package = Package::map(Path::new(&base))?;
        let packed = pack_heads(Path::new(directory), &package)?;
        std::fs::write(out, &packed)?;
        return tell(out, &Model::new(&package.with_heads(&Blob::from(packed))?, None)?, scratch);
    }
    let options = PackOptions {
        weights: precision,
        closing: closing.unwrap_or(precision),
        embeddings: embeddings.unwrap_or(precision),
    };
    let packed = pack(Path::new(directory), options)?;
    std::fs::write(out, &packed)?;
    tell(out, &Model::from_packed(&Blob::from(packed), None)?, scratch)
}

fn tell(out: &str, model: &Model, scratch: &mut Scratch) -> Result<(), Box<dyn std::error::Error>> {
    let encoded = model.encode("A short text to see that it runs.", scratch)?;
    println!(
        "{out}: {} fingerprint {} tokens {}",
        model.engine().name(),
        model.fingerprint(),
        encoded.token_count
    );
    for head in &encoded.heads {
        println!("  {}: {:?}", head.head, head.values);
    }
    Ok(())
}

fn width(name: Option<&str>) -> Result<Width, String> {
    match name {
        Some("f32") => Ok(Width::Float),
        Some("bf16") => Ok(Width::Bf16),
        Some("int8") => Ok(Width::Int8),
        other => Err(format!("precision {other:?} is not one of f32, bf16, int8")),
    }
}
