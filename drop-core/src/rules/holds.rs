//! The active holds of one drop, found by number, by holder and by deadline.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Hold, Reservation, ReservationId, Timestamp, Units, UserId, VariantNo};

use super::holders::Holders;
use super::slots::Slots;
use super::{Change, Command, Corruption, Ledger};

/// All active holds of a drop, kept up to date by its changes.
///
/// What every decision asks about is here without a search: who holds what, what has lapsed,
/// what a number stands for while it is active. Kept in memory by a store that loads nothing
/// under the lock, whether it is the data itself or trusted by the drop's revision.
///
/// About 90 bytes a hold: the holds of a batch have one deadline, which is kept once.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    by_number: Slots<Hold>,
    holders: Holders,
    deadlines: BTreeMap<(Timestamp, VariantNo), Together>,
}

/// Holds of one variant with one deadline.
#[derive(Clone, Debug, Default)]
struct Together {
    /// Their numbers, and those of holds that have ended or moved on since: these go once they are
    /// the first, which is where what has lapsed is settled.
    numbers: VecDeque<u32>,
    active: usize,
    units: Units,
}

/// The rows of a [`Ledger`] as far as they are active holds.
#[derive(Clone, Debug, Default)]
pub struct ActiveRows {
    /// The oldest that have lapsed, those that the commands name, and those of the customers.
    pub rows: Vec<Reservation>,
    /// Whether more have lapsed than a ledger takes.
    pub more_lapsed: bool,
    /// What the commands name and is no active hold: a store has to look for its row.
    pub others: Vec<ReservationId>,
}

impl Holds {
    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Whether nobody holds anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hold of that number within the drop.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Hold> {
        self.by_number.get(number).copied()
    }

    /// What a user holds.
    #[must_use]
    pub fn of_user(&self, user_id: UserId) -> Option<Hold> {
        self.get(self.number_of(user_id)?)
    }

    fn number_of(&self, user_id: UserId) -> Option<u32> {
        self.holders.find(user_id, |number| {
            self.by_number.get(number).is_some_and(|hold| hold.claim().user_id == user_id)
        })
    }

    /// The holds whose deadline has come, oldest first.
    pub fn lapsed(&self, as_of: Timestamp) -> impl Iterator<Item = Hold> {
        let due = self.deadlines.range(..=(as_of, VariantNo::new(u16::MAX)));
        due.flat_map(|((deadline, _), together)| {
            let holds = together.numbers.iter().filter_map(|number| self.get(*number));
            holds.filter(move |hold| hold.expires_at() == *deadline)
        })
    }

    /// The units of the holds whose deadline has come, by variant: without looking at the holds
    /// one by one, as a reader does who wants to know what is available.
    pub fn lapsed_units(&self, as_of: Timestamp) -> impl Iterator<Item = (VariantNo, Units)> {
        let due = self.deadlines.range(..=(as_of, VariantNo::new(u16::MAX)));
        due.map(|((_, variant), together)| (*variant, together.units))
    }

    /// The deadline that comes first.
    #[must_use]
    pub fn earliest_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// What commands need of the active holds; `customers` are the users of the commands that
    /// have one.
    pub fn rows<'a>(
        &self,
        commands: &[Command],
        customers: impl IntoIterator<Item = &'a UserId>,
        as_of: Timestamp,
    ) -> ActiveRows {
        let mut found = ActiveRows::default();
        let mut lapsed = self.lapsed(as_of).map(Reservation::from);
        found.rows.extend(lapsed.by_ref().take(Ledger::SETTLE_LIMIT));
        found.more_lapsed = lapsed.next().is_some();
        for id in commands.iter().filter_map(Command::reservation) {
            match self.get(id.number()) {
                Some(hold) => found.rows.push(hold.into()),
                None => found.others.push(id),
            }
        }
        let held = customers.into_iter().filter_map(|user_id| self.of_user(*user_id));
        found.rows.extend(held.map(Reservation::from));
        found
    }

    /// Takes a committed change over.
    ///
    /// # Errors
    /// [`Corruption::TwoHolds`] where it leaves a user with two.
    pub fn follow(&mut self, change: &Change) -> Result<(), Corruption> {
        for user_id in &change.forgotten {
            self.forget(*user_id);
        }
        change.reservations().try_for_each(|row| self.put(*row))
    }

    /// Takes a reservation over in its present state.
    ///
    /// # Errors
    /// [`Corruption::TwoHolds`] where its user has another active hold.
    pub fn put(&mut self, reservation: Reservation) -> Result<(), Corruption> {
        let number = reservation.id().number();
        let user_id = reservation.claim().user_id;
        let Some(hold) = reservation.into_hold() else {
            if let Some(before) = self.by_number.remove(number) {
                self.part(&before);
                self.holders.remove(before.claim().user_id, number);
            }
            return Ok(());
        };
        let other = self.of_user(user_id).map(|other| other.claim().id);
        match self.by_number.insert(number, hold) {
            Some(before) if before.expires_at() == hold.expires_at() => {}
            Some(before) => {
                self.part(&before);
                self.join(&hold);
            }
            None => self.join(&hold),
        }
        match other {
            Some(other) if other == reservation.id() => return Ok(()),
            Some(other) => self.holders.remove(user_id, other.number()),
            None => {}
        }
        self.holders.insert(user_id, number);
        match other {
            Some(other) => Err(Corruption::TwoHolds(other, reservation.id())),
            None => Ok(()),
        }
    }

    /// Takes away what a user holds, as the user's rows are removed.
    pub fn forget(&mut self, user_id: UserId) {
        if let Some(number) = self.number_of(user_id)
            && let Some(hold) = self.by_number.remove(number)
        {
            self.holders.remove(user_id, number);
            self.part(&hold);
        }
    }

    /// Puts a hold beside those that end with it.
    fn join(&mut self, hold: &Hold) {
        let claim = hold.claim();
        let together = self.deadlines.entry((hold.expires_at(), claim.variant)).or_default();
        together.numbers.push_back(claim.id.number());
        together.active = together.active.saturating_add(1);
        together.units = together.units.saturating_add(claim.quantity);
    }

    /// Takes a hold away from those that end with it.
    fn part(&mut self, hold: &Hold) {
        let claim = hold.claim();
        let key = (hold.expires_at(), claim.variant);
        let Some(together) = self.deadlines.get_mut(&key) else { return };
        together.active = together.active.saturating_sub(1);
        together.units = together.units.saturating_sub(claim.quantity);
        if together.active == 0 {
            self.deadlines.remove(&key);
            return;
        }
        if together.numbers.front() == Some(&claim.id.number()) {
            together.numbers.pop_front();
        }
        let by_number = &self.by_number;
        let is_here = |number: &u32| {
            by_number.get(*number).is_some_and(|other| other.expires_at() == hold.expires_at())
        };
        while together.numbers.len() > together.active
            && together.numbers.front().is_some_and(|number| !is_here(number))
        {
            together.numbers.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Holds;
    use crate::model::{
        Claim, DropId, Hold, HoldPolicy, Reservation, ReservationId, Timestamp, Units, UserId,
        VariantNo,
    };
    use crate::rules::{Command, Corruption, Ledger};

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn hold(number: u32, user: i64, created_at: i64) -> Hold {
        let claim = Claim {
            id: ReservationId::new(DropId::new(1).unwrap(), number).unwrap(),
            user_id: UserId::new(user).unwrap(),
            variant: VariantNo::default(),
            quantity: Units::ONE,
            price: "1".parse().unwrap(),
            created_at: at(created_at),
        };
        Hold::take(claim, HoldPolicy::seconds(1))
    }

    /// Everything that finds a hold agrees on which there are.
    fn numbers(holds: &Holds) -> Vec<u32> {
        let by_deadline: Vec<u32> =
            holds.lapsed(Timestamp::MAX).map(|hold| hold.claim().id.number()).collect();
        assert_eq!((holds.len(), holds.holders.len()), (by_deadline.len(), by_deadline.len()));
        for number in &by_deadline {
            let hold = holds.get(*number).unwrap();
            assert_eq!(holds.of_user(hold.claim().user_id), Some(hold));
        }
        by_deadline
    }

    #[test]
    fn a_hold_is_found_until_it_ends_whichever_way() {
        let mut holds = Holds::default();
        let taken = [hold(1, 11, 30), hold(2, 12, 20), hold(3, 13, 10), hold(4, 14, 40)];
        for hold in taken {
            holds.put(hold.into()).unwrap();
        }
        assert_eq!(numbers(&holds), [3, 2, 1, 4], "oldest deadline first");
        assert_eq!(holds.earliest_deadline(), Some(taken[2].expires_at()));
        let extended = taken[2].extend(at(50), HoldPolicy::seconds(1));
        holds.put(extended.into()).unwrap();
        assert_eq!(numbers(&holds), [2, 1, 4, 3], "its deadline has moved");
        holds.put(taken[1].release(at(60))).unwrap();
        holds.put(taken[0].complete(at(60)).unwrap()).unwrap();
        holds.put(extended.expire(Timestamp::MAX).unwrap()).unwrap();
        assert_eq!(numbers(&holds), [4]);
        holds.put(hold(5, 12, 70).into()).unwrap();
        holds.put(taken[1].release(at(60))).unwrap();
        assert_eq!(numbers(&holds), [4, 5], "an older row does not end a newer hold");
        holds.forget(UserId::new(14).unwrap());
        assert_eq!(numbers(&holds), [5]);
    }

    #[test]
    fn those_that_end_together_are_found_whichever_of_them_ends_first() {
        let four = [1, 2, 3, 4].map(|number| hold(number, 10 + i64::from(number), 0));
        for order in 0..256_usize {
            // Who ends or moves on, one after the other; some orders name one twice.
            let order = [0, 2, 4, 6].map(|bits| order >> bits & 3);
            let mut holds = Holds::default();
            four.iter().for_each(|hold| holds.put((*hold).into()).unwrap());
            let (mut here, mut moved) = (vec![1, 2, 3, 4], Vec::new());
            for (step, index) in order.into_iter().enumerate() {
                let (number, hold) = (four[index].claim().id.number(), four[index]);
                if !here.contains(&number) {
                    continue;
                }
                here.retain(|other| *other != number);
                if step == 1 {
                    holds.put(hold.extend(at(50), HoldPolicy::seconds(1)).into()).unwrap();
                    moved.push(number);
                } else {
                    holds.put(hold.release(at(60))).unwrap();
                }
                assert_eq!(numbers(&holds), [here.clone(), moved.clone()].concat(), "{order:?}");
            }
        }
    }

    #[test]
    fn two_holds_of_one_user_are_a_contradiction() {
        let mut holds = Holds::default();
        holds.put(hold(1, 11, 0).into()).unwrap();
        holds.put(hold(1, 11, 0).into()).unwrap();
        let two = holds.put(hold(2, 11, 0).into());
        assert!(matches!(two, Err(Corruption::TwoHolds(..))), "{two:?}");
        // Whoever goes on with it all the same has the newer one, until that ends.
        let user = UserId::new(11).unwrap();
        let found = |holds: &Holds| holds.of_user(user).map(|hold| hold.claim().id.number());
        assert_eq!((found(&holds), holds.holders.len(), holds.len()), (Some(2), 1, 2));
        holds.put(hold(1, 11, 0).release(at(60))).unwrap();
        assert_eq!((found(&holds), holds.holders.len(), holds.len()), (Some(2), 1, 1));
        holds.put(hold(2, 11, 0).release(at(60))).unwrap();
        assert_eq!((found(&holds), holds.holders.len(), holds.len()), (None, 0, 0));
    }

    #[test]
    fn a_number_that_is_another_users_is_nobodys_hold() {
        let mut holds = Holds::default();
        holds.put(hold(1, 11, 0).into()).unwrap();
        // A row that says otherwise ends the hold, whosever it says that it was.
        holds.put(hold(1, 12, 0).release(at(60))).unwrap();
        assert_eq!(holds.of_user(UserId::new(11).unwrap()), None);
        assert_eq!((holds.len(), holds.holders.len()), (0, 0));
    }

    #[test]
    fn what_a_batch_needs_is_found_at_the_deadline_itself() {
        let mut holds = Holds::default();
        let (lapsing, held) = (hold(1, 11, 0), hold(2, 12, 5));
        for hold in [lapsing, held] {
            holds.put(hold.into()).unwrap();
        }
        let gone = ReservationId::new(DropId::new(1).unwrap(), 7).unwrap();
        let release = |reservation| Command::Release { reservation, customer: None };
        let commands = [release(held.claim().id), release(gone)];
        let customers = [UserId::new(12).unwrap(), UserId::new(13).unwrap()];
        let before = holds.rows(&commands, &customers, at(999_999));
        assert_eq!(before.rows, [held, held].map(Reservation::from));
        assert_eq!((before.others, before.more_lapsed), (vec![gone], false));
        let then = holds.rows(&[], &[], lapsing.expires_at());
        assert_eq!(then.rows, [Reservation::from(lapsing)]);
    }

    #[test]
    fn no_more_lapsed_holds_are_given_than_one_batch_settles() {
        let mut holds = Holds::default();
        let many = u32::try_from(Ledger::SETTLE_LIMIT).unwrap() + 1;
        for number in 1..=many {
            holds.put(hold(number, i64::from(number), 0).into()).unwrap();
        }
        let found = holds.rows(&[], &[], Timestamp::MAX);
        assert_eq!((found.rows.len(), found.more_lapsed), (Ledger::SETTLE_LIMIT, true));
    }
}
