//! Every pair of changes of one hold at once: the outcome is that of one order or the other.

use std::sync::Arc;

use crate::model::{DropId, NewDrop, ReservationId, Revision, Timestamp};
use crate::rules::{Amendment, Batch, Command, Outcome, Rejection};
use crate::store::{Deletion, Store};

use super::commands::{TICK, before, forget, purchase, release, reserve, terms, units};
use super::races::at_once;
use super::trial::{Trial, apply, counts};
use super::{Model, ModelAnswer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Purchase,
    Release,
    Expire,
    Amend,
    Forget,
    Delete,
    ReserveAgain,
    ReserveByAnother,
}

const ACTS: [Act; 8] = [
    Act::Purchase,
    Act::Release,
    Act::Expire,
    Act::Amend,
    Act::Forget,
    Act::Delete,
    Act::ReserveAgain,
    Act::ReserveByAnother,
];

impl Act {
    /// The command; `None` for the deletion, which is none.
    fn command(self, hold: ReservationId) -> Option<Command> {
        Some(match self {
            Self::Purchase => purchase(hold, "ann"),
            Self::Release => release(hold, "ann"),
            Self::Expire => Command::Expire,
            Self::Amend => Command::Amend(Amendment {
                total: Some(units(2)),
                if_revision: Some(Revision::new(2)),
                ..Amendment::default()
            }),
            Self::Forget => forget("ann"),
            Self::ReserveAgain => reserve("ann"),
            Self::ReserveByAnother => reserve("bob"),
            Self::Delete => return None,
        })
    }

    async fn perform(self, store: Arc<dyn Store>, hold: ReservationId) -> Answer {
        let drop_id = hold.drop_id();
        let Some(command) = self.command(hold) else {
            loop {
                match store.delete_drop(drop_id, true).await {
                    Ok(deletion) => return Answer::Deletion(deletion),
                    Err(error) if error.is_retryable() => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let applied = apply(&*store, drop_id, vec![command]).await;
        Answer::Outcome(applied.into_outcomes().pop().expect("an answer"))
    }

    /// What the model answers; a deleted drop is none.
    fn expected(
        self,
        model: &mut Option<Model>,
        hold: ReservationId,
        at: Timestamp,
    ) -> Expectation {
        let Some(command) = self.command(hold) else {
            let gone = model.take().is_some();
            return Expectation::Deletion(if gone {
                Deletion::Deleted
            } else {
                Deletion::NotFound
            });
        };
        let Some(model) = model else {
            return Expectation::Answer(ModelAnswer::Rejected(Rejection::DropNotFound));
        };
        let batch = Batch::one(hold.drop_id(), command).expect("a batch");
        let answer = model.apply(&batch, at).pop().expect("an answer");
        Expectation::Answer(answer)
    }
}

#[derive(Debug)]
enum Answer {
    Outcome(Outcome),
    Deletion(Deletion),
}

#[derive(Debug)]
enum Expectation {
    Answer(ModelAnswer),
    Deletion(Deletion),
}

impl Expectation {
    fn agrees_with(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Answer(expected), Answer::Outcome(outcome)) => expected.agrees_with(outcome),
            (Self::Deletion(expected), Answer::Deletion(deletion)) => expected == deletion,
            _ => false,
        }
    }
}

/// One act against itself and each after it in the list (those before have had it), a tick
/// before the deadline of the hold and at it.
async fn against_all(t: &Trial, act: Act) {
    const ROUNDS: usize = 2;
    for other in ACTS.into_iter().skip_while(|other| *other != act) {
        for late in [false, true] {
            for _ in 0..ROUNDS {
                race(t, [act, other], late).await;
            }
        }
    }
}

async fn race(t: &Trial, acts: [Act; 2], late: bool) {
    let new = NewDrop::plain(terms(), units(1)).expect("a drop");
    let drop_id = t.create(&new).await.id;
    let mut model = Model::new(&new, t.now());
    let taken = Batch::one(drop_id, reserve("ann")).expect("a batch");
    model.apply(&taken, t.now());
    let hold = t.hold(drop_id, "ann").await;
    let at = if late { hold.expires_at() } else { before(hold.expires_at(), TICK) };
    t.set(at).await;
    let answers = at_once(2, |index| acts[index].perform(t.instance(index), hold.id())).await;
    for order in [[0, 1], [1, 0]] {
        let mut outcome = Some(model.clone());
        let agree = order.iter().all(|index| {
            let expected = acts[*index].expected(&mut outcome, hold.id(), at);
            expected.agrees_with(&answers[*index])
        });
        if agree && agrees(t, drop_id, outcome.as_ref(), at).await {
            return;
        }
    }
    let state = t.store().snapshot(drop_id).await;
    panic!("{acts:?} (late: {late}) is no order of the two: {answers:?}, then {state:?}");
}

async fn agrees(t: &Trial, drop_id: DropId, model: Option<&Model>, at: Timestamp) -> bool {
    let snapshot = t.store().snapshot(drop_id).await.expect("a reading");
    match (snapshot, model) {
        (None, None) => true,
        (Some(snapshot), Some(model)) => {
            let (total, held, sold) = model.counts(0, at);
            counts(&snapshot) == (total - held - sold, held, sold)
                && snapshot.revision.get() == model.revision()
        }
        _ => false,
    }
}

pub(super) async fn of_purchase_and_any_other(t: &Trial) {
    against_all(t, Act::Purchase).await;
}

pub(super) async fn of_release_and_any_other(t: &Trial) {
    against_all(t, Act::Release).await;
}

pub(super) async fn of_expiry_and_any_other(t: &Trial) {
    against_all(t, Act::Expire).await;
}

pub(super) async fn of_amendment_and_any_other(t: &Trial) {
    against_all(t, Act::Amend).await;
}

pub(super) async fn of_forgetting_and_any_other(t: &Trial) {
    against_all(t, Act::Forget).await;
}

pub(super) async fn of_deletion_and_any_other(t: &Trial) {
    against_all(t, Act::Delete).await;
}
