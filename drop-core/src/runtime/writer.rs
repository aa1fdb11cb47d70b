//! What drains the lanes: batches in, answers and news out.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::error::{ServiceError, StoreError};
use crate::model::{DropId, Revision, Timestamp};
use crate::rules::{Applied, Batch, Command, Effect, Outcome};
use crate::store::Store;

use super::admission::admit;
use super::bus::Bus;
use super::heads::Published;
use super::lane::Refused;
use super::lanes::{Lanes, SharedLane};

/// The answer to one command, with the revision and time of its decision.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) effect: Effect,
    pub(crate) revision: Revision,
    pub(crate) as_of: Timestamp,
}

/// Bounds of the writer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriterLimits {
    /// Commands that may wait for one drop.
    pub(crate) lane_capacity: usize,
    /// Commands in one batch.
    pub(crate) batch: usize,
}

type Reply = oneshot::Sender<Result<Answer, ServiceError>>;

#[derive(Debug)]
struct Request {
    command: Command,
    reply: Reply,
}

/// Turns commands into batches, one in flight per drop.
///
/// No timer: a lone command goes at once as a batch of one, and what queues while a batch is
/// in flight forms the next.
#[derive(Debug)]
pub(crate) struct Writer {
    store: Arc<dyn Store>,
    bus: Arc<Bus>,
    lanes: Lanes<Request>,
    drains: TaskTracker,
    limits: WriterLimits,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn Store>, bus: Arc<Bus>, limits: WriterLimits) -> Self {
        Self { store, bus, lanes: Lanes::new(), drains: TaskTracker::new(), limits }
    }

    /// Queues a command and waits for its answer.
    ///
    /// Dropping the future before its batch has begun takes the command back; after that it
    /// runs to its end, and only the answer is lost.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        drop_id: DropId,
        command: Command,
    ) -> Result<Answer, ServiceError> {
        let answer = self.enter(drop_id, command)?;
        // The reply is dropped unsent only when the drain broke off inside the store.
        answer.await.unwrap_or_else(|broken| {
            Err(ServiceError::Store(StoreError::Unknown(Arc::new(broken))))
        })
    }

    /// Queues a command, and starts the lane's drain where nobody drains it.
    fn enter(
        self: &Arc<Self>,
        drop_id: DropId,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<Answer, ServiceError>>, ServiceError> {
        // Given back before the answer is waited for, which the drain's own token covers.
        let _token = admit(&self.drains).ok_or(ServiceError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { command, reply };
        match self.lanes.enter(drop_id, request, self.limits.lane_capacity)? {
            Ok(Some(lane)) => {
                let drain = Drain { writer: self.clone(), drop_id, lane, finished: false };
                self.drains.spawn(drain.run());
            }
            Ok(None) => {}
            Err(Refused::Full) => return Err(ServiceError::Busy),
        }
        Ok(answer)
    }

    /// Stops a drop: everything further for it is answered with `error`.
    pub(crate) fn stop(&self, drop_id: DropId, error: StoreError) {
        tracing::error!(%drop_id, %error, "drop stopped");
        self.lanes.stop(drop_id, error);
    }

    /// Takes a stopped drop up again.
    pub(crate) fn resume(&self, drop_id: DropId) {
        self.lanes.resume(drop_id);
    }

    /// Refuses new commands and waits until those accepted are answered.
    pub(crate) async fn close(&self) {
        self.drains.close();
        self.drains.wait().await;
    }
}

/// The one drainer of one lane.
///
/// Its destructor frees the lane when the drain breaks off, as it does when a store panics.
struct Drain {
    writer: Arc<Writer>,
    drop_id: DropId,
    lane: SharedLane<Request>,
    /// The lane is idle, or somebody else's already.
    finished: bool,
}

impl Drain {
    /// The most turns that a drain lets others have between two batches.
    const TURNS: usize = 64;

    async fn run(mut self) {
        while let Some(requests) = self.lane.take(self.writer.limits.batch) {
            let in_company = requests.len() > 1;
            self.apply(requests).await;
            if in_company {
                self.gather().await;
            }
        }
        self.finished = true;
    }

    /// Lets those who were answered have their turn before the next batch is taken: who asks again
    /// at once is in it. Otherwise two crowds chase each other with batches of half the size.
    ///
    /// Goes on for as long as somebody comes, and not by time: where nobody does, it costs one
    /// turn of the runtime.
    async fn gather(&self) {
        let mut waiting = self.lane.waiting();
        for _ in 0..Self::TURNS {
            tokio::task::yield_now().await;
            let now = self.lane.waiting();
            if now == waiting || now >= self.writer.limits.batch {
                break;
            }
            waiting = now;
        }
    }

    async fn apply(&self, requests: Vec<Request>) {
        let mut commands = Vec::with_capacity(requests.len());
        let mut replies = Vec::with_capacity(requests.len());
        // Who has gone before the batch begins does not want the units any more.
        for request in requests.into_iter().filter(|request| !request.reply.is_closed()) {
            commands.push(request.command);
            replies.push(request.reply);
        }
        if commands.is_empty() {
            return;
        }
        if let Err(stopped) = self.writer.lanes.check(self.drop_id) {
            return fail(replies, &stopped.into());
        }
        let batch = match Batch::new(self.drop_id, commands) {
            Ok(batch) => batch,
            Err(invalid) => return fail(replies, &invalid.into()),
        };
        match self.writer.store.apply(&batch).await {
            Ok(applied) => {
                if let Some(change) = applied.change()
                    && self.writer.bus.publish(change) == Published::Gap
                {
                    self.writer.bus.report_gap(self.drop_id);
                }
                self.answer(batch, applied, replies);
            }
            Err(error) => {
                // Once for the whole batch, with what lies behind it.
                let cause: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(drop_id = %self.drop_id, error = cause, "batch failed");
                // It may have been committed all the same.
                self.writer.bus.stir();
                if let StoreError::Corrupt(_) = error {
                    self.writer.stop(self.drop_id, error.clone());
                }
                fail(replies, &error.into());
            }
        }
    }

    fn answer(&self, batch: Batch, applied: Applied, replies: Vec<Reply>) {
        let (revision, as_of) = (applied.revision(), applied.as_of());
        let mut deferred = Vec::new();
        let answered = batch.into_commands().into_iter().zip(replies);
        for ((command, reply), outcome) in answered.zip(applied.into_outcomes()) {
            let answer = match outcome {
                Outcome::Done(effect) => Ok(Answer { effect, revision, as_of }),
                Outcome::Rejected(rejection) => Err(rejection.into()),
                Outcome::Deferred => {
                    deferred.push(Request { command, reply });
                    continue;
                }
            };
            // A caller who has gone does not hear the answer; the commit stands.
            let _ = reply.send(answer);
        }
        if !deferred.is_empty() {
            self.lane.put_back(deferred);
        }
    }
}

impl std::ops::Drop for Drain {
    fn drop(&mut self) {
        if !self.finished {
            let abandoned = self.lane.abandon();
            let reason = StoreError::unavailable("the batch before this request broke off");
            fail(abandoned.into_iter().map(|request| request.reply).collect(), &reason.into());
        }
        self.writer.lanes.retire(self.drop_id);
    }
}

fn fail(replies: Vec<Reply>, error: &ServiceError) {
    for reply in replies {
        let _ = reply.send(Err(error.clone()));
    }
}
