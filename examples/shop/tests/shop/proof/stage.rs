//! What the runs with kills, stops and pauses share.

use std::time::{Duration, Instant};

use drop_core::Store;
use drop_core::conformance::is_long;
use drop_core::model::DropId;
use drop_store_postgres::testing::Cluster;

use super::crowd::Crowd;
use super::run::Run;
use super::witness::Witness;
use crate::support::{Shop, Start};

/// The clients of one crowd.
pub(crate) const CLIENTS: u64 = 8;
const STOCK: u32 = 100_000;
/// Drops that are sold at a time: each lives through as many rounds.
const DROPS: usize = 3;
/// What the owner of a server may have set.
const CARELESS: [(&str, &str); 2] = [("synchronous_commit", "off"), ("wal_writer_delay", "10s")];
/// Shops are back within this, where the machine is not shared with anything.
const BACK: Duration = Duration::from_secs(2);
/// And within this wherever tests run: far more than a loaded machine needs, and far less than
/// something that has to time out first.
const BACK_UNDER_LOAD: Duration = Duration::from_secs(10);

/// Short enough that some holds lapse while their shop is down.
pub(crate) fn start(store: &str) -> Start {
    Start::on(store).with(&["--hold-seconds", "5"])
}

/// A server with `synchronous_commit = off`, and a writer of its log that wakes every ten
/// seconds: what its owner may have set, and what loses acknowledged sales at a kill wherever
/// the store forgets to ask for better.
pub(crate) async fn careless() -> Cluster {
    Cluster::private_in_memory(&CARELESS).await.expect("PostgreSQL")
}

/// A recorded client of `shop`.
pub(crate) fn door(shop: &Shop, run: &Run) -> Witness {
    Witness::new(shop.api.clone(), &run.recorder)
}

/// Drops that come and go, so that each has one history of a length to be kept.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    pub(crate) all: Vec<DropId>,
}

impl Drops {
    /// One more.
    pub(crate) async fn another(&mut self, shop: &Shop) -> DropId {
        let id = DropId::new(shop.api.plain_drop(STOCK).await).expect("an id");
        self.all.push(id);
        id
    }

    /// One more, and those that are sold from now on.
    pub(crate) async fn next(&mut self, shop: &Shop) -> Vec<DropId> {
        self.another(shop).await;
        self.all.iter().rev().take(DROPS).copied().collect()
    }
}

/// How long it took until something was sold again.
#[derive(Debug, Default)]
pub(crate) struct Returns(Vec<Duration>);

impl Returns {
    /// The crowd's next acknowledged answer ends the time that began at `since`.
    pub(crate) async fn until_sold(&mut self, crowd: &Crowd, since: Instant) {
        crowd.hears(1).await;
        self.0.push(since.elapsed());
    }

    /// Into the report, within the limit: the promised one where a run is long.
    pub(crate) fn tell(&self, run: &mut Run, what: &str) {
        let longest = self.0.iter().max().copied().unwrap_or_default();
        run.figure(what, &format!("{} ms at most", longest.as_millis()));
        let limit = if is_long() { BACK } else { BACK_UNDER_LOAD };
        assert!(longest <= limit, "{what}: {longest:?}");
    }
}

/// The end of a run: everybody has an answer, and what they were told is what is kept.
pub(crate) async fn conclude(mut run: Run, crowds: Vec<Crowd>, drops: &Drops, store: &dyn Store) {
    let mut acknowledged = 0;
    for mut crowd in crowds {
        crowd.leaves(&mut run).await;
        acknowledged += crowd.acknowledged();
    }
    run.figure("acknowledged", &acknowledged);
    run.judge(store, &drops.all).await;
    run.end();
}
