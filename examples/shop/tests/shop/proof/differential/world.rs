//! What all stores must be and say: a [`Model`] for each drop, and who is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drop_core::conformance::{Model, ModelAnswer, START};
use drop_core::model::{DropId, NewDrop, ReservationId, Revision, Status, Timestamp, Username};
use drop_core::rules::{Batch, Command};
use drop_core::store::Deletion;
use drop_core::{Amendment, Rejection};
use proptest::sample::Index;

use super::steps::{Ask, By, Look, Pass, Step};

/// One drop, as it must be.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) model: Model,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// How many of its changes the feed still has.
    pub(super) in_feed: u64,
}

/// The data set, as it must be, and what the last step asked of it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) drops: BTreeMap<DropId, Kept>,
    pub(super) act: Act,
    last_drop: i64,
    /// Who has ever asked for a hold before all came too late, and was not deleted since.
    known: BTreeSet<Username>,
    /// Who has ever got one: of others a file keeps nothing.
    written: BTreeSet<Username>,
}

/// The last step, and what it must lead to.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Begin,
    Create { new: NewDrop, id: DropId },
    Batch { batch: Batch, instance: usize, answers: Vec<ModelAnswer>, as_of: Timestamp },
    Time,
    DeleteDrop { id: DropId, force: bool, deletion: Deletion },
    DeleteUser { user: Username, deletion: Deletion },
    Trim { keep: u32, removed: u64 },
    Reopen { strangers: Vec<Username> },
    Look { look: Look, drop: DropId, row: ReservationId },
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: START,
            drops: BTreeMap::new(),
            act: Act::Begin,
            last_drop: 0,
            known: BTreeSet::new(),
            written: BTreeSet::new(),
        }
    }

    /// Lets a step happen.
    pub(super) fn take(mut self, step: &Step) -> Self {
        self.act = match step {
            Step::Create(new) => self.create(new),
            Step::Batch { on, asks, instance } => {
                let id = self.some_drop(on);
                let commands = asks.iter().map(|ask| self.command(id, ask)).collect();
                let batch = Batch::new(id, commands).expect("a batch");
                self.batch(batch, *instance)
            }
            Step::Time(pass) => {
                self.now = self.moment(pass);
                Act::Time
            }
            Step::DeleteDrop { which, force } => {
                let id = self.some_drop(which);
                let deletion = self.delete_drop(id, *force);
                Act::DeleteDrop { id, force: *force, deletion }
            }
            Step::DeleteUser(user) => {
                let deletion = self.delete_user(user);
                Act::DeleteUser { user: user.clone(), deletion }
            }
            Step::Trim(keep) => Act::Trim { keep: *keep, removed: self.trim(*keep) },
            Step::Reopen => {
                let strangers = self.known.difference(&self.written).cloned().collect();
                self.known.clone_from(&self.written);
                Act::Reopen { strangers }
            }
            Step::Look(look) => {
                let drop = self.some_drop(&look.drop);
                let (row, _) = self.some_row(drop, &look.row);
                Act::Look { look: look.clone(), drop, row }
            }
        };
        self
    }

    /// The time that a drop goes by: its own never goes back.
    pub(super) fn time_of(&self, kept: &Kept) -> Timestamp {
        self.now.max(kept.updated_at)
    }

    fn create(&mut self, new: &NewDrop) -> Act {
        self.last_drop += 1;
        let id = DropId::new(self.last_drop).expect("few drops");
        let model = Model::new(new, self.now);
        let kept = Kept { model, created_at: self.now, updated_at: self.now, in_feed: 1 };
        self.drops.insert(id, kept);
        Act::Create { new: new.clone(), id }
    }

    fn batch(&mut self, batch: Batch, instance: usize) -> Act {
        let now = self.now;
        let Some(kept) = self.drops.get_mut(&batch.drop_id()) else {
            // Who asks for nothing leaves nothing behind.
            let nothing = ModelAnswer::Rejected(Rejection::DropNotFound);
            let answers = vec![nothing; batch.commands().len()];
            return Act::Batch { batch, instance, answers, as_of: now };
        };
        let as_of = now.max(kept.updated_at);
        let before = kept.model.revision();
        let makes_users = kept.model.makes_users(&batch, now);
        let mut answers = kept.model.apply(&batch, now);
        if kept.model.revision() != before {
            (kept.updated_at, kept.in_feed) = (as_of, kept.in_feed + 1);
        }
        // Also whom the same batch forgets again: he was told his number.
        self.written.extend(answers.iter().filter_map(|answer| match answer {
            ModelAnswer::Reserved(row, _) => Some(row.customer.clone()),
            _ => None,
        }));
        // A model knows of one drop only; users are those of all drops.
        for command in batch.commands() {
            if let (Command::Reserve { customer, .. }, true) = (command, makes_users) {
                self.known.insert(customer.clone());
            }
        }
        for (command, answer) in batch.commands().iter().zip(&mut answers) {
            if let Command::Forget { customer } = command {
                *answer = if self.known.contains(customer) {
                    ModelAnswer::Done
                } else {
                    ModelAnswer::Rejected(Rejection::UserNotFound)
                };
            }
        }
        Act::Batch { batch, instance, answers, as_of }
    }

    fn delete_drop(&mut self, id: DropId, force: bool) -> Deletion {
        let Some(kept) = self.drops.get(&id) else {
            return Deletion::NotFound;
        };
        let at = self.time_of(kept);
        let untouched = (0..kept.model.sizes()).all(|size| {
            let (_, held, sold) = kept.model.counts(size, at);
            held == 0 && sold == 0
        });
        if !force && !untouched {
            return Deletion::Refused;
        }
        self.drops.remove(&id);
        Deletion::Deleted
    }

    fn delete_user(&mut self, user: &Username) -> Deletion {
        if !self.known.contains(user) {
            return Deletion::NotFound;
        }
        let mut rows = self.drops.values().flat_map(|kept| kept.model.rows());
        if rows.any(|row| row.customer == *user) {
            return Deletion::Refused;
        }
        self.known.remove(user);
        self.written.remove(user);
        Deletion::Deleted
    }

    fn trim(&mut self, keep: u32) -> u64 {
        let kept = self.drops.values_mut();
        kept.map(|kept| {
            // The newest always stays.
            let removed = kept.in_feed.saturating_sub(u64::from(keep.max(1)));
            kept.in_feed -= removed;
            removed
        })
        .sum()
    }

    fn moment(&self, pass: &Pass) -> Timestamp {
        match pass {
            Pass::On(span) => self.now.saturating_add(*span),
            Pass::Back(span) => earlier(self.now, *span),
            Pass::To { which, ticks } => {
                let rows = self.drops.values().flat_map(|kept| kept.model.rows());
                let active = rows.filter(|row| row.status == Status::Active);
                let windows = self.drops.values().map(|kept| kept.model.terms().window);
                let edges = windows.flat_map(|window| {
                    [(window.starts_at() >= START).then(|| window.starts_at()), window.ends_at()]
                });
                let mut moments: Vec<_> =
                    active.map(|row| row.expires_at).chain(edges.flatten()).collect();
                moments.retain(|moment| *moment > self.now);
                match moments.as_slice() {
                    [] => self.now,
                    some => {
                        let micros = which.get(some).as_micros() + ticks;
                        Timestamp::from_micros(micros).expect("a time").max(self.now)
                    }
                }
            }
        }
    }

    fn command(&self, id: DropId, ask: &Ask) -> Command {
        match ask {
            Ask::Reserve { user, size, quantity } => Command::Reserve {
                customer: user.clone(),
                variant: size.clone(),
                quantity: *quantity,
            },
            Ask::Purchase { row, by } => {
                let (reservation, owner) = self.some_row(id, row);
                Command::Purchase { reservation, customer: by.clone().unwrap_or(owner) }
            }
            Ask::Release { row, by } => {
                let (reservation, owner) = self.some_row(id, row);
                let customer = match by {
                    By::Owner => Some(owner),
                    By::Seller => None,
                    By::Other(user) => Some(user.clone()),
                };
                Command::Release { reservation, customer }
            }
            Ask::Expire => Command::Expire,
            Ask::Amend { amendment, guard } => {
                let revision = self.drops.get(&id).map_or(1, |kept| kept.model.revision());
                let if_revision = guard.map(|late| Revision::new(revision.saturating_sub(late)));
                Command::Amend(Amendment { if_revision, ..amendment.as_ref().clone() })
            }
            Ask::Forget(user) => Command::Forget { customer: user.clone() },
        }
    }

    /// A drop that is there, mostly; else one that was or will be.
    fn some_drop(&self, index: &Index) -> DropId {
        let ids: Vec<i64> = self.drops.keys().map(|id| id.get()).collect();
        // Each that is there counts eight times as much as those that are not.
        let chosen = index.index(8 * ids.len() + 1);
        let missing = (1..).find(|id| !ids.contains(id)).expect("one that is not there");
        DropId::new(ids.get(chosen / 8).copied().unwrap_or(missing)).expect("an id")
    }

    /// A reservation that there is, or that the next batch may make, and its owner.
    fn some_row(&self, id: DropId, index: &Index) -> (ReservationId, Username) {
        let rows = self.drops.get(&id).map_or(&[][..], |kept| kept.model.rows());
        let number = |number| ReservationId::new(id, number).expect("an id");
        let newest = rows.last().map_or(0, |row| row.number);
        match rows.get(index.index(rows.len() + 2)) {
            Some(row) => (number(row.number), row.customer.clone()),
            None => (number(newest + 1), "amy".parse().expect("a name")),
        }
    }
}

fn earlier(at: Timestamp, span: Duration) -> Timestamp {
    let micros = i64::try_from(span.as_micros()).expect("a short span");
    Timestamp::from_micros(at.as_micros() - micros).expect("a time")
}
