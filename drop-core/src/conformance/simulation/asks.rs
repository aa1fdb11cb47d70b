//! What clients ask for: anything at all, and what leads far into the states rather often.

use std::time::Duration;

use crate::conformance::Dice;
use crate::conformance::commands::{name, units, variant};
use crate::model::{
    DropId, DropTerms, HoldPolicy, NewDrop, Price, Reservation, ReservationId, Revision, Status,
    Timestamp, Username, Window,
};
use crate::rules::Amendment;

use super::known::Known;
use super::request::Request;
use super::stage::Stage;
use super::states::DropState;

const USERS: [&str; 6] = ["amy", "Bob", "cat", "DAN", "eve", "fay"];
const SIZES: [&str; 3] = ["S", "M", "L"];

impl Stage<'_> {
    /// The most drops at a time.
    const DROPS: usize = 3;

    /// What the next client asks.
    pub(super) fn new_request(&mut self) -> Request {
        let now = self.now();
        let live: Vec<_> = self.witness.live().map(|known| known.rows.drop_id).collect();
        if live.is_empty() || (live.len() < Self::DROPS && self.dice.one_in(60)) {
            let new = new_drop(&mut self.dice, now, self.mood.longest_hold);
            return Request::Create { new };
        }
        let often = if self.mood.lapses { 2 } else { 6 };
        if self.dice.one_in(often)
            && let Some(request) = self.about_what_has_lapsed()
        {
            return request;
        }
        let drop_id = self.some_drop(&live);
        let who = name(self.dice.pick(&USERS));
        match self.dice.below(100) {
            0..=33 => self.reserve(drop_id, who),
            34..=56 => {
                let (reservation, owner) = self.some_reservation(drop_id);
                let who = owner.filter(|_| !self.dice.one_in(4)).unwrap_or(who);
                Request::Purchase { reservation, who }
            }
            57..=75 => {
                let (reservation, owner) = self.some_reservation(drop_id);
                let who = match self.dice.below(4) {
                    0 => Some(who),
                    1 => None,
                    _ => Some(owner.unwrap_or(who)),
                };
                Request::Release { reservation, who }
            }
            76..=89 => {
                let known = self.witness.drops.get(&drop_id);
                let shuts = self.mood.lapses && self.dice.one_in(2);
                let amendment = amendment(&mut self.dice, known, now, shuts);
                Request::Amend { drop_id, amendment }
            }
            90..=95 if self.mood.deletes_users => {
                // Twice at a time, the second finds rows that the first has removed.
                let leaving = self.calls.values().find_map(|call| match &call.request {
                    Request::DeleteUser { who, .. } => Some(who.clone()),
                    _ => None,
                });
                let who = leaving.filter(|_| self.dice.one_in(2)).unwrap_or(who);
                Request::DeleteUser { who, force: !self.dice.one_in(6) }
            }
            96 | 97 => Request::Delete { drop_id, force: self.dice.one_in(3) },
            _ => Request::Read { drop_id },
        }
    }

    /// Something about a hold past its deadline, before anybody settles it; those of drops that
    /// are not open are rare and come first.
    fn about_what_has_lapsed(&mut self) -> Option<Request> {
        let now = self.now();
        let mut lapsed = Vec::new();
        for known in self.witness.live() {
            let rows = known.rows.reservations.values().rev();
            let over =
                |row: &&Reservation| row.status() == Status::Active && row.expires_at() <= now;
            let closed = !known.rows.terms.window.is_open(now);
            let over = rows.filter(over).take(4);
            lapsed.extend(over.map(|row| (closed, row.id(), row.claim().user_id)));
        }
        lapsed.sort_unstable_by_key(|(closed, id, _)| (!closed, *id));
        let first = lapsed.iter().take_while(|(closed, ..)| *closed).count();
        lapsed.truncate(if first > 0 { first } else { usize::MAX });
        let (_, reservation, user) = (!lapsed.is_empty()).then(|| self.dice.pick(&lapsed))?;
        let owner = self.witness.name(user)?.clone();
        let other = name(self.dice.pick(&USERS));
        Some(match self.dice.below(12) {
            8..=11 if self.mood.deletes_users => Request::DeleteUser { who: owner, force: true },
            0 => self.reserve(reservation.drop_id(), owner),
            1 | 2 => Request::Purchase { reservation, who: owner },
            3 => Request::Purchase { reservation, who: other },
            4 | 5 => Request::Release { reservation, who: Some(owner) },
            6 => Request::Release { reservation, who: Some(other) },
            _ => Request::Release { reservation, who: None },
        })
    }

    fn reserve(&mut self, drop_id: DropId, who: Username) -> Request {
        let sizes = self.witness.drops.get(&drop_id).map_or(1, |known| known.rows.variants.len());
        let wanted = sizes > 1 || self.dice.one_in(12);
        let variant = wanted.then(|| variant(self.dice.pick(&SIZES)));
        let quantity = if self.dice.one_in(4) { small(&mut self.dice, 4) } else { 1 };
        Request::Reserve { drop_id, who, variant, quantity: units(quantity) }
    }

    /// A drop that is there, mostly.
    fn some_drop(&mut self, live: &[DropId]) -> DropId {
        match self.dice.below(24) {
            0 => {
                let gone = self.witness.drops.values().filter(|known| known.deleted);
                let gone: Vec<_> = gone.map(|known| known.rows.drop_id).collect();
                if gone.is_empty() { self.dice.pick(live) } else { self.dice.pick(&gone) }
            }
            1 => {
                let last = self.witness.drops.keys().next_back().map_or(0, |id| id.get());
                let beyond = i64::try_from(self.dice.below(3)).unwrap_or(0) + 1;
                DropId::new(last + beyond).expect("few drops")
            }
            _ => self.dice.pick(live),
        }
    }

    /// A reservation in any state, and whose it is.
    fn some_reservation(&mut self, drop_id: DropId) -> (ReservationId, Option<Username>) {
        let now = self.now();
        let roll = self.dice.roll();
        let wanted = self.dice.below(20);
        let guess = small(&mut self.dice, 3) + 1;
        let unknown = |number| (ReservationId::new(drop_id, number).expect("a number"), None);
        let Some(known) = self.witness.drops.get(&drop_id) else {
            return unknown(guess);
        };
        let next = known.rows.next_number;
        if wanted == 0 {
            return unknown(next - 1 + guess);
        }
        if wanted <= 2
            && let Some(id) = known.some_forgotten(roll)
        {
            return (id, None);
        }
        let rows = known.rows.reservations.values().rev();
        let rows: Vec<_> = rows
            .filter(|row| match wanted {
                3..=10 => row.status() == Status::Active,
                11 | 12 => row.status() == Status::Active && row.expires_at() <= now,
                13 | 14 => row.status() == Status::Completed,
                15 => row.status() == Status::Expired,
                16 => row.status() == Status::Released,
                _ => true,
            })
            .take(16)
            .collect();
        let Some(which) = roll.checked_rem(u64::try_from(rows.len()).unwrap_or(0)) else {
            return unknown(if next > 1 { next - 1 } else { guess });
        };
        let row = rows[usize::try_from(which).unwrap_or(0)];
        (row.id(), self.witness.name(row.claim().user_id).cloned())
    }
}

fn small(dice: &mut Dice, bound: u64) -> u32 {
    u32::try_from(dice.below(bound)).unwrap_or(0)
}

fn new_drop(dice: &mut Dice, now: Timestamp, longest_hold: u64) -> NewDrop {
    let mut terms = DropTerms::new("Air One", "149.99", HoldPolicy::default()).expect("terms");
    let hold = Duration::from_secs(dice.below(longest_hold) + 1);
    let longest = if dice.one_in(3) { hold } else { hold * 2 };
    terms.hold = HoldPolicy::new(hold, longest).expect("a policy");
    if dice.one_in(3) {
        terms.limit = Some(units(small(dice, 4) + 1));
    }
    if dice.one_in(6) {
        let opens = now.saturating_add(Duration::from_secs(dice.below(90)));
        let closes = opens.saturating_add(Duration::from_secs(dice.below(900) + 1));
        terms.window = Window::new(opens, Some(closes)).expect("a window");
    }
    if dice.one_in(2) {
        return NewDrop::plain(terms, units(small(dice, 4) + 1)).expect("a drop");
    }
    let count = usize::try_from(dice.below(2)).unwrap_or(0) + 1;
    let sizes = SIZES.map(|size| (variant(size), units(small(dice, 3) + 1)));
    NewDrop::with_variants(terms, sizes.into_iter().take(count)).expect("a drop")
}

/// What a seller changes; a drop in which nothing happens any more is soon brought to life.
fn amendment(dice: &mut Dice, known: Option<&Known>, now: Timestamp, shuts: bool) -> Amendment {
    let mut amendment = Amendment::default();
    let state = known.map_or(DropState::Unknown, |known| known.state(now));
    let later = |dice: &mut Dice| now.saturating_add(Duration::from_secs(dice.below(600) + 1));
    let size = variant(dice.pick(&SIZES));
    let which = if shuts { dice.below(5) + 7 } else { dice.below(13) };
    match which {
        0..=3 if matches!(state, DropState::Ended | DropState::Upcoming) => {
            amendment.starts_at = Some(Timestamp::EPOCH);
            amendment.ends_at = Some(dice.one_in(4).then(|| later(dice)));
        }
        0..=2 => {
            let plain = known.is_some_and(|known| known.rows.variants.len() == 1);
            let committed = known.map_or(0, |known| {
                let variants = known.rows.variants.iter();
                let stock = variants.map(|v| v.stock.held().get() + v.stock.sold().get());
                stock.max().unwrap_or(0)
            });
            let total = units(committed.min(1000) + small(dice, 3));
            if plain {
                amendment.total = Some(total);
            } else {
                amendment.variants.push((size, total));
            }
        }
        3 => amendment.total = Some(units(small(dice, 8))),
        4 => amendment.variants.push((size, units(small(dice, 8)))),
        5 => amendment.limit = Some(dice.one_in(3).then(|| units(small(dice, 6)))),
        6 => {
            let cents = i64::try_from(dice.below(100_000)).unwrap_or(0);
            let price = rust_decimal::Decimal::new(cents, 2);
            amendment.price = Some(Price::new(price).expect("a price"));
        }
        7..=9 => {
            // Where holds are to lapse in it before it opens, after the last of them.
            let last = known.filter(|_| shuts).and_then(Known::last_deadline);
            let at = last.unwrap_or(now).max(now);
            amendment.starts_at = Some(at.saturating_add(later(dice).since(now)));
            amendment.ends_at = Some(None);
        }
        10 | 11 => {
            amendment.starts_at = Some(Timestamp::EPOCH);
            amendment.ends_at = Some(Some(if dice.one_in(2) { now } else { later(dice) }));
        }
        _ => amendment.ends_at = Some(None),
    }
    if dice.one_in(6) {
        let revision = known.map_or(1, |known| known.rows.revision.get());
        amendment.if_revision = Some(Revision::new(revision.saturating_sub(dice.below(2))));
    }
    amendment
}
