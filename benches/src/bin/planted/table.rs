//! The table bug x suite.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::patch::Patch;
use crate::suite::{SUITES, Verdict};

/// What each suite said of each bug, as far as it was asked.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<(Patch, BTreeMap<&'static str, Verdict>)>,
}

impl Table {
    /// Adds a bug with what the suites said of it.
    pub(crate) fn add(&mut self, patch: Patch, verdicts: BTreeMap<&'static str, Verdict>) {
        self.rows.push((patch, verdicts));
    }

    /// How many bugs were planted.
    pub(crate) fn planted(&self) -> usize {
        self.rows.len()
    }

    /// The bugs that no suite convicted, or not every one that has to.
    pub(crate) fn survivors(&self) -> Vec<&str> {
        let rows = self.rows.iter().filter(|(patch, verdicts)| {
            let missed = |name: &String| {
                matches!(verdicts.get(name.as_str()), Some(Verdict::Passed | Verdict::Hung(_)))
            };
            first(verdicts).is_none() || patch.expect.iter().any(missed)
        });
        rows.map(|(patch, _)| patch.name.as_str()).collect()
    }

    /// As Markdown: one row a bug, one column a suite that was asked of any.
    pub(crate) fn markdown(&self) -> String {
        let asked = |name: &str| self.rows.iter().any(|(_, verdicts)| verdicts.contains_key(name));
        let suites: Vec<_> =
            SUITES.iter().map(|suite| suite.name).filter(|name| asked(name)).collect();
        let mut text = format!("| guard | planted bug | {} | seen by |\n", suites.join(" | "));
        let _ = writeln!(text, "| --- | --- |{} --- |", " --- |".repeat(suites.len()));
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|(patch, _)| (patch.guard.clone(), patch.name.clone()));
        for (patch, verdicts) in rows {
            let _ = write!(text, "| {} | `{}`: {} |", patch.guard, patch.name, patch.title);
            for suite in &suites {
                let word = match verdicts.get(suite) {
                    Some(Verdict::Convicted(_)) => "convicts",
                    Some(Verdict::Passed) => "passes",
                    Some(Verdict::Hung(_)) => "no end",
                    None => "",
                };
                let _ = write!(text, " {word} |");
            }
            let test = first(verdicts).map_or("nobody".to_owned(), |test| format!("`{test}`"));
            let _ = writeln!(text, " {test} |");
        }
        text
    }
}

/// The test that saw the bug first, by the order of suites.
fn first<'a>(verdicts: &'a BTreeMap<&'static str, Verdict>) -> Option<&'a str> {
    SUITES.iter().find_map(|suite| match verdicts.get(suite.name) {
        Some(Verdict::Convicted(test)) => Some(test.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::{Patch, Table, Verdict};

    #[test]
    fn a_bug_that_nobody_convicts_stands_out() {
        let patch = |name: &str| Patch {
            name: name.to_owned(),
            file: PathBuf::new(),
            title: format!("{name} is gone"),
            guard: "rules".to_owned(),
            expect: vec!["memory".to_owned()],
            test: None,
            touches: Vec::new(),
        };
        let mut table = Table::default();
        let seen = Verdict::Convicted("a::b".to_owned());
        table.add(patch("lock"), BTreeMap::from([("rules", Verdict::Passed), ("memory", seen)]));
        table.add(patch("clock"), BTreeMap::from([("rules", Verdict::Passed)]));
        assert_eq!((table.planted(), table.survivors()), (2, vec!["clock"]));
        let mut missed = Table::default();
        let seen = Verdict::Convicted("a::b".to_owned());
        missed.add(patch("lock"), BTreeMap::from([("rules", seen), ("memory", Verdict::Passed)]));
        assert_eq!(missed.survivors(), ["lock"], "not by the suite that has to");
        let mut slow = Table::default();
        let hung = Verdict::Hung(Duration::from_secs(600));
        slow.add(patch("lock"), BTreeMap::from([("memory", hung)]));
        assert_eq!(slow.survivors(), ["lock"], "a slow machine is no verdict");
        let expected = "\
            | guard | planted bug | rules | memory | seen by |\n\
            | --- | --- | --- | --- | --- |\n\
            | rules | `clock`: clock is gone | passes |  | nobody |\n\
            | rules | `lock`: lock is gone | passes | convicts | `a::b` |\n";
        assert_eq!(table.markdown(), expected);
    }
}
