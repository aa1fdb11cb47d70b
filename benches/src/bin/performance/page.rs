//! The page: the goals first, then question by question its plots, tables and notes.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use drop_benches::report::{Question, Table};

use crate::plot::Plot;

/// What comes first.
const HEAD: &str = "\
# Performance

What the benches found, written by a program from what they left behind. Each asks one question, and
runs what it is compared with in the same run, round by round in turn: ratios are taken within a
round, so that a machine that was slower for a second was slower for both. Ratios count; absolute
figures only name the machine.

Everything again, and this page with it: `.ci/bench`; some of it: `.ci/bench hot_drop sold_out`;
with three times the rounds and the longest curves: `DROP_LONG=1 .ci/bench`. One cell alone:
`cargo bench -p drop-benches --bench hot_drop -- reserve postgres 256`. A figure is the median of its
rounds, beside it the lowest and the highest; p50, p99 and p999 are what callers waited, each the
median over the rounds.
";

/// The hand-written texts.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    folder: PathBuf,
}

impl Notes {
    /// One file a question.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The text for a question; nothing where nobody wrote one.
    fn of(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join(format!("{name}.md"))).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// The whole page.
pub(crate) fn render(questions: &[Question], drawn: &[Vec<Plot>], notes: &Notes) -> String {
    let mut page = String::from(HEAD);
    if let Some(question) = questions.first() {
        page.push_str("\n| machine | |\n| --- | --- |\n");
        for (word, value) in &question.machine.facts {
            let _ = writeln!(page, "| {word} | {} |", value.replace('|', "\\|"));
        }
    }
    let judged = questions.iter().flat_map(Question::verdicts);
    let goals: Vec<_> = judged.filter(|verdict| verdict.goal.is_some()).collect();
    if !goals.is_empty() {
        let met = goals.iter().filter(|verdict| verdict.met == Some(true)).count();
        let _ = write!(page, "\n## Goals\n\n{met} of {} met.\n\n", goals.len());
        page.push_str(&Table::of_verdicts(&goals).markdown());
    }
    for (question, plots) in questions.iter().zip(drawn) {
        section(&mut page, question, plots, notes.of(&question.name));
    }
    page
}

fn section(page: &mut String, question: &Question, plots: &[Plot], note: Option<String>) {
    let _ = write!(page, "\n## {}\n\n{}\n", question.name, question.asked);
    let parameters = question.parameters.iter().map(|(word, value)| format!("{word}: {value}"));
    let parameters = parameters.collect::<Vec<_>>().join("; ");
    let length = if question.long { "long run" } else { "short run" };
    let told = match parameters.is_empty() {
        true => format!("{length}, commit {}", question.commit),
        false => format!("{parameters}; {length}, commit {}", question.commit),
    };
    let _ = writeln!(page, "({told}.)");
    if let Some(note) = note {
        let _ = write!(page, "\n{note}\n");
    }
    for plot in plots {
        let _ = write!(page, "\n![{}]({})\n", plot.title, plot.link);
    }
    let _ = write!(page, "\n{}", Table::of_rows(&question.rows).markdown());
    let compared: Vec<_> =
        question.verdicts().into_iter().filter(|verdict| verdict.goal.is_none()).collect();
    if !compared.is_empty() {
        let _ = write!(page, "\n{}", Table::of_verdicts(&compared).markdown());
    }
}
