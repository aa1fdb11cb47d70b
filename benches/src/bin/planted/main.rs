//! Plants bugs into a copy of the tree, and shows that the tests convict every one.
//!
//! A bug is a small patch in `.ci/planted`. None of them is a switch in the product: the copy,
//! under `target/planted`, is patched, built and tested as it is, and then put right again.

mod args;
mod patch;
mod suite;
mod table;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};
use std::time::Instant;

use drop_core::conformance::Report;

use crate::args::Args;
use crate::patch::Patch;
use crate::suite::{SUITES, Suite, Verdict, Workshop, named, prepare};
use crate::table::Table;
use crate::tree::Tree;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every bug was convicted.
fn run() -> Result<bool, String> {
    let args = Args::parse(std::env::args().skip(1))?;
    let root = root()?;
    let own = root.join("target/planted");
    let tree = Tree { source: root.clone(), copy: own.join("tree") };
    let workshop = Workshop {
        copy: tree.copy.clone(),
        builds: root.join("target"),
        own: own.clone(),
        limit: args.limit,
    };
    let all = Patch::all(&root.join(".ci/planted"))?;
    if args.list {
        return list(&root, &all).map(|()| true);
    }
    prepare(&tree.copy)?;
    let chosen = choose(&args, &all)?;
    let mut plan = chosen
        .into_iter()
        .map(|patch| Ok((suites_for(&args, &patch)?, patch)))
        .collect::<Result<Vec<_>, String>>()?;
    // Neighbours change the same crate, so that little is built between them.
    plan.sort_by_key(|(_, patch)| (patch.expect.clone(), patch.touches.clone()));
    let (name, replay) = describe(&args);
    let mut report = Report::begin("planted bugs", &name, &replay);
    tree.sync()?;
    if args.checked {
        check(&workshop, &plan)?;
    }
    let mut table = Table::default();
    let mut broken = Vec::new();
    for (number, (suites, patch)) in (1..).zip(&plan) {
        println!("{number} of {}: {} ({})", plan.len(), patch.name, patch.title);
        // Who asks for all wants to know what the whole suite says.
        let hint = patch.test.as_deref().filter(|_| !args.all);
        match show(&tree, &workshop, patch, suites, hint) {
            Ok(verdicts) => table.add(patch.clone(), verdicts),
            Err(error) => {
                println!("  {error}");
                broken.push(patch.name.clone());
            }
        }
        tree.uproot(patch)?;
    }
    let survivors = table.survivors().join(", ");
    println!("\n{}", table.markdown());
    let convicted = table.planted() - table.survivors().len();
    println!("{convicted} of {} planted bugs were convicted", table.planted());
    if !survivors.is_empty() {
        println!("not convicted: {survivors}");
    }
    if !broken.is_empty() {
        println!("patches that are none: {}", broken.join(", "));
    }
    report.long |= args.rotate.is_none() && args.only.is_empty();
    report = report.figure("bugs planted", &table.planted()).figure("convicted", &convicted);
    if args.rotate.is_some() {
        report = report.figure("bugs there are", &all.len()).seeds(&args.seed);
    }
    // Also of who got away: a table without them would say less than it shows.
    report.table(table.markdown()).save();
    let all_convicted = survivors.is_empty() && broken.is_empty();
    if !all_convicted {
        println!("again: target/debug/planted --only NAME");
    }
    Ok(all_convicted)
}

/// Plants every bug in a copy of its own, and runs nothing.
fn list(root: &std::path::Path, all: &[Patch]) -> Result<(), String> {
    let copy = root.join("target/planted-list");
    let tree = Tree { source: root.to_owned(), copy };
    prepare(&tree.copy)?;
    tree.sync()?;
    for patch in all {
        tree.plant(patch)?;
        tree.uproot(patch)?;
        let expect = patch.expect.join(" ");
        println!("{} ({}, {expect}): {}", patch.name, patch.guard, patch.title);
    }
    Ok(())
}

/// The work tree's root.
fn root() -> Result<std::path::PathBuf, String> {
    let shown = Command::new("git").args(["rev-parse", "--show-toplevel"]).output();
    let shown = shown.map_err(|error| format!("git: {error}"))?;
    let root = String::from_utf8_lossy(&shown.stdout).trim_end().to_owned();
    if root.is_empty() { Err("not in a work tree".to_owned()) } else { Ok(root.into()) }
}

fn choose(args: &Args, all: &[Patch]) -> Result<Vec<Patch>, String> {
    let known: BTreeSet<&str> = all.iter().map(|patch| patch.name.as_str()).collect();
    if let Some(unknown) = args.only.iter().find(|name| !known.contains(name.as_str())) {
        return Err(format!("there is no .ci/planted/{unknown}.patch"));
    }
    if !args.only.is_empty() {
        return Ok(all.iter().filter(|patch| args.only.contains(&patch.name)).cloned().collect());
    }
    if let Some(count) = args.rotate {
        println!("seed {} (--rotate {count} --seed {})", args.seed, args.seed);
        return Ok(Patch::rotating(all, args.seed, count));
    }
    let (part, of) = args.part;
    Ok(all.iter().skip(part - 1).step_by(of).cloned().collect())
}

fn suites_for(args: &Args, patch: &Patch) -> Result<Vec<&'static Suite>, String> {
    if args.all {
        return Ok(SUITES.iter().filter(|suite| suite.sees(patch)).collect());
    }
    if args.suites.is_empty() {
        return patch.expect.iter().map(|name| named(name)).collect();
    }
    let asked = args.suites.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(SUITES.iter().filter(|suite| asked.iter().any(|asked| asked.name == suite.name)).collect())
}

/// So many are named of those that a run is about.
const NAMED: usize = 4;

/// What the run is called, and the command that does it again.
fn describe(args: &Args) -> (String, String) {
    let words = |option: &str, names: &BTreeSet<String>| {
        names.iter().map(|name| format!(" --{option} {name}")).collect::<String>()
    };
    // It names the report's file too, and a name has an end.
    let listed = |names: &BTreeSet<String>| {
        let mut words: Vec<_> = names.iter().take(NAMED).cloned().collect();
        if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
            words.push(format!("{more} more"));
        }
        words.join(", ")
    };
    let mut replay = "target/debug/planted".to_owned();
    let mut name = if args.all {
        replay.push_str(" --all");
        "every bug, every suite".to_owned()
    } else if let Some(count) = args.rotate {
        replay.push_str(&format!(" --rotate {count} --seed {}", args.seed));
        "a few in rotation".to_owned()
    } else if args.only.is_empty() {
        "each with its suite".to_owned()
    } else {
        listed(&args.only)
    };
    if !args.suites.is_empty() {
        name.push_str(&format!(", shown to {}", listed(&args.suites)));
    }
    let (part, of) = args.part;
    if of > 1 {
        name.push_str(&format!(", part {part} of {of}"));
        replay.push_str(&format!(" --part {part}/{of}"));
    }
    replay.push_str(&words("suite", &args.suites));
    replay.push_str(&words("only", &args.only));
    (name, replay)
}

/// Without a bug every suite passes, or its verdicts say nothing.
fn check(workshop: &Workshop, plan: &[(Vec<&'static Suite>, Patch)]) -> Result<(), String> {
    let wanted: BTreeSet<&str> =
        plan.iter().flat_map(|(suites, _)| suites).map(|suite| suite.name).collect();
    for suite in SUITES.iter().filter(|suite| wanted.contains(suite.name)) {
        let since = Instant::now();
        match suite.run(workshop, "no-bug", None)? {
            Verdict::Passed => {
                println!("without a bug {} passes ({} s)", suite.name, since.elapsed().as_secs());
            }
            Verdict::Convicted(test) => {
                return Err(format!("{} fails without any bug: {test}", suite.name));
            }
            Verdict::Hung(limit) => {
                return Err(format!("{} takes more than {} s", suite.name, limit.as_secs()));
            }
        }
    }
    Ok(())
}

/// Shows one bug to suites.
fn show(
    tree: &Tree,
    workshop: &Workshop,
    patch: &Patch,
    suites: &[&'static Suite],
    hint: Option<&str>,
) -> Result<BTreeMap<&'static str, Verdict>, String> {
    tree.plant(patch)?;
    let mut verdicts = BTreeMap::new();
    for suite in suites {
        let since = Instant::now();
        let hint = hint.filter(|_| patch.expect.first().is_some_and(|name| name == suite.name));
        let mut verdict = suite.run(workshop, &patch.name, hint)?;
        if hint.is_some() && verdict == Verdict::Passed {
            verdict = suite.run(workshop, &patch.name, None)?;
        }
        let seconds = since.elapsed().as_secs();
        match &verdict {
            Verdict::Convicted(test) => println!("  {} convicts: {test} ({seconds} s)", suite.name),
            Verdict::Passed => println!("  {} passes ({seconds} s)", suite.name),
            Verdict::Hung(_) => println!("  {} has no end ({seconds} s)", suite.name),
        }
        verdicts.insert(suite.name, verdict);
    }
    Ok(verdicts)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Args, Tree, describe, prepare};
    use crate::patch::Patch;

    #[test]
    fn a_run_is_told_from_others_and_can_be_done_again() {
        for (line, expected) in [
            ("", "each with its suite"),
            ("--all --part 2/5", "every bug, every suite, part 2 of 5"),
            ("--rotate 3 --seed 7", "a few in rotation"),
            ("--suite memory --only a --only b", "a, b, shown to memory"),
            ("--only a --only b --only c --only d --only e", "a, b, c, d, 1 more"),
        ] {
            let words = line.split_whitespace().map(str::to_owned);
            let (name, replay) = describe(&Args::parse(words).unwrap());
            assert_eq!(name, expected);
            assert_eq!(replay, format!("target/debug/planted {line}").trim_end());
        }
    }

    #[test]
    fn a_bug_that_does_not_apply_is_told() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let copy = tempfile::tempdir().unwrap();
        let tree = Tree { source: root, copy: copy.path().join("tree") };
        prepare(&tree.copy).unwrap();
        tree.sync().unwrap();
        let file = copy.path().join("bug.patch");
        let bug = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Patch::parse(&file, text).unwrap()
        };
        let head =
            "# title: t\n# guard: rules\n# expect: rules\n--- a/rustfmt.toml\n+++ b/rustfmt.toml\n";
        let absent = bug(&format!("{head}@@ -1 +1 @@\n-no such line\n+another\n"));
        let error = tree.plant(&absent).unwrap_err();
        assert!(error.contains("does not apply"), "{error}");
        let whole = std::fs::read_to_string(tree.copy.join("rustfmt.toml")).unwrap();
        let (first, second) = whole.trim_end().split_once('\n').unwrap();
        let good = bug(&format!("{head}@@ -1,2 +1,2 @@\n-{first}\n+another\n {second}\n"));
        tree.plant(&good).unwrap();
        let planted = std::fs::read_to_string(tree.copy.join("rustfmt.toml")).unwrap();
        assert!(planted.starts_with("another\n"));
        tree.uproot(&good).unwrap();
        let put_right = std::fs::read_to_string(tree.copy.join("rustfmt.toml")).unwrap();
        assert_eq!(put_right, whole);
    }
}
