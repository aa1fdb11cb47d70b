//! The lanes of all drops that somebody waits for.

use std::sync::PoisonError;

use rustc_hash::FxHashMap;

use crate::error::StoreError;
use crate::model::DropId;
use crate::sync::{Arc, Mutex, MutexGuard};

use super::lane::{Lane, Refused};

/// A lane that its table and its drainer hold.
pub(super) type SharedLane<T> = Arc<Lane<T>>;

/// One lane per drop in use, and the drops that are stopped.
///
/// A lane exists while somebody waits in it or drains it, so requests for drops that do not
/// exist leave nothing behind. It is entered under the table's lock: nobody holds a lane that
/// he has yet to enter, and so an idle lane is nobody's.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    lanes: FxHashMap<DropId, SharedLane<T>>,
    stopped: FxHashMap<DropId, StoreError>,
}

impl<T> State<T> {
    fn check(&self, id: DropId) -> Result<(), StoreError> {
        self.stopped.get(&id).map_or(Ok(()), |error| Err(error.clone()))
    }
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        let state = State { lanes: FxHashMap::default(), stopped: FxHashMap::default() };
        Self { state: Mutex::new(state) }
    }

    /// Queues `item` for a drop; gives the lane to the caller who must start its drainer, or says
    /// why the drop is stopped.
    pub(super) fn enter(
        &self,
        id: DropId,
        item: T,
        capacity: usize,
    ) -> Result<Result<Option<SharedLane<T>>, Refused>, StoreError> {
        let mut state = self.lock();
        state.check(id)?;
        let lane = state.lanes.entry(id).or_insert_with(|| Arc::new(Lane::new()));
        Ok(lane.enter(item, capacity).map(|start| start.then(|| lane.clone())))
    }

    /// Why the drop is stopped, if it is: what waits in its lane is not served then.
    pub(super) fn check(&self, id: DropId) -> Result<(), StoreError> {
        self.lock().check(id)
    }

    /// Forgets a drop's lane if it is idle; its drainer says so when it ends.
    pub(super) fn retire(&self, id: DropId) {
        let mut state = self.lock();
        if state.lanes.get(&id).is_some_and(|lane| lane.is_idle()) {
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
    use super::Lanes;
    use crate::model::DropId;

    #[test]
    fn a_lane_in_use_is_not_retired_and_an_idle_one_is() {
        let lanes: Lanes<u32> = Lanes::new();
        let id = DropId::new(1).unwrap();
        let enter = |item| lanes.enter(id, item, 8).unwrap().unwrap();
        let lane = enter(1).expect("who comes first drains");
        assert!(enter(2).is_none(), "one drainer");
        assert_eq!(lane.take(8), Some(vec![1, 2]));
        lanes.retire(id);
        assert!(enter(3).is_none(), "it is drained, and there is no other");
        assert_eq!((lane.take(8), lane.take(8)), (Some(vec![3]), None));
        // Somebody comes before the drainer has said that it is idle: the lane goes on.
        let again = enter(4).expect("it was idle");
        lanes.retire(id);
        assert_eq!((again.take(8), again.take(8)), (Some(vec![4]), None));
        lanes.retire(id);
        assert!(lanes.lock().lanes.is_empty(), "nothing is left behind");
    }
}

/// Run as `.ci/test` does; see [`explore`](crate::conformance::explore).
#[cfg(all(test, any(drop_loom, drop_shuttle)))]
mod models {
    use super::{Lane, Lanes, SharedLane};
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

    /// What a caller does: a lane to drain, or none where somebody drains it.
    type Enter = fn(&Lanes<()>) -> Option<SharedLane<()>>;

    fn enter(lanes: &Lanes<()>) -> Option<SharedLane<()>> {
        lanes.enter(drop_id(), (), 8).unwrap().unwrap()
    }

    impl Work {
        /// What the writer does with a command, and its drain, which frees the lane.
        fn submit(&self, enter: Enter, retire: fn(&Lanes<()>)) {
            let Some(lane) = enter(&self.lanes) else { return };
            while let Some(items) = lane.take(1) {
                assert_eq!(self.draining.fetch_add(1, Ordering::SeqCst), 0, "two drains");
                self.done.fetch_add(items.len(), Ordering::SeqCst);
                self.draining.fetch_sub(1, Ordering::SeqCst);
            }
            retire(&self.lanes);
        }
    }

    fn crowd(threads: usize, enter: Enter, retire: fn(&Lanes<()>)) {
        let work = Arc::new(Work {
            lanes: Lanes::new(),
            draining: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        together(threads, {
            let work = work.clone();
            move |_| work.submit(enter, retire)
        });
        assert_eq!(work.done.load(Ordering::SeqCst), threads, "all is done");
        assert!(work.lanes.lock().lanes.is_empty(), "an idle lane is left");
    }

    fn retire(lanes: &Lanes<()>) {
        lanes.retire(drop_id());
    }

    #[test]
    fn a_lane_that_is_retired_is_never_drained_beside_its_successor() {
        explore("lane: retired while others come", |threads| crowd(threads, enter, retire));
    }

    /// Two lanes of one drop would have two batches in flight.
    #[test]
    fn retiring_a_lane_that_is_drained_is_convicted() {
        convicts("two drains", |threads| {
            crowd(threads, enter, |lanes| {
                lanes.lock().lanes.remove(&drop_id());
            });
        });
    }

    /// Who is given a lane and enters it behind the table's lock may come after it was retired.
    #[test]
    fn entering_a_lane_behind_the_tables_lock_is_convicted() {
        convicts("two drains", |threads| {
            let enter: Enter = |lanes| {
                let lane = {
                    let mut state = lanes.lock();
                    state.lanes.entry(drop_id()).or_insert_with(|| Arc::new(Lane::new())).clone()
                };
                (lane.enter((), 8) == Ok(true)).then_some(lane)
            };
            crowd(threads, enter, retire);
        });
    }
}
