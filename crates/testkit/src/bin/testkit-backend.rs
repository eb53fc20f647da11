//! A mock backend as a process, for tests in other languages: `testkit-backend [--behaviour NAME] [--port PORT]`.
//!
//! It prints `listening on 127.0.0.1:PORT`, serves until its standard input ends, and takes orders under `/__testkit/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks through its outputs"
)]

use std::io::{Read, Write};
use std::process::ExitCode;

use vsr_testkit::{Backend, Fault, Gate};

fn main() -> ExitCode {
    let gate = Gate::new();
    match read_args(&gate) {
        Ok((port, fault)) => {
            let backend = Backend::start_controlled(port, fault, gate);
            println!("listening on {}", backend.address());
            let _flushed = std::io::stdout().flush();
            // Ending with standard input means that a parent which dies takes its backends along.
            let _ended = std::io::stdin().read_to_end(&mut Vec::new());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("testkit-backend: {message}");
            eprintln!("usage: testkit-backend [--behaviour NAME] [--port PORT]");
            eprintln!("behaviours: {}", Fault::NAMES.join(", "));
            ExitCode::from(2)
        }
    }
}

fn read_args(gate: &Gate) -> Result<(u16, Fault), String> {
    let (mut port, mut fault) = (0, Fault::None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--port" => port = value.parse().map_err(|_| format!("--port {value} is not a port"))?,
            "--behaviour" => {
                fault = Fault::named(&value, gate).ok_or_else(|| format!("no behaviour {value:?}"))?;
            }
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok((port, fault))
}
