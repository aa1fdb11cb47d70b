//! A run as it stands: instances, calls under way, time, and what everybody has seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::conformance::history::{Answer, Ask, Recorder};
use crate::conformance::{Dice, START};
use crate::model::Timestamp;
use crate::rules::{Applied, Batch, Command, Outcome};
use crate::store::Deletion;

use super::calls::{Act, Call, Deed};
use super::clock::shifted;
use super::desk::{Desk, Event};
use super::instance::Instance;
use super::mood::Mood;
use super::play::{DataSet, Play, Summary};
use super::request::{Request, Told};
use super::states::{Incarnation, Trouble};
use super::trace::{Trace, bits};
use super::witness::Witness;

/// Everything of a run. What the scheduler decides stands in `steps`, what clients do in
/// `clients`, how a run ends in `ending`.
pub(super) struct Stage<'a> {
    pub(super) play: Play,
    pub(super) mood: Mood,
    pub(super) dice: Dice,
    pub(super) data: &'a dyn DataSet,
    pub(super) desk: Arc<Desk>,
    pub(super) instances: Vec<Option<Instance>>,
    pub(super) witness: Witness,
    pub(super) trace: Trace,
    pub(super) summary: Summary,
    pub(super) recorder: Recorder,
    pub(super) calls: BTreeMap<u64, Call>,
    /// What stores did and callers were not told yet.
    pub(super) deeds: Vec<Deed>,
    /// Calls that nobody will ever be answered.
    pub(super) lost: Vec<Call>,
    /// The requests sent last, to be sent again.
    pub(super) sent: VecDeque<Request>,
    /// Requests of which nobody knows whether they were done.
    pub(super) unresolved: Vec<Request>,
    /// The answer to the last call that was answered.
    pub(super) last_told: Option<(u64, Told)>,
    pub(super) incarnations: Incarnation,
    pub(super) elapsed: Duration,
    /// By how many microseconds the store's clock is off.
    pub(super) store_offset: i64,
}

impl<'a> Stage<'a> {
    /// How often it yields until nobody can go on.
    const TURNS: usize = 4;

    pub(super) fn new(play: Play, data: &'a dyn DataSet, in_words: bool) -> Self {
        let mut dice = Dice::new(play.seed);
        let mood = Mood::of(&mut dice, play.instances);
        let desk = Desk::new(Dice::new(dice.roll()), mood.slow_reads, mood.lost_hints);
        let mut stage = Self {
            play,
            dice,
            data,
            desk: Arc::new(desk),
            instances: (0..mood.instances).map(|_| None).collect(),
            witness: Witness::default(),
            trace: Trace::new(in_words),
            summary: Summary { runs: 1, ..Summary::default() },
            recorder: Recorder::new(),
            calls: BTreeMap::new(),
            deeds: Vec::new(),
            lost: Vec::new(),
            sent: VecDeque::new(),
            unresolved: Vec::new(),
            last_told: None,
            incarnations: 0,
            elapsed: Duration::ZERO,
            store_offset: 0,
            mood,
        };
        data.set_time(START);
        for instance in 0..stage.instances.len() {
            stage.start(instance, true);
        }
        stage.trace.note("seed", &[play.seed], || format!("{}: {:?}", play.seed, stage.mood));
        stage
    }

    /// The store's time.
    pub(super) fn now(&self) -> Timestamp {
        shifted(START.saturating_add(self.elapsed), self.store_offset)
    }

    /// Starts an instance, and somebody who watches it.
    pub(super) fn start(&mut self, instance: usize, with_workers: bool) {
        self.incarnations += 1;
        let (inner, desk) = (self.data.store(instance), self.desk.clone());
        let incarnation = self.incarnations;
        let mut started =
            Instance::start(inner, desk, incarnation, self.elapsed, &self.mood, with_workers);
        started.watch(self.desk.clone());
        self.instances[instance] = Some(started);
        self.trace.note("start", &[incarnation, u64::from(with_workers)], || {
            format!("instance {instance}, incarnation {incarnation}, workers: {with_workers}")
        });
    }

    /// Kills an instance: whatever it was doing is never heard of again.
    pub(super) fn crash(&mut self, instance: usize) {
        let Some(mut killed) = self.instances[instance].take() else { return };
        self.trace.note("crash", &[killed.incarnation], || format!("instance {instance}"));
        self.desk.waiting(|waiting| waiting.retain(|call| call.incarnation != killed.incarnation));
        killed.kill();
        let calls: Vec<_> =
            self.calls.values().filter(|call| call.incarnation == killed.incarnation).collect();
        let numbers: Vec<_> = calls.into_iter().map(|call| call.number).collect();
        for number in numbers {
            self.lose(number);
        }
        self.trouble(killed.incarnation);
    }

    /// A call whose answer nobody will hear.
    pub(super) fn lose(&mut self, number: u64) {
        if let Some(call) = self.calls.remove(&number) {
            call.task.abort();
            self.unresolved.push(call.request.clone());
            self.lost.push(call);
        }
    }

    /// Something went wrong in this incarnation, so that its callers may hear of faults.
    pub(super) fn trouble(&mut self, incarnation: Incarnation) {
        self.summary.faults += 1;
        self.deeds.push(Deed { incarnation, act: Act::Trouble, claimed: false });
    }

    /// Time passes for everybody.
    pub(super) fn pass(&mut self, span: Duration) {
        self.elapsed += span;
        let now = self.now();
        self.trace.note("time", &[bits(now.as_micros())], || format!("{}", now.as_micros()));
        self.data.set_time(now);
        for instance in self.instances.iter().flatten() {
            instance.clock.pass(span);
        }
        if span >= Duration::from_secs(60) {
            self.mark(Trouble::ClockForward);
        }
    }

    /// Sets the store's clock, so many microseconds off.
    pub(super) fn set_store_clock(&mut self, offset: i64) {
        if offset < self.store_offset {
            self.mark(Trouble::ClockBack);
        } else {
            self.mark(Trouble::ClockForward);
        }
        self.store_offset = offset;
        let now = self.now();
        self.trace.note("clock", &[bits(offset)], || format!("the store's, off by {offset} us"));
        self.data.set_time(now);
    }

    /// Everything that waits sees a trouble.
    fn mark(&self, trouble: Trouble) {
        self.desk.waiting(|waiting| {
            for call in waiting.iter_mut().filter(|call| !call.done) {
                call.troubles |= trouble.bit();
            }
        });
    }

    /// Lets everybody do what they can do, and takes in what has happened.
    pub(super) async fn settle(&mut self) {
        // Comes back when nobody else can go on: the runtime looks at this task last. More than
        // once, because a lane's drain lets others have their turn, too, between two batches.
        for _ in 0..Self::TURNS {
            tokio::task::yield_now().await;
        }
        self.desk.idle().await;
        let events = self.desk.take_events();
        if events.is_empty() {
            return;
        }
        for event in events {
            self.take_in(event);
        }
        self.listen();
    }

    /// Watchers hear what there is to hear.
    pub(super) fn listen(&mut self) {
        for instance in self.instances.iter_mut().flatten() {
            let before = instance.watchers.len();
            instance.watchers.retain_mut(|watcher| {
                let heard = watcher.listen(&self.witness);
                self.summary.updates += heard.unwrap_or_default();
                heard.is_some()
            });
            // Who was too slow comes again.
            for _ in instance.watchers.len()..before {
                instance.watch(self.desk.clone());
            }
            let ended = instance.workers.as_ref().is_some_and(|(task, _)| task.is_finished());
            assert!(
                !ended,
                "the workers of incarnation {} ended by themselves",
                instance.incarnation
            );
        }
    }

    fn take_in(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Applied(incarnation, batch, Ok(applied)) => {
                let numbers =
                    [incarnation, applied.revision().get(), bits(applied.as_of().as_micros())];
                self.trace.note("decided", &numbers, || {
                    format!("incarnation {incarnation}, {batch:?}: {:?}", applied.outcomes())
                });
                if let Some(change) = self.witness.applied(&batch, &applied, now) {
                    self.trace.change(&change);
                }
                self.record_forgets(&batch, &applied);
                let (revision, as_of) = (applied.revision(), applied.as_of());
                let outcomes = applied.into_outcomes();
                for (command, outcome) in batch.commands().iter().zip(outcomes) {
                    let act =
                        Act::Decided(batch.drop_id(), command.clone(), outcome, revision, as_of);
                    self.deeds.push(Deed { incarnation, act, claimed: false });
                }
            }
            Event::Created(incarnation, new, Ok(made)) => {
                self.witness.created(&new, &made, now);
                if let Some(known) = self.witness.drops.get_mut(&made.id) {
                    known.created_at = self.recorder.moment();
                }
                self.trace
                    .note("created", &[incarnation, bits(made.id.get())], || format!("{made:?}"));
                self.deeds.push(Deed { incarnation, act: Act::Created(made), claimed: false });
            }
            Event::Deleted(incarnation, id, force, Ok(deletion)) => {
                self.trace.note(
                    "deleted",
                    &[incarnation, bits(id.get()), u64::from(force)],
                    || format!("incarnation {incarnation}, drop {id}, force {force}: {deletion:?}"),
                );
                self.witness.deleted(id, force, deletion, now);
                if deletion == Deletion::Deleted
                    && let Some(known) = self.witness.drops.get_mut(&id)
                {
                    known.deleted_at = Some(self.recorder.moment());
                }
                let act = Act::Deleted(id, force, deletion);
                self.deeds.push(Deed { incarnation, act, claimed: false });
            }
            Event::UserDeleted(incarnation, username, Ok(deletion)) => {
                self.trace.note("left", &[incarnation], || format!("{username}: {deletion:?}"));
                self.witness.user_deleted(&username, deletion);
                let act = Act::UserDeleted(username, deletion);
                self.deeds.push(Deed { incarnation, act, claimed: false });
            }
            Event::Applied(incarnation, _, Err(error))
            | Event::Created(incarnation, _, Err(error))
            | Event::Deleted(incarnation, _, _, Err(error))
            | Event::UserDeleted(incarnation, _, Err(error)) => {
                Witness::failed(&error);
                self.trouble(incarnation);
            }
            Event::Snapshot(id, read) => self.witness.read(id, read.as_ref(), now),
            Event::Changes(id, since, limit, read) => self.witness.feed(id, since, limit, &read),
            Event::Snapshots(read) => self.witness.read_all(&read, now),
            Event::Watching(incarnation, watcher) => {
                let mut running = self.instances.iter_mut().flatten();
                if let Some(running) = running.find(|running| running.incarnation == incarnation) {
                    self.trace.note("watches", &[incarnation], || {
                        format!("incarnation {incarnation}: {watcher:?}")
                    });
                    running.watchers.extend(watcher);
                }
            }
            Event::Trimmed(keep) => self.witness.trimmed(keep),
            Event::Answered(number, told) => self.answered(number, told),
        }
    }

    /// Writes the parts of users' deletions into the history. Nobody is told of one by itself,
    /// so they are written down when they are done, before anybody can have seen it; those of
    /// one batch at once.
    fn record_forgets(&self, batch: &Batch, applied: &Applied) {
        let mut begun = Vec::new();
        for (command, outcome) in batch.commands().iter().zip(applied.outcomes()) {
            if let Command::Forget { customer } = command {
                let (drop_id, username) = (batch.drop_id(), customer.clone());
                begun.push((self.recorder.begin(Ask::Forget { drop_id, username }), outcome));
            }
        }
        for (ticket, outcome) in begun {
            let answer = match outcome {
                Outcome::Done(_) => Answer::Done { revision: applied.revision() },
                Outcome::Rejected(rejection) => Answer::Refused(rejection.clone()),
                Outcome::Deferred => Answer::NotDone,
            };
            self.recorder.end(ticket, answer);
        }
    }
}
