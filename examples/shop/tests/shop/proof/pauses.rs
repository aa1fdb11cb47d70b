//! One of two instances is stopped (SIGSTOP), also while it holds a drop's lock: the other goes
//! on selling, and both do once it goes on (SIGCONT), without anybody's help.

use std::time::{Duration, Instant};

use drop_core::conformance::is_long;
use drop_core::model::DropId;
use drop_store_postgres::testing::{Database, SqlProxy, Verdict};
use sqlx::{Connection, PgConnection};

use super::crowd::Crowd;
use super::run::Run;
use super::stage::{Drops, conclude, door, start};
use super::witness::Witness;
use crate::support::{Shop, database};

/// How long an instance is stopped, at least.
const STOPPED: Duration = Duration::from_secs(5);
/// Sales that show that selling goes on.
const SOME: u64 = 10;
/// Looks at a lock until it counts as one that stays.
const LOOKS: usize = 50;
/// Clients of each crowd.
const CLIENTS: u64 = 3;

/// Whether anybody has the drop locked.
async fn is_locked(watch: &mut PgConnection, drop_id: DropId) -> bool {
    let lock = "SELECT 1 FROM drops WHERE id = $1 FOR UPDATE SKIP LOCKED";
    let rows = sqlx::query(lock).bind(drop_id.get()).fetch_all(watch).await;
    rows.expect("the drop is looked at").is_empty()
}

/// Whether anybody waits for a lock.
async fn is_waited_for(watch: &mut PgConnection) -> bool {
    let sessions = "SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let rows = sqlx::query(sessions).fetch_all(watch).await;
    !rows.expect("the server's sessions").is_empty()
}

/// Stops `shop` in the middle of a change of `drop_id`, with the drop locked: what the change
/// writes is locked by somebody else until the process stands still.
async fn stop_with_lock(
    database: &Database,
    watch: &mut PgConnection,
    (shop, door): (&Shop, &Witness),
    drop_id: DropId,
    name: &str,
) -> tokio::task::JoinHandle<()> {
    loop {
        let mut outsider = database.connection().await.expect("a connection");
        let mut transaction = outsider.begin().await.expect("a transaction");
        let lock = "SELECT 1 FROM drop_variants WHERE drop_id = $1 FOR UPDATE";
        let locked = sqlx::query(lock).bind(drop_id.get()).execute(&mut *transaction).await;
        locked.expect("the variant is locked");
        let (asking, name) = (door.clone(), name.to_owned());
        let asked = tokio::spawn(async move {
            asking.reserve(drop_id, &name).await;
        });
        while !(is_locked(watch, drop_id).await && is_waited_for(watch).await) {
            tokio::task::yield_now().await;
        }
        shop.process.signal("STOP").await;
        transaction.rollback().await.expect("unlocked");
        // Its write goes through now, and its COMMIT does not come.
        let mut looks = 0..LOOKS;
        while looks.next().is_some() && is_locked(watch, drop_id).await {}
        if looks.next().is_none() && is_locked(watch, drop_id).await {
            return asked;
        }
        // It had given up before it was stopped: once more.
        shop.process.signal("CONT").await;
        asked.await.expect("it is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_instances_stopped() {
    let rounds = Run::share(2, 10);
    let mut run =
        Run::begin("kills", "SIGSTOP of one of two", "pauses::one_of_two_instances_stopped");
    let mut dice = run.dice(u64::MAX);
    let database = database().await;
    let mut watch = database.connection().await.expect("a connection");
    let start = start(&database.url());
    let (one, two) = (start.run().await, start.run().await);
    let doors = [door(&one, &run), door(&two, &run)];
    let mut drops = Drops::default();
    let (hot, calm) = (drops.another(&two).await, drops.another(&two).await);
    let enter = |label, door: &Witness, drop_id| {
        Crowd::enter(&run, (label, CLIENTS), door.clone(), vec![drop_id])
    };
    let stopped = enter("stopped", &doors[0], hot);
    let beside = enter("beside", &doors[1], hot);
    let apart = enter("apart", &doors[1], calm);
    let (mut locked, mut longest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let (hot, calm) = (drops.another(&two).await, drops.another(&two).await);
        apart.turns_to(vec![calm]);
        let mut asked = None;
        if round % 2 == 0 {
            // Nobody but the probe knows the drop before its lock is held.
            let name = format!("probe_{round}");
            let at = (&one, &doors[0]);
            asked = Some(stop_with_lock(&database, &mut watch, at, hot, &name).await);
            beside.turns_to(vec![hot]);
            stopped.turns_to(vec![hot]);
            // The other drop is sold while the lock is held.
            apart.hears(SOME).await;
            locked += u64::from(is_locked(&mut watch, hot).await);
        } else {
            beside.turns_to(vec![hot]);
            stopped.turns_to(vec![hot]);
            stopped.hears(20 + dice.below(40)).await;
            one.process.signal("STOP").await;
        }
        let since = Instant::now();
        // The hot drop's lock goes with its session, which the server ends.
        beside.hears(SOME).await;
        longest = longest.max(since.elapsed());
        while since.elapsed() < STOPPED {
            apart.hears(SOME).await;
            beside.hears(SOME).await;
        }
        one.process.signal("CONT").await;
        stopped.hears(SOME).await;
        if let Some(asked) = asked {
            asked.await.expect("who asked the stopped instance is answered");
        }
    }
    run.figure("stops", &rounds);
    run.figure("with a drop's lock held", &rounds.div_ceil(2));
    run.figure("of those, other drops sold while it was held", &locked);
    run.figure(
        "until the other instance sold the drop",
        &format!("{} ms at most", longest.as_millis()),
    );
    let store = database.connect().await.expect("a store");
    conclude(run, vec![stopped, beside, apart], &drops, &store).await;
}

/// The instance's COMMIT is kept on its way while the instance is stopped, so that its session has
/// the drop locked for certain: until the server ends it.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_for_30_s_holding_a_lock() {
    let test = "pauses::stopped_for_30_s_holding_a_lock";
    // Its share is longer than a session may do nothing in a transaction, and not by much.
    let stopped = Duration::from_secs(if is_long() { 30 } else { 6 });
    let mut run = Run::begin("kills", "SIGSTOP with a lock held", test);
    let database = database().await;
    let mut watch = database.connection().await.expect("a connection");
    let proxy = SqlProxy::before(&database.options()).await.expect("a proxy");
    let at = |url: &str| start(url).quiet();
    let (one, two) = (at(&proxy.url()).run().await, at(&database.url()).run().await);
    let (at_one, at_two) = (door(&one, &run), door(&two, &run));
    let mut drops = Drops::default();
    let hot = drops.another(&two).await;
    let mut gate = proxy.gate();
    proxy.set_judge(|step| if step.is_commit() { Verdict::Hold } else { Verdict::Pass });
    let asking = at_one.clone();
    let asked = tokio::spawn(async move { asking.reserve(hot, "probe").await });
    let commit = loop {
        let held = gate.next().await.expect("the proxy is there");
        if is_locked(&mut watch, hot).await {
            break held;
        }
        // Another transaction's.
        held.release();
    };
    one.process.signal("STOP").await;
    assert!(is_locked(&mut watch, hot).await, "stopped without its lock");
    let since = Instant::now();
    let beside = Crowd::enter(&run, ("beside", CLIENTS), at_two, vec![hot]);
    beside.hears(SOME).await;
    let took = since.elapsed();
    while since.elapsed() < stopped {
        beside.hears(SOME).await;
    }
    one.process.signal("CONT").await;
    proxy.pass();
    // Its COMMIT comes to a session that is gone: whoever asked is told to ask again, and is served.
    commit.release();
    let told = asked.await.expect("it is answered");
    assert_eq!(told.status, Some(503), "{told:?}");
    let again = Crowd::enter(&run, ("again", CLIENTS), at_one, vec![hot]);
    again.hears(SOME).await;
    run.figure("stopped for", &format!("{} s", stopped.as_secs()));
    run.figure("until the other instance sold the drop", &format!("{} ms", took.as_millis()));
    let store = database.connect().await.expect("a store");
    conclude(run, vec![beside, again], &drops, &store).await;
}
