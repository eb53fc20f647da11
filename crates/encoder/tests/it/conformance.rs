//! What every engine has to do, written over the trait.

use vsr_encoder::native::{Level, NativeEngine, Width};
use vsr_encoder::onnx::OnnxEngine;
use vsr_encoder::{Backend, Blob, Engine, Error, Input, Model, PackOptions, Package, Scratch, pack};

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
    for backend in [Some(Backend::Own), onnxruntime()].into_iter().flatten() {
        let engine = OnnxEngine::load(&golden("onnx-bert").join("model.onnx"), &config, backend).unwrap();
        assert_eq!(engine.name(), backend.engine());
        engines.push(Box::new(engine));
    }
    engines
}

/// ONNX Runtime on the CPU, where this build can load it and its library is there.
#[expect(clippy::print_stdout, reason = "what is left out says so")]
fn onnxruntime() -> Option<Backend> {
    match Backend::Cpu.check() {
        Ok(()) => Some(Backend::Cpu),
        Err(missing) => {
            println!("not tested: {missing}");
            None
        }
    }
}

#[test]
fn a_backend_that_is_not_there_is_an_error_that_says_what_to_install_and_never_the_cpu_instead() {
    assert!(Backend::Own.check().is_ok());
    let directory = golden("onnx-bert");
    for backend in [Backend::Cuda, Backend::Rocm, Backend::MiGraphX, Backend::CoreMl] {
        let loaded = Model::from_directory_on(&directory, PackOptions::all(Width::Float), None, backend);
        let Err(error) = loaded else {
            println!("{} is there", backend.as_str());
            continue;
        };
        let told = error.to_string();
        assert!(matches!(error, Error::Unsupported { .. }), "{told}");
        assert!(told.contains(backend.as_str()), "{told}");
        assert!(told.contains("install") || told.contains("the feature `ort`"), "{told}");
    }
}

#[test]
fn onnx_runtime_gives_what_the_routers_own_runtime_gives() {
    let Some(backend) = onnxruntime() else { return };
    let (options, mut scratch) = (PackOptions::all(Width::Float), Scratch::default());
    for name in ["onnx-bert", "onnx-sequence", "onnx-token", "onnx-pair", "onnx-towers", "onnx-audio"] {
        let own = Model::from_directory(&golden(name), options, None).unwrap();
        let other = Model::from_directory_on(&golden(name), options, None, backend).unwrap();
        assert_ne!(own.fingerprint(), other.fingerprint(), "vectors of both are not mixed");
        let own = own.encode("the cat is in paris", &mut scratch).unwrap();
        let other = other.encode("the cat is in paris", &mut scratch).unwrap();
        if !own.embedding.is_empty() {
            assert!(crate::cosine(&own.embedding, &other.embedding) > 0.999_99, "{name}");
        }
        for (own, other) in own.heads.iter().zip(&other.heads) {
            crate::goldens::assert_close(&own.values, &other.values);
        }
        let rows = |encoded: &vsr_encoder::Encoded| -> Vec<f32> {
            encoded.tokens.iter().flat_map(|tokens| tokens.iter().flat_map(|(_, p)| p.to_vec())).collect()
        };
        crate::goldens::assert_close(&rows(&own), &rows(&other));
    }
    let native = Model::from_directory_on(&golden("bert"), options, None, backend).unwrap_err().to_string();
    assert!(native.contains("export the model to ONNX"), "{native}");
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
