//! What two instances do to one drop, and what each is to be answered.

use drop_core::conformance::{Model, ModelAnswer};
use drop_core::model::{DropId, ReservationId, Timestamp, Username};
use drop_core::rules::{Amendment, Command, Outcome, Rejection};
use drop_core::store::Deletion;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;

use crate::kit::{
    batch, forget, is_hold, name, plain, purchase, release, reserve, seconds, try_one, units,
};

/// A drop of two units in which Ann holds one until later and Lena's hold has lapsed this very
/// moment: one unit is for sale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) drop_id: DropId,
    pub(crate) anns: ReservationId,
    pub(crate) lenas: ReservationId,
    /// A drop that has units for everybody.
    pub(crate) beside: DropId,
    /// When everything happens.
    pub(crate) at: Timestamp,
}

impl Cast {
    /// A name of this drop only: no instance has met it.
    pub(crate) fn name(drop_id: DropId, who: &str) -> String {
        format!("{who}{}", drop_id.get())
    }

    /// A second later, for who waited for the lock.
    pub(crate) fn later(&self) -> Timestamp {
        self.at.saturating_add(seconds(1))
    }

    fn of(&self, who: &str) -> String {
        Self::name(self.drop_id, who)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Bob, a fresh user, wants the last unit.
    Reserve,
    /// So does Eve.
    ReserveByOther,
    /// Ann again.
    Repeat,
    Purchase,
    PurchaseOfLapsed,
    Release,
    Expire,
    Raise,
    Lower,
    Limit,
    Forget,
    /// Bob, who may be nobody yet.
    ForgetFresh,
    Delete,
    DeleteGently,
    DeleteUser,
    /// Bob, who may be nobody yet.
    DeleteFreshUser,
    /// Another drop.
    Create,
    /// All but the newest changes of each drop go from the feed.
    Trim,
    /// Bob, who also wants a unit of the drop beside, in one transaction where that can be.
    Together,
}

/// What was answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Outcome(Outcome),
    Deletion(Deletion),
    /// The user has no reservation and is no user any more.
    NoUser(bool),
    Created,
    Trimmed,
}

impl Act {
    /// How many changes [`Act::Trim`] leaves: there are three before anybody plays.
    pub(crate) const KEPT: u32 = 2;

    pub(crate) const ALL: [Self; 19] = [
        Self::Reserve,
        Self::ReserveByOther,
        Self::Repeat,
        Self::Purchase,
        Self::PurchaseOfLapsed,
        Self::Release,
        Self::Expire,
        Self::Raise,
        Self::Lower,
        Self::Limit,
        Self::Forget,
        Self::ForgetFresh,
        Self::Delete,
        Self::DeleteGently,
        Self::DeleteUser,
        Self::DeleteFreshUser,
        Self::Create,
        Self::Trim,
        Self::Together,
    ];

    /// Whether no statement of the one can meet one of the other: they have no row in common,
    /// or one that both only read.
    pub(crate) fn is_apart_from(self, other: Self) -> bool {
        let of = |act| match act {
            Self::Create => "drops",
            Self::DeleteUser => "ann",
            Self::DeleteFreshUser => "bob",
            _ => "drop",
        };
        let names_ann =
            |act| matches!(act, Self::Repeat | Self::Purchase | Self::Release | Self::Forget);
        let names_bob = |act| matches!(act, Self::Reserve | Self::Together | Self::ForgetFresh);
        let deletes = |act| matches!(act, Self::Delete | Self::DeleteGently);
        let meets = |one, another| match of(another) {
            "ann" => names_ann(one) || deletes(one),
            "bob" => names_bob(one),
            _ => false,
        };
        of(self) != of(other) && !meets(self, other) && !meets(other, self)
    }

    fn command(self, cast: &Cast) -> Option<Command> {
        let total = |total| Amendment { total: Some(units(total)), ..Amendment::default() };
        let limit = Amendment { limit: Some(Some(units(1))), ..Amendment::default() };
        Some(match self {
            Self::Reserve | Self::Together => reserve(&cast.of("bob")),
            Self::ReserveByOther => reserve(&cast.of("eve")),
            Self::Repeat => reserve(&cast.of("ann")),
            Self::Purchase => purchase(cast.anns, &cast.of("ann")),
            Self::PurchaseOfLapsed => purchase(cast.lenas, &cast.of("lena")),
            Self::Release => release(cast.anns, &cast.of("ann")),
            Self::Expire => Command::Expire,
            Self::Raise => Command::Amend(total(3)),
            Self::Lower => Command::Amend(total(1)),
            Self::Limit => Command::Amend(limit),
            Self::Forget => forget(&cast.of("ann")),
            Self::ForgetFresh => forget(&cast.of("bob")),
            _ => return None,
        })
    }

    fn user(self, cast: &Cast) -> Option<Username> {
        match self {
            Self::DeleteUser => Some(name(&cast.of("ann"))),
            Self::DeleteFreshUser => Some(name(&cast.of("bob"))),
            _ => None,
        }
    }

    pub(crate) async fn perform(
        self,
        store: PostgresStore,
        cast: Cast,
    ) -> Result<Answer, StoreError> {
        if self == Self::Together {
            return together(&store, cast).await;
        }
        if let Some(command) = self.command(&cast) {
            return Ok(Answer::Outcome(try_one(&store, cast.drop_id, command).await?));
        }
        if let Some(user) = self.user(&cast) {
            return Ok(Answer::NoUser(store.delete_user(&user).await? != Deletion::Refused));
        }
        if self == Self::Create {
            let made = store.create_drop(&plain(1)).await?;
            assert_ne!(made.id, cast.drop_id, "a number was given twice");
            return Ok(Answer::Created);
        }
        if self == Self::Trim {
            store.trim(Self::KEPT).await?;
            return Ok(Answer::Trimmed);
        }
        let force = self == Self::Delete;
        Ok(Answer::Deletion(store.delete_drop(cast.drop_id, force).await?))
    }

    /// Does it to the model.
    pub(crate) fn happen(self, drop: &mut Option<Model>, cast: &Cast) {
        match (self.command(cast), drop.as_mut()) {
            (Some(command), Some(model)) => {
                model.apply(&batch(cast.drop_id, vec![command]), cast.at);
            }
            _ if self == Self::Delete => *drop = None,
            _ => {}
        }
    }

    /// Whether the answer is right where this comes next, and what is done then; a drop that is
    /// deleted is none.
    pub(crate) fn explains(
        self,
        answer: &Answer,
        drop: &mut Option<Model>,
        cast: &Cast,
        at: Timestamp,
    ) -> bool {
        let no_such_drop = Outcome::Rejected(Rejection::DropNotFound);
        match (answer, drop.as_mut()) {
            (Answer::Outcome(outcome), None) => *outcome == no_such_drop,
            (Answer::Outcome(outcome), Some(model)) => {
                let Some(command) = self.command(cast) else { return false };
                // Whether Bob is a user is looked up in a step of its own, as making him one is
                // no part of a reserve's decision: where he has no rows both answers are right,
                // and he may have got some since he was looked up.
                let nobody = Outcome::Rejected(Rejection::UserNotFound);
                let fresh = self == Self::ForgetFresh;
                let command = if fresh && *outcome == nobody { Command::Expire } else { command };
                let mut answers = model.apply(&batch(cast.drop_id, vec![command]), at);
                let expected = answers.pop().unwrap();
                let none = ModelAnswer::Rejected(Rejection::UserNotFound);
                expected.agrees_with(outcome)
                    || (fresh && *outcome == nobody)
                    || (fresh && expected == none && matches!(outcome, Outcome::Done(_)))
            }
            (Answer::NoUser(gone), drop) => {
                let Some(user) = self.user(cast) else { return false };
                let mut rows = drop.into_iter().flat_map(|model| model.rows());
                *gone == rows.all(|row| row.customer != user)
            }
            (Answer::Deletion(deletion), None) => *deletion == Deletion::NotFound,
            (Answer::Deletion(deletion), Some(model)) => {
                let (_, held, sold) = model.counts(0, at);
                let refused = self == Self::DeleteGently && held + sold > 0;
                if !refused {
                    *drop = None;
                }
                *deletion == if refused { Deletion::Refused } else { Deletion::Deleted }
            }
            (Answer::Created | Answer::Trimmed, _) => true,
        }
    }
}

/// Somebody has the only connection: who asks meanwhile goes together, by an instance that has met
/// both drops.
async fn together(store: &PostgresStore, cast: Cast) -> Result<Answer, StoreError> {
    let wants = |id| try_one(store, id, reserve(&cast.of("bob")));
    let (reading, wanted, beside) =
        tokio::join!(store.heads(None, 1), wants(cast.drop_id), wants(cast.beside));
    reading?;
    assert!(is_hold(&beside?), "there is one for everybody");
    Ok(Answer::Outcome(wanted?))
}
