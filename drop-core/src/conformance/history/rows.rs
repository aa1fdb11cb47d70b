//! The running counts of a replay.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Status, Timestamp, UserId, VariantNo};

use super::life::Life;

/// What the rows say after the change looked at: units by variant, holds and purchases by user.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Held and sold.
    units: Vec<(u64, u64)>,
    /// Active holds of each user, and their units.
    active: HashMap<UserId, (u64, u64)>,
    bought: HashMap<UserId, u64>,
    /// Active holds by deadline.
    open: BTreeSet<(Timestamp, u32)>,
}

impl Rows {
    pub(super) fn variants(&mut self, count: usize) {
        self.units.resize(self.units.len().max(count), (0, 0));
    }

    /// Counts a row as it stands.
    pub(super) fn add(&mut self, life: &Life) {
        self.count(life, u64::saturating_add);
        if life.status() == Status::Active {
            self.open.insert((life.deadline(), life.claim.id.number()));
        }
    }

    /// Counts a row as it stood no more.
    pub(super) fn remove(&mut self, life: &Life) {
        self.count(life, u64::saturating_sub);
        self.open.remove(&(life.deadline(), life.claim.id.number()));
    }

    fn count(&mut self, life: &Life, change: fn(u64, u64) -> u64) {
        let units = life.units();
        let index = life.claim.variant.index();
        match life.status() {
            Status::Active => {
                let (holds, held) = self.active.entry(life.user()).or_default();
                (*holds, *held) = (change(*holds, 1), change(*held, units));
                if let Some((held, _)) = self.units.get_mut(index) {
                    *held = change(*held, units);
                }
            }
            Status::Completed => {
                let bought = self.bought.entry(life.user()).or_default();
                *bought = change(*bought, units);
                if let Some((_, sold)) = self.units.get_mut(index) {
                    *sold = change(*sold, units);
                }
            }
            Status::Expired | Status::Released => {}
        }
    }

    /// Units held and sold of a variant.
    pub(super) fn of_variant(&self, variant: VariantNo) -> (u64, u64) {
        self.units.get(variant.index()).copied().unwrap_or_default()
    }

    /// How many holds a user has.
    pub(super) fn holds_of(&self, user: UserId) -> u64 {
        self.active.get(&user).map_or(0, |(holds, _)| *holds)
    }

    /// How many units a user holds or has bought.
    pub(super) fn units_of(&self, user: UserId) -> u64 {
        let held = self.active.get(&user).map_or(0, |(_, held)| *held);
        held.saturating_add(self.bought.get(&user).copied().unwrap_or(0))
    }

    /// The active hold with the earliest deadline.
    pub(super) fn next_to_lapse(&self) -> Option<(Timestamp, u32)> {
        self.open.first().copied()
    }
}
