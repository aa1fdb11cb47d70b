//! [`DropService`] on a store that fails, and at its end.

use std::task::Poll;

use futures::poll;

use crate::error::{ServiceError, StoreError};
use crate::runtime::Workers;
use crate::service::{DropService, Reserve};
use crate::store::Scope;

use super::trial::Trial;
use super::watch::Running;
use super::{Fault, Faulty};

fn failing(t: &Trial) -> (Faulty, DropService, Workers) {
    let store = Faulty::new(t.store());
    let (service, workers) = DropService::builder(store.clone()).build();
    (store, service, workers)
}

fn fault<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> StoreError {
    match answer {
        Err(ServiceError::Store(error)) => error,
        other => panic!("a fault was expected, not {other:?}"),
    }
}

fn unknown() -> StoreError {
    match StoreError::unavailable("the connection was cut") {
        StoreError::Unavailable(cause) => StoreError::Unknown(cause),
        other => other,
    }
}

pub(super) async fn a_panic_frees_the_lane(t: &Trial) {
    let (store, service, _workers) = failing(t);
    let drop_id = t.plain(3).await;
    store.plan_wait_then(Fault::Panic);
    let mut first = Box::pin(service.reserve(drop_id, Reserve::one("ann")));
    assert!(poll!(&mut first).is_pending());
    store.waits().await;
    let mut behind = Box::pin(service.reserve(drop_id, Reserve::one("bob")));
    assert!(poll!(&mut behind).is_pending());
    store.let_go();
    let in_batch = fault(first.await);
    assert!(matches!(in_batch, StoreError::Unknown(_)), "it may have happened: {in_batch:?}");
    let not_begun = fault(behind.await);
    assert!(matches!(not_begun, StoreError::Unavailable(_)), "it has not: {not_begun:?}");
    assert!(in_batch.is_retryable() && not_begun.is_retryable());
    for who in ["ann", "bob"] {
        service.reserve(drop_id, Reserve::one(who)).await.expect("the lane is free again");
    }
    assert_eq!(t.counts(drop_id).await, (1, 2, 0));
}

pub(super) async fn a_fault_is_answered_and_passes(t: &Trial) {
    let (store, service, _workers) = failing(t);
    let drop_id = t.plain(3).await;
    store.plan(Fault::Fail(StoreError::unavailable("out of connections")));
    let error = fault(service.reserve(drop_id, Reserve::one("ann")).await);
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(t.revision(drop_id).await, 1, "nothing was written");
    let again = service.reserve(drop_id, Reserve::one("ann")).await.expect("the next is served");
    assert!(!again.extended);
}

pub(super) async fn a_corrupt_drop_is_stopped_until_an_audit(t: &Trial) {
    let (store, service, _workers) = failing(t);
    let (drop_id, other) = (t.plain(3).await, t.plain(3).await);
    store.plan(Fault::Fail(StoreError::corrupt("as planned")));
    for _ in 0..3 {
        let error = fault(service.reserve(drop_id, Reserve::one("ann")).await);
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert!(!error.is_retryable());
    }
    assert_eq!(store.batches(), [1], "the store is left alone");
    service.reserve(other, Reserve::one("ann")).await.expect("other drops go on");
    assert!(service.audit(drop_id).await.expect("an audit").is_sound());
    service.reserve(drop_id, Reserve::one("ann")).await.expect("it is taken up again");
}

pub(super) async fn a_corrupt_drop_stops_those_who_wait(t: &Trial) {
    let (store, service, _workers) = failing(t);
    let drop_id = t.plain(3).await;
    store.plan_wait_then(Fault::Fail(StoreError::corrupt("as planned")));
    let mut first = Box::pin(service.reserve(drop_id, Reserve::one("ann")));
    assert!(poll!(&mut first).is_pending());
    store.waits().await;
    let mut behind = Box::pin(service.reserve(drop_id, Reserve::one("bob")));
    assert!(poll!(&mut behind).is_pending());
    store.let_go();
    for answer in [first.await, behind.await] {
        let error = fault(answer);
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    }
    assert_eq!(store.batches(), [1]);
    assert!(t.holds(&Scope::Drop(drop_id)).await.is_empty(), "nothing is sold from it");
}

pub(super) async fn a_lost_answer_converges(t: &Trial) {
    let store = Faulty::new(t.store());
    let mut running = Running::start(std::sync::Arc::new(store.clone()), |builder| builder).await;
    let service = running.service.clone();
    let drop_id = t.plain(3).await;
    service.reserve(drop_id, Reserve::one("bob")).await.expect("a hold");
    running.change(drop_id, 2).await;

    store.plan(Fault::LoseAnswer(unknown()));
    let error = fault(service.reserve(drop_id, Reserve::one("ann")).await);
    assert!(matches!(error, StoreError::Unknown(_)) && error.is_retryable(), "{error:?}");
    let hold = service.reserve(drop_id, Reserve::one("ann")).await.expect("the hold");
    assert!(hold.extended, "it was taken the first time");

    store.plan(Fault::LoseAnswer(unknown()));
    fault(service.purchase(hold.id(), "ann").await);
    let sale = service.purchase(hold.id(), "ann").await.expect("the purchase");
    assert!(sale.repeated, "it was made the first time");

    store.plan(Fault::LoseAnswer(unknown()));
    let bobs = t.holds(&Scope::Drop(drop_id)).await[0].reservation.id();
    fault(service.release(bobs, "bob").await);
    service.release(bobs, "bob").await.expect("the release");
    assert_eq!(t.counts(drop_id).await, (2, 0, 1));

    // Whoever watches has them too as soon as anything is heard of the drop again.
    service.reserve(drop_id, Reserve::one("cat")).await.expect("a hold");
    for revision in 3..=6 {
        running.change(drop_id, revision).await;
    }
    running.stop().await;
}

pub(super) async fn closing_finishes_what_was_accepted(t: &Trial) {
    let store = Faulty::new(t.store());
    let running = Running::start(std::sync::Arc::new(store.clone()), |builder| builder).await;
    let service = running.service.clone();
    let drop_id = t.plain(9).await;
    store.plan_wait();
    let mut accepted = Vec::new();
    for who in ["amy", "bob", "cat", "dan"] {
        let mut ask = Box::pin(service.reserve(drop_id, Reserve::one(who)));
        assert!(poll!(&mut ask).is_pending());
        accepted.push(ask);
    }
    store.waits().await;
    running.cancel.cancel();
    loop {
        // What is asked before the service has closed is taken back again.
        let mut late = Box::pin(service.reserve(drop_id, Reserve::one("eve")));
        match poll!(&mut late) {
            Poll::Ready(Err(ServiceError::Closed)) => break,
            Poll::Ready(answer) => panic!("{answer:?}"),
            Poll::Pending => drop(late),
        }
        tokio::task::yield_now().await;
    }
    assert!(!running.workers.is_finished(), "somebody is still served");
    store.let_go();
    let (answers, ended) = futures::join!(futures::future::join_all(accepted), running.workers);
    for answer in answers {
        answer.expect("what was accepted is done");
    }
    ended.expect("the workers end");
    assert_eq!(t.counts(drop_id).await, (5, 4, 0));
}

pub(super) async fn closing_waits_for_nobody_who_does_not_ask(t: &Trial) {
    let store = Faulty::new(t.store());
    let running = Running::start(std::sync::Arc::new(store.clone()), |builder| builder).await;
    let drop_id = t.plain(9).await;
    store.plan_wait();
    let mut idle = Box::pin(running.service.reserve(drop_id, Reserve::one("ann")));
    assert!(poll!(&mut idle).is_pending());
    store.waits().await;
    running.cancel.cancel();
    store.let_go();
    running.workers.await.expect("the workers end, though nobody looks at the answer");
    assert!(!idle.await.expect("the answer waits").extended);
    assert_eq!(t.counts(drop_id).await, (8, 1, 0));
}
