//! What a file that was opened again says, against what memory has.

use std::collections::BTreeMap;
use std::sync::Arc;

use drop_core::model::{DropId, Revision};
use drop_core::rules::Change;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use crate::log::{Head, Lead};

use super::load::LoadError;
use super::tables::{CHANGES, HEADS, HeadRecord, decode};

/// What a commit whose outcome is unknown was of.
#[derive(Clone, Debug)]
pub(super) enum Doubt {
    /// Of a change.
    Change(Arc<Change>),
    /// Of the deletion of a drop.
    Deletion(DropId),
}

impl Doubt {
    fn drop_id(&self) -> DropId {
        match self {
            Self::Change(change) => change.drop_id,
            Self::Deletion(id) => *id,
        }
    }
}

/// By what the file is ahead: by nothing, or by everything that is in doubt. Anything else is a
/// contradiction.
pub(super) fn compare(
    database: &Database,
    memory: &[Head],
    doubts: &[Doubt],
) -> Result<Vec<Lead>, LoadError> {
    let transaction = database.begin_read()?;
    let mut kept = BTreeMap::new();
    for entry in transaction.open_table(HEADS)?.iter()? {
        let (id, head) = entry?;
        kept.insert(id.value(), decode::<HeadRecord>(head.value())?);
    }
    let doubt_of = |id: DropId| doubts.iter().find(|doubt| doubt.drop_id() == id);
    let mut leads = Vec::new();
    for head in memory {
        let (id, doubt) = (head.id, doubt_of(head.id));
        match kept.remove(&id.get()) {
            Some(record) if is_same(&record, head) => {}
            Some(record) => {
                leads.push(ahead(&transaction, id, Some(head.revision), &record, doubt)?);
            }
            None if matches!(doubt, Some(Doubt::Deletion(_))) => leads.push(Lead::Deletion(id)),
            None => return Err(contradiction(id, "is not in the file any more")),
        }
    }
    for (id, record) in kept {
        let id = DropId::new(id).map_err(|error| LoadError::Contradiction(error.to_string()))?;
        leads.push(ahead(&transaction, id, None, &record, doubt_of(id))?);
    }
    // One commit: all of it or nothing.
    match doubts.iter().find(|doubt| !leads.iter().any(|lead| lead.drop_id() == doubt.drop_id())) {
        Some(missing) if !leads.is_empty() => {
            Err(contradiction(missing.drop_id(), "is not as far as others of the same commit"))
        }
        _ => Ok(leads),
    }
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
    if change.revision != expected || record.revision != expected {
        return Err(contradiction(id, "is not where it was left"));
    }
    let changes = transaction.open_table(CHANGES)?;
    let stored = changes.get((id.get(), expected.get()))?;
    let stored = stored.ok_or_else(|| contradiction(id, "lacks its newest change"))?;
    if decode::<Change>(stored.value())? != **change {
        return Err(contradiction(id, "has another change than was written"));
    }
    Ok(Lead::Change(change.clone()))
}

fn contradiction(id: DropId, finding: &str) -> LoadError {
    LoadError::Contradiction(format!("drop {id} {finding}"))
}
