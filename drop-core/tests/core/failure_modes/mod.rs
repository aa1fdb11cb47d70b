//! Each failure mode that there is a word for, and the tests that show what becomes of it.
//!
//! The list is the one of the project's promises about reliability. A name here that no test
//! has any more fails; so does a failure mode without a test.

mod inside;
mod outside;

use std::path::Path;

use drop_core::conformance::Report;

use inside::{CONCURRENCY, CRASH, TIME};
use outside::{ABUSE, EVENTS, STOCK};

/// A failure mode, and where it is shown: `file::function`, `/` for the file's folders, cases
/// of the conformance suite as `case:topic::name` (they run on every store).
type Mode = (&'static str, &'static [&'static str]);

const MODES: [(&str, &[Mode]); 6] = [
    ("Time", TIME),
    ("Concurrency", CONCURRENCY),
    ("Crash and ambiguity", CRASH),
    ("Stock administration", STOCK),
    ("Events", EVENTS),
    ("Abuse", ABUSE),
];

/// Why there is no such test; `None` where there is.
fn missing(workspace: &Path, name: &str) -> Option<String> {
    if let Some(case) = name.strip_prefix("case:") {
        let known = drop_core::conformance::CASES.iter().any(|known| known.name == case);
        return (!known).then(|| format!("the suite has no case {case}"));
    }
    let Some((file, function)) = name.rsplit_once("::") else {
        return Some(format!("{name} names no function"));
    };
    let Ok(text) = std::fs::read_to_string(workspace.join(file)) else {
        return Some(format!("there is no file {file}"));
    };
    let Some((before, _)) = text.split_once(&format!("fn {function}(")) else {
        return Some(format!("{file} has no {function}"));
    };
    // Between the function and what ends before it stands that it is a test.
    let head = before.rsplit("\n}\n").next().unwrap_or(before);
    let head = head.rsplit("    }\n").next().unwrap_or(head);
    let is_test = head.contains("#[test]") || head.contains("#[tokio::test");
    (!is_test).then(|| format!("{name} is no test"))
}

#[test]
fn every_failure_mode_has_its_tests() {
    let replay = "cargo test -p drop-core --all-features --test core failure_modes";
    let report = Report::begin("failure modes", "the list", replay);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut table = String::from("| | failure mode | shown by |\n| --- | --- | --- |\n");
    let mut wrong = Vec::new();
    let mut count = 0;
    for (topic, modes) in MODES {
        for (mode, tests) in modes {
            count += 1;
            if tests.is_empty() {
                wrong.push(format!("no test: {mode}"));
            }
            wrong.extend(tests.iter().filter_map(|name| missing(workspace, name)));
            let shown: Vec<_> = tests
                .iter()
                .map(|name| format!("`{}`", name.strip_prefix("case:").unwrap_or(name)))
                .collect();
            table.push_str(&format!("| {topic} | {mode} | {} |\n", shown.join("<br>")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    report.figure("failure modes", &count).table(table).save();
}

#[test]
fn what_is_no_test_is_noticed() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    for name in [
        "case:races::no_such_case",
        "drop-core/tests/core/no_such_file.rs::anything",
        "drop-core/tests/core/failure_modes/mod.rs::no_such_function",
        "drop-core/tests/core/failure_modes/mod.rs::missing",
        "nothing",
    ] {
        assert!(missing(workspace, name).is_some(), "{name}");
    }
    let this = "drop-core/tests/core/failure_modes/mod.rs::what_is_no_test_is_noticed";
    assert_eq!(missing(workspace, this), None);
}
