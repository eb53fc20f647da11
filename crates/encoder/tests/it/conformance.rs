//! What every engine has to do, written over the trait.

use vsr_encoder::native::{Level, NativeEngine, Width};
use vsr_encoder::onnx::OnnxEngine;
use vsr_encoder::{Blob, Engine, Error, Input, PackOptions, Package, Scratch, pack};

use crate::golden;

/// Every engine, with a small BERT.
fn engines() -> Vec<Box<dyn Engine>> {
    let mut engines: Vec<Box<dyn Engine>> = Vec::new();
    for width in [Width::Float, Width::Bf16, Width::Int8] {
        for level in [Level::Portable, Level::best()] {
            let packed = pack(&golden("bert"), PackOptions::all(width)).unwrap();
            let package = Package::open(&Blob::from(packed)).unwrap();
            engines.push(Box::new(NativeEngine::new(&package, Some(level)).unwrap()));
        }
    }
    let config = std::fs::read(golden("onnx-bert").join("config.json")).unwrap();
    let config = serde_json::from_slice(&config).unwrap();
    engines.push(Box::new(OnnxEngine::load(&golden("onnx-bert").join("model.onnx"), &config).unwrap()));
    engines
}

fn run(engine: &dyn Engine, ids: &[u32], scratch: &mut Scratch) -> Result<Vec<f32>, Error> {
    engine.run(Input::whole(ids, &vec![0; ids.len()]), scratch)?;
    Ok(scratch.hidden.clone())
}

#[test]
fn a_sequence_of_any_length_gives_a_row_per_token() {
    for engine in engines() {
        let mut scratch = Scratch::default();
        for length in 1..=engine.max_tokens() {
            let hidden = run(&*engine, &vec![7; length], &mut scratch).unwrap();
            assert_eq!(hidden.len(), length * engine.hidden_size());
            assert!(hidden.iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn what_a_scratch_was_used_for_does_not_change_a_result() {
    for engine in engines() {
        let ids: Vec<u32> = (5..25).collect();
        let fresh = run(&*engine, &ids, &mut Scratch::default()).unwrap();
        let mut scratch = Scratch::default();
        run(&*engine, &[9; 60], &mut scratch).unwrap();
        assert_eq!(run(&*engine, &ids, &mut scratch).unwrap(), fresh);
    }
}

#[test]
fn the_order_of_tokens_matters() {
    for engine in engines() {
        let mut scratch = Scratch::default();
        let one = run(&*engine, &[5, 6, 7, 8], &mut scratch).unwrap();
        let other = run(&*engine, &[5, 7, 6, 8], &mut scratch).unwrap();
        assert_ne!(one, other);
    }
}

#[test]
fn empty_long_and_unknown_input_is_an_error_not_a_panic() {
    for engine in engines() {
        let mut scratch = Scratch::default();
        let too_long = vec![5; engine.max_tokens() + 1];
        for ids in [&[][..], &too_long, &[5, 1_000_000]] {
            assert!(matches!(run(&*engine, ids, &mut scratch), Err(Error::Input(_))), "{} ids", ids.len());
        }
        assert!(engine.run(Input::whole(&[5, 6], &[0]), &mut scratch).is_err());
    }
}
