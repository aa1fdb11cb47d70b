//! Commands that are decided, written and committed together.

use crate::model::{DropId, ReservationId, Status};
use crate::rules::{Batch, Command, Effect, Ledger, Outcome, Rejection};
use crate::store::Scope;

use super::commands::{
    HOLD, TICK, forget, new_total, purchase, purchased, release, release_any, released, reserve,
    reserve_some, reserved,
};
use super::trial::{Trial, apply};

/// What each was answered, in a word or by its rejection.
fn words(outcomes: &[Outcome]) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Done(Effect::Reserved { extended: false, .. }) => "reserved".to_owned(),
        Outcome::Done(Effect::Reserved { .. }) => "extended".to_owned(),
        Outcome::Done(Effect::Released { .. }) => "released".to_owned(),
        Outcome::Done(Effect::Purchased { repeated: false, .. }) => "purchased".to_owned(),
        Outcome::Done(Effect::Purchased { .. }) => "repeated".to_owned(),
        Outcome::Done(Effect::Settled) => "settled".to_owned(),
        Outcome::Done(Effect::Amended) => "amended".to_owned(),
        Outcome::Done(Effect::Forgotten) => "forgotten".to_owned(),
        Outcome::Rejected(rejection) => format!("{rejection:?}"),
        Outcome::Deferred => "deferred".to_owned(),
    };
    outcomes.iter().map(word).collect()
}

pub(super) async fn answers_each_command(t: &Trial) {
    let drop_id = t.plain(3).await;
    let hold = t.hold(drop_id, "ann").await;
    let commands = vec![
        reserve("bob"),
        reserve_some("cat", 2),
        purchase(hold.id(), "bob"),
        purchase(hold.id(), "ann"),
        purchase(hold.id(), "ann"),
        release(hold.id(), "ann"),
        reserve("bob"),
        reserve("cat"),
        reserve("dan"),
        Command::Expire,
        new_total(4),
        reserve("dan"),
        forget("bob"),
        forget("stranger"),
    ];
    let applied = t.apply(drop_id, commands).await;
    let expected = [
        "reserved",
        "OutOfStock",
        "NotYours",
        "purchased",
        "repeated",
        "AlreadyPurchased",
        "extended",
        "reserved",
        "OutOfStock",
        "settled",
        "amended",
        "reserved",
        "forgotten",
        "UserNotFound",
    ];
    assert_eq!(words(applied.outcomes()), expected);
    assert_eq!(t.counts(drop_id).await, (1, 2, 1));
    assert_eq!(t.revision(drop_id).await, 3, "one change for all");
}

pub(super) async fn is_decided_in_order(t: &Trial) {
    let drop_id = t.plain(1).await;
    let applied = t.apply(drop_id, ["ann", "bob", "cat"].map(reserve).to_vec()).await;
    assert_eq!(words(applied.outcomes()), ["reserved", "OutOfStock", "OutOfStock"]);
    let hold = t.holds(&Scope::Drop(drop_id)).await[0].reservation.id();
    let commands = vec![reserve("bob"), release(hold, "ann"), reserve("cat"), reserve("ann")];
    let applied = t.apply(drop_id, commands).await;
    assert_eq!(words(applied.outcomes()), ["OutOfStock", "released", "reserved", "OutOfStock"]);
}

pub(super) async fn is_the_same_as_one_by_one(t: &Trial) {
    let (together, apart) = (t.plain(5).await, t.plain(5).await);
    let mut answers = Vec::new();
    for (drop_id, size) in [(together, 7), (apart, 1)] {
        let id = |number| ReservationId::new(drop_id, number).expect("an id");
        let commands = [
            reserve_some("ann", 2),
            reserve("bob"),
            purchase(id(1), "ann"),
            release(id(2), "bob"),
            reserve_some("cat", 3),
            reserve("dan"),
            purchase(id(3), "cat"),
        ];
        let mut outcomes = Vec::new();
        for commands in commands.chunks(size) {
            outcomes.extend(words(t.apply(drop_id, commands.to_vec()).await.outcomes()));
        }
        answers.push((outcomes, t.counts(drop_id).await));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(t.revision(together).await, 2);
    assert_eq!(t.revision(apart).await, 7, "a refusal is no change");
}

pub(super) async fn of_refusals_writes_nothing(t: &Trial) {
    let drop_id = t.plain(1).await;
    let sale = t.sell(drop_id, "ann").await;
    let before = t.snapshot(drop_id).await;
    t.pass(TICK).await;
    let commands = vec![
        reserve("bob"),
        reserve_some("cat", 0),
        purchase(sale.id, "bob"),
        purchase(sale.id, "ann"),
        release_any(sale.id),
        new_total(0),
        Command::Expire,
    ];
    let applied = t.apply(drop_id, commands).await;
    assert!(applied.change().is_none());
    assert_eq!(applied.revision(), before.revision);
    let after = t.snapshot(drop_id).await;
    assert_eq!((after.revision, after.updated_at), (before.revision, before.updated_at));
    assert_eq!(t.feed(drop_id).await.len(), 3);
}

pub(super) async fn takes_and_buys_in_one(t: &Trial) {
    let drop_id = t.plain(1).await;
    let id = ReservationId::new(drop_id, 1).expect("an id");
    let applied = t.apply(drop_id, vec![reserve("ann"), purchase(id, "ann")]).await;
    assert_eq!(words(applied.outcomes()), ["reserved", "purchased"]);
    assert_eq!(t.row(id).await.status(), Status::Completed);
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
    assert_eq!(t.snapshot(drop_id).await.recent.len(), 1);
    let again = purchased(t.done(drop_id, purchase(id, "ann")).await);
    assert!(again.1);
}

pub(super) async fn takes_and_releases_in_one(t: &Trial) {
    let drop_id = t.plain(1).await;
    let id = |number| ReservationId::new(drop_id, number).expect("an id");
    let commands = vec![
        reserve("ann"),
        release(id(1), "ann"),
        reserve("bob"),
        release_any(id(2)),
        reserve("ann"),
    ];
    let applied = t.apply(drop_id, commands).await;
    let expected = ["reserved", "released", "reserved", "released", "reserved"];
    assert_eq!(words(applied.outcomes()), expected);
    for number in [1, 2] {
        assert_eq!(t.row(id(number)).await.status(), Status::Released);
    }
    assert_eq!(t.row(id(3)).await.status(), Status::Active);
    assert_eq!(t.counts(drop_id).await, (0, 1, 0));
}

pub(super) async fn names_one_reservation_twice(t: &Trial) {
    let drop_id = t.plain(2).await;
    let hold = t.hold(drop_id, "ann").await;
    let commands = vec![
        reserve("ann"),
        release(hold.id(), "ann"),
        release(hold.id(), "ann"),
        purchase(hold.id(), "ann"),
    ];
    let applied = t.apply(drop_id, commands).await;
    let expected = ["extended", "released", "released", "ReservationExpired"];
    assert_eq!(words(applied.outcomes()), expected);
    match applied.outcomes() {
        [_, Outcome::Done(first), Outcome::Done(second), _] => {
            assert_eq!(released(first.clone()), released(second.clone()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(t.counts(drop_id).await, (2, 0, 0));
}

pub(super) async fn takes_a_thousand_commands(t: &Trial) {
    let drop_id = t.plain(1000).await;
    let many = Batch::MAX_COMMANDS;
    let names: Vec<_> = (0..many).map(|index| format!("user_{index}")).collect();
    let applied = t.apply(drop_id, names.iter().map(|who| reserve(who)).collect()).await;
    let (done, refused) = applied.outcomes().split_at(1000);
    assert!(refused.iter().all(|outcome| *outcome == Outcome::Rejected(Rejection::OutOfStock)));
    let buys = names.iter().zip(done).map(|(who, outcome)| match outcome {
        Outcome::Done(effect) => purchase(reserved(effect.clone()).0.id(), who),
        other => panic!("{other:?}"),
    });
    let applied = t.apply(drop_id, buys.collect()).await;
    assert!(words(applied.outcomes()).iter().all(|word| word == "purchased"));
    assert_eq!(t.counts(drop_id).await, (0, 0, 1000));
    assert_eq!(t.revision(drop_id).await, 3);
}

/// More holds than one batch settles, all lapsed. Returns how many.
pub(super) async fn crowded(t: &Trial) -> (DropId, u32) {
    let count = Ledger::SETTLE_LIMIT + 100;
    let total = u32::try_from(count).expect("a small count");
    let drop_id = t.plain(total).await;
    let names: Vec<_> = (0..count).map(|index| format!("user_{index}")).collect();
    for names in names.chunks(Batch::MAX_COMMANDS) {
        t.apply(drop_id, names.iter().map(|who| reserve(who)).collect()).await;
    }
    assert_eq!(t.counts(drop_id).await, (0, total, 0));
    t.pass(HOLD).await;
    (drop_id, total)
}

pub(super) async fn defers_what_depends_on_unsettled_holds(t: &Trial) {
    let (drop_id, total) = crowded(t).await;
    assert_eq!(t.counts(drop_id).await, (total, 0, 0), "readers count all of them");
    let own = ReservationId::new(drop_id, total).expect("an id");
    let commands = vec![
        reserve_some("buyer", total),
        reserve_some("buyer", total.saturating_add(1)),
        purchase(own, &format!("user_{}", total.saturating_sub(1))),
        reserve("other"),
    ];
    let applied = t.apply(drop_id, commands).await;
    let expected = ["deferred", "OutOfStock", "ReservationExpired", "reserved"];
    assert_eq!(words(applied.outcomes()), expected);
    let again = vec![
        release_any(ReservationId::new(drop_id, total + 1).expect("an id")),
        reserve_some("buyer", total),
    ];
    let applied = t.apply(drop_id, again).await;
    assert_eq!(words(applied.outcomes()), ["released", "reserved"]);
    assert_eq!(t.counts(drop_id).await, (0, total, 0));
}

pub(super) async fn defers_expiry_until_all_is_settled(t: &Trial) {
    let (drop_id, total) = crowded(t).await;
    let (first, second) = (
        apply(&*t.instance(0), drop_id, vec![Command::Expire]).await,
        apply(&*t.instance(1), drop_id, vec![Command::Expire]).await,
    );
    assert_eq!(words(first.outcomes()), ["deferred"]);
    assert_eq!(words(second.outcomes()), ["settled"]);
    let settled = first.change().expect("a change").updated.len();
    assert_eq!(settled, Ledger::SETTLE_LIMIT, "bounded");
    assert_eq!(second.change().expect("a change").updated.len(), 100, "the rest");
    assert_eq!(t.counts(drop_id).await, (total, 0, 0));
    assert!(t.store().due(1).await.expect("deadlines").deadlines.is_empty());
}

pub(super) async fn defers_an_amendment_that_depends_on_unsettled_holds(t: &Trial) {
    let (drop_id, _) = crowded(t).await;
    let applied = t.apply(drop_id, vec![new_total(50)]).await;
    assert_eq!(words(applied.outcomes()), ["deferred"], "the holds in the way have lapsed");
    let applied = t.apply(drop_id, vec![new_total(50)]).await;
    assert_eq!(words(applied.outcomes()), ["amended"]);
    assert_eq!(t.counts(drop_id).await, (50, 0, 0));
}
