//! Stopped mid-herd: every accepted request is answered, and what is not answered is not done.

use std::time::Instant;

use drop_core::conformance::history::Answer;
use drop_store_memory::FileStore;
use tokio::net::TcpStream;

use super::accepted::Accepted;
use super::crowd::Crowd;
use super::run::Run;
use super::stage::{CLIENTS, Drops, Returns, conclude, door, start};
use crate::support::{Shop, database};

/// Requests that are accepted when the signal comes, beside those of the crowd.
const ACCEPTED: usize = 16;

/// SIGTERM while the shop sells from `store`, and then another start.
async fn shop_is_stopped(run: &mut Run, store: &str, stops: usize) -> (Crowd, Drops, Shop) {
    let mut dice = run.dice(u64::MAX);
    let start = start(store);
    let mut shop = start.run().await;
    let mut drops = Drops::default();
    let first = drops.next(&shop).await;
    let mut crowd = Crowd::enter(run, ("buyer", CLIENTS), door(&shop, run), first);
    let mut returns = Returns::default();
    for stop in 0..stops {
        let present = drops.next(&shop).await;
        crowd.turns_to(present.clone());
        crowd.hears(20 + dice.below(40)).await;
        let mut accepted = Vec::new();
        for number in 0..ACCEPTED {
            let name = format!("accepted_{stop}_{number}");
            let drop_id = dice.pick(&present);
            accepted.push(Accepted::begin(door(&shop, run), &shop, drop_id, &name).await);
        }
        shop.process.signal("TERM").await;
        // Only once nobody new gets in is the rest of them sent.
        let address = shop.origin.trim_start_matches("http://").to_owned();
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        for request in accepted {
            let told = request.finish().await;
            assert!(matches!(told.answer, Answer::Reserved { extended: false, .. }), "{told:?}");
        }
        let ended = shop.process.wait().await;
        assert!(ended.success(), "the shop ended with {ended}");
        let since = Instant::now();
        shop = start.run().await;
        crowd.moves_to(door(&shop, run));
        returns.until_sold(&crowd, since).await;
    }
    crowd.leaves(run).await;
    run.figure("stops", &stops);
    run.figure("accepted before the signal, answered after it", &(stops * ACCEPTED));
    returns.tell(run, "from the end to the next sale");
    crowd.tell(run);
    let unheard = crowd.done_broken();
    if unheard > 0 {
        run.findings.push(format!("{unheard} requests were done and never answered"));
    }
    (crowd, drops, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_mid_herd_every_accepted_request_answered_file() {
    let test = "stops::stopped_mid_herd_every_accepted_request_answered_file";
    let mut run = Run::begin("kills", "SIGTERM, shop on a file", test);
    let directory = tempfile::tempdir().expect("a directory");
    let store = format!("file:{}", directory.path().display());
    let (crowd, drops, mut shop) = shop_is_stopped(&mut run, &store, Run::share(2, 5)).await;
    shop.process.kill().await;
    let store = FileStore::open(directory.path()).expect("the file opens");
    conclude(run, vec![crowd], &drops, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_mid_herd_every_accepted_request_answered_postgres() {
    let test = "stops::stopped_mid_herd_every_accepted_request_answered_postgres";
    let mut run = Run::begin("kills", "SIGTERM, shop on PostgreSQL", test);
    let database = database().await;
    let store = database.url();
    let (crowd, drops, _shop) = shop_is_stopped(&mut run, &store, Run::share(2, 5)).await;
    let store = database.connect().await.expect("a store");
    conclude(run, vec![crowd], &drops, &store).await;
}
