//! Work of a fixed size, for a tool that counts instructions: `counted NAME SIZE` does 2,048
//! commands in batches of so many and says how many commands it did.
//!
//! There is no clock in it, no thread and no socket. What has to be prepared is prepared before
//! [`measured`] is called, and is left where it is after it: a tool that counts from that call
//! on, as callgrind does with `--zero-before`, sees nothing else.

mod decisions;
mod shop;
mod together;

use std::process::ExitCode;

/// Commands in one run, whatever the size of their batches.
const COMMANDS: u32 = 2048;

/// Work that is prepared, and how many commands it is.
pub(crate) struct Prepared {
    work: Box<dyn FnMut()>,
    commands: u32,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, size] = args.as_slice() else {
        eprintln!("usage: counted NAME SIZE");
        return ExitCode::from(2);
    };
    let prepared = match size.parse() {
        Ok(size @ 1..=COMMANDS) => prepare(name, size),
        _ => None,
    };
    let Some(mut prepared) = prepared else {
        eprintln!("counted: there is no work {name} of size {size}");
        return ExitCode::from(2);
    };
    println!("{}", prepared.commands);
    measured(&mut prepared.work);
    // Not by returning: what was prepared would be taken down, and counted.
    std::process::exit(0);
}

fn prepare(name: &str, size: u32) -> Option<Prepared> {
    decisions::prepare(name, size).or_else(|| shop::prepare(name, size))
}

/// What is counted is what runs in here.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}
