//! Many at once, on two instances over one data set.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;

use crate::model::{ReservationId, Status, Window};
use crate::rules::{Effect, Outcome, Rejection};
use crate::store::Scope;

use super::Dice;
use super::commands::{
    HOLD, TICK, before, purchase, purchased, release, reserve, reserve_of, reserved, tally, units,
};
use super::trial::{Trial, apply, ask, snapshot};

/// Runs `count` tasks that begin together, and returns what each gave, in order.
pub(super) async fn at_once<F>(count: usize, task: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|index| {
            let (barrier, work) = (barrier.clone(), task(index));
            tokio::spawn(async move {
                barrier.wait().await;
                work.await
            })
        })
        .collect();
    let mut outputs = Vec::with_capacity(count);
    for task in tasks {
        outputs.push(task.await.expect("a task that ends"));
    }
    outputs
}

/// In a word what a reserve was answered.
fn word(answer: &Result<Effect, Rejection>) -> &'static str {
    match answer {
        Ok(Effect::Reserved { extended: false, .. }) => "held",
        Ok(Effect::Reserved { .. }) => "extended",
        Err(Rejection::OutOfStock) => "out of stock",
        _ => "something else",
    }
}

pub(super) async fn one_unit_for_many_gives_one_hold(t: &Trial) {
    for _ in 0..2 {
        let drop_id = t.plain(1).await;
        let answers = at_once(32, |index| {
            let store = t.instance(index);
            async move { ask(&*store, drop_id, reserve(&format!("user_{index}"))).await }
        });
        let tally = tally(&answers.await, word);
        assert_eq!(tally.into_iter().collect::<Vec<_>>(), [("held", 1), ("out of stock", 31)]);
        assert_eq!(t.counts(drop_id).await, (0, 1, 0));
        assert_eq!(t.revision(drop_id).await, 2);
    }
}

pub(super) async fn few_units_for_many_are_all_held(t: &Trial) {
    let drop_id = t.plain(7).await;
    let answers = at_once(40, |index| {
        let store = t.instance(index);
        async move { ask(&*store, drop_id, reserve(&format!("user_{index}"))).await }
    });
    let tally = tally(&answers.await, word);
    assert_eq!(tally.into_iter().collect::<Vec<_>>(), [("held", 7), ("out of stock", 33)]);
    assert_eq!(t.counts(drop_id).await, (0, 7, 0));
}

pub(super) async fn one_user_at_once_gives_one_hold(t: &Trial) {
    let drop_id = t.plain(9).await;
    let answers = at_once(24, |index| {
        let store = t.instance(index);
        let who = if index % 3 == 0 { "Ann" } else { "aNN" };
        async move { ask(&*store, drop_id, reserve(who)).await }
    });
    let answers = answers.await;
    let words = tally(&answers, word);
    assert_eq!(words.into_iter().collect::<Vec<_>>(), [("extended", 23), ("held", 1)]);
    let ids = tally(answers, |answer| reserved(answer.expect("a hold")).0.id());
    assert_eq!(ids.len(), 1);
    assert_eq!(t.counts(drop_id).await, (8, 1, 0));
}

pub(super) async fn one_purchase_at_once_sells_once(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    let answers = at_once(24, |index| {
        let store = t.instance(index);
        async move { ask(&*store, drop_id, purchase(hold.id(), "ann")).await }
    });
    let sales: Vec<_> =
        answers.await.into_iter().map(|answer| purchased(answer.expect("a sale"))).collect();
    assert!(sales.iter().all(|(sale, _)| sale.id == hold.id()));
    let first = sales.iter().filter(|(_, repeated)| !repeated).count();
    assert_eq!(first, 1, "sold once, repeated for all others");
    assert_eq!(t.counts(drop_id).await, (1, 0, 1));
    assert_eq!(t.revision(drop_id).await, 3);
}

pub(super) async fn one_new_user_in_many_drops_is_one_user(t: &Trial) {
    let mut drops = Vec::new();
    for _ in 0..8 {
        drops.push(t.plain(1).await);
    }
    let answers = at_once(drops.len(), |index| {
        let (store, drop_id) = (t.instance(index), drops[index]);
        let who = if index % 2 == 0 { "Newcomer" } else { "newcomer" };
        async move { ask(&*store, drop_id, reserve(who)).await }
    });
    let users = tally(answers.await, |answer| reserved(answer.expect("a hold")).0.claim().user_id);
    assert_eq!(users.len(), 1);
}

pub(super) async fn many_drops_at_once_are_apart(t: &Trial) {
    let mut drops = Vec::new();
    for _ in 0..6 {
        drops.push(t.plain(3).await);
    }
    let answers = at_once(drops.len() * 5, |index| {
        let (store, drop_id) = (t.instance(index), drops[index / 5]);
        async move { ask(&*store, drop_id, reserve(&format!("user_{}", index % 5))).await }
    });
    for answers in answers.await.chunks(5) {
        let words = tally(answers, word);
        assert_eq!(words.into_iter().collect::<Vec<_>>(), [("held", 3), ("out of stock", 2)]);
    }
    for drop_id in drops {
        assert_eq!(t.counts(drop_id).await, (0, 3, 0));
    }
}

pub(super) async fn a_freed_unit_goes_to_one_of_those_who_wait(t: &Trial) {
    for _ in 0..3 {
        let drop_id = t.plain(1).await;
        let hold = t.hold(drop_id, "ann").await;
        let answers = at_once(12, |index| {
            let store = t.instance(index);
            async move {
                let command = match index {
                    5 => release(hold.id(), "ann"),
                    _ => reserve(&format!("user_{index}")),
                };
                ask(&*store, drop_id, command).await
            }
        });
        let answers = answers.await;
        assert_eq!(t.row(hold.id()).await.status(), Status::Released);
        let words = tally(&answers, word);
        let held = words.get("held").copied().unwrap_or(0);
        assert!(held <= 1, "{words:?}");
        assert_eq!(words.get("out of stock").copied().unwrap_or(0) + held, 11, "{words:?}");
        let expected = if held == 1 { (0, 1, 0) } else { (1, 0, 0) };
        assert_eq!(t.counts(drop_id).await, expected);
    }
}

pub(super) async fn a_purchase_at_the_deadline_is_early_or_late(t: &Trial) {
    for _ in 0..8 {
        let drop_id = t.plain(1).await;
        let hold = t.hold(drop_id, "ann").await;
        t.set(before(hold.expires_at(), TICK)).await;
        let both = at_once(2, |index| {
            let store = t.instance(index);
            let command = if index == 0 { purchase(hold.id(), "ann") } else { reserve("bob") };
            async move { apply(&*store, drop_id, vec![command]).await }
        });
        let (answers, ()) = futures::join!(both, t.set(hold.expires_at()));
        let [buys, takes] = answers.as_slice() else { panic!("{answers:?}") };
        let bought = matches!(buys.outcomes(), [Outcome::Done(_)]);
        assert_eq!(bought, buys.as_of() < hold.expires_at(), "{answers:?}");
        let taken = matches!(takes.outcomes(), [Outcome::Done(_)]);
        assert!(!taken || takes.as_of() >= hold.expires_at(), "{answers:?}");
        assert!(!(taken && bought), "one unit, two owners: {answers:?}");
        let (_, held, sold) = t.counts(drop_id).await;
        assert_eq!((held, sold), (u32::from(taken), u32::from(bought)));
    }
}

pub(super) async fn a_closing_window_is_open_or_closed(t: &Trial) {
    for _ in 0..6 {
        let closes = t.now().saturating_add(HOLD);
        let window = Window::new(t.now(), Some(closes)).expect("a window");
        let drop_id = t.drop_with(20, |terms| terms.window = window).await;
        t.set(before(closes, TICK)).await;
        let herd = at_once(8, |index| {
            let store = t.instance(index);
            async move { apply(&*store, drop_id, vec![reserve(&format!("user_{index}"))]).await }
        });
        let (answers, ()) = futures::join!(herd, t.set(closes));
        for answer in answers {
            let open = answer.as_of() < closes;
            match answer.outcomes() {
                [Outcome::Done(_)] => assert!(open, "{answer:?}"),
                [Outcome::Rejected(Rejection::NotActive)] => assert!(!open, "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        }
    }
}

pub(super) async fn many_sizes_and_quantities_never_oversell(t: &Trial) {
    let sizes = [("S", 5), ("M", 9)];
    let drop_id = t.sized_with(&sizes, |terms| terms.limit = Some(units(4))).await;
    let bought = at_once(16, |index| {
        let store = t.instance(index);
        async move {
            let who = format!("user_{}", index % 10);
            let mut dice = Dice::new(u64::try_from(index).unwrap_or(0));
            let mut bought = 0;
            for _ in 0..8 {
                let quantity = u32::try_from(dice.below(3)).unwrap_or(0).saturating_add(1);
                let take = reserve_of(&who, dice.pick(&["S", "M"]), quantity);
                let Ok(effect) = ask(&*store, drop_id, take).await else { continue };
                let id: ReservationId = reserved(effect).0.id();
                if dice.one_in(2) {
                    let _ = ask(&*store, drop_id, release(id, &who)).await;
                } else if let Ok(effect) = ask(&*store, drop_id, purchase(id, &who)).await {
                    let (sale, repeated) = purchased(effect);
                    bought += if repeated { 0 } else { sale.quantity.get() };
                }
            }
            bought
        }
    });
    let bought: u32 = bought.await.into_iter().sum();
    let (_, held, sold) = t.counts(drop_id).await;
    assert_eq!(sold, bought, "what the callers heard is what is sold");
    assert!(held + sold <= 14);
    let sales = t.purchases(&Scope::Drop(drop_id)).await;
    let mut of_each = std::collections::BTreeMap::new();
    for sale in sales {
        *of_each.entry(sale.username).or_insert(0) += sale.purchase.quantity.get();
    }
    assert!(of_each.values().all(|units| *units <= 4), "over the limit: {of_each:?}");
}

pub(super) async fn readers_see_whole_commits(t: &Trial) {
    let drop_id = t.sized(&[("S", 3), ("M", 3)]).await;
    let seen = at_once(6, |index| {
        let store = t.instance(index);
        async move {
            let mut seen = Vec::new();
            let who = format!("user_{index}");
            for round in 0..12_usize {
                if index < 3 {
                    seen.push(snapshot(&*store, drop_id).await);
                    continue;
                }
                let size = if round % 2 == 0 { "S" } else { "M" };
                let taken = ask(&*store, drop_id, reserve_of(&who, size, 2)).await;
                if let Ok(effect) = taken {
                    let id = reserved(effect).0.id();
                    ask(&*store, drop_id, release(id, &who)).await.expect("a release");
                }
            }
            seen
        }
    });
    let seen = seen.await;
    let feed = t.feed(drop_id).await;
    for reader in seen {
        for (earlier, later) in reader.iter().zip(reader.iter().skip(1)) {
            assert!(earlier.revision <= later.revision, "a reader went back");
        }
        for snapshot in reader {
            let change = feed.iter().find(|change| change.revision == snapshot.revision);
            let change = change.expect("what was read was committed");
            assert_eq!(snapshot.variants, change.variants, "stock is a function of the revision");
        }
    }
}
