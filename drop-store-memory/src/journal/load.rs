//! Reading everything back into shelves, and checking it against itself.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;

use drop_core::model::{
    DropId, Reservation, ReservationId, Revision, Timestamp, User, UserId, Username,
};
use drop_core::rules::Change;
use redb::{
    Database, Error as EngineError, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata,
};

use crate::recount::recount;
use crate::shared_shelf::SharedShelf;
use crate::shelf::Shelf;
use crate::shelves::Drops;
use crate::users::Users;

use super::tables::{
    CHANGES, FORMAT, HEADS, HeadRecord, LAST_DROP, LAST_USER, META, PRESENT_FORMAT, RESERVATIONS,
    TERMS, TermsRecord, USERS, decode,
};

/// What a database held.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) users: Users,
    pub(super) drops: Drops,
}

/// Why it was not taken.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The machine is in the way: the same file may be read later.
    Engine(Box<EngineError>),
    /// The engine or the file itself says that it is damaged.
    Contradiction(String),
    Format(u64),
    /// Reading panicked.
    BrokeOff,
}

impl<E: Into<EngineError>> From<E> for LoadError {
    fn from(error: E) -> Self {
        let error = error.into();
        if is_damage(&error) {
            return Self::Contradiction(error.to_string());
        }
        Self::Engine(Box::new(error))
    }
}

/// Whether an error is about the file: it will be the same the next time.
fn is_damage(error: &EngineError) -> bool {
    match error {
        EngineError::Io(source) => {
            matches!(source.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
        }
        EngineError::DatabaseAlreadyOpen
        | EngineError::PreviousIo
        | EngineError::LockPoisoned(_) => false,
        _ => true,
    }
}

fn contradiction(finding: impl std::fmt::Display) -> LoadError {
    LoadError::Contradiction(finding.to_string())
}

/// Reads all tables.
pub(super) fn load(database: &Database) -> Result<Loaded, LoadError> {
    let transaction = database.begin_read()?;
    match meta(&transaction, FORMAT)? {
        PRESENT_FORMAT => {}
        other => return Err(LoadError::Format(other)),
    }
    let users = load_users(&transaction)?;
    let last_id = i64::try_from(meta(&transaction, LAST_DROP)?).map_err(contradiction)?;
    let mut drops = Drops { last_id, ..Drops::default() };
    let heads = transaction.open_table(HEADS)?;
    let mut rows: usize = 0;
    for entry in transaction.open_table(TERMS)?.iter()? {
        let (id, terms) = entry?;
        let id = DropId::new(id.value()).map_err(contradiction)?;
        let terms: TermsRecord = decode(terms.value())?;
        let head =
            heads.get(id.get())?.ok_or_else(|| contradiction(format!("drop {id} has no head")))?;
        let shelf = load_shelf(&transaction, id, terms, decode(head.value())?)?;
        check(&shelf, &users)?;
        rows = rows.saturating_add(shelf.rows().count());
        drops.shelves.insert(id, SharedShelf::new(shelf));
    }
    let kept =
        usize::try_from(transaction.open_table(RESERVATIONS)?.len()?).map_err(contradiction)?;
    if kept != rows {
        return Err(contradiction(format!("{kept} reservations, {rows} of them in drops")));
    }
    Ok(Loaded { users, drops })
}

fn meta(transaction: &ReadTransaction, key: &str) -> Result<u64, LoadError> {
    Ok(transaction.open_table(META)?.get(key)?.map_or(0, |value| value.value()))
}

fn load_users(transaction: &ReadTransaction) -> Result<Users, LoadError> {
    let mut users = Users::default();
    for entry in transaction.open_table(USERS)?.iter()? {
        let (id, username) = entry?;
        let id = UserId::new(id.value()).map_err(contradiction)?;
        let username = Username::new(username.value()).map_err(contradiction)?;
        users.restore(User { id, username });
    }
    users.given(i64::try_from(meta(transaction, LAST_USER)?).map_err(contradiction)?);
    Ok(users)
}

fn load_shelf(
    transaction: &ReadTransaction,
    id: DropId,
    terms: TermsRecord,
    head: HeadRecord,
) -> Result<Shelf, LoadError> {
    let state = Arc::new(Change {
        drop_id: id,
        revision: head.revision,
        as_of: head.as_of,
        variants: head.variants,
        next_number: head.next_number,
        updated: Vec::new(),
        inserted: Vec::new(),
        forgotten: Vec::new(),
        purchasers: Vec::new(),
        recent: head.recent,
        terms: Some(Arc::new(terms.terms)),
        moved: false,
        sold_out: false,
    });
    let mut rows = Vec::new();
    let last = id.get().saturating_add(1) << 29;
    for entry in transaction.open_table(RESERVATIONS)?.range(id.get() << 29..last)? {
        let (key, row) = entry?;
        let row: Reservation = decode(row.value())?;
        if ReservationId::from_i64(key.value()) != Ok(row.id()) {
            return Err(contradiction(format!(
                "reservation {} under number {}",
                row.id(),
                key.value()
            )));
        }
        if row.id().number() >= state.next_number {
            return Err(contradiction(format!(
                "reservation {} is beyond the drop's numbers",
                row.id()
            )));
        }
        rows.push(row);
    }
    let mut changes = VecDeque::new();
    let mut expected: Option<Revision> = None;
    for entry in transaction.open_table(CHANGES)?.range((id.get(), 0)..=(id.get(), u64::MAX))? {
        let change: Change = decode(entry?.1.value())?;
        if expected.is_some_and(|expected| expected != change.revision) {
            return Err(contradiction(format!(
                "drop {id} lacks a change before {}",
                change.revision
            )));
        }
        expected = Some(change.revision.next());
        changes.push_back(Arc::new(change));
    }
    if expected != Some(state.revision.next()) {
        return Err(contradiction(format!("drop {id} lacks its newest change")));
    }
    Shelf::restore(&state, terms.created_at, rows, changes)
        .ok_or_else(|| contradiction(format!("drop {id} has no terms")))
}

fn check(shelf: &Shelf, users: &Users) -> Result<(), LoadError> {
    let findings = recount(shelf, shelf.as_of(Timestamp::MIN)).findings();
    if !findings.is_empty() {
        return Err(contradiction(format!("drop {}: {}", shelf.id(), findings.join("; "))));
    }
    match shelf.rows().find(|row| users.name(row.claim().user_id).is_none()) {
        Some(row) => Err(contradiction(format!("reservation {} is of an unknown user", row.id()))),
        None => Ok(()),
    }
}
