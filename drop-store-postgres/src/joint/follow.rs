//! What others have changed of several drops, followed in one round trip.

use std::collections::HashMap;

use drop_core::model::DropId;

use super::met::Met;
use super::opening::Found;
use super::sql;
use super::ticket::Ticket;
use crate::decode::{self, get, sound};
use crate::fault::Fault;
use crate::ledgers::Ledgers;
use crate::literal::Literal;
use crate::load::{FOLLOWED, followed, follows_from};
use crate::script::Script;
use crate::transaction::Transaction;

/// Those whose drop is at the locked row's change, as it was kept or after the changes of others.
/// Where they do not lead there, the drop is `unmet` again. Where they cannot be read, everybody
/// goes by himself, and what is kept stays.
pub(super) async fn follow(
    transaction: &mut Transaction,
    ledgers: &Ledgers,
    met: Vec<Met>,
    unmet: &mut Vec<(Ticket, Found)>,
) -> Vec<Met> {
    let (mut current, behind): (Vec<Met>, Vec<Met>) = met.into_iter().partition(Met::is_current);
    if behind.is_empty() {
        return current;
    }
    let Ok(mut feeds) = read(transaction, &behind).await else {
        for Met { ticket, kept, .. } in current.into_iter().chain(behind) {
            ledgers.keep(ticket.batch.drop_id(), kept);
        }
        return Vec::new();
    };
    for Met { ticket, found, kept } in behind {
        let feed = feeds.remove(&ticket.batch.drop_id()).unwrap_or_default();
        match followed(kept, found.head, feed.iter().map(String::as_str)) {
            Some(kept) => current.push(Met { ticket, found, kept }),
            None => unmet.push((ticket, found)),
        }
    }
    current
}

/// The changes of each drop that may be followed, from what is kept of it on.
async fn read(
    transaction: &mut Transaction,
    behind: &[Met],
) -> Result<HashMap<DropId, Vec<String>>, Fault> {
    let (mut drops, mut since) = (Vec::new(), Vec::new());
    for Met { ticket, found, kept } in behind {
        if let Some(from) = follows_from(kept, found.head, FOLLOWED)? {
            drops.push(ticket.batch.drop_id().get());
            since.push(from);
        }
    }
    let most = sound(i64::try_from(FOLLOWED.saturating_add(1)))?;
    let values = [Literal::Integers(&drops), Literal::Integers(&since), Literal::Integer(most)];
    let mut script = Script::new(true);
    script.run(&sql::CHANGES, &values);
    let mut feeds: HashMap<DropId, Vec<String>> = HashMap::new();
    for row in &transaction.script(script.message()).await? {
        let facts: String = get(row, "facts")?;
        feeds.entry(decode::drop_id(row, "drop_id")?).or_default().push(facts);
    }
    Ok(feeds)
}
