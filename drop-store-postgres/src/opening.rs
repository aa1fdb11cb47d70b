//! The first message of a transaction: its users, the lock, and what is read behind it.

use drop_core::StoreError;
use drop_core::model::{DropId, Revision, Timestamp, User, UserId, Username};
use drop_core::rules::{Batch, Command, Customer};
use sqlx::postgres::PgRow;

use crate::decode::{self, get, has, sound};
use crate::fault::Fault;
use crate::lease::Lease;
use crate::literal::Literal;
use crate::script::Script;
use crate::server::{Server, millis};
use crate::sql;
use crate::transaction::Transaction;

/// Which customers who reserve are made users where they are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// All of them if the drop has units available, or else none: a crowd that comes too late
    /// leaves nothing behind.
    WhereAvailable,
    /// All of them, if there is such a drop.
    All,
}

/// A drop whose lock is held, as far as it is read each time: enough to know whether what this
/// process has kept of it still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) revision: Revision,
    pub(crate) updated_at: Timestamp,
}

/// What the first message of a transaction brought.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) transaction: Transaction,
    /// The store's time, read behind the lock, and never before the drop's last change.
    pub(crate) as_of: Timestamp,
    /// `None` where there is no such drop.
    pub(crate) head: Option<Head>,
    /// The units in its holds, so that many holds at most.
    pub(crate) held: u64,
    /// The user of each command's customer, and with a limit what he has bought.
    pub(crate) customers: Vec<Option<Customer>>,
}

/// Begins the transaction and takes a drop's lock: one round trip.
pub(crate) async fn open(server: &Server, drop_id: DropId) -> Result<Opened, Fault> {
    send(server, None, drop_id, &Names::default(), Make::All, false).await
}

/// Makes the users of a batch, begins its transaction, takes its drop's lock, and finds out who
/// the customers are: one round trip.
pub(crate) async fn open_for(
    server: &Server,
    lease: Option<Lease>,
    batch: &Batch,
    make: Make,
) -> Result<Opened, Fault> {
    // A limit counts from the command that sets it.
    let limits = |command: &Command| matches!(command, Command::Amend(a) if a.limit.is_some());
    let limited = batch.commands().iter().any(limits);
    send(server, lease, batch.drop_id(), &Names::of(&[batch]), make, limited).await
}

async fn send(
    server: &Server,
    lease: Option<Lease>,
    drop_id: DropId,
    names: &Names<'_>,
    make: Make,
    limited: bool,
) -> Result<Opened, Fault> {
    let drop = Literal::Integer(drop_id.get());
    let lock = Literal::Integer(millis(server.patience.lock));
    let idle = Literal::Integer(millis(server.patience.idle));
    let planned = if server.prepared { sql::PLANNED_ONCE } else { "" };
    let mut script = Script::new(server.prepared);
    if !names.reserving.is_empty() {
        let make = Literal::Integer(i64::from(make == Make::All));
        script.add(sql::BEGIN_USERS, &[lock]).add(planned, &[]);
        let (_, reserving) = Names::columns(&names.reserving);
        script.run(&sql::MAKE_USERS, &[drop, Literal::Names(&reserving), make]);
        script.add("COMMIT;\n", &[]);
    }
    script.add(sql::OPENING, &[lock, idle]).add(planned, &[]);
    script.run(&sql::LOCK, &[drop]);
    script.add(sql::CLOCK, &[]);
    script.run(&sql::HEAD, &[drop]);
    if !names.customers.is_empty() {
        let limited = Literal::Integer(i64::from(limited));
        let (_, customers) = Names::columns(&names.customers);
        script.run(&sql::CUSTOMERS, &[drop, Literal::Keys(&customers), limited]);
    }
    let message = script.message();
    let (transaction, rows) = match lease {
        Some(lease) => Transaction::begin_with(server, lease, message).await?,
        None => Transaction::begin(server, message).await?,
    };
    let mut locked = false;
    let mut clock = None;
    let mut found = None;
    let mut held = 0;
    let mut customers = vec![None; names.commands];
    for row in &rows {
        if has(row, "locked") {
            locked = true;
        } else if has(row, "as_of") {
            clock = Some(decode::time(row, "as_of")?);
        } else if has(row, "revision") {
            found = Some(head(row)?);
            held = sound(u64::try_from(get::<i64, _>(row, "held")?))?;
        } else if let Some(found) = get(row, "customers")? {
            names.take(found, &mut customers)?;
        }
    }
    let clock = clock.ok_or_else(|| StoreError::corrupt("the server told no time"))?;
    // A drop that appeared after the locking statement found none is not locked.
    let head = found.filter(|_| locked);
    let as_of = head.map_or(clock, |head| clock.max(head.updated_at));
    Ok(Opened { transaction, as_of, head, held, customers })
}

/// The head of a drop, by the names of its columns.
pub(crate) fn head(row: &PgRow) -> Result<Head, StoreError> {
    let revision: i64 = get(row, "revision")?;
    Ok(Head {
        revision: Revision::new(sound(u64::try_from(revision))?),
        updated_at: decode::time(row, "updated_at")?,
    })
}

/// The names that batches speak of, each with its drop.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    /// How many commands there are.
    pub(crate) commands: usize,
    /// Those who reserve, in one order, so that two instances that make the same users do not
    /// deadlock; of two spellings of a name the one that asked first comes first.
    pub(crate) reserving: Vec<(DropId, &'a Username)>,
    /// The customer of each command that has one, in the order of the commands.
    pub(crate) customers: Vec<(DropId, &'a Username)>,
    /// Which command each of them is of.
    of_commands: Vec<usize>,
}

impl<'a> Names<'a> {
    /// Those of batches whose commands follow each other.
    pub(crate) fn of(batches: &[&'a Batch]) -> Self {
        let mut names = Self::default();
        let commands = batches
            .iter()
            .flat_map(|batch| batch.commands().iter().map(|command| (batch.drop_id(), command)));
        for (index, (drop_id, command)) in commands.enumerate() {
            names.commands = index.saturating_add(1);
            let Some(name) = command.customer() else { continue };
            names.customers.push((drop_id, name));
            names.of_commands.push(index);
            if matches!(command, Command::Reserve { .. }) {
                names.reserving.push((drop_id, name));
            }
        }
        names.reserving.sort_by_key(|(_, name)| *name);
        names
    }

    /// Their drops, and they, in two columns.
    pub(crate) fn columns(names: &[(DropId, &'a Username)]) -> (Vec<i64>, Vec<&'a Username>) {
        names.iter().map(|(drop_id, name)| (drop_id.get(), *name)).unzip()
    }

    /// Reads what [`sql::CUSTOMERS`] found: position, id, spelling and units bought of each.
    pub(crate) fn take(
        &self,
        found: &str,
        customers: &mut [Option<Customer>],
    ) -> Result<(), StoreError> {
        for customer in found.split(',') {
            let mut words = customer.split(' ');
            let mut word = || words.next().unwrap_or_default();
            let position = sound(word().parse::<usize>())?.saturating_sub(1);
            let id = sound(UserId::new(sound(word().parse())?))?;
            let spelling = word();
            let bought = sound(drop_core::model::Units::new(sound(word().parse())?))?;
            let asked = self.customers.get(position).zip(self.of_commands.get(position));
            let ((_, name), index) =
                asked.ok_or_else(|| StoreError::corrupt("who was not asked for"))?;
            let username = if name.as_str() == spelling {
                (*name).clone()
            } else {
                sound(Username::new(spelling))?
            };
            if let Some(customer) = customers.get_mut(*index) {
                *customer = Some(Customer { user: User { id, username }, bought });
            }
        }
        Ok(())
    }
}
