//! Who sees everything that the store does, and compares it with the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::StoreError;
use crate::model::{DropId, DropSnapshot, NewDrop, Revision, Timestamp, UserId, Username};
use crate::rules::{Applied, Batch, Change, Command, Effect, Outcome};
use crate::store::Deletion;

use super::known::Known;

/// All drops of a run as they must be.
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) drops: BTreeMap<DropId, Known>,
    /// The users that there are; of which number, where anybody has heard.
    users: BTreeMap<Username, Option<UserId>>,
    /// Every user there ever was.
    names: BTreeMap<UserId, Username>,
    commits: u64,
}

impl Witness {
    /// A drop was created, at `now`.
    pub(super) fn created(&mut self, new: &NewDrop, made: &DropSnapshot, now: Timestamp) {
        let id = made.id;
        let known = Known::new(id, new, now);
        known.compare(made, now);
        let before = self.drops.insert(id, known);
        assert!(before.is_none(), "the id of drop {id} is given again");
        self.commits += 1;
    }

    /// A batch was decided at `now`; says what was committed.
    pub(super) fn applied(
        &mut self,
        batch: &Batch,
        applied: &Applied,
        now: Timestamp,
    ) -> Option<Arc<Change>> {
        let id = batch.drop_id();
        let Some(known) = self.drops.get_mut(&id).filter(|known| !known.deleted) else {
            let expected = Applied::no_such_drop(batch, now);
            assert_eq!(applied.outcomes(), expected.outcomes(), "drop {id} is not there");
            assert!(applied.change().is_none(), "a change of drop {id}, which is not there");
            return None;
        };
        for command in batch.commands() {
            if let Command::Forget { customer } = command {
                known.users(customer, self.users.contains_key(customer));
            }
        }
        let makes_users = known.makes_users(batch, now);
        known.decided(batch, applied, now);
        for command in batch.commands() {
            // Who is refused is a user all the same, unless all came too late.
            if let (Command::Reserve { customer, .. }, true) = (command, makes_users) {
                self.users.entry(customer.clone()).or_default();
            }
        }
        if let Some(change) = applied.change() {
            let names = change.forgotten.iter().filter_map(|user| self.names.get(user));
            known.forgotten_users.extend(names.cloned());
        }
        for (command, outcome) in batch.commands().iter().zip(applied.outcomes()) {
            if let (Some(customer), Outcome::Done(Effect::Reserved { reservation, .. })) =
                (command.customer(), outcome)
            {
                let user = reservation.claim().user_id;
                let present = self.users.entry(customer.clone()).or_default();
                assert_eq!(*present.get_or_insert(user), user, "{customer} is one user");
                let name = self.names.entry(user).or_insert_with(|| customer.clone());
                assert_eq!(name, customer, "user {user} is one customer");
            }
        }
        self.commits += u64::from(applied.change().is_some());
        applied.change().cloned()
    }

    /// A drop was deleted, or was not.
    pub(super) fn deleted(&mut self, id: DropId, force: bool, deletion: Deletion, now: Timestamp) {
        let expected = match self.drops.get_mut(&id).filter(|known| !known.deleted) {
            None => Deletion::NotFound,
            Some(known) if !force && known.is_in_use(now) => Deletion::Refused,
            Some(known) => {
                known.deleted = true;
                Deletion::Deleted
            }
        };
        assert_eq!(deletion, expected, "deleting drop {id}, force {force}");
    }

    /// A user was deleted, or was not.
    pub(super) fn user_deleted(&mut self, username: &Username, deletion: Deletion) {
        let user = self.users.get(username).copied();
        let rows = user.flatten();
        let rows = rows.is_some_and(|user| self.live().any(|known| known.has_rows_of(user)));
        match deletion {
            Deletion::Deleted => {
                assert!(user.is_some() && !rows, "{username} is deleted; rows: {rows}");
                self.users.remove(username);
            }
            Deletion::NotFound => assert!(user.is_none(), "{username} is not found and has been"),
            Deletion::Refused => assert!(rows, "{username} is not deleted and has no rows"),
        }
    }

    /// A drop was read at `now`.
    pub(super) fn read(&self, id: DropId, read: Option<&DropSnapshot>, now: Timestamp) {
        match (self.drops.get(&id).filter(|known| !known.deleted), read) {
            (Some(known), Some(snapshot)) => known.compare(snapshot, now),
            (None, None) => {}
            (known, _) => {
                panic!("drop {id} was read as {read:?}; it is there: {}", known.is_some())
            }
        }
    }

    /// All drops were read at `now`.
    pub(super) fn read_all(&self, read: &[DropSnapshot], now: Timestamp) {
        let ids = self.live().map(|known| known.rows.drop_id).rev();
        assert!(read.iter().map(|drop| drop.id).eq(ids), "the drops, newest first: {read:?}");
        for snapshot in read {
            self.read(snapshot.id, Some(snapshot), now);
        }
    }

    /// A part of the feed was read.
    pub(super) fn feed(&self, id: DropId, since: Revision, limit: usize, read: &[Arc<Change>]) {
        match self.drops.get(&id).filter(|known| !known.deleted) {
            Some(known) => known.compare_feed(since, limit, read),
            None => assert!(read.is_empty(), "drop {id} is not there and has a feed"),
        }
    }

    /// All but the newest changes were removed from the feed.
    pub(super) fn trimmed(&mut self, keep: u32) {
        for known in self.drops.values_mut() {
            known.trimmed(keep);
        }
    }

    /// What the store does not do: lose an answer, or contradict itself.
    pub(super) fn failed(error: &StoreError) {
        let harmless = matches!(error, StoreError::Contended(_) | StoreError::Unavailable(_));
        assert!(harmless, "the store itself fails: {error:?}");
    }

    /// Each drop's last revision.
    pub(super) fn heads(&self) -> BTreeMap<DropId, Revision> {
        self.live().map(|known| (known.rows.drop_id, known.rows.revision)).collect()
    }

    /// The change that made a revision, whether its drop was deleted since or not.
    pub(super) fn change(&self, id: DropId, revision: Revision) -> Option<&Change> {
        self.drops.get(&id)?.change(revision)
    }

    pub(super) fn is_deleted(&self, id: DropId) -> bool {
        self.drops.get(&id).is_some_and(|known| known.deleted)
    }

    /// The drops that are there.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &Known> {
        self.drops.values().filter(|known| !known.deleted)
    }

    pub(super) fn name(&self, user: UserId) -> Option<&Username> {
        self.names.get(&user)
    }

    pub(super) fn user(&self, username: &Username) -> Option<UserId> {
        self.users.get(username).copied().flatten()
    }

    pub(super) const fn commits(&self) -> u64 {
        self.commits
    }
}
