//! A short history that is true, and the tools to forge it.

use std::sync::Arc;
use std::time::Duration;

use drop_core::Amendment;
use drop_core::conformance::history::{Answer, Ask, Call, Violation, violations};
use drop_core::conformance::{Rows, START};
use drop_core::model::{
    Claim, DropId, DropTerms, HoldPolicy, NewDrop, Reservation, ReservationId, Revision, Status,
    Stock, Timestamp, Units, Username,
};
use drop_core::rules::{Batch, Change, Rejection};

use crate::talk::{answer, command};

/// One call after the other, each with a name, and the feed that came of them.
#[derive(Clone)]
pub(crate) struct Forgery {
    pub(crate) calls: Vec<(&'static str, Call)>,
    pub(crate) feed: Vec<Arc<Change>>,
}

pub(crate) fn seconds(count: u64) -> Timestamp {
    START.saturating_add(Duration::from_secs(count))
}

pub(crate) fn name(text: &str) -> Username {
    text.parse().unwrap()
}

pub(crate) fn units(count: i64) -> Units {
    Units::new(count).unwrap()
}

pub(crate) fn drop_id() -> DropId {
    DropId::new(1).unwrap()
}

pub(crate) fn hold(number: u32) -> ReservationId {
    ReservationId::new(drop_id(), number).unwrap()
}

pub(crate) fn reserve(who: &str) -> Ask {
    Ask::Reserve { drop_id: drop_id(), username: name(who), variant: None, quantity: 1 }
}

pub(crate) fn purchase(number: u32, who: &str) -> Ask {
    Ask::Purchase { reservation: hold(number), username: name(who) }
}

fn release(number: u32, who: &str) -> Ask {
    Ask::Release { reservation: hold(number), username: Some(name(who)) }
}

fn amend(total: i64) -> Ask {
    let amendment = Amendment { total: Some(units(total)), ..Amendment::default() };
    Ask::Amend { drop_id: drop_id(), amendment }
}

impl Forgery {
    /// Three units, at most two for each, held for 10 s and no longer than 20 s.
    pub(crate) fn none() -> Self {
        let mut terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
        terms.hold = HoldPolicy::new(Duration::from_secs(10), Duration::from_secs(20)).unwrap();
        terms.limit = Some(units(2));
        let new = NewDrop::plain(terms, units(3)).unwrap();
        let drop_id = drop_id();
        let mut rows = Rows::new(drop_id, &new, START);
        let mut history =
            Self { calls: Vec::new(), feed: vec![Arc::new(Change::created(drop_id, &new, START))] };
        let read = || Ask::Read { drop_id };
        let forget = Ask::Forget { drop_id, username: name("fay") };
        let steps = [
            (0, "ann reserves", reserve("ann")),          // 2: hold 1
            (1, "bob reserves", reserve("bob")),          // 3: hold 2
            (2, "ann extends", reserve("ann")),           // 4
            (2, "first read", read()),                    // 1 available, 2 held
            (3, "ann buys", purchase(1, "ann")),          // 5
            (3, "ann buys again", purchase(1, "ann")),    //
            (4, "cat reserves", reserve("cat")),          // 6: hold 3
            (4, "dan finds nothing", reserve("dan")),     //
            (5, "bob releases", release(2, "bob")),       // 7
            (5, "dan reserves", reserve("dan")),          // 8: hold 4
            (14, "expiry", Ask::Expire { drop_id }),      // 9
            (14, "cat is late", purchase(3, "cat")),      //
            (14, "dan buys", purchase(4, "dan")),         // 10
            (14, "dan buys for bob", purchase(4, "bob")), //
            (15, "ann reserves again", reserve("ann")),   // 11: hold 5
            (15, "total raised", amend(5)),               // 12
            (16, "fay reserves", reserve("fay")),         // 13: hold 6
            (16, "fay is forgotten", forget),             // 14
            (17, "last read", read()),                    // 2 available, 1 held, 2 sold
        ];
        for (at, what, ask) in steps {
            let answer = match ask {
                Ask::Read { .. } => Answer::Stock {
                    available: rows.variants[0].stock.available().get(),
                    held: rows.variants[0].stock.held().get(),
                    sold: rows.variants[0].stock.sold().get(),
                    revision: rows.revision,
                },
                _ => {
                    let batch = Batch::one(drop_id, command(&ask)).unwrap();
                    let applied = rows.decide(&batch, seconds(at)).unwrap();
                    history.feed.extend(applied.change().cloned());
                    let revision = applied.revision();
                    answer(applied.into_outcomes().remove(0), revision)
                }
            };
            history.push(what, ask, answer);
        }
        history
    }

    /// What the checker says.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let calls: Vec<_> = self.calls.iter().map(|(_, call)| call.clone()).collect();
        violations(&calls, &self.feed, Duration::ZERO)
    }

    /// One more call, after all others.
    pub(crate) fn push(&mut self, what: &'static str, ask: Ask, answer: Answer) {
        let began = self.calls.last().map_or(10, |(_, last)| last.began + 10);
        self.calls.push((what, Call { ask, began, ended: Some(began + 5), answer }));
    }

    /// One more call, begun and ended right after the call `after`.
    pub(crate) fn insert(&mut self, after: &str, ask: Ask, answer: Answer) {
        let began = self.call(after).ended.unwrap() + 1;
        self.calls.push(("inserted", Call { ask, began, ended: Some(began + 1), answer }));
    }

    pub(crate) fn call(&mut self, what: &str) -> &mut Call {
        let found = self.calls.iter_mut().find(|(known, _)| *known == what);
        &mut found.unwrap_or_else(|| panic!("{what} is no call")).1
    }

    pub(crate) fn answer(&mut self, what: &str) -> &mut Answer {
        &mut self.call(what).answer
    }

    pub(crate) fn refuse(&mut self, what: &str, rejection: Rejection) {
        *self.answer(what) = Answer::Refused(rejection);
    }

    pub(crate) fn without(&mut self, what: &str) {
        self.calls.retain(|(known, _)| *known != what);
    }

    /// Ends the history with that revision: later changes and their calls never were.
    pub(crate) fn end_at(&mut self, revision: u64, but: &str) {
        self.feed.retain(|change| change.revision.get() <= revision);
        self.calls.retain(|(what, call)| {
            let late = |named: Revision| named.get() > revision;
            *what == but || !call.answer.revision().is_some_and(late)
        });
    }

    pub(crate) fn change(&mut self, revision: u64) -> &mut Change {
        let index = usize::try_from(revision - 1).unwrap();
        Arc::make_mut(&mut self.feed[index])
    }

    /// Alters a row wherever the feed has it.
    pub(crate) fn alter_row(&mut self, number: u32, alter: impl Fn(&mut Row)) {
        for change in &mut self.feed {
            let change = Arc::make_mut(change);
            for row in change.updated.iter_mut().chain(&mut change.inserted) {
                if row.id() == hold(number) {
                    *row = altered(row, &alter);
                }
            }
        }
    }

    /// Alters the rows of one change.
    pub(crate) fn alter_change(&mut self, revision: u64, alter: impl Fn(&mut Row)) {
        let change = self.change(revision);
        for row in change.updated.iter_mut().chain(&mut change.inserted) {
            *row = altered(row, &alter);
        }
    }

    pub(crate) fn stock(&mut self, revision: u64, total: i64, held: i64, sold: i64) {
        let stock = Stock::restore(units(total), units(held), units(sold)).unwrap();
        self.change(revision).variants[0].stock = stock;
    }
}

/// A row taken apart.
pub(crate) struct Row {
    pub(crate) claim: Claim,
    pub(crate) expires_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) status: Status,
}

fn altered(row: &Reservation, alter: &impl Fn(&mut Row)) -> Reservation {
    let mut parts = Row {
        claim: *row.claim(),
        expires_at: row.expires_at(),
        updated_at: row.updated_at(),
        status: row.status(),
    };
    alter(&mut parts);
    Reservation::restore(parts.claim, parts.expires_at, parts.updated_at, parts.status)
}
