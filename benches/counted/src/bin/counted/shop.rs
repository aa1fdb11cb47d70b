//! Callers of a service on the memory store: the whole way from the request to its answer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use drop_core::model::{DropId, DropTerms, HoldPolicy, NewDrop, ReservationId, Timestamp, Units};
use drop_core::rules::{Batch, Command};
use drop_core::{
    Clock, DropService, ManualClock, Rejection, Reserve, ServiceError, Store, Workers,
};
use drop_store_memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

use crate::together::{Ask, Together};
use crate::{COMMANDS, Prepared};

/// Rows of a drop that has been sold from for long.
const GROWN: u32 = 8 * COMMANDS;

const HOLD: Duration = Duration::from_secs(60);

pub(crate) fn prepare(name: &str, size: u32) -> Option<Prepared> {
    let mut shop = Shop::open(Units::MAX);
    match name {
        "memory-reserve" => {}
        "memory-reserve-grown" => drop(shop.hold(GROWN)),
        // Users whom the store knows, and who have held before.
        "memory-reserve-known" => {
            let held = shop.hold(COMMANDS);
            shop.serve(held.into_iter().map(|held| shop.release(held)).collect(), COMMANDS);
            shop.came = 0;
        }
        "memory-repeat" => {
            shop.hold(COMMANDS);
            shop.came = 0;
        }
        "memory-purchase" => {
            let held = shop.hold(COMMANDS);
            let asks = held.into_iter().map(|held| shop.purchase(held)).collect();
            return Some(shop.prepared(asks, size));
        }
        "memory-release" => {
            let held = shop.hold(COMMANDS);
            let asks = held.into_iter().map(|held| shop.release(held)).collect();
            return Some(shop.prepared(asks, size));
        }
        // Each caller finds as many holds lapsed as there are commands for each.
        "memory-expire" => return Some(shop.expiring(size)),
        "memory-sold-out" => {
            shop = Shop::open(Units::ONE);
            shop.hold(1);
            let asks = (0..COMMANDS).map(|_| shop.come_too_late()).collect();
            return Some(shop.prepared(asks, size));
        }
        _ => return None,
    }
    let asks = (0..COMMANDS).map(|_| shop.come()).collect();
    Some(shop.prepared(asks, size))
}

struct Shop {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    store: MemoryStore,
    /// Never taken down: that would be counted where the last caller goes.
    service: &'static DropService,
    _workers: Workers,
    drop_id: DropId,
    /// Shoppers who have come.
    came: u32,
}

/// A shopper, and what he holds.
struct Holder {
    name: String,
    id: ReservationId,
}

impl Shop {
    fn open(total: Units) -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let store = MemoryStore::with_clock(clock.clone());
        let (service, workers) = DropService::builder(store.clone()).build();
        let hold = HoldPolicy::new(HOLD, HOLD).expect("a policy");
        let terms = DropTerms::new("Air One", "149.99", hold).expect("terms");
        let new = NewDrop::plain(terms, total).expect("a drop");
        let service: &DropService = Box::leak(Box::new(service));
        let drop_id = runtime.block_on(service.create_drop(new)).expect("a drop").id;
        Self { runtime, clock, store, service, _workers: workers, drop_id, came: 0 }
    }

    fn name(&mut self) -> String {
        self.came += 1;
        name(self.came)
    }

    /// The next shopper's request.
    fn come(&mut self) -> Ask {
        let (service, drop_id, ask) = (self.service, self.drop_id, Reserve::one(self.name()));
        Some(Box::pin(async move {
            service.reserve(drop_id, ask).await.expect("a hold");
        }))
    }

    fn come_too_late(&mut self) -> Ask {
        let (service, drop_id, ask) = (self.service, self.drop_id, Reserve::one(self.name()));
        Some(Box::pin(async move {
            let answer = service.reserve(drop_id, ask).await;
            assert!(matches!(answer, Err(ServiceError::Rejected(Rejection::OutOfStock))));
        }))
    }

    fn purchase(&self, held: Holder) -> Ask {
        let service = self.service;
        Some(Box::pin(async move {
            service.purchase(held.id, &held.name).await.expect("a purchase");
        }))
    }

    fn release(&self, held: Holder) -> Ask {
        let service = self.service;
        Some(Box::pin(async move {
            service.release(held.id, &held.name).await.expect("a release");
        }))
    }

    /// So many shoppers who hold a unit already.
    fn hold(&mut self, count: u32) -> Vec<Holder> {
        let holders = Rc::new(RefCell::new(Vec::new()));
        let ask = |name: String| -> Ask {
            let (service, drop_id, holders) = (self.service, self.drop_id, holders.clone());
            Some(Box::pin(async move {
                let hold = service.reserve(drop_id, Reserve::one(name.clone())).await;
                holders.borrow_mut().push(Holder { name, id: hold.expect("a hold").id() });
            }))
        };
        let names = (self.came + 1..=self.came + count).map(name);
        self.serve(names.map(ask).collect(), 256);
        self.came += count;
        holders.take()
    }

    /// Has requests answered, so many at a time.
    fn serve(&self, mut asks: Vec<Ask>, size: u32) {
        for asks in asks.chunks_mut(usize::try_from(size).expect("few")) {
            self.runtime.block_on(unconstrained(Together(asks)));
        }
    }

    fn prepared(self, mut asks: Vec<Ask>, size: u32) -> Prepared {
        let size = usize::try_from(size).expect("few");
        let work = move || {
            for asks in asks.chunks_mut(size) {
                self.runtime.block_on(unconstrained(Together(asks)));
            }
        };
        Prepared { work: Box::new(work), commands: COMMANDS }
    }

    /// Holds that lapse, so many in the same moment, and are settled moment by moment.
    fn expiring(mut self, size: u32) -> Prepared {
        let batch = Batch::one(self.drop_id, Command::Expire).expect("a batch");
        let moments = COMMANDS.div_ceil(size);
        let mut settled = Vec::with_capacity(usize::try_from(moments).expect("few"));
        for _ in 0..moments {
            self.hold(size);
            settled.push(self.clock.now().saturating_add(HOLD));
            let next = self.clock.now().saturating_add(Duration::from_millis(1));
            self.clock.jump(next);
        }
        let work = move || {
            for moment in &settled {
                self.clock.jump(*moment);
                let applied = self.runtime.block_on(self.store.apply(&batch)).expect("a change");
                assert!(applied.change().is_some(), "holds have lapsed");
            }
        };
        Prepared { work: Box::new(work), commands: moments * size }
    }
}

fn name(number: u32) -> String {
    format!("user_{number:06}")
}
