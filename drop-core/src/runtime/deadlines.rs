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

/// Deadlines to come, and the drops whose lane has an expiry in it.
#[derive(Debug)]
pub(super) struct Deadlines {
    agenda: Agenda<Entry>,
    /// The nearest time that each was noted for.
    known: BTreeMap<(DropId, Timestamp), Timestamp>,
    /// The latest deadline that came up for a drop since its expiry went into the lane. One
    /// command per drop is in its lane at a time; it settles all that is due by then.
    in_lane: BTreeMap<DropId, (Timestamp, Origin)>,
}

impl Deadlines {
    /// Two notings of one deadline differ by the delay of their messages; more than this means
    /// that a clock was set.
    const SLACK: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        Self { agenda: Agenda::new(), known: BTreeMap::new(), in_lane: BTreeMap::new() }
    }

    /// Notes a deadline that comes at `at` by this process's clock, unless it is known to come
    /// about as soon.
    ///
    /// Where a clock was set, here or in the store, it may be nearer than was noted. It stays
    /// noted for the later time too: nobody knows which of the two readings was wrong, and an
    /// expiry with nothing to settle is harmless.
    pub(super) fn note(&mut self, at: Timestamp, id: DropId, deadline: Timestamp, origin: Origin) {
        let noted_at = self.known.get(&(id, deadline));
        if noted_at.is_some_and(|noted_at| *noted_at <= at.saturating_add(Self::SLACK)) {
            return;
        }
        self.known.insert((id, deadline), at);
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
