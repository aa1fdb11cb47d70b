//! [`DropService`] with its workers: deadlines, other instances, and those who watch.
//!
//! Workers sleep by a clock of their own, which a case moves on until it has heard what it
//! waits for. What it hears carries the store's time, which is what is compared.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::ManualClock;
use crate::model::{DropId, DropStatus, NewDrop, Reservation, Revision, Window};
use crate::rules::Change;
use crate::runtime::{Update, Updates};
use crate::service::{Builder, DropService, Reserve};
use crate::store::{DropPage, Store};

use super::commands::{HOLD, TICK, before, purchase, reserve, terms, units};
use super::races::at_once;
use super::trial::{Trial, apply};
use super::{Faulty, START};

const SECOND: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_secs(1 << 31);

/// A service with running workers and one subscriber.
pub(super) struct Running {
    pub(super) service: DropService,
    pub(super) updates: Updates,
    pub(super) clock: Arc<ManualClock>,
    pub(super) cancel: CancellationToken,
    pub(super) workers: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Workers that neither sweep nor poll, unless `set` says otherwise, and that have seen
    /// what was there before them.
    pub(super) async fn start(store: Arc<dyn Store>, set: impl FnOnce(Builder) -> Builder) -> Self {
        // Another time than the store's: it must not matter.
        let clock = Arc::new(ManualClock::new(before(START, 1000 * HOLD)));
        let store = Faulty::new(store);
        let builder = DropService::builder(store.clone())
            .clock(clock.clone())
            .sweep_every(NEVER)
            .poll_every(NEVER);
        let (service, workers) = set(builder).build();
        let updates = service.subscribe();
        let cancel = CancellationToken::new();
        let workers = tokio::spawn(workers.run(cancel.clone()));
        // Deadlines, heads, upcoming drops, open drops.
        store.looked(4).await;
        Self { service, updates, clock, cancel, workers }
    }

    /// Moves the workers' clock on by `step` again and again, until an update is what `want`
    /// wants. Updates before that are passed over.
    pub(super) async fn until<T>(
        &mut self,
        step: Duration,
        mut want: impl FnMut(&Update) -> Option<T>,
    ) -> T {
        loop {
            // However long this waits, nothing is concluded from it.
            match tokio::time::timeout(Duration::from_millis(2), self.updates.next()).await {
                Ok(Some(update)) => {
                    if let Some(wanted) = want(&update) {
                        return wanted;
                    }
                }
                Ok(None) => panic!("the service is gone"),
                Err(_) => self.clock.advance(step).await,
            }
        }
    }

    /// The change that made `revision`.
    pub(super) async fn change(&mut self, drop_id: DropId, revision: u64) -> Arc<Change> {
        let revision = Revision::new(revision);
        self.until(SECOND, |update| changed(update, drop_id).filter(|c| c.revision == revision))
            .await
    }

    pub(super) async fn stop(self) {
        self.cancel.cancel();
        self.workers.await.expect("the workers end");
    }
}

fn changed(update: &Update, drop_id: DropId) -> Option<Arc<Change>> {
    match update {
        Update::Changed(change) if change.drop_id == drop_id => Some(change.clone()),
        _ => None,
    }
}

pub(super) async fn is_told_of_a_lapse_at_the_deadline(t: &Trial) {
    let drop_id = t.plain(2).await;
    let mut running = Running::start(t.store(), |builder| builder).await;
    let hold = running.service.reserve(drop_id, Reserve::one("ann")).await.expect("a hold");
    running.change(drop_id, 2).await;
    let deadline = hold.reservation.expires_at();
    t.set(before(deadline, TICK)).await;
    let second = running.service.reserve(drop_id, Reserve::one("bob")).await.expect("a hold");
    t.set(deadline).await;
    let lapse = running.change(drop_id, 4).await;
    assert_eq!(lapse.as_of, deadline);
    assert_eq!(lapse.updated.iter().map(Reservation::id).collect::<Vec<_>>(), [hold.id()]);
    assert_eq!(lapse.stock().available().get(), 1);
    t.set(second.reservation.expires_at()).await;
    let lapse = running.change(drop_id, 5).await;
    assert_eq!(lapse.stock().available().get(), 2);
    running.stop().await;
}

pub(super) async fn finds_holds_of_another_instance_by_the_sweep(t: &Trial) {
    let drop_id = t.plain(1).await;
    let mut running =
        Running::start(t.instance(0), |builder| builder.sweep_every(5 * SECOND)).await;
    apply(&*t.instance(1), drop_id, vec![reserve("ann")]).await;
    t.pass(HOLD).await;
    let lapse = running.change(drop_id, 3).await;
    assert_eq!((lapse.as_of, lapse.stock().available().get()), (t.now(), 1));
    running.stop().await;
}

pub(super) async fn settles_holds_from_before_it_started(t: &Trial) {
    let (lapsed, live) = (t.plain(1).await, t.plain(1).await);
    t.hold(lapsed, "ann").await;
    t.pass(HOLD / 2).await;
    let hold = t.hold(live, "ann").await;
    t.pass(HOLD / 2).await;
    let mut running = Running::start(t.store(), |builder| builder).await;
    let lapse = running.change(lapsed, 3).await;
    assert_eq!(lapse.as_of, t.now());
    t.set(hold.expires_at()).await;
    let lapse = running.change(live, 3).await;
    assert_eq!(lapse.as_of, hold.expires_at());
    running.stop().await;
}

pub(super) async fn is_told_of_another_services_changes(t: &Trial) {
    let here = Running::start(t.instance(0), |builder| builder).await;
    let mut there = Running::start(t.instance(1), |builder| builder.poll_every(SECOND)).await;
    let new = NewDrop::plain(terms(), units(2));
    let drop_id = here.service.create_drop(new.expect("a drop")).await.expect("a drop").id;
    t.note(drop_id);
    let hold = here.service.reserve(drop_id, Reserve::one("ann")).await.expect("a hold");
    let taken = there.change(drop_id, 2).await;
    assert_eq!(taken.inserted, [hold.reservation]);
    here.service.purchase(hold.id(), "ann").await.expect("a purchase");
    let bought = there.change(drop_id, 3).await;
    assert_eq!(bought.purchasers.len(), 1);
    here.stop().await;
    there.stop().await;
}

pub(super) async fn has_every_change_once_and_in_order(t: &Trial) {
    let drop_id = t.plain(40).await;
    let mut running = [
        Running::start(t.instance(0), |builder| builder.poll_every(SECOND).batch(1)).await,
        Running::start(t.instance(1), |builder| builder.poll_every(SECOND).batch(1)).await,
    ];
    let services = running.each_ref().map(|running| running.service.clone());
    let answers = at_once(40, |index| {
        let service = services[index % 2].clone();
        async move { service.reserve(drop_id, Reserve::one(format!("user_{index}"))).await }
    });
    for answer in answers.await {
        answer.expect("a hold");
    }
    for running in &mut running {
        let mut seen = Vec::new();
        running
            .until(SECOND, |update| {
                seen.extend(changed(update, drop_id).map(|change| change.revision.get()));
                (seen.last() == Some(&41)).then_some(())
            })
            .await;
        let first = seen.first().copied().unwrap_or(0);
        assert_eq!(seen, (first..=41).collect::<Vec<_>>(), "in order, each once, none missing");
    }
    for running in running {
        running.stop().await;
    }
}

pub(super) async fn replays_from_a_revision(t: &Trial) {
    let (drop_id, other) = (t.plain(9).await, t.plain(9).await);
    for who in ["amy", "bob", "cat", "dan"] {
        t.hold(drop_id, who).await;
        t.hold(other, who).await;
    }
    let (service, _workers) = DropService::builder_shared(t.store()).build();
    let mut updates =
        service.subscribe_from(drop_id, Revision::new(3)).await.expect("a subscription");
    service.reserve(other, Reserve::one("eve")).await.expect("a hold");
    service.reserve(drop_id, Reserve::one("eve")).await.expect("a hold");
    let feed = t.feed(drop_id).await;
    for expected in &feed[3..] {
        let update = updates.next().await.expect("an update");
        let change = changed(&update, drop_id);
        assert_eq!(change.as_ref(), Some(expected), "{update:?}");
    }
    let mut present =
        service.subscribe_from(drop_id, Revision::new(6)).await.expect("a subscription");
    service.reserve(drop_id, Reserve::one("fay")).await.expect("a hold");
    let update = present.next().await.expect("an update");
    assert_eq!(changed(&update, drop_id).map(|change| change.revision.get()), Some(7));
}

pub(super) async fn is_given_the_present_where_the_past_is_trimmed(t: &Trial) {
    let drop_id = t.plain(9).await;
    for who in ["amy", "bob", "cat", "dan"] {
        t.hold(drop_id, who).await;
    }
    t.store().trim(2).await.expect("a count");
    let (service, _workers) = DropService::builder_shared(t.store()).build();
    let mut updates =
        service.subscribe_from(drop_id, Revision::FIRST).await.expect("a subscription");
    match updates.next().await {
        Some(Update::Refreshed(present)) => assert_eq!(*present, t.snapshot(drop_id).await),
        other => panic!("{other:?}"),
    }
    service.reserve(drop_id, Reserve::one("eve")).await.expect("a hold");
    let update = updates.next().await.expect("an update");
    assert_eq!(changed(&update, drop_id).map(|change| change.revision.get()), Some(6));
}

pub(super) async fn is_told_that_it_missed_something(t: &Trial) {
    let drop_id = t.plain(20).await;
    let builder = DropService::builder_shared(t.store()).subscriber_capacity(4);
    let (service, _workers) = builder.build();
    let mut slow = service.subscribe();
    for index in 0..20 {
        service.reserve(drop_id, Reserve::one(format!("user_{index}"))).await.expect("a hold");
    }
    let Some(Update::Missed(missed)) = slow.next().await else { panic!("it cannot have all") };
    let mut rest = 0;
    let mut last = Revision::ZERO;
    while last < Revision::new(21) {
        let update = slow.next().await.expect("an update");
        last = changed(&update, drop_id).expect("a change").revision;
        rest += 1;
    }
    assert_eq!(missed + rest, 20, "what it did not miss it has");
}

pub(super) async fn is_told_when_a_window_opens_and_closes(t: &Trial) {
    let hour = Duration::from_secs(3600);
    let (opens, closes) = (START.saturating_add(hour), START.saturating_add(2 * hour));
    let window = Window::new(opens, Some(closes)).expect("a window");
    let before_it_ran = t.drop_with(1, |terms| terms.window = window).await;
    let mut running = Running::start(t.store(), |builder| builder.poll_every(SECOND)).await;
    let mut own = terms();
    own.window = window;
    let new = NewDrop::plain(own, units(1)).expect("a drop");
    let while_it_runs = running.service.create_drop(new).await.expect("a drop").id;
    t.note(while_it_runs);
    for (at, status) in [(opens, DropStatus::Open), (closes, DropStatus::Ended)] {
        t.set(at).await;
        let mut told = Vec::new();
        while told.len() < 2 {
            let snapshot = running.until(20 * SECOND, |update| match (update, status) {
                (Update::Opened(snapshot), DropStatus::Open)
                | (Update::Ended(snapshot), DropStatus::Ended) => Some(snapshot.clone()),
                (Update::Opened(_) | Update::Ended(_), _) => panic!("not now: {update:?}"),
                _ => None,
            });
            let snapshot = snapshot.await;
            assert_eq!((snapshot.as_of, snapshot.status(at)), (at, status));
            told.push(snapshot.id);
        }
        told.sort_unstable();
        assert_eq!(told, [before_it_ran, while_it_runs], "each once");
    }
    running.stop().await;
}

pub(super) async fn is_told_of_a_deletion(t: &Trial) {
    let drop_id = t.plain(2).await;
    let mut here = Running::start(t.instance(0), |builder| builder.poll_every(SECOND)).await;
    let mut there = Running::start(t.instance(1), |builder| builder.poll_every(SECOND)).await;
    let hold = here.service.reserve(drop_id, Reserve::one("ann")).await.expect("a hold");
    let command = purchase(hold.id(), "ann");
    t.done(drop_id, command).await;
    for running in [&mut here, &mut there] {
        running.change(drop_id, 3).await;
    }
    here.service.delete_drop(drop_id, true).await.expect("it is deleted");
    for mut running in [here, there] {
        let gone = running.until(SECOND, |update| match update {
            Update::Deleted(gone) => Some(*gone),
            _ => None,
        });
        assert_eq!(gone.await, drop_id);
        running.stop().await;
    }
}

pub(super) async fn who_read_before_the_workers_ran_is_told_to_read_again(t: &Trial) {
    let drop_id = t.plain(2).await;
    let clock = Arc::new(ManualClock::new(START));
    let builder = DropService::builder_shared(t.store()).clock(clock);
    let (service, workers) = builder.poll_every(NEVER).sweep_every(NEVER).build();
    let mut updates = service.subscribe();
    let all = DropPage { status: None, after: None, limit: 10 };
    assert_eq!(service.drop_snapshots(&all).await.expect("drops").len(), 1);
    // Another instance, between that reading and the workers' first look.
    apply(&*t.instance(1), drop_id, vec![reserve("ann")]).await;
    let created = t.plain(2).await;
    let cancel = CancellationToken::new();
    let workers = tokio::spawn(workers.run(cancel.clone()));
    while !matches!(updates.next().await, Some(Update::Missed(_))) {}
    let present = service.drop_snapshots(&all).await.expect("drops");
    let present: Vec<_> = present.iter().map(|drop| (drop.id, drop.revision.get())).collect();
    assert_eq!(present, [(created, 1), (drop_id, 2)]);
    cancel.cancel();
    workers.await.expect("the workers end");
}

pub(super) async fn who_read_a_drop_is_told_of_its_deletion(t: &Trial) {
    let clock = Arc::new(ManualClock::new(START));
    let builder = DropService::builder_shared(t.store()).clock(clock.clone());
    let (service, workers) = builder.poll_every(SECOND).sweep_every(NEVER).build();
    let mut updates = service.subscribe();
    let cancel = CancellationToken::new();
    let workers = tokio::spawn(workers.run(cancel.clone()));
    while !matches!(updates.next().await, Some(Update::Missed(_))) {}
    // Another instance makes a drop and deletes it before the bus here has met it.
    let drop_id = t.plain(2).await;
    service.drop_snapshot(drop_id).await.expect("a reading").expect("a drop");
    t.instance(1).delete_drop(drop_id, false).await.expect("a deletion");
    loop {
        match tokio::time::timeout(Duration::from_millis(2), updates.next()).await {
            Ok(Some(Update::Deleted(id))) if id == drop_id => break,
            Ok(Some(Update::Changed(_) | Update::Refreshed(_))) => {}
            Ok(other) => panic!("{other:?}"),
            Err(_) => clock.advance(SECOND).await,
        }
    }
    cancel.cancel();
    workers.await.expect("the workers end");
}
