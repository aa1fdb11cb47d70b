//! The lanes of all drops that somebody waits for.

use std::collections::HashMap;
use std::sync::PoisonError;

use crate::error::StoreError;
use crate::model::DropId;
use crate::sync::{Arc, Mutex, MutexGuard};

use super::lane::Lane;

/// A lane that its table and those who use it hold.
pub(super) type SharedLane<T> = Arc<Lane<T>>;

/// One lane per drop in use, and the drops that are stopped.
///
/// A lane exists while somebody waits in it, so requests for drops that do not exist leave
/// nothing behind.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    lanes: HashMap<DropId, SharedLane<T>>,
    stopped: HashMap<DropId, StoreError>,
}

impl<T> State<T> {
    fn check(&self, id: DropId) -> Result<(), StoreError> {
        self.stopped.get(&id).map_or(Ok(()), |error| Err(error.clone()))
    }
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        let state = State { lanes: HashMap::new(), stopped: HashMap::new() };
        Self { state: Mutex::new(state) }
    }

    /// The lane of a drop, or why the drop is stopped.
    pub(super) fn lane(&self, id: DropId) -> Result<SharedLane<T>, StoreError> {
        let mut state = self.lock();
        state.check(id)?;
        Ok(state.lanes.entry(id).or_insert_with(|| Arc::new(Lane::new())).clone())
    }

    /// Why the drop is stopped, if it is: what waits in its lane is not served then.
    pub(super) fn check(&self, id: DropId) -> Result<(), StoreError> {
        self.lock().check(id)
    }

    /// Forgets an idle lane. Lanes are handed out under the lock, so a lane that only this
    /// table and the caller know cannot be entered meanwhile.
    pub(super) fn retire(&self, id: DropId, lane: &SharedLane<T>) {
        let mut state = self.lock();
        let ours = state.lanes.get(&id).is_some_and(|current| Arc::ptr_eq(current, lane));
        if ours && Arc::strong_count(lane) <= 2 && lane.is_idle() {
            state.lanes.remove(&id);
        }
    }

    /// Refuses all further requests for a drop.
    pub(super) fn stop(&self, id: DropId, error: StoreError) {
        self.lock().stopped.insert(id, error);
    }

    /// Accepts requests for a drop again.
    pub(super) fn resume(&self, id: DropId) {
        self.lock().stopped.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(any(drop_loom, drop_shuttle))))]
mod tests {
    use std::sync::Arc;

    use super::Lanes;
    use crate::model::DropId;

    #[test]
    fn a_lane_in_use_is_not_retired() {
        let lanes: Lanes<u32> = Lanes::new();
        let id = DropId::new(1).unwrap();
        let same = |lane| Arc::ptr_eq(&lanes.lane(id).unwrap(), &lane);
        let lane = lanes.lane(id).unwrap();
        // Somebody was given it and is about to enter.
        let entering = lanes.lane(id).unwrap();
        lanes.retire(id, &lane);
        assert!(same(entering));
        // Somebody drains it.
        assert_eq!(lane.enter(1, 8), Ok(true));
        lanes.retire(id, &lane);
        assert!(same(lane.clone()));
        assert_eq!((lane.take(8), lane.take(8)), (Some(vec![1]), None));
        lanes.retire(id, &lane);
        assert!(!same(lane), "idle, and known to its drainer only");
    }
}

/// Run as `.ci/test` does; see [`explore`](crate::conformance::explore).
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models {
    use super::{Lanes, SharedLane};
    use crate::conformance::explore::atomic::{AtomicUsize, Ordering};
    use crate::conformance::explore::{convicts, explore, together};
    use crate::model::DropId;
    use crate::sync::Arc;

    /// The lanes of one drop, and what their drains did.
    struct Work {
        lanes: Lanes<()>,
        draining: AtomicUsize,
        done: AtomicUsize,
    }

    fn drop_id() -> DropId {
        DropId::new(1).unwrap()
    }

    impl Work {
        /// What the writer does with a command, and its drain, which frees the lane.
        fn submit(&self, retire: fn(&Lanes<()>, DropId, &SharedLane<()>)) {
            let lane = self.lanes.lane(drop_id()).unwrap();
            if lane.enter((), 8) != Ok(true) {
                return;
            }
            while let Some(items) = lane.take(1) {
                assert_eq!(self.draining.fetch_add(1, Ordering::SeqCst), 0, "two drains");
                self.done.fetch_add(items.len(), Ordering::SeqCst);
                self.draining.fetch_sub(1, Ordering::SeqCst);
            }
            retire(&self.lanes, drop_id(), &lane);
        }
    }

    fn crowd(threads: usize, retire: fn(&Lanes<()>, DropId, &SharedLane<()>)) -> Arc<Work> {
        let work = Arc::new(Work {
            lanes: Lanes::new(),
            draining: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        together(threads, {
            let work = work.clone();
            move |_| work.submit(retire)
        });
        assert_eq!(work.done.load(Ordering::SeqCst), threads, "all is done");
        work
    }

    #[test]
    fn a_lane_that_is_retired_is_never_drained_beside_its_successor() {
        explore("lane: retired while others come", |threads| {
            crowd(threads, Lanes::retire);
        });
    }

    /// Two lanes of one drop would have two batches in flight.
    #[test]
    fn retiring_a_lane_that_others_hold_is_convicted() {
        convicts("two drains", |threads| {
            crowd(threads, |lanes, id, _| {
                lanes.lock().lanes.remove(&id);
            });
        });
    }
}
