//! Which drop is to be settled when, and which are being settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{DropId, Timestamp};

use super::agenda::Agenda;

/// How a deadline came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// By the change that set it: the drop's later deadlines are heard of in the same way.
    Heard,
    /// By the store's answer to a sweep: the drop may have later ones that nobody here knows.
    Swept,
}

type Entry = (DropId, Timestamp, Origin);

/// Deadlines to come, each once, and the drops whose lane has an expiry in it.
#[derive(Debug)]
pub(super) struct Deadlines {
    agenda: Agenda<Entry>,
    known: BTreeSet<(DropId, Timestamp)>,
    /// The latest deadline that came up for a drop since its expiry went into the lane. One
    /// command per drop is in its lane at a time; it settles all that is due by then.
    in_lane: BTreeMap<DropId, (Timestamp, Origin)>,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self { agenda: Agenda::new(), known: BTreeSet::new(), in_lane: BTreeMap::new() }
    }

    /// Notes a deadline that comes at `at` by this process's clock, unless it is known.
    pub(super) fn note(&mut self, at: Timestamp, id: DropId, deadline: Timestamp, origin: Origin) {
        if !self.known.insert((id, deadline)) {
            return;
        }
        if let Some((id, deadline, _)) = self.agenda.note(at, (id, deadline, origin)) {
            self.known.remove(&(id, deadline));
        }
    }

    /// How long until the first.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Duration> {
        self.agenda.pause(now)
    }

    /// The drops whose expiry has to go into their lane now.
    pub(super) fn take_due(&mut self, now: Timestamp) -> BTreeSet<DropId> {
        let mut due = BTreeSet::new();
        for (id, deadline, origin) in self.agenda.take_due(now) {
            self.known.remove(&(id, deadline));
            let latest = self.in_lane.entry(id).or_insert_with(|| {
                due.insert(id);
                (deadline, origin)
            });
            *latest = (deadline.max(latest.0), origin.max(latest.1));
        }
        due
    }

    /// The latest deadline that came up for a drop whose expiry has been answered.
    pub(super) fn settled(&mut self, id: DropId) -> Option<(Timestamp, Origin)> {
        self.in_lane.remove(&id)
    }
}
