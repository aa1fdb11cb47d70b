//! What one watcher has seen.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::load::Log;

/// The newest version of one watcher, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Seen {
    version: AtomicU64,
    frames: AtomicUsize,
    snapshots: AtomicUsize,
    resumed: AtomicUsize,
    /// The frame with the newest version and its counts.
    newest: Mutex<String>,
    /// How old the oldest change was that each frame told of, in milliseconds.
    ages: Mutex<Vec<u32>>,
    /// What must not be.
    wrong: Mutex<Vec<String>>,
}

impl Seen {
    /// Takes a frame in; `fresh` is the first after connecting, which is late by nobody's fault.
    pub(super) fn frame(&self, text: &str, fresh: bool, log: &Log) {
        let Some(version) = version(text) else { return };
        let before = self.version.swap(version, Ordering::Relaxed);
        self.frames.fetch_add(1, Ordering::Relaxed);
        if text.contains("\"drops\":[") {
            self.snapshots.fetch_add(1, Ordering::Relaxed);
        }
        if version < before {
            self.wrong.lock().unwrap().push(format!("version {version} after {before}: {text}"));
        }
        if text.contains("\"availableStock\":") {
            text.clone_into(&mut self.newest.lock().unwrap());
        }
        if before > 0
            && version > before
            && !fresh
            && let Some(age) = log.age(before + 1)
        {
            let millis = u32::try_from(age.as_millis()).unwrap_or(u32::MAX);
            self.ages.lock().unwrap().push(millis);
        }
    }

    /// It came back and went on where it had been.
    pub(super) fn resumed(&self) {
        self.resumed.fetch_add(1, Ordering::Relaxed);
    }

    /// Something went wrong.
    pub(super) fn complain(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    pub(super) fn frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    pub(super) fn snapshots(&self) -> usize {
        self.snapshots.load(Ordering::Relaxed)
    }

    pub(super) fn has_resumed(&self) -> usize {
        self.resumed.load(Ordering::Relaxed)
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Available, held, sold as it saw them last.
    pub(super) fn counts(&self) -> [Option<u64>; 3] {
        let newest = self.newest.lock().unwrap();
        ["availableStock", "heldStock", "soldCount"].map(|name| number(&newest, name))
    }
}

/// All ages of all watchers, sorted.
pub(super) fn ages<'a>(seen: impl IntoIterator<Item = &'a Arc<Seen>>) -> Vec<u32> {
    let mut all: Vec<u32> =
        seen.into_iter().flat_map(|seen| seen.ages.lock().unwrap().clone()).collect();
    all.sort_unstable();
    all
}

/// There is one drop only, so each frame has one version.
fn version(text: &str) -> Option<u64> {
    number(text, "version")
}

/// The first member of that name; what is sent is compact JSON.
fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!("\"{name}\":"))?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}
