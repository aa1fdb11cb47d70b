//! The page of evidence, by the program that writes it.

use std::process::Command;

use drop_core::conformance::Report;

#[test]
fn reports_become_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::begin("herd", "two instances", "cargo test herd");
    report.figures.push(("rounds".to_owned(), "500".to_owned()));
    std::fs::write(folder.path().join("herd.json"), serde_json::to_vec(&report).unwrap()).unwrap();
    std::fs::write(folder.path().join("other.txt"), "not a report").unwrap();
    let page = folder.path().join("page.md");
    let mut program = Command::new(env!("CARGO_BIN_EXE_evidence"));
    let status = program.args([folder.path(), &page]).status().unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.contains("| two instances | rounds: 500 |"), "{text}");
    std::fs::write(folder.path().join("torn.json"), "{").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_evidence"));
    assert!(!program.args([folder.path(), &page]).status().unwrap().success());
}

/// A patch that does not apply any more is found before its turn in the rotation comes.
#[test]
fn every_planted_bug_still_applies() {
    let status = Command::new(env!("CARGO_BIN_EXE_planted")).arg("--list").output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}
