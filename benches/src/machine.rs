//! The machine on which the runs were made.

use std::process::Command;

use serde::{Deserialize, Serialize};

/// What it is, in the words of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// A word and its value, in order.
    pub facts: Vec<(String, String)>,
}

impl Machine {
    /// This one, today.
    #[must_use]
    pub fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let facts = [
            ("date", said("date", &["-u", "+%Y-%m-%d"])),
            ("cores", cores.to_string()),
            ("processor", processor()),
            ("memory", memory()),
            ("kernel", format!("Linux {}", kernel.trim())),
            ("compiler", said("rustc", &["--version"])),
            ("database", postgres()),
        ];
        let owned = facts.into_iter().map(|(word, value)| (word.to_owned(), value));
        Self { facts: owned.collect() }
    }
}

/// The first line that a program prints; a dash where there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = output.ok().and_then(|text| text.lines().next().map(str::to_owned));
    line.filter(|line| !line.is_empty()).unwrap_or("-".to_owned())
}

fn processor() -> String {
    let table = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = table.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim());
    model.filter(|model| !model.is_empty()).unwrap_or("-").to_owned()
}

fn memory() -> String {
    let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = table.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map_or("-".to_owned(), |kibibytes| format!("{} GiB", kibibytes.div_ceil(1 << 20)))
}

/// PostgreSQL's version: of the program in `PATH`, or of the newest that Debian has installed.
fn postgres() -> String {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = installed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest =
        versions.max().map(|version| format!("/usr/lib/postgresql/{version}/bin/postgres"));
    let programs = ["postgres".to_owned()].into_iter().chain(newest);
    let mut said = programs.map(|program| said(&program, &["--version"]));
    said.find(|version| version != "-").unwrap_or("-".to_owned())
}
