//! The page: topics in a fixed order, the runs of each, and how to do them again.

use std::collections::BTreeSet;
use std::fmt::Write;

use drop_benches::Machine;
use drop_core::conformance::Report;

/// What a sceptic is told first.
const HEAD: &str = "\
# Evidence

The claim is: never oversold, and nothing acknowledged is lost. This page tells what was done to
break it, how much of it, for how long and on which machine. It is written by a program from the
reports that the runs leave when they pass; a run that fails leaves none.

Everything again: `.ci/test` runs the share of every CI run, whose reports go to `target/evidence`,
and `.ci/test --long` all of it, which takes hours; whole runs leave theirs in
`target/evidence/whole`, where no share writes over them. `DROP_EVIDENCE=<folder>` in the environment
collects the reports of single commands, `DROP_LONG=1` makes any command below its long run, and
`target/debug/evidence target/evidence/whole` writes this page anew. Each run names the commit that it
was made from, where `DROP_COMMIT` told it. Runs print their seed; a seed gives the same run again.
";

/// What the page says of itself.
const NOT_COVERED: &str = include_str!("not_covered.md");

/// The topics in their order, each with what a report may call it.
const TOPICS: &[(&str, &[&str])] = &[
    ("Simulation", &["simulation"]),
    ("Planted bugs", &["planted bugs"]),
    ("Loom and shuttle", &["loom and shuttle", "loom, shuttle", "loom", "shuttle"]),
    ("Differential", &["differential"]),
    ("SQL interleavings", &["sql interleavings"]),
    ("Herd", &["herd"]),
    ("Deadline", &["deadline"]),
    ("Kills", &["kills"]),
    ("Network", &["network", "network, database side"]),
    ("Injected errors", &["injected errors"]),
    ("Clocks", &["clocks"]),
    ("Resources", &["resources"]),
    ("Sockets", &["sockets"]),
    ("History", &["history"]),
    ("Failure modes", &["failure modes"]),
];

/// The whole page. The same reports and machine give the same page.
pub(crate) fn render(reports: &[Report], machine: &Machine) -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n| machine | |\n| --- | --- |\n");
    for (word, value) in &machine.facts {
        let _ = writeln!(page, "| {word} | {} |", cell(value));
    }
    for (title, words) in TOPICS {
        let of_topic = |report: &&Report| words.contains(&report.topic.to_lowercase().as_str());
        section(&mut page, title, reports.iter().filter(of_topic).collect());
    }
    let known = |report: &&Report| {
        TOPICS.iter().any(|(_, words)| words.contains(&report.topic.to_lowercase().as_str()))
    };
    let mut others: Vec<_> = reports.iter().filter(|report| !known(report)).collect();
    others.sort_by(|one, other| one.topic.cmp(&other.topic));
    for of_topic in others.chunk_by(|one, other| one.topic == other.topic) {
        let title = of_topic.first().map_or("", |report| report.topic.as_str());
        section(&mut page, title, of_topic.to_vec());
    }
    page.push_str("\n## What is not covered\n\n");
    page.push_str(NOT_COVERED.trim_end());
    page.push('\n');
    page
}

fn section(page: &mut String, title: &str, mut runs: Vec<&Report>) {
    let _ = write!(page, "\n## {title}\n\n");
    if runs.is_empty() {
        page.push_str("Not run.\n");
        return;
    }
    runs.sort_by(|one, other| (&one.name, one.long).cmp(&(&other.name, other.long)));
    page.push_str("| run | what | seeds | seconds | size | commit |\n| --- | --- | --- | ---: | --- | --- |\n");
    for run in &runs {
        let figures = run.figures.iter().map(|(word, figure)| format!("{word}: {figure}"));
        let figures = figures.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            page,
            "| {} | {} | {} | {:.1} | {} | {} |",
            cell(&run.name),
            cell(&figures),
            run.seeds.as_deref().map_or("-".to_owned(), cell),
            run.seconds,
            if run.long { "long" } else { "share" },
            cell(&run.commit),
        );
    }
    page.push_str("\nAgain:\n\n```sh\n");
    let mut told = BTreeSet::new();
    for command in runs.iter().map(|run| run.replay.trim()).filter(|command| told.insert(*command))
    {
        let _ = writeln!(page, "{command}");
    }
    page.push_str("```\n");
    for (name, table) in runs.iter().filter_map(|run| Some((&run.name, run.table.as_ref()?))) {
        let _ = write!(page, "\n{}:\n\n{}\n", name, table.trim_end());
    }
}

/// Text that stays in one cell of a table.
fn cell(text: &str) -> String {
    text.trim().replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use drop_core::conformance::Report;

    use super::{Machine, TOPICS, render};

    fn machine() -> Machine {
        Machine { facts: vec![("cores".to_owned(), "2".to_owned())] }
    }

    fn report(topic: &str, name: &str) -> Report {
        let mut report = Report::begin(topic, name, "cargo test x").figure("rounds", &500);
        report.seconds = 1.25;
        report.long = false;
        report.commit = "1a2b3c4 changed".to_owned();
        report
    }

    #[test]
    fn topics_come_in_their_order_and_what_was_not_run_says_so() {
        let mut kills = report("kills", "server | file").seeds(&"1 to 5");
        kills.table = Some("| a |\n| --- |\n| 1 |\n".to_owned());
        let reports = [report("odds", "and ends"), kills, report("Herd", "two instances")];
        let page = render(&reports, &machine());
        let titles: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let mut expected: Vec<_> = TOPICS.iter().map(|(title, _)| *title).collect();
        expected.extend(["odds", "What is not covered"]);
        assert_eq!(titles, expected);
        assert!(page.contains("## Simulation\n\nNot run.\n"), "{page}");
        assert!(
            page.contains(
                "| server \\| file | rounds: 500 | 1 to 5 | 1.2 | share | 1a2b3c4 changed |\n"
            ),
            "{page}"
        );
        assert!(page.contains("```sh\ncargo test x\n```\n\nserver | file:\n\n| a |"), "{page}");
        assert_eq!(page.matches("Not run.").count(), TOPICS.len() - 2);
    }

    #[test]
    fn both_sides_of_the_network_are_one_topic() {
        let page = render(&[report("network, database side", "cuts")], &machine());
        let (_, network) = page.split_once("\n## Network\n\n").unwrap();
        assert!(network.starts_with("| run |"), "{page}");
        assert!(!page.contains("## network"), "{page}");
    }

    #[test]
    fn a_command_that_does_several_runs_again_is_told_once() {
        let mut other = report("kills", "b");
        other.replay = "cargo test y".to_owned();
        let page = render(&[report("kills", "a"), other, report("kills", "c")], &machine());
        assert!(page.contains("```sh\ncargo test x\ncargo test y\n```\n"), "{page}");
    }

    #[test]
    fn the_order_of_the_files_does_not_matter() {
        let one = [report("kills", "b"), report("kills", "a"), report("x", "c"), report("w", "d")];
        let mut other = one.clone();
        other.reverse();
        assert_eq!(render(&one, &machine()), render(&other, &machine()));
    }
}
