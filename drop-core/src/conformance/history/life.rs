//! One reservation, from its taking to its end.

use crate::model::{Claim, Reservation, Status, Timestamp, UserId};

/// What the feed tells of one reservation.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) claim: Claim,
    /// The revision that took it.
    pub(super) taken: u64,
    /// The revision in which it left `active`, and for what.
    pub(super) ended: Option<(u64, Status)>,
    /// The revision that removed it with its user.
    pub(super) forgotten: Option<u64>,
    /// Its deadlines, and the revision that set each.
    deadlines: Vec<(u64, Timestamp)>,
}

impl Life {
    pub(super) fn begin(row: &Reservation, at: u64) -> Self {
        let status = row.status();
        Self {
            claim: *row.claim(),
            taken: at,
            ended: (status != Status::Active).then_some((at, status)),
            forgotten: None,
            deadlines: vec![(at, row.expires_at())],
        }
    }

    /// Takes over the state after a change.
    pub(super) fn update(&mut self, row: &Reservation, at: u64) {
        if row.expires_at() != self.deadline() {
            self.deadlines.push((at, row.expires_at()));
        }
        self.ended = (row.status() != Status::Active).then_some((at, row.status()));
    }

    pub(super) fn user(&self) -> UserId {
        self.claim.user_id
    }

    pub(super) fn units(&self) -> u64 {
        u64::from(self.claim.quantity.get())
    }

    /// Where it stands after the last change looked at.
    pub(super) fn status(&self) -> Status {
        self.ended.map_or(Status::Active, |(_, status)| status)
    }

    pub(super) fn is_there(&self) -> bool {
        self.forgotten.is_none()
    }

    /// Its newest deadline.
    pub(super) fn deadline(&self) -> Timestamp {
        self.deadlines.last().map_or(Timestamp::MIN, |(_, deadline)| *deadline)
    }

    /// Its deadline after that revision.
    pub(super) fn deadline_at(&self, revision: u64) -> Timestamp {
        let until = self.deadlines.partition_point(|(at, _)| *at <= revision);
        let found = until.checked_sub(1).and_then(|index| self.deadlines.get(index));
        found.or(self.deadlines.first()).map_or(Timestamp::MIN, |(_, deadline)| *deadline)
    }

    /// Its deadlines in order, and the revision that set each.
    pub(super) fn deadlines(&self) -> &[(u64, Timestamp)] {
        &self.deadlines
    }

    /// The revision in which it was completed.
    pub(super) fn completed(&self) -> Option<u64> {
        self.ended.filter(|(_, status)| *status == Status::Completed).map(|(at, _)| at)
    }

    /// The revision in which its units came back or were sold, or it was removed.
    pub(super) fn left_active(&self) -> Option<u64> {
        self.ended.map(|(at, _)| at).or(self.forgotten)
    }

    /// Whether its end may be hidden in that revision: what ended and was forgotten in one
    /// change is only gone, by the feed.
    pub(super) fn ends_unseen(&self, revision: u64) -> bool {
        self.ended.is_none() && self.forgotten == Some(revision)
    }

    /// Whether a command that is answered as `told` can have met its row: taken by then, and
    /// not removed before.
    pub(super) fn is_met(&self, told: Told) -> bool {
        self.taken <= told.revision && self.forgotten.is_none_or(|gone| told.precedes(gone))
    }

    /// Whether a command that is answered as `told` can have met it active. Lapsed holds are
    /// settled before any command; other ends may follow in the same change.
    pub(super) fn is_held(&self, told: Told) -> bool {
        let lasts = match self.ended {
            None => true,
            Some((at, Status::Expired)) => at > told.revision,
            Some((at, _)) => told.precedes(at),
        };
        lasts && self.is_met(told)
    }
}

/// The revision that an answer names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) revision: u64,
    /// Whether its command can have been in the batch that made the revision; if not it stood
    /// on it.
    pub(super) made: bool,
}

impl Told {
    /// Whether the command can have come before an end in revision `end`.
    fn precedes(self, end: u64) -> bool {
        end > self.revision || (self.made && end == self.revision)
    }
}
