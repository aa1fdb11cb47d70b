//! [`DropService`] on the store: lanes, batches, callers who come and go.

use std::future::Future;

use futures::poll;

use crate::error::ServiceError;
use crate::model::{DropId, NewDrop, Revision, Units};
use crate::rules::{Amendment, Ledger, Rejection};
use crate::runtime::Update;
use crate::service::{DropService, Reserve};
use crate::store::Scope;

use super::Faulty;
use super::commands::{name, tally, terms, units};
use super::races::at_once;
use super::trial::Trial;

/// A service without workers on one instance of the store.
fn service(t: &Trial, instance: usize) -> DropService {
    DropService::builder_shared(t.instance(instance)).build().0
}

fn word<T>(answer: &Result<T, ServiceError>) -> &'static str {
    match answer {
        Ok(_) => "done",
        Err(ServiceError::Rejected(Rejection::OutOfStock)) => "out of stock",
        Err(ServiceError::Busy) => "busy",
        Err(_) => "something else",
    }
}

fn rejection<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> Rejection {
    match answer {
        Err(ServiceError::Rejected(rejection)) => rejection,
        other => panic!("a rejection was expected, not {other:?}"),
    }
}

pub(super) async fn sells_one_unit_to_one_of_many(t: &Trial) {
    let service = service(t, 0);
    let drop_id = t.plain(1).await;
    let answers = at_once(64, |index| {
        let service = service.clone();
        async move { service.reserve(drop_id, Reserve::one(format!("user_{index}"))).await }
    });
    let answers = answers.await;
    let words = tally(&answers, word);
    assert_eq!(words.into_iter().collect::<Vec<_>>(), [("done", 1), ("out of stock", 63)]);
    assert_eq!(t.counts(drop_id).await, (0, 1, 0));
    assert_eq!(t.revision(drop_id).await, 2);
}

pub(super) async fn sells_one_unit_once_over_two_services(t: &Trial) {
    let services = [service(t, 0), service(t, 1)];
    let drop_id = t.plain(1).await;
    let sales = at_once(32, |index| {
        let service = services[index % 2].clone();
        async move {
            let who = format!("user_{index}");
            let hold = service.reserve(drop_id, Reserve::one(&who)).await?;
            service.purchase(hold.id(), &who).await
        }
    });
    let words = tally(&sales.await, word);
    assert_eq!(words.into_iter().collect::<Vec<_>>(), [("done", 1), ("out of stock", 31)]);
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
}

pub(super) async fn refuses_what_does_not_fit_in_the_lane(t: &Trial) {
    let store = Faulty::new(t.store());
    let (service, _workers) = DropService::builder(store.clone()).lane_capacity(3).build();
    let drop_id = t.plain(9).await;
    store.plan_wait();
    let ask = |who: &'static str| Box::pin(service.reserve(drop_id, Reserve::one(who)));
    let mut accepted = vec![ask("in_flight")];
    assert!(poll!(&mut accepted[0]).is_pending());
    store.waits().await;
    for who in ["first", "second", "third"] {
        let mut waiting = ask(who);
        assert!(poll!(&mut waiting).is_pending());
        accepted.push(waiting);
    }
    let refused = ask("fourth").await;
    assert!(matches!(&refused, Err(ServiceError::Busy)), "{refused:?}");
    assert!(refused.is_err_and(|error| error.is_retryable()));
    let other = t.plain(1).await;
    service.reserve(other, Reserve::one("fourth")).await.expect("another drop's lane has room");
    store.let_go();
    for accepted in accepted {
        accepted.await.expect("what was accepted is done");
    }
    service.reserve(drop_id, Reserve::one("fourth")).await.expect("there is room again");
    assert_eq!(t.counts(drop_id).await, (4, 5, 0));
}

pub(super) async fn takes_what_waits_as_one_batch(t: &Trial) {
    let store = Faulty::new(t.store());
    let (service, _workers) = DropService::builder(store.clone()).batch(4).build();
    let drop_id = t.plain(20).await;
    store.plan_wait();
    let ask = |index| Box::pin(service.reserve(drop_id, Reserve::one(format!("user_{index}"))));
    let mut waiting = vec![ask(0)];
    assert!(poll!(&mut waiting[0]).is_pending());
    store.waits().await;
    for index in 1..=10 {
        let mut next = ask(index);
        assert!(poll!(&mut next).is_pending());
        waiting.push(next);
    }
    store.let_go();
    for (number, answer) in (1..).zip(futures::future::join_all(waiting).await) {
        let reserved = answer.expect("a hold");
        assert_eq!(reserved.id().number(), number, "first come, first served");
    }
    assert_eq!(store.batches(), [1, 4, 4, 2]);
    assert_eq!(t.revision(drop_id).await, 5, "a change for each batch");
}

pub(super) async fn defers_nothing_to_the_caller(t: &Trial) {
    let (drop_id, total) = super::batch::crowded(t).await;
    let service = service(t, 0);
    let all = Reserve::one("buyer").quantity(units(total));
    let reserved = service.reserve(drop_id, all).await.expect("all has lapsed");
    assert_eq!(reserved.reservation.claim().quantity.get(), total);
    assert!(usize::try_from(total).unwrap_or(0) > Ledger::SETTLE_LIMIT);
    assert_eq!(t.counts(drop_id).await, (0, total, 0));
}

/// Polls a future `times` times at most, with turns for others between, and drops it then.
async fn give_up_after<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..times {
        if let std::task::Poll::Ready(output) = poll!(&mut future) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

pub(super) async fn cancelled_at_any_await_loses_nothing(t: &Trial) {
    for times in 0..8 {
        let service = service(t, times);
        let drop_id = t.plain(5).await;
        let ask = || service.reserve(drop_id, Reserve::one("ann"));
        give_up_after(times, ask()).await;
        let hold = ask().await.expect("the lane is not wedged");
        assert_eq!(t.holds(&Scope::Drop(drop_id)).await.len(), 1, "one hold, however often asked");

        give_up_after(times, service.purchase(hold.id(), "ann")).await;
        let sale = service.purchase(hold.id(), "ann").await.expect("a purchase");
        assert_eq!(sale.purchase.id, hold.id());
        assert_eq!(t.counts(drop_id).await, (4, 0, 1));

        let given_back = ask().await.expect("a hold").id();
        give_up_after(times, service.release(given_back, "ann")).await;
        service.release(given_back, "ann").await.expect("a release");
        assert_eq!(t.counts(drop_id).await, (4, 0, 1));

        let more = || Amendment { total: Some(units(9)), ..Amendment::default() };
        give_up_after(times, service.amend_drop(drop_id, more())).await;
        let amended = service.amend_drop(drop_id, more()).await.expect("an amendment");
        assert_eq!(amended.stock().total(), units(9));

        let new = NewDrop::plain(terms(), Units::ONE).expect("a drop");
        give_up_after(times, service.create_drop(new.clone())).await;
        t.note(service.create_drop(new).await.expect("a drop").id);

        give_up_after(times, service.audit(drop_id)).await;
        give_up_after(times, service.subscribe_from(drop_id, Revision::ZERO)).await;
        assert!(service.audit(drop_id).await.expect("an audit").is_sound());

        give_up_after(times, service.delete_user("ann", true)).await;
        let gone = service.delete_user("ann", true).await;
        assert!(gone.is_ok() || rejection(gone) == Rejection::UserNotFound);
        assert_eq!(t.counts(drop_id).await, (9, 0, 0));

        give_up_after(times, service.delete_drop(drop_id, true)).await;
        let gone = service.delete_drop(drop_id, true).await;
        assert!(gone.is_ok() || rejection(gone) == Rejection::DropNotFound);
    }
}

pub(super) async fn abandoned_before_its_batch_does_nothing(t: &Trial) {
    let store = Faulty::new(t.store());
    let (service, _workers) = DropService::builder(store.clone()).build();
    let drop_id = t.plain(3).await;
    store.plan_wait();
    let mut first = Box::pin(service.reserve(drop_id, Reserve::one("ann")));
    assert!(poll!(&mut first).is_pending());
    store.waits().await;
    let mut abandoned = Box::pin(service.reserve(drop_id, Reserve::one("bob")));
    assert!(poll!(&mut abandoned).is_pending());
    let mut last = Box::pin(service.reserve(drop_id, Reserve::one("cat")));
    assert!(poll!(&mut last).is_pending());
    drop(abandoned);
    // The one in flight is past taking back.
    drop(first);
    store.let_go();
    last.await.expect("a hold");
    assert_eq!(store.batches(), [1, 1]);
    let held = t.holds(&Scope::Drop(drop_id)).await;
    let holders: Vec<_> = held.iter().map(|held| held.username.as_str()).collect();
    assert_eq!(holders, ["cat", "ann"]);
}

pub(super) async fn deletes_a_user_over_several_drops(t: &Trial) {
    let service = service(t, 0);
    let drops = [t.plain(3).await, t.plain(3).await, t.plain(3).await];
    for drop_id in &drops[..2] {
        t.sell(*drop_id, "ann").await;
        t.hold(*drop_id, "ann").await;
        t.hold(*drop_id, "bob").await;
    }
    assert_eq!(rejection(service.delete_user("ann", false).await), Rejection::HasSales);
    assert_eq!(rejection(service.delete_user("nobody", true).await), Rejection::UserNotFound);
    let mut updates = service.subscribe();
    service.delete_user("ANN", true).await.expect("ann is deleted");
    let mut told: Vec<DropId> = Vec::new();
    for _ in 0..2 {
        match updates.next().await {
            Some(Update::Changed(change)) => {
                assert_eq!(
                    (change.stock().held(), change.stock().sold()),
                    (Units::ONE, Units::ZERO)
                );
                told.push(change.drop_id);
            }
            other => panic!("{other:?}"),
        }
    }
    told.sort_unstable();
    assert_eq!(told, drops[..2]);
    let scope = Scope::Customer(name("ann"));
    assert!(t.holds(&scope).await.is_empty() && t.purchases(&scope).await.is_empty());
    assert_eq!(rejection(service.delete_user("ann", true).await), Rejection::UserNotFound);
    assert_eq!(t.holds(&Scope::Customer(name("bob"))).await.len(), 2);
}

pub(super) async fn answers_an_unknown_drop_as_the_caller_asked(t: &Trial) {
    let service = service(t, 0);
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await.id();
    t.store().delete_drop(drop_id, true).await.expect("an answer");
    let gone = Rejection::DropNotFound;
    assert_eq!(rejection(service.reserve(drop_id, Reserve::one("ann")).await), gone);
    assert_eq!(rejection(service.amend_drop(drop_id, Amendment::default()).await), gone);
    assert_eq!(rejection(service.delete_drop(drop_id, true).await), gone);
    assert_eq!(rejection(service.audit(drop_id).await), gone);
    let gone = Rejection::ReservationNotFound;
    assert_eq!(rejection(service.purchase(hold, "ann").await), gone);
    assert_eq!(rejection(service.release(hold, "ann").await), gone);
    assert_eq!(rejection(service.release_any(hold).await), gone);
    let bad = rejection(service.purchase(hold, "a'--").await);
    assert!(matches!(bad, Rejection::InvalidUsername(_)));
    let other = t.plain(1).await;
    let unknown = Reserve::one("ann").variant("x".repeat(61));
    assert_eq!(rejection(service.reserve(other, unknown).await), Rejection::UnknownVariant);
}
