//! What is to be done when.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::Timestamp;

/// Things to do, by time; bounded, because a sweep stands behind every entry.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    entries: BTreeSet<(Timestamp, T)>,
}

impl<T: Ord> Agenda<T> {
    /// The most entries kept; the latest give way.
    const MAX_ENTRIES: usize = 1 << 20;

    pub(super) fn new() -> Self {
        Self { entries: BTreeSet::new() }
    }

    /// Notes `entry` for `at`, by this process's clock; gives the one that gives way, if any.
    pub(super) fn note(&mut self, at: Timestamp, entry: T) -> Option<T> {
        self.entries.insert((at, entry));
        if self.entries.len() > Self::MAX_ENTRIES {
            return self.entries.pop_last().map(|(_, last)| last);
        }
        None
    }

    /// How long until the first entry.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Duration> {
        self.entries.first().map(|(at, _)| at.since(now))
    }

    /// The entries whose time has come.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<T> {
        let mut due = Vec::new();
        while self.entries.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.entries.pop_first().map(|(_, entry)| entry));
        }
        due
    }
}
