//! Callers who all want the same drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use drop_core::model::{DropId, DropTerms, NewDrop, Units};
use drop_core::{DropService, Reserve, Store, Workers};
use hdrhistogram::Histogram;

/// A plain drop with stock for everybody.
///
/// # Panics
/// Never: the terms are constant.
#[must_use]
pub fn new_drop() -> NewDrop {
    let terms = DropTerms::new("Air One", "149.99", Default::default()).expect("terms");
    NewDrop::plain(terms, Units::MAX).expect("a drop")
}

/// A service, one hot drop in it, and callers who have not reserved yet.
#[derive(Debug)]
pub struct Crowd {
    service: DropService,
    workers: Option<Workers>,
    drop_id: DropId,
    next: Arc<AtomicU64>,
}

impl Crowd {
    /// A service on `store` with one drop.
    ///
    /// # Panics
    /// Where the store fails.
    pub async fn gather(store: Arc<dyn Store>) -> Self {
        let (service, workers) = DropService::builder_shared(store).build();
        let drop_id = service.create_drop(new_drop()).await.expect("a drop").id;
        Self { service, workers: Some(workers), drop_id, next: Arc::new(AtomicU64::new(0)) }
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &DropService {
        &self.service
    }

    /// The workers, once.
    pub const fn workers(&mut self) -> Option<Workers> {
        self.workers.take()
    }

    /// The drop.
    #[must_use]
    pub const fn drop_id(&self) -> DropId {
        self.drop_id
    }

    /// `reserves` reserves by `callers` at a time, each of a new user. Returns how long it took
    /// and what each caller waited, in microseconds.
    ///
    /// # Panics
    /// Where a reserve is refused.
    pub async fn reserve(&self, callers: u64, reserves: u64) -> (Duration, Histogram<u64>) {
        let left = Arc::new(AtomicU64::new(reserves));
        let begin = Instant::now();
        let crowd: Vec<_> = (0..callers)
            .map(|_| {
                let (service, drop_id) = (self.service.clone(), self.drop_id);
                let (next, left) = (self.next.clone(), left.clone());
                tokio::spawn(async move {
                    let mut waits = histogram();
                    let one = |left: u64| left.checked_sub(1);
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one).is_ok() {
                        let name = format!("u{:09}", next.fetch_add(1, Ordering::Relaxed));
                        let asked = Instant::now();
                        service.reserve(drop_id, Reserve::one(name)).await.expect("a hold");
                        let waited = u64::try_from(asked.elapsed().as_micros());
                        waits.saturating_record(waited.unwrap_or(u64::MAX));
                    }
                    waits
                })
            })
            .collect();
        let mut waits = histogram();
        for caller in crowd {
            waits.add(caller.await.expect("a caller")).expect("the same bounds");
        }
        (begin.elapsed(), waits)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds")
}
