//! Crowds over more drops than connections: every rule holds, whoever goes with whom.

use std::collections::BTreeSet;
use std::sync::Arc;

use drop_core::Store;
use drop_core::model::{DropId, ReservationId, Revision};
use drop_core::rules::{Effect, Outcome};
use drop_store_postgres::PostgresStore;
use tokio::task::JoinSet;

use crate::kit::{assert_sound, counts, database, drop_of, outcome, purchase, release, reserve};
use crate::sales::replays;

const DROPS: usize = 24;
const UNITS: u32 = 7;
const CALLERS: usize = 40;

/// One of the crowd: goes from drop to drop, takes what he gets, and keeps it, buys it or gives it
/// back. Returns what he has bought.
async fn shop(store: PostgresStore, drops: Arc<Vec<DropId>>, caller: usize) -> Vec<ReservationId> {
    let name = format!("caller{caller}");
    let mut bought = Vec::new();
    for step in 0..drops.len() {
        let id = drops[(caller * 5 + step) % drops.len()];
        let outcome_of = outcome(&store, id, reserve(&name)).await;
        let Outcome::Done(Effect::Reserved { reservation, .. }) = outcome_of else { continue };
        let ending = match (caller + step) % 4 {
            0 => continue,
            1 => release(reservation.id(), &name),
            _ => purchase(reservation.id(), &name),
        };
        if let Outcome::Done(Effect::Purchased { purchase, .. }) = outcome(&store, id, ending).await
        {
            bought.push(purchase.id);
        }
    }
    bought
}

/// Two instances with two connections each, and a crowd that is spread over all drops: nothing is
/// sold twice, the feed of each drop has no gap and leads to its rows, and most went together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_over_many_drops_buys_nothing_twice() {
    let database = database().await;
    let first = database.builder().pool_size(2).connect().await.unwrap();
    let second = database.builder().pool_size(2).connect_unmigrated().await.unwrap();
    let mut drops = Vec::new();
    for _ in 0..DROPS {
        drops.push(drop_of(&first, i64::from(UNITS)).await);
    }
    let drops = Arc::new(drops);
    let mut crowd = JoinSet::new();
    for caller in 0..CALLERS {
        let store = [&first, &second][caller % 2].clone();
        crowd.spawn(shop(store, drops.clone(), caller));
    }
    let bought: Vec<ReservationId> = crowd.join_all().await.into_iter().flatten().collect();
    let unique: BTreeSet<ReservationId> = bought.iter().copied().collect();
    assert_eq!(unique.len(), bought.len(), "each purchase is told once");
    for id in drops.iter().copied() {
        let (total, held, sold) = counts(&first, id).await;
        assert!(held + sold <= total && total == UNITS, "{id}: {held} held, {sold} sold");
        let told = bought.iter().filter(|purchase| purchase.drop_id() == id).count();
        assert_eq!(told, usize::try_from(sold).unwrap(), "{id}");
        assert_sound(&second, id).await;
        let changes = first.changes(id, Revision::new(0), 10_000).await.unwrap();
        let revisions = changes.iter().map(|change| change.revision.get());
        assert!(revisions.eq(1..=u64::try_from(changes.len()).unwrap()), "{id} has a gap");
        replays(&first, id).await;
    }
    let mut outside = database.connection().await.unwrap();
    let shared = "SELECT count(*) FROM (SELECT 1 FROM drop_changes GROUP BY xmin::text \
                  HAVING count(DISTINCT drop_id) > 1) shared";
    let shared: i64 = sqlx::query_scalar(shared).fetch_one(&mut outside).await.unwrap();
    assert!(shared > 0, "nobody went together");
}
