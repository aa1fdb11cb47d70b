//! What is asked of one drop, together.

use crate::model::{DropId, ReservationId, Units, Username, VariantName};

use super::Amendment;

/// One request to change a drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Hold units for a customer, or give the customer's same hold a fresh deadline.
    Reserve {
        /// For whom.
        customer: Username,
        /// Which variant; needed where the drop has several.
        variant: Option<VariantName>,
        /// How many units: all of them or none.
        quantity: Units,
    },
    /// Give a hold back.
    Release {
        /// Which hold.
        reservation: ReservationId,
        /// Who asks; `None` is the seller, who may release any.
        customer: Option<Username>,
    },
    /// Buy what a hold holds.
    Purchase {
        /// Which hold.
        reservation: ReservationId,
        /// Who asks.
        customer: Username,
    },
    /// Settle what has lapsed. Every batch does that first; this asks for nothing else.
    Expire,
    /// Change the drop's terms or totals.
    Amend(Amendment),
    /// Remove every reservation and purchase of a customer, as deleting the user does.
    Forget {
        /// Whose.
        customer: Username,
    },
}

impl Command {
    /// The customer it speaks of.
    #[must_use]
    pub const fn customer(&self) -> Option<&Username> {
        match self {
            Self::Reserve { customer, .. }
            | Self::Purchase { customer, .. }
            | Self::Forget { customer } => Some(customer),
            Self::Release { customer, .. } => customer.as_ref(),
            Self::Expire | Self::Amend(_) => None,
        }
    }

    /// The reservation it names.
    #[must_use]
    pub const fn reservation(&self) -> Option<ReservationId> {
        match self {
            Self::Release { reservation, .. } | Self::Purchase { reservation, .. } => {
                Some(*reservation)
            }
            _ => None,
        }
    }
}

/// A batch cannot be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// It has no command, or too many.
    #[error("a batch has 1 to {max} commands", max = Batch::MAX_COMMANDS)]
    Length,
    /// A command names a reservation of another drop.
    #[error("reservation {0} is not of this drop")]
    OtherDrop(ReservationId),
}

/// Commands for one drop that are decided, written and committed together.
///
/// Each gets its own answer: "out of stock" for the last does not undo the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    drop_id: DropId,
    commands: Vec<Command>,
}

impl Batch {
    /// The most commands in one batch.
    pub const MAX_COMMANDS: usize = 1024;

    /// Puts `commands` together, in the order in which they are decided.
    ///
    /// # Errors
    /// [`InvalidBatch`] when there is none, too many, or one for another drop.
    pub fn new(drop_id: DropId, commands: Vec<Command>) -> Result<Self, InvalidBatch> {
        if commands.is_empty() || commands.len() > Self::MAX_COMMANDS {
            return Err(InvalidBatch::Length);
        }
        let mut named = commands.iter().filter_map(Command::reservation);
        if let Some(other) = named.find(|id| id.drop_id() != drop_id) {
            return Err(InvalidBatch::OtherDrop(other));
        }
        Ok(Self { drop_id, commands })
    }

    /// A batch of one.
    ///
    /// # Errors
    /// [`InvalidBatch::OtherDrop`] when the command is for another drop.
    pub fn one(drop_id: DropId, command: Command) -> Result<Self, InvalidBatch> {
        Self::new(drop_id, vec![command])
    }

    /// Which drop.
    #[must_use]
    pub const fn drop_id(&self) -> DropId {
        self.drop_id
    }

    /// The commands, in order, at least one.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Whether none of its commands can make units available: all of them reserve, buy what is
    /// held, or only settle what has lapsed.
    pub(super) fn frees_nothing(&self) -> bool {
        let frees = |command: &Command| {
            !matches!(command, Command::Reserve { .. } | Command::Purchase { .. } | Command::Expire)
        };
        !self.commands.iter().any(frees)
    }

    /// The commands, in order.
    #[must_use]
    pub fn into_commands(self) -> Vec<Command> {
        self.commands
    }
}
