//! What a run of evidence did, kept for the page that tells of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What a run did: how much, how long, with which seeds, and how to do it again.
///
/// A run saves one at its end. Where the environment variable `DROP_EVIDENCE` names a folder
/// it goes there as one JSON file, for whoever puts a page together from them; without the
/// variable saving does nothing. Only runs that passed should save one.
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
    /// Whether it was the long run, and not the share of every run.
    pub long: bool,
    /// Text to show as it is, such as a table.
    pub table: Option<String>,
    #[serde(skip)]
    began: Option<Instant>,
}

/// Whether the long runs are wanted, not only each one's share: `DROP_LONG=1`.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("DROP_LONG").is_some_and(|value| value == "1")
}

impl Report {
    /// Begins a run, and its time.
    #[must_use]
    pub fn begin(topic: &str, name: &str, replay: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            name: name.to_owned(),
            figures: Vec::new(),
            seeds: None,
            replay: replay.to_owned(),
            seconds: 0.0,
            long: is_long(),
            table: None,
            began: Some(Instant::now()),
        }
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
    pub fn save(mut self) {
        self.seconds = self.began.map_or(Duration::ZERO, |began| began.elapsed()).as_secs_f64();
        let Some(folder) = std::env::var_os("DROP_EVIDENCE").map(PathBuf::from) else { return };
        let word = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "-");
        let file = folder.join(format!("{}--{}.json", word(&self.topic), word(&self.name)));
        let json = serde_json::to_vec_pretty(&self).expect("a report is JSON");
        std::fs::create_dir_all(&folder).expect("the folder for reports");
        std::fs::write(&file, json).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}
