//! What a run of evidence did, kept for the page that tells of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What a run did: how much, how long, with which seeds, and how to do it again.
///
/// A run saves one at its end. Where the environment variable `DROP_EVIDENCE` names a folder
/// it goes there as one JSON file, for whoever puts a page together from them; without the
/// variable saving does nothing. Only runs that passed should save one: what an earlier run of
/// that name has left is removed when a run begins, so that one that fails leaves nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Which kind of evidence: `simulation`, `kills`.
    pub topic: String,
    /// Which run of it, in a few words.
    pub name: String,
    /// How much, in the order given: a word and its figure.
    pub figures: Vec<(String, String)>,
    /// Seeds, where it had any.
    pub seeds: Option<String>,
    /// The command that does it again.
    pub replay: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it was made from, as the environment variable `DROP_COMMIT` says: the commit, and
    /// `changed` where the tree differed from it; `-` where nobody says.
    #[serde(default = "unknown")]
    pub commit: String,
    /// Whether it was the long run, and not the share of every run.
    pub long: bool,
    /// Text to show as it is, such as a table.
    pub table: Option<String>,
    #[serde(skip)]
    began: Option<Instant>,
}

fn unknown() -> String {
    "-".to_owned()
}

/// Where reports are wanted.
fn folder() -> Option<PathBuf> {
    std::env::var_os("DROP_EVIDENCE").map(PathBuf::from)
}

/// Whether the long runs are wanted, not only each one's share: `DROP_LONG=1`.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("DROP_LONG").is_some_and(|value| value == "1")
}

impl Report {
    /// Begins a run, and its time. A report that an earlier one has left is removed.
    ///
    /// # Panics
    /// Where there is an older report that cannot be removed.
    #[must_use]
    pub fn begin(topic: &str, name: &str, replay: &str) -> Self {
        Self::begin_in(folder().as_deref(), topic, name, replay)
    }

    fn begin_in(folder: Option<&Path>, topic: &str, name: &str, replay: &str) -> Self {
        let commit = std::env::var("DROP_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
        let report = Self {
            topic: topic.to_owned(),
            name: name.to_owned(),
            figures: Vec::new(),
            seeds: None,
            replay: replay.to_owned(),
            seconds: 0.0,
            commit: commit.unwrap_or_else(unknown),
            long: is_long(),
            table: None,
            began: Some(Instant::now()),
        };
        if let Some(file) = folder.map(|folder| report.file(folder))
            && let Err(error) = std::fs::remove_file(&file)
            && error.kind() != ErrorKind::NotFound
        {
            panic!("{}: {error}", file.display());
        }
        report
    }

    /// With a figure.
    #[must_use]
    pub fn figure(mut self, what: &str, figure: &impl ToString) -> Self {
        self.figures.push((what.to_owned(), figure.to_string()));
        self
    }

    /// With the seeds it had.
    #[must_use]
    pub fn seeds(mut self, seeds: &impl ToString) -> Self {
        self.seeds = Some(seeds.to_string());
        self
    }

    /// With a table, in Markdown.
    #[must_use]
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// Ends the run's time and keeps the report, where reports are wanted.
    ///
    /// # Panics
    /// Where the folder cannot be written.
    pub fn save(self) {
        self.save_in(folder().as_deref());
    }

    fn save_in(mut self, folder: Option<&Path>) {
        self.seconds = self.began.map_or(Duration::ZERO, |began| began.elapsed()).as_secs_f64();
        let Some(folder) = folder else { return };
        let file = self.file(folder);
        let json = serde_json::to_vec_pretty(&self).expect("a report is JSON");
        std::fs::create_dir_all(folder).expect("the folder for reports");
        std::fs::write(&file, json).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// The one file of a topic and a name.
    fn file(&self, folder: &Path) -> PathBuf {
        let word = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "-");
        folder.join(format!("{}--{}.json", word(&self.topic), word(&self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    /// A run that fails must not leave behind what an earlier one that passed has said.
    #[test]
    fn a_run_that_begins_takes_away_what_an_older_one_left() {
        let folder = std::env::temp_dir().join(format!("drop-reports-{}", std::process::id()));
        let begin = |name| Report::begin_in(Some(&folder), "kills", name, "cargo test x");
        let left = || {
            let files = std::fs::read_dir(&folder).unwrap();
            let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let passes = begin("one");
        passes.save_in(Some(&folder));
        begin("other: two").save_in(Some(&folder));
        assert_eq!(left(), ["kills--one.json", "kills--other--two.json"]);
        let _fails = begin("one");
        assert_eq!(left(), ["kills--other--two.json"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_report_of_no_known_commit_can_be_read() {
        let report = Report::begin_in(None, "kills", "one", "cargo test x");
        let mut json = serde_json::to_value(&report).unwrap();
        json.as_object_mut().unwrap().remove("commit").unwrap();
        let read: Report = serde_json::from_value(json).unwrap();
        assert_eq!(read.commit, "-");
    }
}
