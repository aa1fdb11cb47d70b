//! What clients ask of an instance, and what they are told.

use crate::conformance::history::{Answer, Ask};
use crate::error::{ServiceError, StoreError};
use crate::model::{
    DropId, DropSnapshot, NewDrop, ReservationId, Revision, Units, Username, VariantName,
};
use crate::rules::{Amendment, Command};
use crate::service::{Purchased, Released, Reserved};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Reserve { drop_id: DropId, who: Username, variant: Option<VariantName>, quantity: Units },
    Release { reservation: ReservationId, who: Option<Username> },
    Purchase { reservation: ReservationId, who: Username },
    Amend { drop_id: DropId, amendment: Amendment },
    Delete { drop_id: DropId, force: bool },
    DeleteUser { who: Username, force: bool },
    Create { new: NewDrop },
    Read { drop_id: DropId },
}

/// What a client was told.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Reserved(Reserved),
    Released(Released),
    Purchased(Purchased),
    Drop(Option<DropSnapshot>),
    Done,
    Failed(ServiceError),
    /// Nothing: the handler broke off.
    Nothing,
}

impl Request {
    /// The command that it becomes; a user's deletion becomes one in each drop.
    pub(super) fn command(&self) -> Option<Command> {
        Some(match self.clone() {
            Self::Reserve { who, variant, quantity, .. } => {
                Command::Reserve { customer: who, variant, quantity }
            }
            Self::Release { reservation, who } => Command::Release { reservation, customer: who },
            Self::Purchase { reservation, who } => Command::Purchase { reservation, customer: who },
            Self::Amend { amendment, .. } => Command::Amend(amendment),
            Self::DeleteUser { who, .. } => Command::Forget { customer: who },
            Self::Delete { .. } | Self::Create { .. } | Self::Read { .. } => return None,
        })
    }

    /// The one drop that it concerns.
    pub(super) fn drop_id(&self) -> Option<DropId> {
        match self {
            Self::Reserve { drop_id, .. }
            | Self::Amend { drop_id, .. }
            | Self::Delete { drop_id, .. }
            | Self::Read { drop_id } => Some(*drop_id),
            Self::Release { reservation, .. } | Self::Purchase { reservation, .. } => {
                Some(reservation.drop_id())
            }
            Self::DeleteUser { .. } | Self::Create { .. } => None,
        }
    }

    /// As a history has it, where it has it.
    pub(super) fn as_history(&self) -> Option<Ask> {
        Some(match self.clone() {
            Self::Reserve { drop_id, who, variant, quantity } => {
                Ask::Reserve { drop_id, username: who, variant, quantity: quantity.get() }
            }
            Self::Release { reservation, who } => Ask::Release { reservation, username: who },
            Self::Purchase { reservation, who } => Ask::Purchase { reservation, username: who },
            Self::Amend { drop_id, amendment } => Ask::Amend { drop_id, amendment },
            Self::Read { drop_id } => Ask::Read { drop_id },
            Self::Delete { .. } | Self::DeleteUser { .. } | Self::Create { .. } => return None,
        })
    }
}

impl Told {
    /// Whether it may have been done for all that the caller knows.
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Failed(error) => Answer::from(error) == Answer::Unknown,
            _ => false,
        }
    }

    /// Whether a full lane kept it from being done, or the rest of it: a user is deleted drop by
    /// drop.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Failed(ServiceError::Busy) => true,
            Self::Failed(ServiceError::Store(StoreError::Unknown(cause))) => {
                matches!(cause.downcast_ref(), Some(ServiceError::Busy))
            }
            _ => false,
        }
    }

    /// As a history has it.
    pub(super) fn as_history(&self, request: &Request) -> Answer {
        match self {
            // Read after it was amended, at that revision or a later one.
            Self::Drop(Some(snapshot)) if matches!(request, Request::Amend { .. }) => {
                Answer::Done { revision: snapshot.revision }
            }
            Self::Reserved(reserved) => reserved.into(),
            Self::Released(released) => released.into(),
            Self::Purchased(purchased) => purchased.into(),
            Self::Drop(Some(snapshot)) => snapshot.into(),
            Self::Drop(None) => Answer::Refused(crate::rules::Rejection::DropNotFound),
            Self::Done => Answer::Done { revision: Revision::ZERO },
            Self::Failed(error) => error.into(),
            Self::Nothing => Answer::Unknown,
        }
    }

    /// A number that tells kinds of answers apart.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Reserved(reserved) => 1 + (reserved.revision.get() << 8),
            Self::Released(released) => 2 + (released.revision.get() << 8),
            Self::Purchased(purchased) => 3 + (purchased.revision.get() << 8),
            Self::Drop(Some(snapshot)) => 4 + (snapshot.revision.get() << 8),
            Self::Drop(None) => 5,
            Self::Done => 6,
            Self::Failed(ServiceError::Rejected(_)) => 7,
            Self::Failed(ServiceError::Busy | ServiceError::Closed) => 8,
            Self::Failed(ServiceError::Store(error)) => 9 + (u64::from(error.is_retryable()) << 8),
            Self::Nothing => 10,
        }
    }

    /// In few words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Reserved(Reserved { reservation, extended, revision, .. }) => {
                let number = reservation.id().number();
                format!("#{number} reserved, extended {extended}, revision {revision}")
            }
            Self::Released(Released { reservation, revision, .. }) => {
                format!("#{} released, revision {revision}", reservation.id().number())
            }
            Self::Purchased(Purchased { purchase, repeated, revision, .. }) => {
                let number = purchase.id.number();
                format!("#{number} purchased, repeated {repeated}, revision {revision}")
            }
            Self::Drop(Some(snapshot)) => {
                let stock = snapshot.stock();
                let (total, held, sold) = (stock.total(), stock.held(), stock.sold());
                format!("drop {} revision {} {total}/{held}/{sold}", snapshot.id, snapshot.revision)
            }
            Self::Drop(None) => "no such drop".to_owned(),
            Self::Done => "done".to_owned(),
            Self::Failed(error) => error.to_string(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}
