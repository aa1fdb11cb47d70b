//! The suite's list names every case that is written, each once.

use std::collections::BTreeSet;
use std::path::Path;

use drop_core::conformance::CASES;

#[test]
fn every_case_that_is_written_is_in_the_list() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let listed: BTreeSet<_> = CASES.iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(listed.len(), CASES.len(), "a case is listed twice");
    let topics: BTreeSet<_> = listed.iter().filter_map(|name| name.split_once("::")).collect();
    let topics: BTreeSet<_> = topics.into_iter().map(|(topic, _)| topic).collect();
    let mut written = BTreeSet::new();
    for topic in &topics {
        let source = std::fs::read_to_string(sources.join(format!("{topic}.rs"))).unwrap();
        for line in source.lines() {
            let name =
                line.strip_prefix("pub(super) async fn ").and_then(|rest| rest.split_once('('));
            // A case takes the trial and nothing else; what takes more is a part of cases.
            if let Some((name, rest)) = name
                && (rest.starts_with("t: &Trial) {") || rest.starts_with("t: &mut Trial) {"))
            {
                written.insert(format!("{topic}::{name}"));
            }
        }
    }
    assert_eq!(written, listed);
    assert!(listed.len() >= 70, "only {} cases", listed.len());
}

#[test]
fn every_topic_on_disk_is_in_the_list() {
    /// What is no topic: the list itself, and what cases are made of.
    const PARTS: &[&str] = &[
        "mod",
        "cases",
        "commands",
        "dice",
        "explore",
        "fault",
        "history",
        "model",
        "report",
        "rows",
        "simulation",
        "trial",
    ];
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    for entry in std::fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        let topic = path.file_stem().unwrap().to_str().unwrap();
        let listed = CASES.iter().any(|case| case.name.starts_with(&format!("{topic}::")));
        assert!(listed || PARTS.contains(&topic), "{topic} is not in the list");
    }
}
