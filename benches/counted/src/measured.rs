//! [`Measured`]: counts that are held against their bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::bounds::{Bounds, thousandths};

/// The tests of one process share the files.
static FILES: Mutex<()> = Mutex::new(());

/// What was counted, and how to look into each count.
#[derive(Debug, Default)]
pub struct Measured {
    counts: BTreeMap<String, (f64, String)>,
}

impl Measured {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a count. `look` is how somebody looks into it.
    pub fn add(&mut self, name: impl Into<String>, count: f64, look: impl Into<String>) {
        self.counts.insert(name.into(), (thousandths(count), look.into()));
    }

    /// Holds every count against its bound, or, where `DROP_BLESS` is set, makes bounds of them.
    /// Which bounds that raises is told. `command` is what has it counted again.
    ///
    /// # Panics
    /// With all that is wrong and how to look into it: a count that is over its bound, or so far
    /// under it that the bound guards nothing, or without a bound; a bound that nothing was
    /// measured for, of the kinds that were.
    pub fn hold(self, command: &str) {
        let _alone = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let file = root().join("benches/counts.json");
        let mut bounds: Bounds = read(&file).expect("benches/counts.json");
        if std::env::var_os("DROP_BLESS").is_some_and(|value| !value.is_empty()) {
            let gone = |name: &str| self.is_of_its_kind(name) && !self.counts.contains_key(name);
            bounds.counts.retain(|name, _| !gone(name));
            bounds.compiler = compiler();
            for (name, (count, _)) in &self.counts {
                let before = bounds.counts.get(name).map_or(f64::MAX, |bound| bound.bound);
                if *count > before {
                    eprintln!("{name}: the bound of {before} is raised, {count} was counted");
                }
                bounds.bless(name, *count);
            }
            std::fs::write(&file, bounds.to_text()).expect("benches/counts.json");
        }
        let findings = self.findings(&bounds);
        assert!(
            findings.is_empty(),
            "\n{}\nthe bounds are of {}, and this is {}\nwhere it is meant: DROP_BLESS=1 {command}\n",
            findings.join("\n"),
            bounds.compiler,
            compiler(),
        );
    }

    fn findings(&self, bounds: &Bounds) -> Vec<String> {
        let wrong = self.counts.iter().filter_map(|(name, (count, look))| {
            let finding = bounds.finding(name, *count)?;
            Some(format!("{finding}\n    {look}"))
        });
        let missing = bounds.counts.keys().filter(|name| self.is_of_its_kind(name));
        let missing = missing.filter(|name| !self.counts.contains_key(*name));
        let missing = missing.map(|name| format!("{name}: nobody measures it"));
        wrong.chain(missing).collect()
    }

    /// Whether something of the same first word was measured.
    fn is_of_its_kind(&self, name: &str) -> bool {
        let kind = |name: &str| name.split('/').next().map(str::to_owned);
        let kinds: BTreeSet<_> = self.counts.keys().map(|name| kind(name)).collect();
        kinds.contains(&kind(name))
    }
}

/// The work tree.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &Path) -> Option<Bounds> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn compiler() -> String {
    let told = Command::new("rustc").arg("--version").output();
    told.map_or_else(
        |error| format!("rustc: {error}"),
        |told| String::from_utf8_lossy(&told.stdout).trim_end().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::Measured;
    use crate::bounds::Bounds;

    #[test]
    fn what_is_wrong_is_told_with_how_to_look_into_it() {
        let mut bounds = Bounds::default();
        for name in ["memory/a/messages", "memory/b/messages", "postgres/c/messages"] {
            bounds.bless(name, 2.0);
        }
        let mut measured = Measured::new();
        measured.add("memory/a/messages", 3.0, "look here");
        let findings = measured.findings(&bounds);
        let [over, missing] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(over.contains("memory/a/messages") && over.contains("look here"), "{over}");
        assert_eq!(missing, "memory/b/messages: nobody measures it");
    }
}
