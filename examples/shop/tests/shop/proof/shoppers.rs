//! Shoppers who do not give up, and what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use drop_core::Store;
use drop_core::conformance::history::{Recorder, violations};
use drop_core::model::{DropId, ReservationId};
use tokio::task::JoinHandle;

use super::witness::{Told, Witness, feed};

/// How long a shopper waits before the same request is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a crowd was told so far. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    refused: AtomicU64,
    slowest_refusal_micros: AtomicU64,
    broken: AtomicU64,
}

impl Counts {
    /// Answers that said to come back: 503, also from a drop that others keep locked.
    pub(crate) fn refused(&self) -> u64 {
        self.inner.refused.load(Ordering::SeqCst)
    }

    /// Requests without an answer.
    pub(crate) fn broken(&self) -> u64 {
        self.inner.broken.load(Ordering::SeqCst)
    }

    /// How long the slowest of those answers took.
    pub(crate) fn slowest_refusal(&self) -> Duration {
        Duration::from_micros(self.inner.slowest_refusal_micros.load(Ordering::SeqCst))
    }

    /// Waits until so many were refused.
    pub(crate) async fn refused_at_least(&self, count: u64) {
        let began = Instant::now();
        while self.refused() < count {
            assert!(began.elapsed() < PATIENCE, "only {} were refused", self.refused());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether this answer asks to be asked again; anything that is no answer at all is a
    /// reason to fail.
    fn again(&self, told: &Told, began: Instant) -> bool {
        let inner = &self.inner;
        match (told.status, told.error.as_str()) {
            (None, _) => {
                inner.broken.fetch_add(1, Ordering::SeqCst);
                true
            }
            (Some(503), "BUSY") => {
                let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                inner.slowest_refusal_micros.fetch_max(took, Ordering::SeqCst);
                inner.refused.fetch_add(1, Ordering::SeqCst);
                true
            }
            (Some(200 | 201), _) | (Some(409), "OUT_OF_STOCK") => false,
            _ => panic!("{told:?}"),
        }
    }
}

/// Reserves until there is an answer by the rules; the hold, if there was a unit.
pub(crate) async fn reserve(
    witness: &Witness,
    counts: &Counts,
    drop_id: DropId,
    name: &str,
) -> Option<ReservationId> {
    let since = Instant::now();
    loop {
        let began = Instant::now();
        let told = witness.reserve(drop_id, name).await;
        if !counts.again(&told, began) {
            return told.reservation();
        }
        assert!(since.elapsed() < PATIENCE, "{name} still waits: {told:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Buys, however often it takes.
pub(crate) async fn purchase(
    witness: &Witness,
    counts: &Counts,
    reservation: ReservationId,
    name: &str,
) {
    let since = Instant::now();
    loop {
        let began = Instant::now();
        let told = witness.purchase(reservation, name).await;
        if !counts.again(&told, began) {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{name} still waits: {told:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// So many buyers at once, each of whom buys so often, one unit under one name after the other.
pub(crate) fn buyers(
    witness: &Witness,
    counts: &Counts,
    drop_id: DropId,
    buyers: u32,
    purchases: u32,
) -> Vec<JoinHandle<()>> {
    let buyer = |buyer: u32| {
        let (witness, counts) = (witness.clone(), counts.clone());
        async move {
            for turn in 0..purchases {
                let name = format!("buyer_{buyer}_{turn}");
                let held = reserve(&witness, &counts, drop_id, &name).await.expect("a unit");
                purchase(&witness, &counts, held, &name).await;
            }
        }
    };
    (0..buyers).map(|number| tokio::spawn(buyer(number))).collect()
}

/// Waits for all of them.
pub(crate) async fn finished(crowd: Vec<JoinHandle<()>>) {
    for shopper in crowd {
        shopper.await.expect("a shopper who was served");
    }
}

/// What the history of a drop must be: its feed without gap from the first change, and in it
/// everything that anybody was told, in an order that real time allows.
pub(crate) async fn verdict(recorder: &Recorder, store: &dyn Store, drop_id: DropId) {
    let feed = feed(store, drop_id).await;
    let calls = recorder.calls().into_iter().filter(|call| call.ask.drop_id() == drop_id);
    let calls: Vec<_> = calls.collect();
    let violations = violations(&calls, &feed, Duration::from_millis(1));
    let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "drop {drop_id}:\n{}", violations.join("\n"));
    let audit = store.audit(drop_id).await.expect("an audit").expect("the drop");
    assert!(audit.is_sound(), "{:?}", audit.findings());
}
