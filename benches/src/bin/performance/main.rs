//! Writes `docs/performance.md`, and its plots, from what the benches have left in a folder.

mod page;
mod plot;

use std::path::Path;
use std::process::ExitCode;

use drop_benches::report::Question;

use crate::page::Notes;

/// How it is used.
const USAGE: &str = "usage: performance [FOLDER [PAGE [NOTES]]], from the root of the work tree;
FOLDER holds the questions (target/performance), PAGE is written (docs/performance.md) and its
plots into the folder of that name beside it, NOTES holds a text for each (benches/notes)";

/// The questions in the order of the page; others follow by their names.
const ORDER: [&str; 10] = [
    "hot_drop",
    "rows_growth",
    "many_drops",
    "sold_out",
    "expiry",
    "decide",
    "start",
    "deadline",
    "http",
    "sockets",
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let folder = words.next().unwrap_or("target/performance".to_owned());
    let page = words.next().unwrap_or("docs/performance.md".to_owned());
    let notes = words.next().unwrap_or("benches/notes".to_owned());
    if folder.starts_with('-') || words.next().is_some() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match write(Path::new(&folder), Path::new(&page), Path::new(&notes)) {
        Ok(questions) => {
            println!("{page}: {questions} questions");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path, page: &Path, notes: &Path) -> Result<usize, String> {
    let questions = read(folder)?;
    let plots = page.with_extension("");
    let told = |error: std::io::Error| format!("{}: {error}", plots.display());
    // What an older page showed and this one does not would stay for ever.
    if plots.exists() {
        std::fs::remove_dir_all(&plots).map_err(told)?;
    }
    std::fs::create_dir_all(&plots).map_err(told)?;
    let mut drawn = Vec::new();
    for question in &questions {
        drawn.push(plot::draw(question, &plots)?);
    }
    let text = page::render(&questions, &drawn, &Notes::in_folder(notes));
    std::fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    Ok(questions.len())
}

/// All questions of a folder, in the page's order.
fn read(folder: &Path) -> Result<Vec<Question>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut questions: Vec<Question> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let file = entry.map_err(told)?.path();
        if file.extension().is_some_and(|ending| ending == "json") {
            let json = std::fs::read(&file).map_err(told)?;
            let question = serde_json::from_slice(&json);
            questions.push(question.map_err(|error| format!("{}: {error}", file.display()))?);
        }
    }
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    questions.sort_by(|one, other| {
        (place(&one.name), &one.name).cmp(&(place(&other.name), &other.name))
    });
    Ok(questions)
}
