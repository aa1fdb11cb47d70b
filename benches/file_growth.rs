//! What a million reservations in one drop cost the file store: bytes and seconds to open.
//!
//! `cargo bench -p drop-benches --bench file_growth`

use std::time::Instant;

use drop_benches::Crowd;
use drop_core::Store;
use drop_store_memory::FileStore;
use tokio::runtime::Runtime;

const RESERVATIONS: u32 = 1_000_000;
const OPENINGS: usize = 3;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let open = || FileStore::open(directory.path()).expect("a file store");
    let drop_id = runtime.block_on(async {
        let crowd = Crowd::gather(std::sync::Arc::new(open())).await;
        let (took, _) = crowd.reserve(1024, u64::from(RESERVATIONS)).await;
        let rate = f64::from(RESERVATIONS) / took.as_secs_f64();
        println!("{RESERVATIONS} reservations by 1024 callers: {rate:.0}/s");
        crowd.drop_id()
    });
    // The crowd's drains may hold the store a moment longer than their answers.
    drop(runtime);
    let size = std::fs::read_dir(directory.path())
        .expect("the directory")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
        .sum::<u64>();
    println!("file: {size} bytes, {} a reservation", size / u64::from(RESERVATIONS));
    let runtime = Runtime::new().expect("a runtime");
    for _ in 0..OPENINGS {
        let begin = Instant::now();
        let store = open();
        let took = begin.elapsed();
        let snapshot =
            runtime.block_on(store.snapshot(drop_id)).expect("a read").expect("the drop");
        println!("opened in {:.2} s with {} held", took.as_secs_f64(), snapshot.stock().held());
    }
}
