//! What a file that was opened again says, against what memory has.

use std::collections::BTreeMap;
use std::sync::Arc;

use drop_core::model::{DropId, Revision};
use drop_core::rules::Change;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use crate::log::{Head, Lead};

use super::load::LoadError;
use super::tables::{CHANGES, HEADS, HeadRecord, decode};

/// A commit whose outcome is unknown.
#[derive(Clone, Debug)]
pub(super) enum Doubt {
    /// Of a change.
    Change(Box<Change>),
    /// Of the deletion of a drop.
    Deletion(DropId),
    /// Of something that memory need not follow: a user without reservations who is gone is
    /// written anew with the next one, and a feed that was trimmed is a shorter true one.
    Harmless,
}

/// By what the file is ahead: by nothing, or by what is in doubt. Anything else is a
/// contradiction.
pub(super) fn compare(
    database: &Database,
    memory: &[Head],
    doubt: Option<&Doubt>,
) -> Result<Option<Lead>, LoadError> {
    let transaction = database.begin_read()?;
    let mut kept = BTreeMap::new();
    for entry in transaction.open_table(HEADS)?.iter()? {
        let (id, head) = entry?;
        kept.insert(id.value(), decode::<HeadRecord>(head.value())?);
    }
    let mut lead = None;
    for head in memory {
        match kept.remove(&head.id.get()) {
            Some(record) if is_same(&record, head) => {}
            Some(record) => {
                lead = Some(ahead(&transaction, head.id, Some(head.revision), &record, doubt)?);
            }
            None if matches!(doubt, Some(Doubt::Deletion(id)) if *id == head.id) => {
                lead = Some(Lead::Deletion(head.id));
            }
            None => return Err(contradiction(head.id, "is not in the file any more")),
        }
    }
    for (id, record) in kept {
        let id = DropId::new(id).map_err(|error| LoadError::Contradiction(error.to_string()))?;
        lead = Some(ahead(&transaction, id, None, &record, doubt)?);
    }
    Ok(lead)
}

fn is_same(record: &HeadRecord, head: &Head) -> bool {
    record.revision == head.revision
        && record.as_of == head.as_of
        && record.variants == head.variants
        && record.next_number == head.next_number
}

/// The change in doubt, if it is exactly what the file has and memory has not.
fn ahead(
    transaction: &ReadTransaction,
    id: DropId,
    known: Option<Revision>,
    record: &HeadRecord,
    doubt: Option<&Doubt>,
) -> Result<Lead, LoadError> {
    let expected = known.map_or(Revision::FIRST, Revision::next);
    let Some(Doubt::Change(change)) = doubt else {
        return Err(contradiction(id, "was changed by somebody else"));
    };
    if change.drop_id != id || change.revision != expected || record.revision != expected {
        return Err(contradiction(id, "is not where it was left"));
    }
    let changes = transaction.open_table(CHANGES)?;
    let stored = changes.get((id.get(), expected.get()))?;
    let stored = stored.ok_or_else(|| contradiction(id, "lacks its newest change"))?;
    if decode::<Change>(stored.value())? != **change {
        return Err(contradiction(id, "has another change than was written"));
    }
    Ok(Lead::Change(Arc::new(change.as_ref().clone())))
}

fn contradiction(id: DropId, finding: &str) -> LoadError {
    LoadError::Contradiction(format!("drop {id} {finding}"))
}
