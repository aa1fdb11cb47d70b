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
    CHANGES, CHUNKS, CROWDS, FORMAT, FORMER_FORMAT, HEADS, HeadRecord, LAST_DROP, LAST_USER, META,
    PRESENT_FORMAT, RESERVATIONS, TERMS, TermsRecord, USERS, decode,
};

/// What a database held.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) users: Users,
    pub(super) drops: Drops,
    /// Whether it is of the former format.
    pub(super) is_former: bool,
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
    let is_former = match meta(&transaction, FORMAT)? {
        PRESENT_FORMAT => false,
        FORMER_FORMAT => true,
        other => return Err(LoadError::Format(other)),
    };
    // Each is half of the work, and needs the other only in the end.
    let (users, shelves) = std::thread::scope(|scope| {
        let users = scope.spawn(|| load_users(&transaction, is_former));
        let shelves = load_shelves(&transaction, is_former);
        let users = users.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (users, shelves)
    });
    let (users, shelves) = (users?, shelves?);
    let last_id = i64::try_from(meta(&transaction, LAST_DROP)?).map_err(contradiction)?;
    let mut drops = Drops { last_id, ..Drops::default() };
    for shelf in shelves {
        check(&shelf, &users)?;
        drops.shelves.insert(shelf.id(), SharedShelf::new(shelf));
    }
    Ok(Loaded { users, drops, is_former })
}

/// All drops, and every entry of their tables in one of them.
fn load_shelves(transaction: &ReadTransaction, is_former: bool) -> Result<Vec<Shelf>, LoadError> {
    let mut shelves = Vec::new();
    let heads = transaction.open_table(HEADS)?;
    let mut entries: u64 = 0;
    for entry in transaction.open_table(TERMS)?.iter()? {
        let (id, terms) = entry?;
        let id = DropId::new(id.value()).map_err(contradiction)?;
        let terms: TermsRecord = decode(terms.value())?;
        let head =
            heads.get(id.get())?.ok_or_else(|| contradiction(format!("drop {id} has no head")))?;
        let head = decode(head.value())?;
        let (rows, read) = load_rows(transaction, id, &head, is_former)?;
        entries = entries.saturating_add(read);
        shelves.push(load_shelf(transaction, id, terms, head, rows)?);
    }
    let mut kept = transaction.open_table(RESERVATIONS)?.len()?;
    if !is_former {
        kept = kept.saturating_add(transaction.open_table(CHUNKS)?.len()?);
    }
    if kept != entries {
        return Err(contradiction(format!("{kept} entries of rows, {entries} of them in drops")));
    }
    Ok(shelves)
}

fn meta(transaction: &ReadTransaction, key: &str) -> Result<u64, LoadError> {
    Ok(transaction.open_table(META)?.get(key)?.map_or(0, |value| value.value()))
}

fn load_users(transaction: &ReadTransaction, is_former: bool) -> Result<Users, LoadError> {
    let mut users = Users::default();
    if !is_former {
        for entry in transaction.open_table(CROWDS)?.iter()? {
            for user in decode::<Vec<User>>(entry?.1.value())? {
                users.restore(user);
            }
        }
    }
    for entry in transaction.open_table(USERS)?.iter()? {
        let (id, username) = entry?;
        let id = UserId::new(id.value()).map_err(contradiction)?;
        let username = Username::new(username.value()).map_err(contradiction)?;
        users.restore(User { id, username });
    }
    users.given(i64::try_from(meta(transaction, LAST_USER)?).map_err(contradiction)?);
    Ok(users)
}

/// A drop's rows, and of how many entries they are. A number may be there twice: the later is
/// its present state.
fn load_rows(
    transaction: &ReadTransaction,
    id: DropId,
    head: &HeadRecord,
    is_former: bool,
) -> Result<(Vec<Reservation>, u64), LoadError> {
    let ids = id.get() << 29..id.get().saturating_add(1) << 29;
    let mut rows: Vec<Reservation> = Vec::new();
    let mut entries: u64 = 0;
    if !is_former {
        for entry in transaction.open_table(CHUNKS)?.range(ids.clone())? {
            let (key, chunk) = entry?;
            entries = entries.saturating_add(1);
            for row in decode::<Vec<Reservation>>(chunk.value())? {
                let is_next = rows.last().is_none_or(|last| last.id() < row.id());
                if !is_next || row.id().get() < key.value() || row.id().drop_id() != id {
                    return Err(contradiction(format!("reservation {} is out of place", row.id())));
                }
                rows.push(row);
            }
        }
    }
    for entry in transaction.open_table(RESERVATIONS)?.range(ids)? {
        let (key, row) = entry?;
        entries = entries.saturating_add(1);
        let row: Reservation = decode(row.value())?;
        if ReservationId::from_i64(key.value()) != Ok(row.id()) {
            return Err(contradiction(format!(
                "reservation {} under number {}",
                row.id(),
                key.value()
            )));
        }
        rows.push(row);
    }
    match rows.iter().find(|row| row.id().number() >= head.next_number) {
        Some(row) => {
            Err(contradiction(format!("reservation {} is beyond the drop's numbers", row.id())))
        }
        None => Ok((rows, entries)),
    }
}

fn load_shelf(
    transaction: &ReadTransaction,
    id: DropId,
    terms: TermsRecord,
    head: HeadRecord,
    rows: Vec<Reservation>,
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
