//! The house stays a house: imports only go down, and no two files import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Floors of drop-core, bottom up. A file imports from its own floor and from those below.
const FLOORS: [&[&str]; 6] = [
    &["model", "sync"],
    &["rules", "clock"],
    &["error"],
    &["store"],
    &["runtime"],
    &["service", "conformance"],
];

const CRATES: [&str; 5] =
    ["drop-core", "drop-store-memory", "drop-store-postgres", "drop-http", "examples/shop"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The files of a crate by module path: `["rules", "decide"]`.
struct Crate {
    files: BTreeMap<Vec<String>, String>,
}

impl Crate {
    fn read(name: &str) -> Self {
        let root = workspace().join(name).join("src");
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).expect("text");
                    let path = path.strip_prefix(&root).expect("inside").with_extension("");
                    let mut module: Vec<String> =
                        path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                    if module
                        .last()
                        .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
                    {
                        module.pop();
                    }
                    files.insert(module, production(&text));
                }
            }
        }
        Self { files }
    }

    /// The files that `module` imports, re-exports followed to where they come from.
    fn imports(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let uses = use_paths(&self.files[module]);
        let own = uses.iter().filter_map(|path| self.locate(module, path));
        own.filter(|found| found != module).collect()
    }

    /// The file in which a used path is defined; `None` for other crates' paths.
    fn locate(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "super" => from.split_last()?.1.to_vec(),
            "self" => from.to_vec(),
            _ => return None,
        };
        let mut rest = &path[1..];
        while let [next, others @ ..] = rest {
            if next == "super" {
                at.pop();
            } else {
                at.push(next.clone());
                if !self.files.contains_key(&at) {
                    at.pop();
                    let origin = self.origin(&at, next);
                    // What no file is re-exported from at the root is an exported macro.
                    return origin.or((!at.is_empty()).then_some(at));
                }
            }
            rest = others;
        }
        Some(at)
    }

    /// The file below a facade that defines what the facade re-exports as `item`.
    fn origin(&self, facade: &[String], item: &str) -> Option<Vec<String>> {
        let reexports = use_paths(&self.files[facade]);
        let path = reexports.iter().find(|path| path.last().is_some_and(|last| last == item))?;
        let mut below = facade.to_vec();
        below.push(path.iter().find(|part| !["self", "crate"].contains(&part.as_str()))?.clone());
        if !self.files.contains_key(&below) {
            return None;
        }
        // The facade of a folder below may only pass it on.
        self.origin(&below, item).or(Some(below))
    }
}

/// The source without comments and test modules.
fn production(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or("");
    let text = text.split("#[cfg(all(test").next().unwrap_or("");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path of every `use`, braces expanded.
fn use_paths(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let begins = rest[..at].chars().next_back().is_none_or(char::is_whitespace);
        rest = &rest[at + 4..];
        if begins && let Some((statement, after)) = rest.split_once(';') {
            expand(statement.trim(), &[], &mut paths);
            rest = after;
        }
    }
    paths
}

fn expand(tree: &str, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    if let Some(group) = tree.strip_prefix('{').and_then(|tree| tree.strip_suffix('}')) {
        let mut depth = 0;
        let top = |letter: char| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        };
        group.split(top).filter(|part| !part.trim().is_empty()).for_each(|part| {
            expand(part, prefix, paths);
        });
        return;
    }
    let mut path = prefix.to_vec();
    match tree.split_once("::") {
        Some((head, tail)) => {
            path.push(head.to_owned());
            expand(tail, &path, paths);
        }
        None => {
            let name = tree.split(" as ").next().unwrap_or(tree);
            if name != "self" {
                path.push(name.to_owned());
            }
            paths.push(path);
        }
    }
}

fn floor(module: &[String]) -> Option<usize> {
    let top = module.first()?;
    FLOORS.iter().position(|floor| floor.contains(&top.as_str()))
}

#[test]
fn imports_only_go_down() {
    let core = Crate::read("drop-core");
    let mut upward = Vec::new();
    for module in core.files.keys().filter(|module| !module.is_empty()) {
        assert!(floor(module).is_some(), "{module:?} stands on no floor");
        for import in core.imports(module) {
            if floor(&import) > floor(module) {
                upward.push(format!("{} imports {}", module.join("::"), import.join("::")));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn no_two_files_import_each_other() {
    let mut circles = Vec::new();
    let mut arrows = 0;
    for name in CRATES {
        let source = Crate::read(name);
        let graph: BTreeMap<_, _> =
            source.files.keys().map(|module| (module.clone(), source.imports(module))).collect();
        arrows += graph.values().map(BTreeSet::len).sum::<usize>();
        for (from, direct) in &graph {
            let mut reached = BTreeSet::new();
            let mut next: Vec<_> = direct.iter().collect();
            while let Some(file) = next.pop() {
                // A facade only passes on: what is declared below it is no import.
                if reached.insert(file) && !source.files.keys().any(|below| is_below(below, file)) {
                    next.extend(&graph[file]);
                }
            }
            if reached.contains(from) {
                circles.push(format!("{name}: {}", from.join("::")));
            }
        }
    }
    assert!(arrows > 100, "only {arrows} imports found: this test sees nothing");
    assert!(circles.is_empty(), "{circles:#?}");
}

fn is_below(module: &[String], folder: &[String]) -> bool {
    module.len() > folder.len() && module.starts_with(folder)
}

#[test]
fn crates_do_not_know_what_they_must_not() {
    for (name, forbidden) in [
        (
            "drop-core",
            &["sqlx", "axum", "drop_store_memory::", "drop_store_postgres", "drop_http"][..],
        ),
        ("drop-store-memory", &["sqlx", "axum", "drop_store_postgres", "drop_http"]),
        ("drop-store-postgres", &["axum", "drop_store_memory", "drop_http"]),
        ("drop-http", &["sqlx", "redb", "drop_store_memory", "drop_store_postgres"]),
    ] {
        for (module, text) in Crate::read(name).files {
            for word in forbidden {
                assert!(!text.contains(word), "{name}: {} knows {word}", module.join("::"));
            }
        }
    }
}
