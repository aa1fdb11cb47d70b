//! What the runner is asked to do.

use std::collections::BTreeSet;
use std::time::Duration;

use drop_core::model::Timestamp;
use drop_core::{Clock, SystemClock};

/// How it is used.
pub(crate) const USAGE: &str = "\
usage: planted [--list] [--all] [--rotate N [--seed S]] [--part I/N] [--only NAME]... [--suite NAME]...
       [--limit SECONDS] [--unchecked]

Plants bugs, each a patch of .ci/planted, into a copy of the tree, and runs the tests on it.
Each bug is shown to the suite that is expected to convict it; with --all to every suite that
runs what it changes, with --suite to these. --rotate takes N of the bugs, others each day.
First the suites are run without any bug; --unchecked leaves that out. --list runs nothing: it
shows that every patch applies.";

/// The arguments, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) list: bool,
    pub(crate) all: bool,
    pub(crate) rotate: Option<usize>,
    pub(crate) seed: u64,
    /// Which part of how many.
    pub(crate) part: (usize, usize),
    pub(crate) only: BTreeSet<String>,
    pub(crate) suites: BTreeSet<String>,
    pub(crate) limit: Duration,
    pub(crate) checked: bool,
}

impl Args {
    /// Reads them.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let today = SystemClock.now().since(Timestamp::EPOCH);
        let mut args = Self {
            list: false,
            all: false,
            rotate: None,
            seed: today.as_secs() / (24 * 60 * 60),
            part: (1, 1),
            only: BTreeSet::new(),
            suites: BTreeSet::new(),
            limit: Duration::from_secs(600),
            checked: true,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value\n{USAGE}"));
            match word.as_str() {
                "--list" => args.list = true,
                "--all" => args.all = true,
                "--unchecked" => args.checked = false,
                "--rotate" => args.rotate = Some(number(&value()?)?),
                "--seed" => args.seed = number(&value()?)?,
                "--limit" => args.limit = Duration::from_secs(number(&value()?)?),
                "--only" => drop(args.only.insert(value()?)),
                "--suite" => drop(args.suites.insert(value()?)),
                "--part" => {
                    let text = value()?;
                    let (part, of) = text.split_once('/').ok_or(USAGE)?;
                    args.part = (number(part)?, number(of)?);
                    if args.part.0 == 0 || args.part.0 > args.part.1 {
                        return Err(format!("there is no part {text}"));
                    }
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(args)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments() {
        let args = parse("--rotate 3 --seed 7 --only a --only b --limit 5").unwrap();
        assert_eq!((args.rotate, args.seed, args.only.len()), (Some(3), 7, 2));
        assert_eq!(parse("--all --part 2/4").unwrap().part, (2, 4));
        for wrong in ["--rotate", "--rotate x", "--part 3", "--part 3/2", "--part 0/2", "bug"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
