//! Who waits, where a runtime ends that others rely on.

use std::sync::mpsc;
use std::time::Duration;

use drop_core::model::DropId;
use drop_core::{Store, StoreError};
use drop_store_postgres::testing::{Database, Held, Step, Verdict};
use tokio::runtime::{Builder, Runtime};

use super::{Asked, Busy, Queue, answers, is_write, outcomes};
use crate::bounds::soon;
use crate::kit::{batch, counts, database, drop_of, hold, is_hold, outcome, reserve};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Two who wait: the first on a runtime of his own, where the place of both is.
struct Scene {
    database: Database,
    queue: Queue,
    drops: [DropId; 2],
    busy: Busy,
    waiting: Asked,
}

async fn scene(first: &Runtime) -> Scene {
    let database = database().await;
    let mut queue = Queue::of(&database).await;
    let drops: [_; 2] = queue.drops(5).await;
    let busy = queue.take_connection().await;
    let (store, id) = (queue.store.clone(), drops[0]);
    first.spawn(async move { outcome(&store, id, reserve("ann")).await });
    while first.metrics().num_alive_tasks() < 2 {
        tokio::task::yield_now().await;
    }
    let waiting = queue.ask(drops[1], vec![reserve("bob")]).await;
    Scene { database, queue, drops, busy, waiting }
}

/// Whoever asks next is served.
async fn assert_open(queue: &Queue) {
    let id = drop_of(&queue.store, 1).await;
    hold(&queue.store, id, "cat").await;
}

#[test]
fn the_end_of_a_runtime_leaves_nobody_waiting() {
    let (first, second) = (runtime(), runtime());
    let scene = second.block_on(scene(&first));
    first.shutdown_background();
    second.block_on(async {
        let Scene { database, queue, busy, waiting, .. } = scene;
        busy.let_go().await;
        assert!(outcomes(vec![waiting]).await.iter().flatten().all(is_hold));
        assert_open(&queue).await;
        drop(database);
    });
}

/// Lets them go, and stops their transaction where `at` says.
async fn stop(scene: Scene, at: fn(&Step) -> bool) -> (Database, Queue, [DropId; 2], Held, Asked) {
    let Scene { database, mut queue, drops, busy, waiting } = scene;
    let mut is_within = false;
    queue.proxy.set_judge(move |step| {
        is_within |= step.sql.contains("EXECUTE drops_lock");
        if is_within && at(step) { Verdict::Hold } else { Verdict::Pass }
    });
    busy.let_go().await;
    let standing = soon(queue.gate.next()).await.unwrap();
    (database, queue, drops, standing, waiting)
}

/// Before its COMMIT nothing is written: the other one goes by himself.
#[test]
fn a_transaction_that_is_broken_off_has_written_nothing() {
    let (first, second) = (runtime(), runtime());
    let scene = second.block_on(scene(&first));
    let (database, queue, drops, standing, waiting) = second.block_on(stop(scene, is_write));
    first.shutdown_background();
    second.block_on(async {
        queue.proxy.pass();
        standing.decide(Verdict::CutBefore);
        assert!(outcomes(vec![waiting]).await.iter().flatten().all(is_hold));
        assert_eq!(counts(&queue.store, drops[0]).await, (5, 0, 0));
        assert_eq!(counts(&queue.store, drops[1]).await, (5, 1, 0));
        assert_open(&queue).await;
        drop(database);
    });
}

/// At its COMMIT nobody knows.
#[test]
fn a_transaction_that_is_broken_off_at_its_commit_is_unknown() {
    let (first, second) = (runtime(), runtime());
    let scene = second.block_on(scene(&first));
    let (database, queue, drops, standing, waiting) = second.block_on(stop(scene, Step::is_commit));
    first.shutdown_background();
    second.block_on(async {
        let answer = answers(vec![waiting]).await.pop().unwrap();
        assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
        queue.proxy.pass();
        standing.release();
        assert!(is_hold(&outcome(&queue.store, drops[1], reserve("bob")).await));
        assert_eq!(counts(&queue.store, drops[1]).await, (5, 1, 0));
        assert_open(&queue).await;
        drop(database);
    });
}

/// Somebody asks on a runtime that ends at that moment: it can spawn nothing any more.
#[test]
fn who_asks_at_the_end_of_a_runtime_hangs_nobody() {
    /// Tells that it is dropped.
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (first, second) = (runtime(), runtime());
    let (database, queue, drops, busy) = second.block_on(async {
        let database = database().await;
        let mut queue = Queue::of(&database).await;
        let drops: [_; 2] = queue.drops(5).await;
        let busy = queue.take_connection().await;
        (database, queue, drops, busy)
    });
    const LONG: Duration = Duration::from_secs(30);
    let (began, begun) = mpsc::channel();
    let (ending, ended) = mpsc::channel();
    let (asked, done) = mpsc::channel();
    let (store, id) = (queue.store.clone(), drops[0]);
    first.spawn(async move {
        began.send(()).unwrap();
        // Its worker does not leave before it has asked.
        ended.recv_timeout(LONG).unwrap();
        let batch = batch(id, vec![reserve("ann")]);
        let mut asking = std::pin::pin!(store.apply(&batch));
        let _ = futures::poll!(asking.as_mut());
        asked.send(()).unwrap();
    });
    begun.recv_timeout(LONG).unwrap();
    let told = Told(ending);
    first.spawn(async move {
        std::future::pending::<()>().await;
        drop(told);
    });
    // Tasks that wait are dropped first.
    first.shutdown_background();
    done.recv_timeout(LONG).expect("whoever asks comes back");
    second.block_on(async {
        let waiting = queue.ask(drops[1], vec![reserve("bob")]).await;
        busy.let_go().await;
        assert!(outcomes(vec![waiting]).await.iter().flatten().all(is_hold));
        assert_open(&queue).await;
        drop(database);
    });
}

/// A batch that waited alone was given its connection, and is dropped where nothing can be sent any
/// more: the connection goes, and the drop's lock with it.
#[test]
fn who_leaves_his_runtime_keeps_no_lock() {
    let runtime = runtime();
    let (database, queue, id, standing, asked) = runtime.block_on(async {
        let database = database().await;
        let mut queue = Queue::of(&database).await;
        let [id] = queue.drops(5).await;
        let busy = queue.take_connection().await;
        let mut asked = queue.ask(id, vec![reserve("ann")]).await;
        queue.proxy.set_judge(|step| match step.sql.starts_with("WITH rows AS (INSERT") {
            true => Verdict::Hold,
            false => Verdict::Pass,
        });
        busy.let_go().await;
        let standing = tokio::select! {
            standing = soon(queue.gate.next()) => standing.unwrap(),
            answer = &mut asked => panic!("it waits before it writes: {answer:?}"),
        };
        (database, queue, id, standing, asked)
    });
    drop(asked);
    runtime.block_on(async {
        queue.proxy.pass();
        standing.release();
        // Nobody has used the connection since.
        let other = database.connect().await.unwrap();
        hold(&other, id, "bob").await;
        hold(&queue.store, id, "cat").await;
        assert_eq!(counts(&queue.store, id).await, (5, 2, 0));
    });
}
