//! A clock at which a change can be made to stand still.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use drop_core::conformance::{Release, START};
use drop_core::model::{DropId, Timestamp};
use drop_core::rules::{Batch, Command};
use drop_core::{Clock, ManualClock, Store};
use tokio::runtime::Handle;

/// A manual clock that can keep waiting whoever asks for the time next. A store asks behind the
/// drop's lock, so that change stands still there.
#[derive(Debug)]
pub(crate) struct GateClock {
    clock: ManualClock,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Closes behind the next who asks.
    Ajar,
    /// Somebody waits.
    Shut,
}

impl GateClock {
    pub(crate) fn new() -> Arc<Self> {
        let clock = ManualClock::new(START);
        Arc::new(Self { clock, gate: Mutex::new(Gate::Open), moved: Condvar::new() })
    }

    pub(crate) fn set(&self, at: Timestamp) {
        self.clock.jump(at);
    }

    /// Has a change of the drop stand still behind its lock.
    pub(crate) fn stall(self: &Arc<Self>, store: Arc<dyn Store>, drop_id: DropId) -> Release {
        self.put(Gate::Ajar);
        let runtime = Handle::current();
        let change = thread::spawn(move || {
            let settle = Batch::one(drop_id, Command::Expire).unwrap();
            runtime.block_on(store.apply(&settle)).unwrap();
        });
        drop(self.moved.wait_while(self.gate(), |gate| *gate != Gate::Shut).unwrap());
        let opened = Opened(self.clone());
        Box::pin(async move {
            drop(opened);
            change.join().unwrap();
        })
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap()
    }

    fn put(&self, gate: Gate) {
        *self.gate() = gate;
        self.moved.notify_all();
    }
}

/// Opens the gate when dropped.
struct Opened(Arc<GateClock>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.put(Gate::Open);
    }
}

#[async_trait]
impl Clock for GateClock {
    fn now(&self) -> Timestamp {
        let mut gate = self.gate();
        if *gate == Gate::Ajar {
            *gate = Gate::Shut;
            self.moved.notify_all();
            drop(self.moved.wait_while(gate, |gate| *gate == Gate::Shut).unwrap());
        } else {
            drop(gate);
        }
        self.clock.now()
    }

    async fn sleep(&self, span: Duration) {
        self.clock.sleep(span).await;
    }
}
