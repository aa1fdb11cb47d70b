//! One planted bug: a small patch, and what is expected of it.

use std::path::{Path, PathBuf};

/// A bug that is planted into a copy of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Its file's name, without the ending.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) file: PathBuf,
    /// What is broken, in one line.
    pub(crate) title: String,
    /// Which guard is taken away.
    pub(crate) guard: String,
    /// The suites that have to convict it, the cheapest first.
    pub(crate) expect: Vec<String>,
    /// The test of the first of them that is expected to, where one is named: it is asked first.
    pub(crate) test: Option<String>,
    /// The files that it changes.
    pub(crate) touches: Vec<PathBuf>,
}

impl Patch {
    /// Reads a patch with its head: lines `# title:`, `# guard:`, `# expect:`
    /// and perhaps `# test:` before the diff.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, String> {
        let head = |word: &str| {
            let mut lines = text.lines().take_while(|line| line.starts_with('#'));
            let found = lines.find_map(|line| line.strip_prefix(&format!("# {word}: ")));
            found.map(str::to_owned).ok_or(format!("{}: no `# {word}:`", file.display()))
        };
        let touches: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"))
            .map(PathBuf::from)
            .collect();
        if touches.is_empty() {
            return Err(format!("{}: no diff", file.display()));
        }
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            name: name.unwrap_or_default(),
            file: file.to_owned(),
            title: head("title")?,
            guard: head("guard")?,
            expect: head("expect")?.split_whitespace().map(str::to_owned).collect(),
            test: head("test").ok(),
            touches,
        })
    }

    /// All patches of a folder, by name.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, String> {
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut patches = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(told)? {
            let file = entry.map_err(told)?.path();
            if file.extension().is_some_and(|ending| ending == "patch") {
                let text = std::fs::read_to_string(&file).map_err(told)?;
                patches.push(Self::parse(&file, &text)?);
            }
        }
        patches.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(patches)
    }

    /// `count` of the patches; with each next seed the next ones, so that all have their turn.
    pub(crate) fn rotating(all: &[Self], seed: u64, count: usize) -> Vec<Self> {
        let length = u64::try_from(all.len()).unwrap_or(u64::MAX).max(1);
        let step = u64::try_from(count).unwrap_or(u64::MAX);
        let first = usize::try_from(seed.wrapping_mul(step) % length).unwrap_or(0);
        all.iter().cycle().skip(first).take(count.min(all.len())).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Patch;
    use crate::suite::SUITES;

    const TEXT: &str = "# title: no lock\n# guard: transaction\n# expect: postgres shop\n\
        diff --git a/x/y.rs b/x/y.rs\n--- a/x/y.rs\n+++ b/x/y.rs\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn a_patch_says_what_is_broken() {
        let patch = Patch::parse(Path::new("dir/no-lock.patch"), TEXT).unwrap();
        assert_eq!((patch.name.as_str(), patch.title.as_str()), ("no-lock", "no lock"));
        assert_eq!(patch.guard, "transaction");
        assert_eq!(patch.expect, ["postgres", "shop"]);
        assert_eq!(patch.touches, [Path::new("x/y.rs")]);
        for line in ["# title: no lock\n", "# guard: transaction\n", "# expect: postgres shop\n"] {
            assert!(Patch::parse(Path::new("p.patch"), &TEXT.replace(line, "")).is_err(), "{line}");
        }
        assert!(Patch::parse(Path::new("p.patch"), TEXT.split("diff").next().unwrap()).is_err());
    }

    #[test]
    fn in_rotation_every_patch_has_its_turn() {
        let patch = Patch::parse(Path::new("p.patch"), TEXT).unwrap();
        let named = |number: u64| Patch { name: number.to_string(), ..patch.clone() };
        let all: Vec<_> = (0..7).map(named).collect();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 20_000..20_007 {
            let few = Patch::rotating(&all, seed, 3);
            assert_eq!(few.len(), 3);
            seen.extend(few.into_iter().map(|patch| patch.name));
        }
        assert_eq!(seen.len(), 7);
        assert_eq!(Patch::rotating(&all, 5, 100).len(), 7);
    }

    #[test]
    fn every_patch_of_the_repository_names_a_suite_that_can_see_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/planted");
        let patches = Patch::all(&folder).unwrap();
        assert!(patches.len() >= 30, "only {}", patches.len());
        for patch in patches {
            assert!(!patch.expect.is_empty(), "{} expects nothing", patch.name);
            for expected in &patch.expect {
                let suite = SUITES.iter().find(|suite| suite.name == expected);
                let suite = suite.unwrap_or_else(|| panic!("{}: no suite {expected}", patch.name));
                assert!(suite.sees(&patch), "{} is not in {expected}", patch.name);
            }
            let guards = [
                "rules",
                "transaction",
                "connections",
                "journal",
                "lane",
                "memory",
                "bus",
                "http",
                "cost",
            ];
            assert!(guards.contains(&patch.guard.as_str()), "{}: {}", patch.name, patch.guard);
        }
    }
}
