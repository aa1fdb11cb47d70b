//! Random commands, compared with the [`Model`] after every step.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{
    DropId, HoldPolicy, NewDrop, Price, ReservationId, Revision, Status, Timestamp, UserId,
    Username, Window,
};
use crate::rules::{Amendment, Applied, Batch, Command, Effect, Outcome};
use crate::store::Scope;

use super::commands::{HOLD, LONGEST, TICK, before, name, terms, units, variant};
use super::trial::{Trial, apply, snapshot};
use super::{Dice, Model, ModelRow, Rows};

const USERS: [&str; 6] = ["amy", "Bob", "cat", "DAN", "eve", "fay"];
const SIZES: [&str; 3] = ["S", "M", "L"];

/// How one run is played.
#[derive(Clone, Copy)]
struct Play {
    seed: u64,
    steps: usize,
    /// The most commands in a batch.
    batch: u64,
    /// How many instances take turns.
    instances: u64,
}

pub(super) async fn single_commands_agree_with_the_model(t: &Trial) {
    for seed in 1..=4 {
        play(t, Play { seed, steps: 50, batch: 1, instances: 1 }).await;
    }
}

pub(super) async fn batches_agree_with_the_model(t: &Trial) {
    for seed in 101..=103 {
        play(t, Play { seed, steps: 40, batch: 9, instances: 1 }).await;
    }
}

pub(super) async fn two_instances_agree_with_the_model(t: &Trial) {
    for seed in 201..=203 {
        play(t, Play { seed, steps: 50, batch: 3, instances: 2 }).await;
    }
}

pub(super) async fn crowded_batches_agree_with_the_model(t: &Trial) {
    for seed in 301..=302 {
        play(t, Play { seed, steps: 12, batch: 150, instances: 2 }).await;
    }
}

async fn play(t: &Trial, play: Play) {
    let mut dice = Dice::new(play.seed);
    let new = new_drop(&mut dice, t.now());
    let drop_id = t.create(&new).await.id;
    let mut model = Model::new(&new, t.now());
    let mut rows = Rows::replay(&t.feed(drop_id).await).expect("a creation");
    let mut users = BTreeMap::new();
    for step in 0..play.steps {
        let at = next_time(&mut dice, &model, t.now());
        t.set(at).await;
        let count = dice.below(play.batch).saturating_add(1);
        let commands: Vec<_> =
            (0..count).map(|_| command(&mut dice, play.seed, drop_id, &model, at)).collect();
        let batch = Batch::new(drop_id, commands.clone()).expect("a batch");
        let instance = usize::try_from(dice.below(play.instances)).unwrap_or(0);
        let applied = apply(&*t.instance(instance), drop_id, commands).await;
        let expected = model.apply(&batch, at);
        let place = format!("seed {}, step {step}, at {at}, {batch:?}", play.seed);
        for (expected, outcome) in expected.iter().zip(applied.outcomes()) {
            assert!(expected.agrees_with(outcome), "{place}: {outcome:?}, not {expected:?}");
        }
        know(&mut users, &batch, &applied);
        assert_eq!(applied.as_of(), at, "{place}");
        assert_eq!(applied.revision().get(), model.revision(), "{place}");
        if let Some(change) = applied.change() {
            rows.apply(change);
        }
        assert_eq!(rows.revision, applied.revision(), "a revision for a change: {place}");
        compare_rows(&rows, &model, &users, &place);
        compare_reads(t, drop_id, &rows, &model, &place).await;
    }
    let feed = t.feed(drop_id).await;
    let replayed = Rows::replay(&feed).expect("a creation");
    assert_eq!(replayed.reservations, rows.reservations, "the feed, seed {}", play.seed);
}

fn new_drop(dice: &mut Dice, now: Timestamp) -> NewDrop {
    let mut terms = terms();
    if dice.one_in(2) {
        // So short that repeating comes to the cap.
        terms.hold = HoldPolicy::new(HOLD, HOLD + HOLD / 2).expect("a policy");
    }
    if dice.one_in(2) {
        terms.limit = Some(units(small(dice, 4) + 1));
    }
    if dice.one_in(4) {
        let opens = now.saturating_add(Duration::from_secs(dice.below(20)));
        let closes = opens.saturating_add(Duration::from_secs(dice.below(900) + 1));
        terms.window = Window::new(opens, Some(closes)).expect("a window");
    }
    if dice.one_in(2) {
        return NewDrop::plain(terms, units(small(dice, 6) + 1)).expect("a drop");
    }
    let sizes = SIZES.map(|size| (variant(size), units(small(dice, 4) + 1)));
    let count = usize::try_from(dice.below(2)).unwrap_or(0) + 1;
    NewDrop::with_variants(terms, sizes.into_iter().take(count)).expect("a drop")
}

fn small(dice: &mut Dice, bound: u64) -> u32 {
    u32::try_from(dice.below(bound)).unwrap_or(0)
}

/// Often nothing passes, often it becomes a deadline, or a tick less.
fn next_time(dice: &mut Dice, model: &Model, now: Timestamp) -> Timestamp {
    let active = model.rows().iter().filter(|row| row.status == Status::Active);
    let deadline = active.map(|row| row.expires_at).min().filter(|at| *at > now);
    let closes = model.terms().window.ends_at().filter(|at| *at > now);
    let later = match (dice.below(12), deadline) {
        (0..=3, _) => now,
        (4, Some(deadline)) => deadline,
        (5, Some(deadline)) => before(deadline, TICK),
        (10, _) if closes.is_some() => closes.unwrap_or(now),
        (11, _) if closes.is_some() => closes.map_or(now, |closes| before(closes, TICK)),
        (6, _) => now.saturating_add(TICK),
        (7, _) => now.saturating_add(HOLD - TICK),
        (8, _) if dice.one_in(4) => now.saturating_add(LONGEST),
        _ => now.saturating_add(Duration::from_secs(dice.below(40))),
    };
    later.max(now)
}

fn command(dice: &mut Dice, seed: u64, drop_id: DropId, model: &Model, at: Timestamp) -> Command {
    // Each run has users of its own, for a model knows of one drop only.
    let who = name(&format!("{}_{seed}", dice.pick(&USERS)));
    match dice.below(100) {
        0..=44 => Command::Reserve {
            customer: who,
            variant: (model.sizes() > 1 || dice.one_in(4)).then(|| variant(dice.pick(&SIZES))),
            quantity: units(if dice.one_in(3) { small(dice, 4) } else { 1 }),
        },
        45..=69 => {
            let (reservation, owner) = some_reservation(dice, drop_id, model);
            let customer = owner.filter(|_| !dice.one_in(6)).unwrap_or(who);
            Command::Purchase { reservation, customer }
        }
        70..=82 => {
            let (reservation, owner) = some_reservation(dice, drop_id, model);
            let customer = match dice.below(6) {
                0 => Some(who),
                1 => None,
                _ => Some(owner.unwrap_or(who)),
            };
            Command::Release { reservation, customer }
        }
        83..=87 => Command::Expire,
        88..=94 => Command::Amend(amendment(dice, model, at)),
        _ => Command::Forget { customer: who },
    }
}

/// A reservation that is there, mostly, or that the same batch may make.
fn some_reservation(
    dice: &mut Dice,
    drop_id: DropId,
    model: &Model,
) -> (ReservationId, Option<Username>) {
    let rows = model.rows();
    let id = |number| ReservationId::new(drop_id, number).expect("an id");
    if rows.is_empty() || dice.one_in(8) {
        let newest = rows.last().map_or(0, |row| row.number);
        return (id(newest.saturating_add(small(dice, 3)).saturating_add(1)), None);
    }
    let all: Vec<_> = rows.iter().collect();
    let active: Vec<_> = rows.iter().filter(|row| row.status == Status::Active).collect();
    let row =
        if active.is_empty() || dice.one_in(4) { dice.pick(&all) } else { dice.pick(&active) };
    (id(row.number), Some(row.customer.clone()))
}

fn amendment(dice: &mut Dice, model: &Model, at: Timestamp) -> Amendment {
    let mut amendment = Amendment::default();
    match dice.below(6) {
        0 if model.sizes() == 1 => amendment.total = Some(units(small(dice, 8))),
        0 | 1 => {
            let size = variant(dice.pick(&SIZES));
            amendment.variants.push((size, units(small(dice, 8))));
        }
        2 => amendment.limit = Some(dice.one_in(2).then(|| units(small(dice, 6)))),
        3 => {
            let cents = i64::try_from(dice.below(100_000)).unwrap_or(0);
            let price = rust_decimal::Decimal::new(cents, 2);
            amendment.price = Some(Price::new(price).expect("a price"));
        }
        4 => {
            let closes = at.saturating_add(Duration::from_secs(dice.below(300)));
            amendment.ends_at = Some(dice.one_in(3).then_some(closes));
        }
        _ => amendment.total = Some(units(small(dice, 8))),
    }
    if dice.one_in(4) {
        let revision = model.revision().saturating_sub(dice.below(2));
        amendment.if_revision = Some(Revision::new(revision));
    }
    amendment
}

/// Learns the number of each user, and that it stays the same.
fn know(users: &mut BTreeMap<Username, UserId>, batch: &Batch, applied: &Applied) {
    for (command, outcome) in batch.commands().iter().zip(applied.outcomes()) {
        if let (Some(customer), Outcome::Done(Effect::Reserved { reservation, .. })) =
            (command.customer(), outcome)
        {
            let user_id = reservation.claim().user_id;
            let known = *users.entry(customer.clone()).or_insert(user_id);
            assert_eq!(known, user_id, "{customer} is one user");
        }
    }
}

/// I1 to I5: the rows that the changes tell of are the model's, and count as they should.
fn compare_rows(rows: &Rows, model: &Model, users: &BTreeMap<Username, UserId>, place: &str) {
    let findings = rows.audit().findings();
    assert!(findings.is_empty(), "{place}: {findings:?}");
    assert_eq!(rows.reservations.len(), model.rows().len(), "{place}");
    for (row, expected) in rows.reservations.values().zip(model.rows()) {
        assert!(expected.is(row), "{place}: {row:?}, not {expected:?}");
        assert_eq!(users.get(&expected.customer), Some(&row.claim().user_id), "{place}");
    }
    assert_eq!(*rows.terms, *model.terms(), "{place}");
}

/// I6 and I7: what is read is what the revision says, lapsed holds counted as available.
async fn compare_reads(t: &Trial, drop_id: DropId, rows: &Rows, model: &Model, place: &str) {
    let at = t.now();
    let snapshot = snapshot(&*t.instance(1), drop_id).await;
    assert_eq!(snapshot.revision.get(), model.revision(), "{place}");
    assert_eq!(snapshot.variants.len(), model.sizes(), "{place}");
    for (size, read) in snapshot.variants.iter().enumerate() {
        let stock = read.stock;
        let counts = (stock.total().get(), stock.held().get(), stock.sold().get());
        assert_eq!(counts, model.counts(size, at), "{place}");
        assert_eq!(stock.available().get(), model.available(size, at), "{place}");
    }
    let scope = Scope::Drop(drop_id);
    let held: Vec<_> = t.holds(&scope).await.iter().map(|held| held.reservation).collect();
    assert_eq!(held, rows.holds_at(at), "{place}");
    let sales = t.purchases(&scope).await;
    let sold: Vec<_> = sales.iter().map(|sale| sale.purchase).collect();
    assert_eq!(sold, rows.purchases(), "{place}");
    let mut bought: Vec<_> = completed(model).map(|row| row.updated_at).collect();
    bought.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
    bought.truncate(3);
    let recent: Vec<_> = snapshot.recent.iter().map(|buyer| buyer.purchased_at).collect();
    assert_eq!(recent, bought, "newest purchasers: {place}");
    for buyer in snapshot.recent {
        let who = |row: &ModelRow| {
            (&row.customer, row.updated_at) == (&buyer.username, buyer.purchased_at)
        };
        assert!(completed(model).any(who), "{buyer:?} bought nothing: {place}");
    }
    let audit = t.store().audit(drop_id).await.expect("an audit").expect("a drop");
    assert!(audit.is_sound(), "{place}: {:?}", audit.findings());
}

fn completed(model: &Model) -> impl Iterator<Item = &ModelRow> {
    model.rows().iter().filter(|row| row.status == Status::Completed)
}
