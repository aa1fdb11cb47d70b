//! Asks as commands, and outcomes as answers.

use drop_core::conformance::history::{Answer, Ask};
use drop_core::model::{Revision, Units};
use drop_core::rules::{Command, Effect, Outcome};

/// The command that asks for it; a read asks for nothing.
pub(crate) fn command(ask: &Ask) -> Command {
    match ask.clone() {
        Ask::Reserve { username, variant, quantity, .. } => Command::Reserve {
            customer: username,
            variant,
            quantity: Units::new(i64::from(quantity)).unwrap(),
        },
        Ask::Release { reservation, username } => {
            Command::Release { reservation, customer: username }
        }
        Ask::Purchase { reservation, username } => {
            Command::Purchase { reservation, customer: username }
        }
        Ask::Amend { amendment, .. } => Command::Amend(amendment),
        Ask::Forget { username, .. } => Command::Forget { customer: username },
        Ask::Expire { .. } | Ask::Read { .. } => Command::Expire,
    }
}

/// What a command's outcome tells its caller.
pub(crate) fn answer(outcome: Outcome, revision: Revision) -> Answer {
    match outcome {
        Outcome::Done(Effect::Reserved { reservation, extended }) => {
            let claim = reservation.claim();
            Answer::Reserved {
                reservation: claim.id,
                user_id: claim.user_id,
                quantity: claim.quantity.get(),
                expires_at: reservation.expires_at(),
                extended,
                revision,
            }
        }
        Outcome::Done(Effect::Released { reservation }) => {
            Answer::Released { reservation: reservation.id(), revision }
        }
        Outcome::Done(Effect::Purchased { purchase, repeated, .. }) => Answer::Purchased {
            reservation: purchase.id,
            user_id: purchase.user_id,
            quantity: purchase.quantity.get(),
            repeated,
            revision,
        },
        Outcome::Done(_) => Answer::Done { revision },
        Outcome::Rejected(rejection) => Answer::Refused(rejection),
        Outcome::Deferred => Answer::NotDone,
    }
}
