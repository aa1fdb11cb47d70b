//! [`Question`]: what a bench asks, and what it found.

use std::path::{Path, PathBuf};
use std::process::Command;

use drop_core::conformance::is_long;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::goal::{Goal, Verdict};
use super::row::{Cell, Round, Row};
use super::spread::figure;
use super::table::Table;
use crate::Machine;

/// A question, its rows and what they say of the goals.
///
/// Contenders take turns, a round each, so that whatever disturbs a machine for a second
/// disturbs all of them:
///
/// ```
/// use drop_benches::report::{Cell, Goal, Question, Round};
///
/// let mut question = Question::new("example", "Which of two is faster?").parameter("stock", &100);
/// let ours = Cell::new("reserve", "ours", "callers", 256);
/// let theirs = ours.by("theirs");
/// for _round in 0..question.rounds(3, 9) {
///     for (cell, figure) in [(&theirs, 500.0), (&ours, 1000.0)] {
///         if question.wants(cell) {
///             question.record(cell, "/s", Round::of(figure));
///         }
///     }
/// }
/// question.goal(Goal::times(&ours, &theirs).at_least(2.0));
/// assert_eq!(question.verdicts()[0].met, Some(true));
/// // question.finish() prints the tables and writes target/performance/example.json
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The bench, and the file.
    pub name: String,
    /// What is asked, in a sentence.
    pub asked: String,
    /// What holds for all rows: a word and its value.
    pub parameters: Vec<(String, String)>,
    /// Where it was measured.
    pub machine: Machine,
    /// What was measured: the commit, and `changed` where the tree differed from it.
    pub commit: String,
    /// Whether it was the long run.
    pub long: bool,
    /// What was measured, in order.
    pub rows: Vec<Row>,
    /// What became of the goals.
    verdicts: Vec<Verdict>,
    #[serde(skip)]
    goals: Vec<Goal>,
    #[serde(skip)]
    filter: Filter,
}

impl Question {
    /// Begins a question on this machine, with the cells that the command line names.
    #[must_use]
    pub fn new(name: &str, asked: &str) -> Self {
        Self {
            name: name.to_owned(),
            asked: asked.to_owned(),
            parameters: Vec::new(),
            machine: Machine::this(),
            commit: commit(),
            long: is_long(),
            rows: Vec::new(),
            verdicts: Vec::new(),
            goals: Vec::new(),
            filter: Filter::from_arguments(),
        }
    }

    /// With what holds for all rows.
    #[must_use]
    pub fn parameter(mut self, word: &str, value: &impl ToString) -> Self {
        self.parameters.push((word.to_owned(), value.to_string()));
        self
    }

    /// How many rounds: few, or with `DROP_LONG=1` many.
    #[must_use]
    pub const fn rounds(&self, short: usize, long: usize) -> usize {
        if self.long { long } else { short }
    }

    /// Whether the command line asks for this cell.
    #[must_use]
    pub fn wants(&self, cell: &Cell) -> bool {
        self.filter.wants(cell)
    }

    /// Adds a round to its row, and says so on the way.
    pub fn record(&mut self, cell: &Cell, unit: &str, round: Round) {
        eprintln!(
            "{}: {}, {}, {} {}: {} {unit}",
            self.name,
            cell.work,
            cell.series,
            cell.x,
            cell.axis,
            figure(round.figure)
        );
        match self.rows.iter_mut().find(|row| row.cell == *cell) {
            Some(row) => row.rounds.push(round),
            None => self.rows.push(Row {
                cell: cell.clone(),
                unit: unit.to_owned(),
                rounds: vec![round],
            }),
        }
    }

    /// Adds what has to be reached, or what is worth comparing.
    pub fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    /// What became of the goals whose cells were measured.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let judged = self.goals.iter().filter_map(|goal| goal.judge(&self.rows));
        self.verdicts.iter().cloned().chain(judged).collect()
    }

    /// Prints the tables, and where all cells were wanted keeps them in
    /// `target/performance/NAME.json` (or in the folder that `DROP_PERFORMANCE` names).
    ///
    /// # Panics
    /// Where the folder cannot be written.
    pub fn finish(self) {
        let kept = self.filter.is_all().then(folder);
        self.finish_in(kept.as_deref());
    }

    fn finish_in(mut self, folder: Option<&Path>) {
        self.verdicts = self.verdicts();
        self.goals.clear();
        println!("\n{}: {}", self.name, self.asked);
        for (word, value) in &self.parameters {
            println!("{word}: {value}");
        }
        println!("\n{}", Table::of_rows(&self.rows));
        let verdicts = Table::of_verdicts(&self.verdicts);
        if !verdicts.is_empty() {
            println!("{verdicts}");
        }
        let Some(folder) = folder else { return };
        let file = folder.join(format!("{}.json", self.name));
        let json = serde_json::to_vec_pretty(&self).expect("a question is JSON");
        std::fs::create_dir_all(folder).expect("the folder for questions");
        std::fs::write(&file, json).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        println!("{}", file.display());
    }
}

/// Where questions are kept: benches run in their crate's folder, the target is the workspace's.
fn folder() -> PathBuf {
    let target = || std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let named = std::env::var_os("DROP_PERFORMANCE").map(PathBuf::from);
    named.unwrap_or_else(|| target().unwrap_or_else(workspace).join("performance"))
}

/// What `DROP_COMMIT` says, or git.
fn commit() -> String {
    let told = std::env::var("DROP_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    told.unwrap_or_else(|| {
        let git = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).output().ok()?;
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "-".to_owned() };
        match git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty()) {
            true => commit,
            false => format!("{commit} changed"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut question = Question::new("some", "How many?").parameter("stock", &100);
        let cell = Cell::new("reserve", "ours", "callers", 16);
        question.record(&cell, "/s", Round::of(1.5));
        question.record(&cell, "/s", Round::of(2.5).waited([std::time::Duration::from_millis(3)]));
        question.goal(Goal::figure(&cell).at_least(2.0));
        question.finish_in(Some(folder.path()));
        let json = std::fs::read(folder.path().join("some.json")).unwrap();
        let read: Question = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.rows[0].cell, cell);
        assert_eq!(read.rows[0].rounds.len(), 2);
        assert_eq!(read.verdicts()[0].met, Some(false));
        assert_eq!(read.parameters, [("stock".to_owned(), "100".to_owned())]);
    }
}
