//! Writes `docs/evidence.md` from the reports that runs have left in a folder.

mod page;

use std::path::Path;
use std::process::ExitCode;

use drop_benches::Machine;
use drop_core::conformance::Report;

/// How it is used.
const USAGE: &str = "usage: evidence [FOLDER [PAGE]], from the root of the work tree;
FOLDER holds the reports (target/evidence), PAGE is written (docs/evidence.md)";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let folder = words.next().unwrap_or("target/evidence".to_owned());
    let page = words.next().unwrap_or("docs/evidence.md".to_owned());
    if folder.starts_with('-') || words.next().is_some() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match write(Path::new(&folder), Path::new(&page)) {
        Ok(runs) => {
            println!("{page}: {runs} runs");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path, page: &Path) -> Result<usize, String> {
    let reports = read(folder)?;
    let text = page::render(&reports, &Machine::this());
    std::fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    Ok(reports.len())
}

/// All reports of a folder.
fn read(folder: &Path) -> Result<Vec<Report>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut reports = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let file = entry.map_err(told)?.path();
        if file.extension().is_some_and(|ending| ending == "json") {
            let json = std::fs::read(&file).map_err(told)?;
            let report = serde_json::from_slice(&json);
            reports.push(report.map_err(|error| format!("{}: {error}", file.display()))?);
        }
    }
    Ok(reports)
}
