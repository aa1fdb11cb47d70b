//! Instructions and allocations for each command, held against their bounds.
//!
//! Built with optimisation only: what is built without it says nothing of what is sold with.

use std::path::Path;

use drop_counted::{Measured, profile};

/// A lone command, and a full batch.
const SIZES: [u32; 2] = [1, 256];

const COMMAND: &str = "cargo test --release -p drop-counted --test counts";

fn hold(kind: &str, works: &[&str]) {
    assert!(!cfg!(debug_assertions), "{COMMAND}");
    let program = Path::new(env!("CARGO_BIN_EXE_counted"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut measured = Measured::new();
    for work in works {
        for size in SIZES {
            let name = format!("{kind}-{work}");
            let file = folder.join(format!("{name}-{size}.callgrind"));
            let profile = profile(program, &[&name, &size.to_string()], &file);
            let file = file.display();
            measured.add(
                format!("{kind}/{work}/{size}/instructions"),
                profile.instructions_each(),
                format!("callgrind_annotate --inclusive=yes {file}"),
            );
            measured.add(
                format!("{kind}/{work}/{size}/allocations"),
                profile.allocations_each(),
                format!("callgrind_annotate --tree=caller --inclusive=yes {file} __rust_alloc"),
            );
        }
    }
    measured.hold(COMMAND);
}

#[test]
fn decide_stays_within_its_bounds() {
    hold("decide", &["reserve", "repeat", "purchase", "release", "refuse"]);
}

#[test]
fn the_memory_store_and_the_lane_before_it_stay_within_their_bounds() {
    let works = [
        "reserve",
        "reserve-known",
        "reserve-grown",
        "repeat",
        "purchase",
        "release",
        "expire",
        "sold-out",
    ];
    hold("memory", &works);
}
