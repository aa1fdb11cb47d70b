//! Histories that must not be: each is convicted, and of what is wrong with it.

use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::history::Invariant::{self, I1, I2, I3, I4, I5, I6, I7, I8};
use drop_core::conformance::history::{Answer, Ask, Violation, violations};
use drop_core::conformance::{Dice, Report};
use drop_core::model::{Revision, Status, UserId, Window};
use drop_core::rules::Rejection;

use crate::bazaar::play;
use crate::forgery::{Forgery, hold, purchase, reserve, seconds, units};

/// What was planted, the invariant that it breaks, a part of what must be found, and the plant.
type Plant = (&'static str, Invariant, &'static str, fn(&mut Forgery));

const PLANTS: &[Plant] = &[
    ("a unit more is sold than there is", I1, "oversold", |forged| {
        // At 4 s, with two held and one sold.
        let row = forged.change(8).inserted[0];
        forged.change(6).inserted.push(row);
    }),
    ("the same hold is promised twice", I4, "two calls were told", |forged| {
        let told = forged.answer("cat reserves").clone();
        forged.insert("cat reserves", reserve("cat"), told);
    }),
    ("a sale after the deadline", I7, "was completed at", |forged| {
        forged.alter_change(10, |row| row.updated_at = seconds(15));
        forged.change(10).as_of = seconds(15);
    }),
    ("a sale at the very deadline of another's units", I7, "is not settled", |forged| {
        forged.change(8).as_of = seconds(14);
        forged.alter_row(4, |row| {
            row.claim.created_at = seconds(14);
            row.expires_at = seconds(24);
            row.updated_at = seconds(14);
        });
    }),
    ("an expiry before the deadline", I7, "was expired at", |forged| {
        forged.change(9).as_of = seconds(13);
        forged.alter_change(9, |row| row.updated_at = seconds(13));
    }),
    ("a lapsed hold is extended", I7, "was extended at", |forged| {
        forged.alter_row(1, |row| row.expires_at = seconds(2).min(row.expires_at));
    }),
    ("an acknowledged purchase is lost", I8, "the feed does not have it", |forged| {
        forged.end_at(9, "dan buys");
    }),
    ("an acknowledged hold is lost", I8, "the feed has no such hold", |forged| {
        let Answer::Reserved { reservation, .. } = forged.answer("dan reserves") else { return };
        *reservation = hold(77);
    }),
    ("an acknowledged release is lost", I8, "still held", |forged| {
        forged.alter_change(7, |row| row.status = Status::Active);
    }),
    ("an acknowledged amendment is lost", I8, "no revision has it", |forged| {
        let Ask::Amend { amendment, .. } = &mut forged.call("total raised").ask else { return };
        amendment.total = Some(units(6));
    }),
    ("a read of what was before", I6, "was seen before it began", |forged| {
        *forged.answer("last read") = forged.answer("first read").clone();
    }),
    ("the version goes back in the feed", I6, "in its place", |forged| forged.feed.swap(6, 7)),
    ("a version is missing", I6, "in its place", |forged| drop(forged.feed.remove(6))),
    ("a version is made twice", I6, "in its place", |forged| {
        let twice = forged.feed[6].clone();
        forged.feed.insert(7, twice);
    }),
    ("the answer is older than what it tells", I6, "it was bought in revision 10", |forged| {
        let Answer::Purchased { revision, .. } = forged.answer("dan buys") else { return };
        *revision = Revision::new(9);
    }),
    ("a hold that nobody took", I8, "nobody can have taken", |forged| {
        forged.without("dan reserves");
    }),
    ("a sale that nobody made", I8, "nobody can have completed", |forged| {
        forged.without("dan buys");
    }),
    ("a terms change that nobody asked for", I8, "nobody asked to amend", |forged| {
        forged.without("total raised");
    }),
    ("not done, and it was done", I8, "nobody can have taken", |forged| {
        *forged.answer("dan reserves") = Answer::NotDone;
    }),
    ("refused, and it was done", I8, "nobody can have released", |forged| {
        forged.refuse("bob releases", Rejection::NotYours);
    }),
    ("one unanswered call took two holds", I8, "nobody can have taken", |forged| {
        *forged.answer("ann reserves") = Answer::Unknown;
        forged.without("ann reserves again");
    }),
    ("seen before it was asked for", I6, "was seen before the call began", |forged| {
        let late = forged.call("dan finds nothing").began;
        let call = forged.call("ann buys");
        (call.began, call.ended) = (late + 100, Some(late + 101));
    }),
    ("bought by somebody else", I3, "it is user", |forged| {
        let Answer::Purchased { user_id, .. } = forged.answer("dan buys") else { return };
        *user_id = UserId::new(77).unwrap();
        forged.without("dan reserves");
    }),
    ("one name is two users", I3, "another user before", |forged| {
        let Answer::Reserved { user_id, .. } = forged.answer("ann reserves again") else { return };
        *user_id = UserId::new(9).unwrap();
        forged.alter_row(5, |row| row.claim.user_id = UserId::new(9).unwrap());
    }),
    ("a user holds twice", I4, "holds twice", |forged| {
        forged.alter_row(3, |row| row.claim.user_id = UserId::new(2).unwrap());
    }),
    ("more than the limit", I4, "above the limit", |forged| {
        let terms = forged.change(1).terms.as_mut().unwrap();
        Arc::make_mut(terms).limit = Some(units(1));
    }),
    ("one hold is bought twice", I3, "another call was told", |forged| {
        let told = forged.answer("ann buys").clone();
        *forged.answer("ann buys again") = told;
    }),
    ("sold out while a unit is there", I6, "not true from revision 7 to 7", |forged| {
        forged.insert("bob releases", reserve("eve"), Answer::Refused(Rejection::OutOfStock));
    }),
    ("at the limit while below it", I4, "not true from", |forged| {
        forged.refuse("ann reserves again", Rejection::LimitReached);
    }),
    ("expired while it is valid", I7, "not true from revision 8", |forged| {
        let early = Answer::Refused(Rejection::ReservationExpired);
        forged.insert("dan reserves", purchase(4, "dan"), early);
    }),
    ("not found while it is there", I8, "not true from", |forged| {
        forged.refuse("cat is late", Rejection::ReservationNotFound);
    }),
    ("not yours while it is", I3, "not true from", |forged| {
        forged.refuse("ann buys again", Rejection::NotYours);
    }),
    ("closed while it is open", I7, "not true from", |forged| {
        forged.refuse("dan finds nothing", Rejection::NotActive);
    }),
    ("a counter is off", I2, "counters say", |forged| forged.stock(6, 3, 1, 1)),
    ("a number is used again", I5, "was given before", |forged| {
        forged.alter_row(5, |row| row.claim.id = hold(4));
    }),
    ("extended past the longest", I7, "has the deadline", |forged| {
        forged.alter_row(1, |row| {
            row.expires_at = row.expires_at.max(seconds(12));
            if row.expires_at == seconds(12) {
                row.expires_at = seconds(21);
            }
        });
    }),
    ("a deadline was told that is not kept", I7, "the deadline is", |forged| {
        let Answer::Reserved { expires_at, .. } = forged.answer("bob reserves") else { return };
        *expires_at = seconds(12);
    }),
    ("what was sold expires", I5, "was completed before", |forged| {
        let row = forged.change(5).updated[0];
        forged.change(9).updated.push(row);
        forged.alter_change(9, |row| row.status = Status::Expired);
    }),
    ("a claim changes", I5, "the claim of", |forged| {
        forged.alter_change(5, |row| row.claim.quantity = units(2));
    }),
    ("a forgotten user's rows remain", I8, "is still there", |forged| {
        forged.change(14).forgotten.clear();
        forged.change(14).next_number = 8;
    }),
    ("a forgotten user is told of the hold", I8, "was forgotten before", |forged| {
        let mut told = forged.answer("fay reserves").clone();
        if let Answer::Reserved { revision, extended, .. } = &mut told {
            (*revision, *extended) = (Revision::new(14), true);
        }
        forged.push("fay again", reserve("fay"), told);
    }),
    ("taken outside the window", I7, "outside the window", |forged| {
        let terms = forged.change(1).terms.as_mut().unwrap();
        Arc::make_mut(terms).window = Window::new(seconds(0), Some(seconds(1))).unwrap();
    }),
    ("time goes back in the drop", I7, "its time is before", |forged| {
        forged.change(12).as_of = seconds(14);
    }),
    ("the counts read were never there", I6, "are held", |forged| {
        let Answer::Stock { available, held, .. } = forged.answer("first read") else { return };
        (*available, *held) = (0, 3);
    }),
    ("a sale that was read was never there", I6, "are sold of", |forged| {
        let Answer::Stock { available, sold, .. } = forged.answer("first read") else { return };
        (*available, *sold) = (0, 1);
    }),
];

#[test]
fn the_history_that_is_forged_is_true() {
    assert_eq!(Forgery::none().violations(), []);
}

#[test]
fn every_planted_history_is_convicted() {
    let replay = "cargo test -p drop-core --test core planted";
    let report = Report::begin("history", "planted histories", replay);
    let mut table = "| planted | convicted of |\n| --- | --- |\n".to_owned();
    for (what, invariant, finding, plant) in PLANTS {
        let mut forged = Forgery::none();
        plant(&mut forged);
        let found = forged.violations();
        let right = |violation: &&Violation| {
            violation.invariant == *invariant && violation.finding.contains(finding)
        };
        let Some(conviction) = found.iter().find(right) else {
            let found: Vec<_> = found.iter().map(Violation::to_string).collect();
            panic!("{what}: {invariant} ({finding}) was expected, not\n{}", found.join("\n"));
        };
        let told = conviction.to_string();
        assert!(told.starts_with(&format!("{invariant}, ")), "{told}");
        table.push_str(&format!("| {what} | {invariant} |\n"));
    }
    report
        .figure("planted histories", &PLANTS.len())
        .figure("of them convicted", &PLANTS.len())
        .table(table)
        .save();
}

/// Whatever it is given the checker gives an answer: histories cut, doubled and shuffled.
#[test]
fn no_history_makes_the_checker_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut convicted = 0;
    let mut pool = Vec::new();
    for seed in 0..30 {
        let played = runtime.block_on(play(seed));
        let mut dice = Dice::new(seed);
        let (mut calls, mut feed) = (played.calls, played.feed);
        for _ in 0..20 {
            let call = usize::try_from(dice.below(u64::try_from(calls.len()).unwrap())).unwrap();
            let at = usize::try_from(dice.below(u64::try_from(feed.len()).unwrap())).unwrap();
            match dice.below(7) {
                0 => drop(calls.remove(call)),
                1 => calls.push(calls[call].clone()),
                2 => calls[call].answer = calls[calls.len() / 2].answer.clone(),
                3 => calls[call].began = calls[call].began.wrapping_sub(dice.below(99)),
                4 if feed.len() > 2 => drop(feed.pop()),
                5 => {
                    let other = feed[feed.len() / 2].clone();
                    let change = Arc::make_mut(&mut feed[at]);
                    change.updated.clone_from(&other.inserted);
                    change.variants.clone_from(&other.variants);
                }
                _ => calls[call].ended = None,
            }
            convicted += usize::from(!violations(&calls, &feed, Duration::ZERO).is_empty());
        }
        // Another drop's history, and none.
        pool.extend(calls);
        let _ = violations(&pool, &feed, Duration::MAX);
        assert!(!violations(&pool, &[], Duration::ZERO).is_empty());
        feed.reverse();
        assert!(!violations(&[], &feed, Duration::ZERO).is_empty());
    }
    assert!(convicted > 500, "only {convicted} of 600 were convicted");
}
