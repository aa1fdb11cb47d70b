//! Calls under way, and what the stores did meanwhile.

use tokio::task::AbortHandle;

use crate::conformance::history::Ticket;
use crate::error::ServiceError;
use crate::model::{DropId, DropSnapshot, Revision, Timestamp, Username};
use crate::rules::{Command, Effect, Outcome, Rejection};
use crate::service::{Purchased, Released, Reserved};
use crate::store::Deletion;

use super::request::{Request, Told};
use super::states::Incarnation;

/// A client's call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) incarnation: Incarnation,
    pub(super) request: Request,
    pub(super) command: Option<Command>,
    /// How many deeds there were when it began.
    pub(super) began: usize,
    pub(super) ticket: Option<Ticket>,
    pub(super) task: AbortHandle,
    /// It was sent before.
    pub(super) repeats: bool,
}

/// Something that a store did for an instance, or that went wrong there.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) incarnation: Incarnation,
    pub(super) act: Act,
    /// Somebody was told of it.
    pub(super) claimed: bool,
}

#[derive(Debug)]
pub(super) enum Act {
    Decided(DropId, Command, Outcome, Revision, Timestamp),
    Created(DropSnapshot),
    Deleted(DropId, bool, Deletion),
    UserDeleted(Username, Deletion),
    Trouble,
}

impl Call {
    /// Whether a deed is what this call asked for.
    pub(super) fn asked_for(&self, deed: &Deed) -> bool {
        match (&deed.act, &self.request) {
            (Act::Decided(id, command, ..), request) => {
                self.command.as_ref() == Some(command)
                    && request.drop_id().is_none_or(|drop_id| drop_id == *id)
            }
            (Act::Created(made), Request::Create { new }) => *made.terms == *new.terms(),
            (Act::Deleted(id, force, _), Request::Delete { drop_id, force: forced }) => {
                (id, force) == (drop_id, forced)
            }
            (Act::UserDeleted(username, _), Request::DeleteUser { who, .. }) => username == who,
            _ => false,
        }
    }

    /// Whether this call may have forced a user out of a drop: somebody in its instance has, of
    /// those who did something since it began.
    pub(super) fn took_part(&self, since: &[Deed]) -> bool {
        let Request::DeleteUser { who, force: true } = &self.request else { return false };
        let mut own = since.iter().filter(|deed| deed.incarnation == self.incarnation);
        own.any(|deed| match &deed.act {
            Act::Decided(_, Command::Forget { customer }, Outcome::Done(_), ..) => customer == who,
            _ => false,
        })
    }

    /// Whether an answer is what came of a deed.
    pub(super) fn told_of(&self, act: &Act, told: &Told, took_part: bool) -> bool {
        match (act, told) {
            (Act::Decided(_, _, Outcome::Done(effect), at, time), told) => {
                done(effect, *at, *time, told)
            }
            (
                Act::Decided(_, _, Outcome::Rejected(refused), ..),
                Told::Failed(ServiceError::Rejected(rejection)),
            ) => {
                // Who named a reservation did not name a drop.
                let named =
                    matches!(self.request, Request::Release { .. } | Request::Purchase { .. });
                match refused {
                    Rejection::DropNotFound if named => {
                        *rejection == Rejection::ReservationNotFound
                    }
                    refused => refused == rejection,
                }
            }
            (Act::Created(made), Told::Drop(Some(told))) => made == told,
            (Act::Deleted(_, _, deletion), told) => match deletion {
                Deletion::Deleted => matches!(told, Told::Done),
                Deletion::NotFound => is_rejected(told, &Rejection::DropNotFound),
                Deletion::Refused => is_rejected(told, &Rejection::HasSales),
            },
            (Act::UserDeleted(_, deletion), told) => match deletion {
                Deletion::Deleted => matches!(told, Told::Done),
                // Who took part in it has done it, whoever came first to the end.
                Deletion::NotFound if took_part && matches!(told, Told::Done) => true,
                Deletion::NotFound => is_rejected(told, &Rejection::UserNotFound),
                Deletion::Refused => is_rejected(told, &Rejection::HasSales),
            },
            _ => false,
        }
    }
}

fn done(effect: &Effect, at: Revision, time: Timestamp, told: &Told) -> bool {
    match (effect, told) {
        (
            Effect::Reserved { reservation: held, extended: again },
            Told::Reserved(Reserved { reservation, extended, revision, as_of }),
        ) => (held, again, at, time) == (reservation, extended, *revision, *as_of),
        (
            Effect::Released { reservation: over },
            Told::Released(Released { reservation, revision, as_of }),
        ) => (over, at, time) == (reservation, *revision, *as_of),
        (
            Effect::Purchased { purchase: sale, username: buyer, repeated: again },
            Told::Purchased(Purchased { purchase, username, repeated, revision, as_of }),
        ) => (sale, buyer, again, at, time) == (purchase, username, repeated, *revision, *as_of),
        // The drop as it was read after that.
        (Effect::Amended, Told::Drop(Some(snapshot))) => snapshot.revision >= at,
        (Effect::Amended, told) => is_rejected(told, &Rejection::DropNotFound),
        _ => false,
    }
}

fn is_rejected(told: &Told, expected: &Rejection) -> bool {
    matches!(told, Told::Failed(ServiceError::Rejected(rejection)) if rejection == expected)
}
