//! Properties of `decide` over arbitrary histories.

use std::collections::BTreeMap;
use std::sync::Arc;

use drop_core::conformance::Rows;
use drop_core::model::{Reservation, ReservationId, Status, Stock, Units};
use drop_core::rules::{Batch, Change, Command, Decision, Effect, Ledger, Outcome, decide};
use proptest::prelude::*;

use crate::history::{Allowed, Played, customers, drop_id, histories};

fn config() -> ProptestConfig {
    // Failures are printed with their history, shrunk; nothing is written beside the sources.
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(_))
}

/// What two ways to the same state have to agree on.
fn state(rows: &Rows) -> impl PartialEq + std::fmt::Debug + use<> {
    let reservations = rows.reservations.clone();
    (reservations, rows.variants.clone(), rows.terms.clone(), rows.recent.clone())
}

fn sorted(rows: &[Reservation]) -> BTreeMap<ReservationId, Reservation> {
    rows.iter().map(|row| (row.id(), *row)).collect()
}

proptest! {
    #![proptest_config(config())]

    /// I1, I2 and the first half of I4, by recount from the rows.
    #[test]
    fn never_oversells(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            played.decide(&batch);
            let audit = played.rows.audit();
            prop_assert_eq!(audit.findings(), Vec::<String>::new());
            for variant in audit.variants {
                let total = u64::from(variant.counters.total().get());
                prop_assert!(variant.held + variant.completed <= total);
            }
        }
    }

    /// Everything at once, against the rules written a second time.
    #[test]
    fn agrees_with_the_model(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            let expected = played.model.apply(&batch, played.now);
            let applied = played.decide(&batch);
            for (expected, outcome) in expected.iter().zip(applied.outcomes()) {
                prop_assert!(expected.agrees_with(outcome), "{:?}, not {:?}", outcome, expected);
            }
            prop_assert_eq!(applied.revision().get(), played.model.revision());
            prop_assert_eq!(played.rows.reservations.len(), played.model.rows().len());
            for (row, expected) in played.rows.reservations.values().zip(played.model.rows()) {
                prop_assert!(expected.is(row), "{:?}, not {:?}", row, expected);
            }
            for (size, variant) in played.rows.variants_at(played.now).iter().enumerate() {
                let stock = variant.stock;
                let counts = (stock.total().get(), stock.held().get(), stock.sold().get());
                prop_assert_eq!(counts, played.model.counts(size, played.now));
            }
        }
    }

    /// I5: what has left `active` never changes again, except by being forgotten.
    #[test]
    fn a_reservation_leaves_active_once(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            let before = played.rows.reservations.clone();
            played.decide(&batch);
            for (id, row) in before.iter().filter(|(_, row)| row.status() != Status::Active) {
                if let Some(after) = played.rows.reservations.get(id) {
                    prop_assert_eq!(after, row);
                }
            }
        }
    }

    /// I6: one revision for a change, none where nothing was done.
    #[test]
    fn the_revision_grows_by_one_with_each_change(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            let before = played.rows.clone();
            let applied = played.decide(&batch);
            let grown = applied.revision().get() - before.revision.get();
            prop_assert_eq!(grown, u64::from(applied.change().is_some()));
            let due = before.reservations.values().any(|row| {
                row.status() == Status::Active && row.status_at(played.now) != Status::Active
            });
            if !due && !applied.outcomes().iter().any(is_done) {
                prop_assert!(applied.change().is_none(), "refusals wrote something");
            }
            if applied.change().is_none() {
                prop_assert_eq!(state(&played.rows), state(&before));
            }
        }
    }

    /// A change's facts are complete: from the feed alone comes the same drop.
    #[test]
    fn changes_tell_everything(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        let mut feed = vec![Arc::new(creation(&played.rows))];
        for step in &history.steps {
            let batch = played.begin(step);
            let before = played.rows.variants.clone();
            let applied = played.decide(&batch);
            let Some(change) = applied.change() else { continue };
            feed.push(change.clone());
            let replayed = Rows::replay(&feed).unwrap();
            prop_assert_eq!(state(&replayed), state(&played.rows));
            prop_assert_eq!(replayed.next_number, played.rows.next_number);
            prop_assert_eq!(replayed.as_of, played.now);
            prop_assert_eq!(&change.recent, &played.rows.newest_purchasers());
            prop_assert_eq!(change.moved, change.variants != before);
            let over = |stock: Stock| stock.sold() == stock.total();
            let before = Stock::sum(before.iter().map(|variant| variant.stock));
            prop_assert_eq!(change.sold_out, over(change.stock()) && !over(before));
        }
    }

    /// A batch is nothing but its commands in order.
    #[test]
    fn a_batch_is_its_commands_one_by_one(
        history in histories(Allowed { guarded: false, ..Allowed::EVERYTHING })
    ) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            let mut apart = played.rows.clone();
            let mut outcomes = Vec::new();
            // Users are made before the first command is decided.
            apart.ledger(&batch, played.now);
            for command in batch.commands() {
                let one = Batch::one(drop_id(), command.clone()).unwrap();
                outcomes.extend(apart.decide(&one, played.now).unwrap().into_outcomes());
            }
            let applied = played.decide(&batch);
            prop_assert_eq!(applied.outcomes(), outcomes);
            prop_assert_eq!(state(&played.rows), state(&apart));
        }
    }

    /// Rows may be loaded in any order, more than once, and more than needed.
    #[test]
    fn superfluous_rows_decide_nothing(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            let ledger = played.rows.clone().ledger(&batch, played.now);
            let all = played.rows.reservations.values().rev().copied();
            let rows = ledger.rows.iter().rev().copied().chain(all).collect();
            let more = Ledger { rows, ..ledger.clone() };
            let exact = decide(ledger, &batch).unwrap();
            let more = decide(more, &batch).unwrap();
            let facts = |decision: &Decision| {
                let change = decision.change().cloned()?;
                let rows = (sorted(&change.updated), change.inserted.clone());
                let updated = Vec::new();
                Some((rows, Change { updated, ..Change::clone(&change) }))
            };
            prop_assert_eq!(facts(&exact), facts(&more));
            let (exact, more) = (exact.committed(), more.committed());
            prop_assert_eq!(exact.outcomes(), more.outcomes());
            played.decide(&batch);
        }
    }

    /// The second half of I4, where nobody changes the limit.
    #[test]
    fn no_customer_passes_the_limit(
        history in histories(Allowed { amend: false, ..Allowed::EVERYTHING })
    ) {
        let mut played = Played::new(&history);
        let limit = history.new.terms().limit;
        for step in &history.steps {
            let batch = played.begin(step);
            played.decide(&batch);
            for customer in customers() {
                let Some(user) = played.rows.user(&customer) else { continue };
                let counts = |row: &&Reservation| {
                    row.claim().user_id == user.id
                        && matches!(row.status(), Status::Active | Status::Completed)
                };
                let rows = played.rows.reservations.values().filter(counts);
                let sum: Units = rows.map(|row| row.claim().quantity).sum();
                prop_assert!(limit.is_none_or(|limit| sum <= limit));
            }
        }
    }

    /// Deadlines never move back, and never past the longest.
    #[test]
    fn deadlines_are_monotone_and_capped(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        let policy = history.new.terms().hold;
        for step in &history.steps {
            let batch = played.begin(step);
            let before = played.rows.reservations.clone();
            played.decide(&batch);
            for row in played.rows.reservations.values() {
                let earliest = before.get(&row.id()).map(Reservation::expires_at);
                prop_assert!(earliest.is_none_or(|earliest| earliest <= row.expires_at()));
                let latest = row.claim().created_at.saturating_add(policy.longest());
                prop_assert!(row.expires_at() <= latest);
                if row.status() == Status::Active {
                    prop_assert!(played.now < row.expires_at(), "lapsed and not settled");
                }
            }
        }
    }

    /// What was done and is asked again at once is answered the same, and writes nothing.
    #[test]
    fn repeats_change_nothing(history in histories(Allowed::EVERYTHING)) {
        let mut played = Played::new(&history);
        for step in &history.steps {
            let batch = played.begin(step);
            let applied = played.decide(&batch);
            let last = batch.commands().iter().zip(applied.outcomes()).next_back();
            let Some((command, Outcome::Done(effect))) = last else { continue };
            if matches!(command, Command::Amend(amendment) if amendment.if_revision.is_some()) {
                continue;
            }
            let again = Batch::one(drop_id(), command.clone()).unwrap();
            let repeated = played.decide(&again);
            prop_assert!(repeated.change().is_none());
            let [Outcome::Done(second)] = repeated.outcomes() else {
                return Err(TestCaseError::fail(format!("{repeated:?}")));
            };
            match (effect, second) {
                (
                    Effect::Reserved { reservation: first, .. },
                    Effect::Reserved { reservation, extended },
                ) => prop_assert!(*extended && first == reservation),
                (
                    Effect::Purchased { purchase: first, .. },
                    Effect::Purchased { purchase, repeated, .. },
                ) => prop_assert!(*repeated && first == purchase),
                (first, second) => prop_assert_eq!(first, second),
            }
        }
    }
}

fn creation(rows: &Rows) -> Change {
    Change {
        drop_id: rows.drop_id,
        revision: rows.revision,
        as_of: rows.as_of,
        variants: rows.variants.clone(),
        next_number: rows.next_number,
        updated: Vec::new(),
        inserted: Vec::new(),
        forgotten: Vec::new(),
        purchasers: Vec::new(),
        recent: Vec::new(),
        terms: Some(rows.terms.clone()),
        moved: true,
        sold_out: false,
    }
}
