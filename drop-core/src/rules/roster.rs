//! The reservations of a draft, found by number and by holder.

use rustc_hash::FxHashMap;

use crate::model::{Hold, Reservation, ReservationId, UserId};

use super::Corruption;

#[derive(Debug)]
struct Row {
    reservation: Reservation,
    changed: bool,
    forgotten: bool,
}

/// The rows of a decision in the making, as they would stand after the commands so far.
///
/// One flat list: those that were loaded by rising number, and behind them those that this
/// decision takes, whose numbers follow each other. So a number is found without a table of
/// numbers, and what is written comes out in order.
#[derive(Debug)]
pub(super) struct Roster {
    rows: Vec<Row>,
    /// How many of them were there before this decision.
    loaded: usize,
    active: FxHashMap<UserId, usize>,
}

/// What a decision writes of a roster.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) updated: Vec<Reservation>,
    pub(super) inserted: Vec<Reservation>,
    /// Whose rows that were there before are to be removed.
    pub(super) removed: Vec<UserId>,
}

impl Roster {
    /// A roster of the rows loaded, with room for so many more.
    pub(super) fn load(mut loaded: Vec<Reservation>, more: usize) -> Result<Self, Corruption> {
        // A change says the same in whatever order a store loads its rows.
        loaded.sort_unstable_by_key(Reservation::id);
        loaded.dedup_by_key(|reservation| reservation.id());
        let room = loaded.len().saturating_add(more);
        let mut roster = Self {
            rows: Vec::with_capacity(room),
            loaded: loaded.len(),
            active: FxHashMap::with_capacity_and_hasher(room, Default::default()),
        };
        for reservation in loaded {
            roster.add(reservation, false)?;
        }
        Ok(roster)
    }

    /// Adds a reservation that this decision takes; its number is the next after the last one's.
    pub(super) fn insert(&mut self, reservation: Reservation) -> Result<(), Corruption> {
        self.add(reservation, true)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn find(&self, id: ReservationId) -> Option<(usize, Reservation)> {
        let index = self.position(id)?;
        let row = self.rows.get(index).filter(|row| row.reservation.id() == id)?;
        (!row.forgotten).then_some((index, row.reservation))
    }

    /// Where the row of that number is, if anywhere.
    fn position(&self, id: ReservationId) -> Option<usize> {
        let (loaded, taken) = self.rows.split_at_checked(self.loaded)?;
        match taken.first().map(|first| first.reservation.id()) {
            Some(first) if first <= id => {
                let beyond = usize::try_from(id.number().checked_sub(first.number())?).ok()?;
                self.loaded.checked_add(beyond)
            }
            _ => loaded.binary_search_by_key(&id, |row| row.reservation.id()).ok(),
        }
    }

    /// The row of a user's active hold.
    pub(super) fn active_of(&self, user_id: UserId) -> Option<usize> {
        self.active.get(&user_id).copied()
    }

    pub(super) fn hold_at(&self, index: usize) -> Option<Hold> {
        self.rows.get(index)?.reservation.into_hold()
    }

    /// Puts a row into its state after; a hold that ends is nobody's active one any more.
    pub(super) fn write(&mut self, index: usize, reservation: Reservation) {
        if let Some(row) = self.rows.get_mut(index) {
            row.reservation = reservation;
            row.changed = true;
        }
        if reservation.into_hold().is_none() {
            self.active.remove(&reservation.claim().user_id);
        }
    }

    /// Removes a user's rows and gives them.
    pub(super) fn forget(&mut self, user_id: UserId) -> Vec<Reservation> {
        let mut gone = Vec::new();
        for row in &mut self.rows {
            if row.reservation.claim().user_id == user_id && !row.forgotten {
                row.forgotten = true;
                gone.push(row.reservation);
            }
        }
        self.active.remove(&user_id);
        gone
    }

    pub(super) fn written(&self) -> Written {
        let (loaded, taken) = self.rows.split_at_checked(self.loaded).unwrap_or_default();
        let removed = loaded.iter().filter(|row| row.forgotten);
        let mut removed: Vec<_> = removed.map(|row| row.reservation.claim().user_id).collect();
        removed.sort_unstable();
        removed.dedup();
        Written { updated: changed(loaded), inserted: changed(taken), removed }
    }

    fn add(&mut self, reservation: Reservation, changed: bool) -> Result<(), Corruption> {
        let index = self.rows.len();
        let user_id = reservation.claim().user_id;
        if reservation.into_hold().is_some()
            && let Some(other) = self.active.insert(user_id, index)
            && let Some(other) = self.rows.get(other)
        {
            return Err(Corruption::TwoHolds(other.reservation.id(), reservation.id()));
        }
        self.rows.push(Row { reservation, changed, forgotten: false });
        Ok(())
    }
}

/// The rows to write, in one piece of memory of just their size: a change is kept for long.
fn changed(rows: &[Row]) -> Vec<Reservation> {
    let changed = || rows.iter().filter(|row| row.changed && !row.forgotten);
    let mut reservations = Vec::with_capacity(changed().count());
    reservations.extend(changed().map(|row| row.reservation));
    reservations
}
