//! Answers that name a revision, held against the drop at that revision.

use std::time::Duration;

use crate::model::{ReservationId, Revision, Status, Timestamp, UserId, Username, VariantStock};
use crate::rules::Amendment;

use super::call::{Answer, Ask, Call};
use super::life::{Life, Told};
use super::moments::Moments;
use super::names::Names;
use super::story::Story;
use super::violation::{Invariant, Violation};

pub(super) struct Answers<'s, 'a> {
    pub(super) calls: &'a [Call],
    pub(super) story: &'s Story<'a>,
    pub(super) names: &'s Names<'a>,
    pub(super) moments: &'s Moments,
    pub(super) tick: Duration,
}

/// Why an answer cannot be true.
type Verdict = Result<(), (Invariant, String)>;

fn wrong(invariant: Invariant, why: impl Into<String>) -> Verdict {
    Err((invariant, why.into()))
}

impl Answers<'_, '_> {
    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (index, call) in self.calls.iter().enumerate() {
            if let Err((invariant, why)) = self.judge(call) {
                found.push(Violation::of_call(invariant, index, call, &why));
            }
        }
        found
    }

    fn judge(&self, call: &Call) -> Verdict {
        if Some(call.ask.drop_id()) != self.story.drop_id() {
            return wrong(Invariant::I6, "the feed is of another drop");
        }
        let Some(revision) = call.answer.revision().map(Revision::get) else {
            return Ok(());
        };
        if revision > self.story.last() {
            return wrong(Invariant::I8, "acknowledged, and the feed does not have it");
        }
        let floor = self.moments.floor(call.began);
        if revision < floor {
            let why = format!("revision {floor} was seen before it began");
            return wrong(Invariant::I6, why);
        }
        let told = Told { revision, made: floor < revision };
        match (&call.ask, &call.answer) {
            (Ask::Reserve { .. }, Answer::Reserved { .. }) => self.reserved(call, told),
            (
                Ask::Release { reservation, username },
                Answer::Released { reservation: named, .. },
            ) if reservation == named => self.released(*named, username.as_ref(), told),
            (Ask::Purchase { reservation, .. }, Answer::Purchased { reservation: named, .. })
                if reservation == named =>
            {
                self.purchased(call, told)
            }
            (Ask::Amend { amendment, .. }, Answer::Done { .. }) => {
                self.amended(amendment, floor, revision)
            }
            (Ask::Forget { username, .. }, Answer::Done { .. }) => {
                self.forgotten(username, floor, revision)
            }
            // Counts are looked at together.
            (Ask::Expire { .. }, Answer::Done { .. })
            | (Ask::Read { .. }, Answer::Stock { .. }) => Ok(()),
            _ => wrong(Invariant::I6, "the answer is to another question"),
        }
    }

    /// The reservation that an answer tells of; `None` where it left no trace,
    /// having been forgotten in the change that took it.
    fn life(&self, id: ReservationId, told: Told) -> Result<Option<&Life>, (Invariant, String)> {
        match self.story.life(id) {
            Some(life) if life.taken > told.revision => {
                Err((Invariant::I6, format!("it was taken in revision {}", life.taken)))
            }
            Some(life) if !life.is_met(told) => {
                Err((Invariant::I8, "its user was forgotten before".to_owned()))
            }
            Some(life) => Ok(Some(life)),
            None if self.is_hidden(id, told) => Ok(None),
            None => Err((Invariant::I8, "acknowledged, and the feed has no such hold".to_owned())),
        }
    }

    fn is_hidden(&self, id: ReservationId, told: Told) -> bool {
        let forgets = |call: &Call| matches!(call.ask, Ask::Forget { .. });
        self.story.hidden(id).is_some_and(|at| told.made && at.get() == told.revision)
            && self.calls.iter().any(forgets)
    }

    fn owner(&self, life: &Life, user: UserId) -> Verdict {
        if life.user() == user {
            return Ok(());
        }
        wrong(Invariant::I3, format!("it is user {}'s", life.user()))
    }

    fn reserved(&self, call: &Call, told: Told) -> Verdict {
        let revision = told.revision;
        let Ask::Reserve { variant, quantity: asked, .. } = &call.ask else { return Ok(()) };
        let Answer::Reserved { reservation, user_id, quantity, expires_at, extended, .. } =
            call.answer
        else {
            return Ok(());
        };
        let Some(life) = self.life(reservation, told)? else { return Ok(()) };
        self.owner(life, user_id)?;
        let units = life.claim.quantity.get();
        if quantity != units || quantity != *asked {
            return wrong(Invariant::I5, format!("the hold is of {units} units"));
        }
        if self.story.variant(variant.as_ref()) != Some(life.claim.variant) {
            return wrong(Invariant::I5, "the hold is of another variant");
        }
        if !life.is_held(told) {
            let word = life.status().as_str();
            return wrong(Invariant::I8, format!("the hold was {word} by then"));
        }
        if !extended && life.taken != revision {
            let why = format!("told as new, it was taken in revision {}", life.taken);
            return wrong(Invariant::I8, why);
        }
        let deadline = life.deadline_at(revision);
        // Extended and forgotten in one change, the feed has only that it is gone.
        if life.forgotten != Some(revision) && !self.agree(deadline, expires_at) {
            return wrong(Invariant::I7, format!("the deadline is {} us", deadline.as_micros()));
        }
        Ok(())
    }

    /// Whether a time that was told is that of the feed, as exactly as times are told.
    fn agree(&self, kept: Timestamp, told: Timestamp) -> bool {
        let apart = kept.since(told).max(told.since(kept));
        apart.is_zero() || apart < self.tick
    }

    fn purchased(&self, call: &Call, told: Told) -> Verdict {
        let revision = told.revision;
        let Answer::Purchased { reservation, user_id, quantity, repeated, .. } = call.answer else {
            return Ok(());
        };
        let Some(life) = self.life(reservation, told)? else { return Ok(()) };
        self.owner(life, user_id)?;
        if quantity != life.claim.quantity.get() {
            let why = format!("the hold is of {} units", life.claim.quantity);
            return wrong(Invariant::I3, why);
        }
        match life.completed() {
            Some(at) if at > revision => {
                wrong(Invariant::I6, format!("it was bought in revision {at}"))
            }
            Some(at) if !repeated && at != revision => {
                wrong(Invariant::I3, format!("told as new, it was bought in revision {at}"))
            }
            Some(_) => Ok(()),
            None if life.ends_unseen(revision) => Ok(()),
            None => {
                let word = life.status().as_str();
                wrong(Invariant::I8, format!("acknowledged, and the hold is {word}"))
            }
        }
    }

    fn released(&self, id: ReservationId, by: Option<&Username>, told: Told) -> Verdict {
        let revision = told.revision;
        let Some(life) = self.life(id, told)? else { return Ok(()) };
        if by.is_some_and(|name| !self.names.may_be(name, life.user())) {
            return wrong(Invariant::I3, format!("it is user {}'s", life.user()));
        }
        match life.ended {
            Some((_, Status::Completed)) => wrong(Invariant::I5, "it was bought"),
            Some((at, _)) if at > revision => {
                wrong(Invariant::I8, format!("it was held until revision {at}"))
            }
            Some(_) => Ok(()),
            None if life.ends_unseen(revision) => Ok(()),
            None => wrong(Invariant::I8, "acknowledged, and it is still held"),
        }
    }

    /// Amended is told with a revision that may be later than the amendment's own.
    fn amended(&self, amendment: &Amendment, floor: u64, revision: u64) -> Verdict {
        if let Some(expected) = amendment.if_revision.map(Revision::get)
            && (expected < floor || expected > revision)
        {
            let why = format!("the drop was not at revision {expected}");
            return wrong(Invariant::I6, why);
        }
        if (floor..=revision).any(|at| self.has(amendment, at)) {
            return Ok(());
        }
        // Another one of the same change may have undone it.
        let meets = |other: &Call| match other.answer {
            Answer::Unknown => true,
            Answer::Done { revision: until } => {
                until.get() > floor && self.moments.floor(other.began) < revision
            }
            _ => false,
        };
        let amends = |call: &&Call| matches!(call.ask, Ask::Amend { .. });
        if self.calls.iter().filter(amends).filter(|other| meets(other)).count() > 1 {
            return Ok(());
        }
        wrong(Invariant::I8, "acknowledged, and no revision has it")
    }

    /// Whether the drop at that revision is as the amendment wants it.
    fn has(&self, amendment: &Amendment, at: u64) -> bool {
        let terms = self.story.terms_at(at);
        let Some(change) = self.story.change(at) else { return false };
        let Amendment { name, price, starts_at, ends_at, limit, total, variants, .. } = amendment;
        name.as_ref().is_none_or(|name| *name == terms.name)
            && price.is_none_or(|price| price == terms.price)
            && starts_at.is_none_or(|at| at == terms.window.starts_at())
            && ends_at.is_none_or(|at| at == terms.window.ends_at())
            && limit.is_none_or(|limit| limit == terms.limit)
            && total.is_none_or(|total| total == change.stock().total())
            && variants.iter().all(|(name, total)| {
                let of_name = |has: &&VariantStock| has.name.as_ref() == Some(name);
                let found = change.variants.iter().rfind(of_name);
                found.is_some_and(|has| has.stock.total() == *total)
            })
    }

    /// What the user had when the call began is gone.
    fn forgotten(&self, username: &Username, floor: u64, revision: u64) -> Verdict {
        for user in self.names.users(username) {
            let kept = |life: &&Life| {
                life.taken <= floor && life.forgotten.is_none_or(|gone| gone > revision)
            };
            if let Some(life) = self.story.lives_of(user).find(kept) {
                return wrong(Invariant::I8, format!("{} is still there", life.claim.id));
            }
        }
        Ok(())
    }
}
