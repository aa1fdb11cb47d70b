//! The reservations of a draft, found by number and by holder.

use std::collections::{HashMap, HashSet};

use crate::model::{Hold, Reservation, ReservationId, UserId};

use super::Corruption;

#[derive(Debug)]
struct Row {
    reservation: Reservation,
    /// Whether it was there before this decision.
    existed: bool,
    changed: bool,
    forgotten: bool,
}

/// The rows of a decision in the making, as they would stand after the commands so far.
#[derive(Debug)]
pub(super) struct Roster {
    rows: Vec<Row>,
    by_id: HashMap<ReservationId, usize>,
    active: HashMap<UserId, usize>,
}

/// What a decision writes of a roster.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) updated: Vec<Reservation>,
    pub(super) inserted: Vec<Reservation>,
    /// Whose rows that were there before are to be removed.
    pub(super) removed: HashSet<UserId>,
}

impl Roster {
    /// A roster of the rows loaded, with room for so many more.
    pub(super) fn load(loaded: Vec<Reservation>, more: usize) -> Result<Self, Corruption> {
        let room = loaded.len().saturating_add(more);
        let mut roster = Self {
            rows: Vec::with_capacity(room),
            by_id: HashMap::with_capacity(room),
            active: HashMap::with_capacity(room),
        };
        for reservation in loaded {
            if !roster.by_id.contains_key(&reservation.id()) {
                roster.add(reservation, true)?;
            }
        }
        Ok(roster)
    }

    /// Adds a reservation that this decision takes.
    pub(super) fn insert(&mut self, reservation: Reservation) -> Result<(), Corruption> {
        self.add(reservation, false)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn find(&self, id: ReservationId) -> Option<(usize, Reservation)> {
        let index = self.by_id.get(&id).copied()?;
        Some((index, self.rows.get(index)?.reservation))
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
                self.by_id.remove(&row.reservation.id());
                gone.push(row.reservation);
            }
        }
        self.active.remove(&user_id);
        gone
    }

    pub(super) fn written(&self) -> Written {
        let removed = self.rows.iter().filter(|row| row.forgotten && row.existed);
        let mut written = Written {
            updated: Vec::new(),
            inserted: Vec::new(),
            removed: removed.map(|row| row.reservation.claim().user_id).collect(),
        };
        for row in self.rows.iter().filter(|row| row.changed && !row.forgotten) {
            let rows = if row.existed { &mut written.updated } else { &mut written.inserted };
            rows.push(row.reservation);
        }
        // A change says the same in whatever order a store loads its rows.
        written.updated.sort_unstable_by_key(Reservation::id);
        written
    }

    fn add(&mut self, reservation: Reservation, existed: bool) -> Result<(), Corruption> {
        let index = self.rows.len();
        let user_id = reservation.claim().user_id;
        if reservation.into_hold().is_some()
            && let Some(other) = self.active.insert(user_id, index)
            && let Some(other) = self.rows.get(other)
        {
            return Err(Corruption::TwoHolds(other.reservation.id(), reservation.id()));
        }
        self.by_id.insert(reservation.id(), index);
        self.rows.push(Row { reservation, existed, changed: !existed, forgotten: false });
        Ok(())
    }
}
