//! The private server itself: it is never left behind.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drop_core::Store;
use drop_store_postgres::testing::Cluster;

use crate::kit::{buy, counts, drop_of};

/// Set where this binary is run by itself, to start a server and be killed.
const VICTIM: &str = "DROP_TEST_VICTIM";

#[tokio::test]
async fn a_server_is_stopped_and_killed_and_started_again() {
    let cluster = Cluster::private(&[("work_mem", "7MB")]).await.unwrap();
    let database = cluster.database().await.unwrap();
    let mut connection = database.connection().await.unwrap();
    let shown = sqlx::query_scalar::<_, String>("SHOW work_mem");
    assert_eq!(shown.fetch_one(&mut connection).await.unwrap(), "7MB");
    drop(connection);
    let store = database.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    buy(&store, id, "ann").await;
    cluster.stop().await.unwrap();
    assert!(database.connection().await.is_err());
    cluster.restart().await.unwrap();
    assert_eq!(counts(&store, id).await, (5, 0, 1));
    cluster.kill().await.unwrap();
    assert!(database.connection().await.is_err());
    cluster.restart().await.unwrap();
    assert_eq!(counts(&store, id).await, (5, 0, 1));
    store.ready().await.unwrap();
}

/// Not a test of its own: what the next one runs and kills.
#[tokio::test]
async fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        let cluster = Cluster::private(&[]).await.unwrap();
        println!("victim {}", cluster.directory().unwrap().display());
        std::future::pending::<()>().await;
    }
}

#[test]
fn a_server_goes_with_its_process_even_if_that_is_killed() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["cluster::victim", "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(process.stdout.take().unwrap());
    let directory = std::io::BufRead::lines(output)
        .find_map(|line| line.unwrap().split("victim ").nth(1).map(PathBuf::from))
        .expect("the victim says where its server is");
    let server = std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
    let server = PathBuf::from("/proc").join(server.lines().next().unwrap());
    assert!(server.exists());
    // SIGKILL: the process itself can do nothing more.
    process.kill().unwrap();
    process.wait().unwrap();
    let since = Instant::now();
    while directory.exists() || server.exists() {
        assert!(since.elapsed() < Duration::from_secs(20), "{} stayed", directory.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}
