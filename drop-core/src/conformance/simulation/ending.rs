//! How a run ends: nothing goes wrong any more, and everything must come right.

use std::time::Duration;

use futures::FutureExt;

use crate::conformance::history::{Answer, Ask, Call, violations};
use crate::error::ServiceError;
use crate::model::{DropId, DropSnapshot, Status, Units};
use crate::rules::Rejection;
use crate::service::{Purchased, Reserve, Reserved};
use crate::store::{Page, Scope};

use super::desk::Verdict;
use super::instance::Instance;
use super::known::Known;
use super::request::{Request, Told};
use super::stage::Stage;

impl Stage<'_> {
    /// Ends the run.
    ///
    /// # Panics
    /// Where something does not come right.
    pub(super) async fn end(&mut self) {
        self.trace.note("end", &[], String::new);
        self.desk.calm();
        self.mood.faults = 0;
        if self.store_offset != 0 {
            self.set_store_clock(0);
        }
        // Sometimes the one that is left is one that has been through all of it.
        let whole = |instance: &Option<Instance>| {
            instance.as_ref().is_some_and(|running| running.workers.is_some())
        };
        let last = self.instances.iter().position(whole).filter(|_| self.dice.one_in(3));
        for instance in 0..self.instances.len() {
            match &mut self.instances[instance] {
                _ if last.is_some_and(|last| last != instance) => self.crash(instance),
                Some(running) if running.workers.is_some() => running.paused_until = 0,
                _ => {
                    self.crash(instance);
                    self.start(instance, true);
                }
            }
        }
        self.drain().await;
        self.retry().await;
        self.expire().await;
        self.compare_everything().await;
        self.check_histories();
        self.stop().await;
    }

    /// Lets everything go that waits, until nobody is left.
    async fn drain(&mut self) {
        self.settle().await;
        while let Some(next) =
            self.desk.waiting(|waiting| (!waiting.is_empty()).then(|| waiting.remove(0)))
        {
            self.summary.steps += 1;
            self.trace
                .note("goes", &[next.number, next.incarnation], || format!("{:?}", next.what));
            next.let_go(Verdict::Go);
            self.settle().await;
        }
        let left: Vec<_> = self.calls.keys().collect();
        assert!(left.is_empty(), "calls {left:?} are never answered");
    }

    /// I8: what was not acknowledged converges to one answer when repeated. All of it, the
    /// oldest first; what was asked several times in the same words is asked for once.
    async fn retry(&mut self) {
        let mut retried: Vec<Request> = Vec::new();
        for request in std::mem::take(&mut self.unresolved) {
            if retried.contains(&request) {
                continue;
            }
            retried.push(request.clone());
            if matches!(request, Request::Create { .. }) {
                continue; // a drop has no natural key: it would be created again
            }
            let answer = self.ask_now(&request).await;
            let again = self.ask_now(&request).await;
            assert!(converges(&answer, &again), "I8: {request:?}: {answer:?}, then {again:?}");
        }
    }

    /// Asks some instance and hears the answer, which nothing keeps from coming.
    async fn ask_now(&mut self, request: &Request) -> Told {
        loop {
            let ready = self.ready_instances();
            let instance = self.dice.pick(&ready);
            let call = self.summary.operations;
            self.begin(instance, request.clone(), true);
            self.drain().await;
            match self.last_told.take() {
                // The lane may have one place, and a worker may have taken it.
                Some((_, told)) if told.is_busy() => {}
                Some((number, told)) if number == call => return told,
                other => panic!("call {call} was not the last to be answered: {other:?}"),
            }
        }
    }

    /// I7: what lapses is settled by the workers, without anybody asking for it.
    async fn expire(&mut self) {
        // The store's clock was set a moment ago: a sweep finds what has lapsed by that.
        for _ in 0..2 {
            self.pass(Instance::SWEEP);
            self.drain().await;
        }
        for round in 0..64 {
            let now = self.now();
            let rows = self.witness.live().flat_map(|known| known.rows.reservations.values());
            let active = rows.filter(|row| row.status() == Status::Active);
            let Some(next) = active.map(crate::model::Reservation::expires_at).min() else {
                return;
            };
            // Whatever the workers have not heard of is found by a sweep.
            let slack = Instance::SWEEP + Instance::SWEEP;
            assert!(
                now < next.saturating_add(slack),
                "I7: a hold until {next:?} is there at {now:?}"
            );
            let span = if round % 2 == 0 { next.since(now) } else { Instance::SWEEP };
            self.pass(span);
            self.drain().await;
        }
    }

    async fn compare_everything(&mut self) {
        // A poll finds whatever no hint told of.
        for _ in 0..3 {
            self.pass(Instance::POLL);
            self.drain().await;
        }
        let store = self.data.store(0);
        let now = self.now();
        let all = Page { before: None, limit: 1_000_000 };
        for known in self.witness.live() {
            let id = known.rows.drop_id;
            let read = store.snapshot(id).await.expect("a drop is read");
            self.witness.read(id, read.as_ref(), now);
            let feed = store.changes(id, Default::default(), usize::MAX).await;
            known.compare_feed(Default::default(), usize::MAX, &feed.expect("a feed is read"));
            let scope = Scope::Drop(id);
            let held = store.holds(&scope, all).await.expect("holds are read");
            let held: Vec<_> = held.iter().map(|held| held.reservation).collect();
            assert_eq!(held, known.rows.holds_at(now), "the holds read of drop {id}");
            let sold = store.purchases(&scope, all).await.expect("purchases are read");
            let sold: Vec<_> = sold.iter().map(|sale| sale.purchase).collect();
            assert_eq!(sold, known.rows.purchases(), "I3: the purchases read of drop {id}");
            let audit = store.audit(id).await.expect("an audit").expect("a drop");
            assert!(audit.is_sound(), "I1 to I4: drop {id}: {:?}", audit.findings());
            let read = read.map(|read| read.stock().held());
            let held: Units = known.rows.variants.iter().map(|v| v.stock.held()).sum();
            assert!(held.is_zero() && read == Some(held), "I2: {held} units of {id} stay held");
        }
        self.listen();
        for instance in self.instances.iter().flatten() {
            for watcher in &instance.watchers {
                watcher.converged(instance.incarnation, &self.witness);
            }
        }
    }

    /// What all callers were told, against the feed and real time, for every drop that there
    /// ever was.
    fn check_histories(&self) {
        let calls = self.recorder.calls();
        for (id, known) in &self.witness.drops {
            let of_drop = calls.iter().filter(|call| call.ask.drop_id() == *id);
            let of_drop: Vec<_> = of_drop.filter_map(|call| while_there(call, known)).collect();
            let found = violations(&of_drop, &known.changes, Duration::ZERO);
            assert!(found.is_empty(), "the history of drop {id}: {}", found[0]);
        }
    }

    /// Everybody stops, and whoever comes after that is told so.
    async fn stop(&mut self) {
        for instance in self.instances.iter().flatten() {
            if let Some((_, cancel)) = &instance.workers {
                cancel.cancel();
            }
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        for instance in self.instances.drain(..).flatten() {
            let ended = instance.workers.is_some_and(|(task, _)| task.is_finished());
            assert!(ended, "the workers of incarnation {} do not end", instance.incarnation);
            let late =
                instance.service.reserve(DropId::new(1).expect("an id"), Reserve::one("amy"));
            let late = late.now_or_never();
            assert!(matches!(late, Some(Err(ServiceError::Closed))), "after the end: {late:?}");
        }
    }
}

/// A call as a history has it in which the drop is there all the time: who came too early or
/// was answered too late may have been refused because it was not.
fn while_there(call: &Call, known: &Known) -> Option<Call> {
    let ended = call.ended.unwrap_or(u64::MAX);
    let there =
        call.began > known.created_at && known.deleted_at.is_none_or(|deleted| ended <= deleted);
    if there || !matches!(call.answer, Answer::Refused(_)) {
        return Some(call.clone());
    }
    // An amendment is answered with the drop read after it, which may be gone by then.
    let amends = matches!(call.ask, Ask::Amend { .. });
    amends.then(|| Call { answer: Answer::Unknown, ..call.clone() })
}

/// Whether the second answer is the first one again.
fn converges(first: &Told, second: &Told) -> bool {
    match (first, second) {
        (Told::Reserved(first), Told::Reserved(second)) => {
            let Reserved { reservation, .. } = first;
            second.extended && second.reservation == *reservation
        }
        (Told::Purchased(first), Told::Purchased(second)) => {
            let Purchased { purchase, .. } = first;
            second.repeated && second.purchase == *purchase
        }
        (Told::Released(first), Told::Released(second)) => first.reservation == second.reservation,
        (Told::Drop(first), Told::Drop(second)) => {
            first.as_ref().map(DropSnapshot::stock) == second.as_ref().map(DropSnapshot::stock)
        }
        // Deleted, and then not there any more.
        (Told::Done, Told::Failed(ServiceError::Rejected(refused))) => {
            matches!(refused, Rejection::DropNotFound | Rejection::UserNotFound)
        }
        (
            Told::Failed(ServiceError::Rejected(first)),
            Told::Failed(ServiceError::Rejected(second)),
        ) => first == second,
        // It was the present revision, and is not any more.
        (Told::Drop(_), Told::Failed(ServiceError::Rejected(refused))) => {
            *refused == Rejection::Stale
        }
        _ => false,
    }
}
