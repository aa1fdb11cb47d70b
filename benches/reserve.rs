//! What a reserve through the service costs on each store, for 1 and 256 callers of one drop.
//!
//! `cargo bench -p drop-benches --bench reserve`: criterion's figures are for one reserve of
//! many; the table at the end has the rate and what a caller waits.

use criterion::Criterion;
use drop_benches::{Crowd, Kind, Stores};
use tokio::runtime::Runtime;

const CALLERS: [u64; 2] = [1, 256];
const ROUNDS: usize = 5;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let mut stores = Stores::default();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut table = Vec::new();
    for kind in Kind::ALL {
        let mut group = criterion.benchmark_group(format!("reserve/{}", kind.name()));
        for callers in CALLERS {
            let crowd = runtime.block_on(async { Crowd::gather(stores.open(kind).await).await });
            group.bench_function(format!("{callers} callers"), |bench| {
                bench.iter_custom(|reserves| runtime.block_on(crowd.reserve(callers, reserves)).0);
            });
            table.push(measured(&runtime, &crowd, kind, callers));
        }
        group.finish();
    }
    println!(
        "\n{:<10}{:>8}{:>12}{:>22}{:>10}{:>10}",
        "store", "callers", "reserves/s", "spread", "p50 us", "p99 us"
    );
    for line in table {
        println!("{line}");
    }
}

/// The median of some rounds, with the slowest and the fastest.
fn measured(runtime: &Runtime, crowd: &Crowd, kind: Kind, callers: u64) -> String {
    let reserves = match (kind, callers) {
        (Kind::Memory, _) => 100_000,
        (_, 1) => 1_000,
        _ => 20_000,
    };
    let mut rates = Vec::new();
    let mut waits = None;
    for _ in 0..ROUNDS {
        let (took, waited) = runtime.block_on(crowd.reserve(callers, reserves));
        let seconds = took.as_secs_f64();
        rates.push(f64::from(u32::try_from(reserves).expect("few")) / seconds);
        waits = Some(waited);
    }
    rates.sort_by(f64::total_cmp);
    let waits = waits.expect("a round");
    format!(
        "{:<10}{callers:>8}{:>12.0}{:>22}{:>10}{:>10}",
        kind.name(),
        rates[ROUNDS / 2],
        format!("{:.0} - {:.0}", rates[0], rates[ROUNDS - 1]),
        waits.value_at_quantile(0.5),
        waits.value_at_quantile(0.99),
    )
}
