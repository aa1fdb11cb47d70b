//! [`Entry`]: what a disk transaction writes for one caller.

use std::ops::RangeBounds;
use std::sync::Arc;

use drop_core::model::{DropId, Reservation, ReservationId, Revision, User, UserId};
use drop_core::rules::Change;
use redb::{Key, ReadableTable, Table, Value, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::compare::Doubt;
use super::tables::{
    CHANGES, CHUNKS, CROWDS, HEADS, HeadRecord, LAST_DROP, LAST_USER, META, RESERVATIONS, TERMS,
    TermsRecord, USERS, decode, encode,
};

/// What a disk transaction writes for one caller.
#[derive(Debug)]
pub(super) enum Entry {
    /// A change, and the users who are told of a reservation by it.
    Change(Arc<Change>, Vec<User>),
    /// A drop is gone with everything in it.
    DropDeleted(DropId),
    /// A user without reservations is gone.
    UserDeleted(UserId),
    /// The changes of a drop up to this one leave the feed.
    Trimmed(DropId, Revision),
}

impl Entry {
    /// What is in doubt where its commit fails; nothing where memory need not follow: a user
    /// without reservations who is gone is written anew with the next one, and a feed that was
    /// trimmed is a shorter true one.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        match self {
            Self::Change(change, _) => Some(Doubt::Change(change.clone())),
            Self::DropDeleted(id) => Some(Doubt::Deletion(*id)),
            Self::UserDeleted(_) | Self::Trimmed(..) => None,
        }
    }

    pub(super) fn write(&self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        match self {
            Self::Change(change, users) => write_change(transaction, change, users),
            Self::DropDeleted(id) => delete_drop(transaction, *id),
            Self::UserDeleted(id) => forget_user(transaction, *id),
            Self::Trimmed(id, upto) => {
                let revisions = (id.get(), 0)..=(id.get(), upto.get());
                transaction.open_table(CHANGES)?.retain_in(revisions, |_, _| false)?;
                Ok(())
            }
        }
    }
}

fn delete_drop(transaction: &WriteTransaction, id: DropId) -> Result<(), redb::Error> {
    transaction.open_table(TERMS)?.remove(id.get())?;
    transaction.open_table(HEADS)?.remove(id.get())?;
    transaction.open_table(RESERVATIONS)?.retain_in(numbers(id), |_, _| false)?;
    transaction.open_table(CHUNKS)?.retain_in(numbers(id), |_, _| false)?;
    let revisions = (id.get(), 0)..=(id.get(), u64::MAX);
    transaction.open_table(CHANGES)?.retain_in(revisions, |_, _| false)?;
    Ok(())
}

pub(super) fn write_change(
    transaction: &WriteTransaction,
    change: &Change,
    users: &[User],
) -> Result<(), redb::Error> {
    let id = change.drop_id;
    if let Some(terms) = &change.terms {
        let mut table = transaction.open_table(TERMS)?;
        let created_at = match table.get(id.get())? {
            Some(record) => decode::<TermsRecord>(record.value())?.created_at,
            None => change.as_of,
        };
        let record = TermsRecord { created_at, terms: terms.as_ref().clone() };
        table.insert(id.get(), encode(&record)?.as_slice())?;
        raise(transaction, LAST_DROP, id.get())?;
    }
    if !change.forgotten.is_empty() {
        forget(transaction, id, &change.forgotten)?;
    }
    if !users.is_empty() {
        if let [user] = users {
            transaction.open_table(USERS)?.insert(user.id.get(), user.username.as_str())?;
        } else {
            let revision = (id.get(), change.revision.get());
            transaction.open_table(CROWDS)?.insert(revision, encode(&users)?.as_slice())?;
        }
        let last = users.iter().map(|user| user.id.get()).max().unwrap_or(0);
        raise(transaction, LAST_USER, last)?;
    }
    let mut table = transaction.open_table(RESERVATIONS)?;
    let (together, alone) = match change.inserted.as_slice() {
        [only] => (None, Some(only)),
        rows => (rows.first(), None),
    };
    for row in change.updated.iter().chain(alone) {
        table.insert(row.id().get(), encode(row)?.as_slice())?;
    }
    if let Some(first) = together {
        let rows = encode(&change.inserted)?;
        transaction.open_table(CHUNKS)?.insert(first.id().get(), rows.as_slice())?;
    }
    let head = HeadRecord {
        revision: change.revision,
        as_of: change.as_of,
        variants: change.variants.clone(),
        next_number: change.next_number,
        recent: change.recent.clone(),
    };
    transaction.open_table(HEADS)?.insert(id.get(), encode(&head)?.as_slice())?;
    let revision = (id.get(), change.revision.get());
    transaction.open_table(CHANGES)?.insert(revision, encode(change)?.as_slice())?;
    Ok(())
}

fn forget(transaction: &WriteTransaction, id: DropId, users: &[UserId]) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(RESERVATIONS)?;
    let mut unreadable = None;
    table.retain_in(numbers(id), |_, bytes| match decode::<Reservation>(bytes) {
        Ok(row) => !users.contains(&row.claim().user_id),
        Err(error) => {
            unreadable = Some(error);
            true
        }
    })?;
    unreadable.map_or(Ok(()), Err)?;
    let stays = |row: &Reservation| !users.contains(&row.claim().user_id);
    thin(&mut transaction.open_table(CHUNKS)?, numbers(id), stays)
}

fn forget_user(transaction: &WriteTransaction, id: UserId) -> Result<(), redb::Error> {
    transaction.open_table(USERS)?.remove(id.get())?;
    thin(&mut transaction.open_table(CROWDS)?, .., |user: &User| user.id != id)
}

/// Takes out of lists what does not stay, and lists of which nothing is left.
fn thin<K, T>(
    table: &mut Table<'_, K, &'static [u8]>,
    keys: impl RangeBounds<K>,
    stays: impl Fn(&T) -> bool,
) -> Result<(), redb::Error>
where
    K: Key + for<'a> Value<SelfType<'a> = K> + 'static,
    T: Serialize + DeserializeOwned,
{
    let mut thinner = Vec::new();
    for entry in table.range(keys)? {
        let (key, list) = entry?;
        let mut items: Vec<T> = decode(list.value())?;
        let before = items.len();
        items.retain(&stays);
        if items.len() < before {
            thinner.push((key.value(), items));
        }
    }
    for (key, items) in thinner {
        if items.is_empty() {
            table.remove(key)?;
        } else {
            table.insert(key, encode(&items)?.as_slice())?;
        }
    }
    Ok(())
}

fn raise(transaction: &WriteTransaction, key: &str, value: i64) -> Result<(), redb::Error> {
    let value = u64::try_from(value).unwrap_or(0);
    let mut table = transaction.open_table(META)?;
    let known = table.get(key)?.map_or(0, |known| known.value());
    if value > known {
        table.insert(key, value)?;
    }
    Ok(())
}

/// All reservation ids that a drop can have.
fn numbers(id: DropId) -> std::ops::RangeInclusive<i64> {
    let number = |number| ReservationId::new(id, number).map_or(0, ReservationId::get);
    number(1)..=number(ReservationId::MAX_NUMBER)
}
