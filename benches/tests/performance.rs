//! The page of figures, by the program that writes it; and the command that measures them.

use std::path::Path;
use std::process::Command;

use drop_benches::report::{Cell, Goal, Question, Round};

fn question() -> Question {
    let mut question = Question::new("hot_drop", "How many reserves a second?");
    question.commit = "1a2b3c4".to_owned();
    let ours = Cell::new("reserve", "postgres", "callers", 1);
    for callers in [1, 16, 256] {
        for (series, rate) in [("postgres", 1000.0), ("one statement", 500.0)] {
            for drift in [1.0, 0.9, 1.2] {
                let round =
                    Round::of(rate * drift * f64::from(u8::try_from(callers % 250).unwrap()));
                question.record(&ours.at(callers).by(series), "/s", round);
            }
        }
    }
    let many = ours.at(256);
    question.goal(Goal::times(&many, &many.by("one statement")).at_least(3.0));
    question.goal(Goal::figure(&many).at_least(1.0));
    question
}

#[test]
fn questions_become_a_page_with_curves() {
    let place = tempfile::tempdir().unwrap();
    let [folder, notes, page] =
        ["questions", "notes", "page.md"].map(|name| place.path().join(name));
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("hot_drop.md"), "It bends where the **flush** ends.\n").unwrap();
    question().save_in(&folder);
    std::fs::write(folder.join("other.txt"), "not a question").unwrap();
    let write = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_performance"));
        program.args([&folder, &page, &notes]).status().unwrap().success()
    };
    assert!(write());
    let text = std::fs::read_to_string(&page).unwrap();
    for expected in [
        "1 of 2 met.",
        "| reserve | postgres | 256 callers | over one statement | 2 | 2 - 2 | x | at least 3 | MISSED |",
        "| reserve | one statement | 16 callers |",
        "short run, commit 1a2b3c4",
        "\nIt bends where the **flush** ends.\n",
        "](page/hot_drop-reserve.svg)",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let plot = std::fs::read_to_string(place.path().join("page/hot_drop-reserve.svg")).unwrap();
    for label in ["postgres", "one statement", "callers"] {
        assert!(plot.contains(label), "{label}");
    }
    // What an older page showed goes with it; what cannot be read is not passed over.
    std::fs::write(place.path().join("page/older.svg"), "").unwrap();
    assert!(write());
    assert!(!place.path().join("page/older.svg").exists());
    std::fs::write(folder.join("torn.json"), "{").unwrap();
    assert!(!write());
}

/// The one command names every bench that asks a question, and none that is not there.
#[test]
fn the_command_runs_every_question() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(here.join("../.ci/bench")).unwrap();
    let (_, list) = script.split_once("questions=(").unwrap();
    let mut named: Vec<_> = list.split_once(')').unwrap().0.split_whitespace().collect();
    named.sort_unstable();
    let manifest = std::fs::read_to_string(here.join("Cargo.toml")).unwrap();
    let benches = manifest.split("[[bench]]").skip(1);
    let mut asked = Vec::new();
    for bench in benches {
        // name = "hot_drop", path = "hot_drop.rs"
        let words: Vec<_> = bench.split('"').collect();
        let [_, name, _, path, ..] = words[..] else { panic!("{bench}") };
        let source = std::fs::read_to_string(here.join(path)).unwrap();
        if source.contains("Question::new(") {
            assert!(source.contains(&format!("\"{name}\"")), "{name} asks by its name");
            asked.push(name);
        }
    }
    asked.sort_unstable();
    assert_eq!(named, asked);
}
