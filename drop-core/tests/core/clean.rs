//! Histories of the real core are never convicted.

use std::collections::BTreeMap;
use std::time::Duration;

use drop_core::conformance::history::{Answer, Call, Violation, violations};
use drop_core::conformance::{Report, is_long};

use crate::bazaar::{Played, play};

const REPLAY: &str = "DROP_SEED=<seed> cargo test -p drop-core --test core clean";

/// Seeds of this run, or the one that `DROP_SEED` names.
fn seeds(share: u64, long: u64) -> Vec<u64> {
    match std::env::var("DROP_SEED").ok().and_then(|text| text.parse().ok()) {
        Some(seed) => vec![seed],
        None => (0..if is_long() { long } else { share }).collect(),
    }
}

fn acquit(seed: u64, played: &Played) {
    let found = violations(&played.calls, &played.feed, Duration::ZERO);
    let found: Vec<_> = found.iter().map(Violation::to_string).collect();
    let replay = format!("DROP_SEED={seed} cargo test -p drop-core --test core clean");
    assert!(found.is_empty(), "{}\nonce more: {replay}", found.join("\n"));
}

/// What the answers were, so that it shows if a kind of history is not played.
fn tally(kinds: &mut BTreeMap<String, u64>, calls: &[Call]) {
    for call in calls {
        let word = match &call.answer {
            Answer::Refused(rejection) => format!("{rejection:?}"),
            Answer::Reserved { extended: true, .. } => "Extended".to_owned(),
            Answer::Purchased { repeated: true, .. } => "Repeated".to_owned(),
            answer => format!("{answer:?}"),
        };
        let word = word.split([' ', '(']).next().unwrap_or_default().to_owned();
        *kinds.entry(word).or_default() += 1;
    }
}

#[test]
fn histories_of_the_core_are_not_convicted() {
    let report = Report::begin("history", "clean histories", REPLAY);
    let seeds = seeds(100, 5_000);
    println!("seeds {:?} to {:?}", seeds.first(), seeds.last());
    let mut kinds = BTreeMap::new();
    let (mut calls, mut changes) = (0, 0);
    for seed in &seeds {
        let one_thread = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let played = one_thread.block_on(play(*seed));
        acquit(*seed, &played);
        calls += played.calls.len();
        changes += played.feed.len();
        tally(&mut kinds, &played.calls);
    }
    println!("{calls} calls, {changes} changes, {kinds:?}");
    if seeds.len() > 1 {
        for kind in [
            "Reserved",
            "Extended",
            "Purchased",
            "Repeated",
            "Released",
            "Done",
            "Stock",
            "NotDone",
            "Unknown",
            "OutOfStock",
            "LimitReached",
            "AlreadyHolding",
            "NotActive",
            "NotYours",
            "VariantRequired",
            "UnknownVariant",
            "ReservationNotFound",
            "ReservationExpired",
            "AlreadyPurchased",
            "StockBelowCommitted",
            "Stale",
            "InvalidTerms",
            "UserNotFound",
        ] {
            assert!(kinds.contains_key(kind), "{kind} was never answered: {kinds:?}");
        }
        report
            .figure("clean histories", &seeds.len())
            .figure("of them convicted", &0)
            .figure("calls", &calls)
            .figure("changes", &changes)
            .seeds(&format!("0 to {}", seeds.len() - 1))
            .save();
    }
}

/// The same with threads that race, where a seed does not settle the order.
#[test]
fn histories_of_racing_threads_are_not_convicted() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
    let threads = threads.expect("a runtime");
    for seed in seeds(50, 2_000) {
        let played = threads.block_on(async { tokio::spawn(play(seed)).await.expect("a play") });
        acquit(seed, &played);
    }
}
