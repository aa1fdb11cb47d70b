//! One drop as it must be: by the model, and by the rows that its changes tell of.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::conformance::{Model, Rows};
use crate::model::{
    DropId, DropSnapshot, NewDrop, Reservation, ReservationId, Revision, Status, Timestamp, UserId,
    Username,
};
use crate::rules::{Applied, Batch, Change};

use super::states::{DropState, HoldState};

/// The rules say what must come of a batch ([`Model`]); the changes say what has come of it
/// ([`Rows`]). Both are compared after every decision.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rows: Rows,
    pub(super) deleted: bool,
    /// The moments of the history at which it was created and, if it was, deleted.
    pub(super) created_at: u64,
    pub(super) deleted_at: Option<u64>,
    pub(super) changes: Vec<Arc<Change>>,
    model: Model,
    /// How many of the oldest changes the feed has no more.
    trimmed: usize,
    forgotten: BTreeSet<ReservationId>,
    /// Those who have lost their rows here.
    pub(super) forgotten_users: BTreeSet<Username>,
}

impl Known {
    pub(super) fn new(id: DropId, new: &NewDrop, now: Timestamp) -> Self {
        Self {
            rows: Rows::new(id, new, now),
            deleted: false,
            created_at: 0,
            deleted_at: None,
            changes: vec![Arc::new(Change::created(id, new, now))],
            model: Model::new(new, now),
            trimmed: 0,
            forgotten: BTreeSet::new(),
            forgotten_users: BTreeSet::new(),
        }
    }

    /// Says whether a name is a user, by what happened in other drops.
    pub(super) fn users(&mut self, username: &Username, known: bool) {
        self.model.set_user(username, known);
    }

    /// Whether who reserves in a batch at `now` becomes a user.
    pub(super) fn makes_users(&self, batch: &Batch, now: Timestamp) -> bool {
        self.model.makes_users(batch, now)
    }

    /// Takes a decision at `now` over.
    ///
    /// # Panics
    /// Where it is not what the rules say, or breaks an invariant.
    pub(super) fn decided(&mut self, batch: &Batch, applied: &Applied, now: Timestamp) {
        let expected = self.model.apply(batch, now);
        assert_eq!(applied.outcomes().len(), expected.len(), "one answer per command: {batch:?}");
        for (expected, outcome) in expected.iter().zip(applied.outcomes()) {
            assert!(expected.agrees_with(outcome), "{batch:?}: {outcome:?}, not {expected:?}");
        }
        assert_eq!(applied.as_of(), now.max(self.rows.as_of), "the time of a decision: {batch:?}");
        assert_eq!(applied.revision().get(), self.model.revision(), "I6: {batch:?}");
        let Some(change) = applied.change() else {
            assert_eq!(applied.revision(), self.rows.revision, "I6: a revision without a change");
            return;
        };
        self.check_times(change);
        for user in &change.forgotten {
            let rows = self.rows.reservations.values();
            let rows = rows.filter(|row| row.claim().user_id == *user).map(Reservation::id);
            self.forgotten.extend(rows);
        }
        // I5 and I6: one revision more, each row leaves active once.
        self.rows.apply(change);
        self.changes.push(change.clone());
        self.check_rows(change);
    }

    /// I7: bought before the deadline, expired at it or after, in the time of the decision.
    fn check_times(&self, change: &Change) {
        assert!(change.as_of >= self.rows.as_of, "I7: time goes back in drop {}", change.drop_id);
        for row in change.reservations().filter(|row| row.updated_at() == change.as_of) {
            let late = change.as_of >= row.expires_at();
            match row.status() {
                Status::Completed => assert!(!late, "I7: bought too late: {row:?}"),
                Status::Expired => assert!(late, "I7: expired too early: {row:?}"),
                Status::Active => assert!(!late, "I7: held in the past: {row:?}"),
                Status::Released => {}
            }
        }
    }

    /// I1 to I4, and that the rows are the model's.
    fn check_rows(&self, change: &Change) {
        // I1 holds in any `Stock` there is; here it is counted.
        for variant in &change.variants {
            let stock = variant.stock;
            let committed = stock.held().checked_add(stock.sold());
            assert!(committed.is_some_and(|units| units <= stock.total()), "I1: {stock:?}");
        }
        let findings = self.rows.audit().findings();
        assert!(findings.is_empty(), "I2 to I4: {findings:?}");
        for row in change.inserted.iter().filter(|_| change.terms.is_none()) {
            let user = row.claim().user_id;
            let of_user = self.rows.reservations.values().filter(|row| {
                let counts = matches!(row.status(), Status::Active | Status::Completed);
                counts && row.claim().user_id == user
            });
            let units: u32 = of_user.map(|row| row.claim().quantity.get()).sum();
            let limit = self.rows.terms.limit;
            assert!(limit.is_none_or(|limit| units <= limit.get()), "I4: {units} units: {row:?}");
        }
        let expected = self.model.rows();
        assert_eq!(self.rows.reservations.len(), expected.len(), "rows of {change:?}");
        for (row, expected) in self.rows.reservations.values().zip(expected) {
            assert!(expected.is(row), "{row:?}, not {expected:?}, after {change:?}");
        }
        assert_eq!(*self.rows.terms, *self.model.terms(), "terms");
    }

    /// Compares a reading with what it must be at `now`.
    pub(super) fn compare(&self, read: &DropSnapshot, now: Timestamp) {
        let rows = &self.rows;
        let at = now.max(rows.as_of);
        assert_eq!(read.revision, rows.revision, "I6: the revision read of {}", read.id);
        assert_eq!(read.as_of, at, "I7: the time of a reading of {}", read.id);
        assert_eq!(*read.terms, *rows.terms, "the terms read of {}", read.id);
        assert_eq!(read.variants, rows.variants_at(at), "I6: the stock read of {}", read.id);
        assert_eq!(read.recent, rows.recent, "the purchasers read of {}", read.id);
    }

    /// Compares a part of the feed with what was committed.
    pub(super) fn compare_feed(&self, since: Revision, limit: usize, read: &[Arc<Change>]) {
        let since = usize::try_from(since.get()).unwrap_or(usize::MAX);
        let first = since.max(self.trimmed).min(self.changes.len());
        let expected = self.changes.iter().skip(first).take(limit);
        assert!(read.iter().eq(expected), "I8: the feed after {since}: {read:?}");
    }

    pub(super) fn trimmed(&mut self, keep: u32) {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        self.trimmed = self.trimmed.max(self.changes.len().saturating_sub(keep));
    }

    pub(super) fn change(&self, revision: Revision) -> Option<&Change> {
        let index = usize::try_from(revision.get()).ok()?.checked_sub(1)?;
        self.changes.get(index).map(|change| &**change)
    }

    /// Whether it has sales or live holds.
    pub(super) fn is_in_use(&self, now: Timestamp) -> bool {
        let at = now.max(self.rows.as_of);
        self.rows
            .reservations
            .values()
            .any(|row| matches!(row.status_at(at), Status::Active | Status::Completed))
    }

    pub(super) fn has_rows_of(&self, user: UserId) -> bool {
        self.rows.reservations.values().any(|row| row.claim().user_id == user)
    }

    /// Where the drop stands at `now`.
    pub(super) fn state(&self, now: Timestamp) -> DropState {
        let at = now.max(self.rows.as_of);
        let window = self.rows.terms.window;
        if self.deleted {
            DropState::Deleted
        } else if !window.has_opened(at) {
            DropState::Upcoming
        } else if window.has_closed(at) {
            DropState::Ended
        } else if self.rows.variants.iter().all(|variant| variant.stock.available().is_zero()) {
            DropState::SoldOut
        } else {
            DropState::Open
        }
    }

    /// Where a numbered hold stands at `now`.
    pub(super) fn hold(&self, id: ReservationId, now: Timestamp) -> HoldState {
        match self.rows.reservations.get(&id) {
            Some(row) => self.row_state(row, now),
            None if self.forgotten.contains(&id) => HoldState::Forgotten,
            None => HoldState::Nothing,
        }
    }

    /// Where a user's newest hold stands at `now`.
    pub(super) fn newest_hold(
        &self,
        username: &Username,
        user: Option<UserId>,
        now: Timestamp,
    ) -> HoldState {
        let mut rows = self.rows.reservations.values().rev();
        match rows.find(|row| Some(row.claim().user_id) == user) {
            Some(row) => self.row_state(row, now),
            None if self.forgotten_users.contains(username) => HoldState::Forgotten,
            None => HoldState::Nothing,
        }
    }

    fn row_state(&self, row: &Reservation, now: Timestamp) -> HoldState {
        let at = now.max(self.rows.as_of);
        match row.status() {
            Status::Active if at < row.expires_at() => HoldState::Active,
            Status::Active => HoldState::Lapsed,
            Status::Completed => HoldState::Completed,
            Status::Expired => HoldState::Expired,
            Status::Released => HoldState::Released,
        }
    }

    /// When the last of the active holds lapses.
    pub(super) fn last_deadline(&self) -> Option<Timestamp> {
        let rows = self.rows.reservations.values();
        let active = rows.filter(|row| row.status() == Status::Active);
        active.map(Reservation::expires_at).max()
    }

    /// A number that was forgotten.
    pub(super) fn some_forgotten(&self, which: u64) -> Option<ReservationId> {
        let count = u64::try_from(self.forgotten.len()).unwrap_or(0);
        let index = usize::try_from(which.checked_rem(count)?).ok()?;
        self.forgotten.iter().nth(index).copied()
    }
}
