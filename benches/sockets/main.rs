//! What a WebSocket costs while one drop changes as fast as it can.
//!
//! `cargo bench -p drop-benches --bench sockets`. Beside the shop's router stands a bare broadcast
//! loop: axum's WebSocket and a channel, twenty frames a second. Server and sockets are processes
//! of their own, each round anew, so that memory and time are those of the server.

mod client;
mod machine;
mod server;

use std::process::Command;

use drop_benches::report::{Cell, Goal, Question, Round};

use crate::server::Found;

const SOCKETS: [u64; 6] = [1, 10, 100, 1_000, 5_000, 10_000];
const CROWD: u64 = 5_000;
/// How long each is measured.
const SECONDS: &str = "4";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(client::ROLE) => run(client::run(&arguments[1..])),
        Some(server::ROLE) => run(server::run(&arguments[1..])),
        _ => ask(),
    }
}

fn run(role: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(role);
}

fn ask() {
    let mut question = Question::new("sockets", "What does a watcher cost?")
        .parameter("frames of a drop", &"20/s at most")
        .parameter("paced load", &"64 callers, a reserve each every 5 ms")
        .parameter("full load", &"64 callers without a pause");
    let cell = |work: &str, series: &str, sockets: u64| Cell::new(work, series, "sockets", sockets);
    for _ in 0..question.rounds(3, 5) {
        for sockets in SOCKETS {
            for series in ["bare broadcast", "ours"] {
                for load in ["paced", "full"] {
                    let cpu = cell(&format!("CPU a frame, {load} load"), series, sockets);
                    let newest = cell(&format!("frames, {load} load"), series, sockets);
                    let bytes = cell("memory a connection", series, sockets);
                    if ![&cpu, &newest, &bytes].iter().any(|cell| question.wants(cell)) {
                        continue;
                    }
                    let found = serve(series, sockets, load);
                    question.record(&cpu, "us", Round::of(found.micros));
                    let frames = Round::of(found.frames);
                    question.record(&newest, "/s each", frames.waited(found.waits));
                    let reserves = cell(&format!("reserves, {load} load"), series, sockets);
                    question.record(&reserves, "/s", Round::of(found.reserves));
                    if sockets >= 1_000 {
                        question.record(&bytes, "bytes", Round::of(found.bytes));
                    }
                }
            }
        }
    }
    for load in ["paced", "full"] {
        let cpu = cell(&format!("CPU a frame, {load} load"), "ours", CROWD);
        question.goal(Goal::times(&cpu, &cpu.by("bare broadcast")).at_most(1.2));
        let frames = cell(&format!("frames, {load} load"), "ours", CROWD);
        question.goal(Goal::figure(&frames).at_most(20.0));
        question.goal(Goal::p99(&frames).at_most(150.0));
    }
    let bytes = cell("memory a connection", "ours", CROWD);
    question.goal(Goal::figure(&bytes).at_most(16.0 * 1024.0));
    question.goal(Goal::times(&bytes, &bytes.by("bare broadcast")).at_most(1.2));
    question.finish();
}

/// A server of its own.
fn serve(series: &str, sockets: u64, load: &str) -> Found {
    let which = if series == "ours" { series } else { "bare" };
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([server::ROLE, which, &sockets.to_string(), load, SECONDS])
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
