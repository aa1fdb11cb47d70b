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
    not_run(&text, function).map(|why| format!("{name} {why}"))
}

/// Why `function` is no test that runs wherever the tests of its file are; `None` where it is.
fn not_run(text: &str, function: &str) -> Option<&'static str> {
    let Some((before, _)) = text.split_once(&format!("fn {function}(")) else {
        return Some("is not there");
    };
    let (above, line) = before.rsplit_once('\n').unwrap_or(("", before));
    if !line.split_whitespace().all(|word| ["pub", "async", "pub(crate)"].contains(&word)) {
        return Some("is no function");
    }
    // What stands right above a function belongs to it: attributes, and its documentation.
    let own = above.lines().rev().map(str::trim);
    let own = own.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<&str> = own.filter(|line| line.starts_with("#[")).collect();
    let is_test = |line: &&str| *line == "#[test]" || line.starts_with("#[tokio::test");
    if !attributes.iter().any(is_test) {
        return Some("is no test");
    }
    // Any other may have it ignored, left out, or pass by failing.
    if attributes.len() > 1 {
        return Some("has another attribute");
    }
    // The modules around it are left out of what is no test, and of nothing else.
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let around = lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        let left_out = around && line.starts_with("#[cfg") && line != "#[cfg(test)]";
        if left_out || line.starts_with("#![cfg") {
            return Some("is in what may be left out");
        }
    }
    None
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

/// A test that is never run shows nothing.
#[test]
fn a_test_that_is_left_out_is_noticed() {
    let runs = "#[cfg(test)]\nmod tests {\n    /// Why.\n    #[test]\n    fn one() {}\n}\n";
    assert_eq!(not_run(runs, "one"), None);
    let late = "fn other() {}\n\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn one() {}\n";
    assert_eq!(not_run(late, "one"), None);
    for text in [
        "",
        "fn one() {}\n",
        "#[test]\nfn other() {}\n\nfn one() {}\n",
        "// #[test]\nfn one() {}\n",
        "#[test]\n// fn one() {}\n",
        "#![cfg(windows)]\n#[test]\nfn one() {}\n",
        "#[cfg(windows)]\nmod tests {\n    #[test]\n    fn one() {}\n}\n",
    ] {
        assert!(not_run(text, "one").is_some(), "{text}");
    }
    for other in
        ["ignore", "ignore = \"slow\"", "cfg(unix)", "cfg_attr(unix, ignore)", "should_panic"]
    {
        for text in [
            format!("#[test]\n#[{other}]\nfn one() {{}}\n"),
            format!("#[{other}]\n/// Why.\n#[test]\nfn one() {{}}\n"),
        ] {
            assert!(not_run(&text, "one").is_some(), "{text}");
        }
    }
}
