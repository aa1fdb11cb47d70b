//! Clean histories: crowds on two services over one store, with faults, written down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drop_core::conformance::history::{Answer, Ask, Call, Recorder};
use drop_core::conformance::{Dice, Fault, Faulty, START};
use drop_core::model::{
    DropId, DropTerms, HoldPolicy, NewDrop, ReservationId, Revision, Timestamp, Units, Username,
    VariantName, Window,
};
use drop_core::rules::{Batch, Change};
use drop_core::{
    Amendment, Clock, DropService, ManualClock, Reserve, ServiceError, Store, StoreError,
};
use drop_store_memory::MemoryStore;
use tokio::task::yield_now;

use crate::talk::{answer, command};

const CLIENTS: u64 = 6;
const STEPS: usize = 40;
const USERS: [&str; 7] = ["ann", "Bob", "cat", "DAN", "eve", "fay", "gus"];
const SIZES: [&str; 2] = ["S", "M"];

/// What happened at the bazaar.
pub(crate) struct Played {
    pub(crate) calls: Vec<Call>,
    pub(crate) feed: Vec<Arc<Change>>,
}

/// One drop, two services that sell it, and who buys.
struct Bazaar {
    store: Faulty,
    clock: Arc<ManualClock>,
    services: [DropService; 2],
    drop_id: DropId,
    sizes: bool,
    recorder: Recorder,
    /// Holds that were told of, and whose they are.
    known: Mutex<Vec<(ReservationId, Username)>>,
    finished: AtomicU64,
}

/// Plays a whole history on the runtime that it is called on.
pub(crate) async fn play(seed: u64) -> Played {
    let mut dice = Dice::new(seed);
    let clock = Arc::new(ManualClock::new(START));
    let store = Faulty::new(Arc::new(MemoryStore::with_clock(clock.clone())));
    let sizes = dice.one_in(3);
    let new = new_drop(&mut dice, sizes);
    let drop_id = store.create_drop(&new).await.expect("a drop").id;
    let service = || {
        let batch = usize::try_from(2 + seed % 7).expect("small");
        DropService::builder(store.clone()).lane_capacity(6).batch(batch).build().0
    };
    let bazaar = Arc::new(Bazaar {
        services: [service(), service()],
        store: store.clone(),
        clock,
        drop_id,
        sizes,
        recorder: Recorder::new(),
        known: Mutex::new(Vec::new()),
        finished: AtomicU64::new(0),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let bazaar = bazaar.clone();
            let dice = Dice::new(seed.wrapping_mul(1000).wrapping_add(client));
            tokio::spawn(async move { bazaar.client(client, dice).await })
        })
        .collect();
    let weather = tokio::spawn({
        let bazaar = bazaar.clone();
        async move { bazaar.weather(Dice::new(!seed)).await }
    });
    for client in clients {
        client.await.expect("a client that ends");
    }
    weather.await.expect("weather that ends");
    let feed = store.changes(drop_id, Revision::ZERO, usize::MAX).await.expect("the feed");
    Played { calls: bazaar.recorder.calls(), feed }
}

fn new_drop(dice: &mut Dice, sizes: bool) -> NewDrop {
    let mut terms = DropTerms::new("Air One", "149.99", Default::default()).expect("terms");
    let seconds = Duration::from_secs;
    let hold = 5 + dice.below(30);
    terms.hold = HoldPolicy::new(seconds(hold), seconds(hold * 2)).expect("a policy");
    if dice.one_in(2) {
        terms.limit = Some(units(1 + dice.below(4)));
    }
    if dice.one_in(4) {
        let opens = START.saturating_add(seconds(dice.below(20)));
        let closes = opens.saturating_add(seconds(60 + dice.below(200)));
        terms.window = Window::new(opens, Some(closes)).expect("a window");
    }
    if !sizes {
        return NewDrop::plain(terms, units(1 + dice.below(6))).expect("a drop");
    }
    let variants = SIZES.map(|name| (size(name), units(1 + dice.below(4))));
    NewDrop::with_variants(terms, variants).expect("a drop")
}

fn units(count: u64) -> Units {
    Units::new(i64::try_from(count).expect("small")).expect("units")
}

fn size(name: &str) -> VariantName {
    VariantName::new(name).expect("a size")
}

impl Bazaar {
    async fn client(&self, client: u64, mut dice: Dice) {
        for _ in 0..STEPS {
            self.pause(&mut dice).await;
            if dice.one_in(8) {
                self.batch(&mut dice).await;
                continue;
            }
            let ask = self.ask(&mut dice);
            let service = &self.services[usize::from(client % 2 == 1)];
            let ticket = self.recorder.begin(ask.clone());
            self.pause(&mut dice).await;
            let work = self.call(service, &ask);
            let answer = if dice.one_in(12) {
                // A caller who does not wait for the answer.
                let patience = dice.below(6);
                tokio::select! {
                    biased;
                    answer = work => answer,
                    () = turns(patience) => continue,
                }
            } else {
                work.await
            };
            self.learn(&ask, &answer);
            self.pause(&mut dice).await;
            self.recorder.end(ticket, answer);
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
    }

    /// Time that passes and jumps, and a store that fails, waits and loses answers.
    async fn weather(&self, mut dice: Dice) {
        let mut waiting: u64 = 0;
        while self.finished.load(Ordering::SeqCst) < CLIENTS {
            match dice.below(8) {
                0 => {
                    let span = Duration::from_millis(dice.below(9_000));
                    self.clock.jump(self.clock.now().saturating_add(span));
                }
                1 if dice.one_in(4) => {
                    let back = i64::try_from(dice.below(3_000_000)).expect("small");
                    let now = self.clock.now().as_micros() - back;
                    self.clock.jump(Timestamp::from_micros(now).expect("a time"));
                }
                2 => self.store.plan(Fault::Fail(StoreError::unavailable("as planned"))),
                3 => {
                    let lost = StoreError::Unknown(Arc::new(std::io::Error::other("as planned")));
                    self.store.plan(Fault::LoseAnswer(lost));
                }
                4..=5 if waiting < 3 => {
                    self.store.plan_wait();
                    waiting += 1;
                }
                _ => {
                    self.store.let_go();
                    waiting = waiting.saturating_sub(1);
                }
            }
            self.pause(&mut dice).await;
        }
    }

    async fn pause(&self, dice: &mut Dice) {
        if dice.one_in(2) {
            turns(dice.below(5)).await;
        }
    }

    fn username(dice: &mut Dice) -> Username {
        dice.pick(&USERS).parse().expect("a username")
    }

    /// A hold that there is or was, more often than not with its owner.
    fn hold(&self, dice: &mut Dice) -> (ReservationId, Username) {
        let known = self.known.lock().expect("holds");
        let length = u64::try_from(known.len()).expect("small");
        let picked = if dice.one_in(2) {
            length.saturating_sub(1 + dice.below(3))
        } else {
            dice.below(length)
        };
        match known.get(usize::try_from(picked).expect("small")) {
            Some((id, owner)) if !dice.one_in(6) => (*id, owner.clone()),
            Some((id, _)) => (*id, Self::username(dice)),
            None => {
                let number = u32::try_from(1 + dice.below(4)).expect("small");
                (ReservationId::new(self.drop_id, number).expect("an id"), Self::username(dice))
            }
        }
    }

    fn ask(&self, dice: &mut Dice) -> Ask {
        let drop_id = self.drop_id;
        match dice.below(20) {
            0..=7 => {
                let name =
                    if self.sizes || dice.one_in(20) { Some(dice.pick(&SIZES)) } else { None };
                Ask::Reserve {
                    drop_id,
                    username: Self::username(dice),
                    variant: name.filter(|_| !dice.one_in(15)).map(size),
                    quantity: u32::try_from(dice.below(9) / 4 + 1).expect("small"),
                }
            }
            8..=12 => {
                let (reservation, username) = self.hold(dice);
                Ask::Purchase { reservation, username }
            }
            13..=15 => {
                let (reservation, owner) = self.hold(dice);
                Ask::Release { reservation, username: (!dice.one_in(5)).then_some(owner) }
            }
            16 => Ask::Amend { drop_id, amendment: self.amendment(dice) },
            _ => Ask::Read { drop_id },
        }
    }

    fn amendment(&self, dice: &mut Dice) -> Amendment {
        let mut amendment = Amendment::default();
        match dice.below(5) {
            0 => amendment.limit = Some((!dice.one_in(3)).then(|| units(1 + dice.below(5)))),
            1 => amendment.price = Some(dice.below(99).to_string().parse().expect("a price")),
            2 if self.sizes => {
                amendment.variants = vec![(size(dice.pick(&SIZES)), units(dice.below(6)))];
            }
            3 if dice.one_in(3) => {
                let now = self.clock.now();
                amendment.starts_at = Some(now.saturating_add(Duration::from_secs(dice.below(9))));
                amendment.ends_at = Some(None);
            }
            _ => amendment.total = Some(units(dice.below(9))),
        }
        if dice.one_in(3) {
            amendment.if_revision = Some(Revision::new(dice.below(40)));
        }
        amendment
    }

    async fn call(&self, service: &DropService, ask: &Ask) -> Answer {
        let or_else = |error: ServiceError| Answer::from(&error);
        match ask.clone() {
            Ask::Reserve { drop_id, username, variant, quantity } => {
                let mut wish = Reserve::one(username.as_str()).quantity(units(quantity.into()));
                if let Some(variant) = variant {
                    wish = wish.variant(variant.as_str());
                }
                let told = service.reserve(drop_id, wish).await;
                told.map_or_else(or_else, |told| Answer::from(&told))
            }
            Ask::Purchase { reservation, username } => {
                let told = service.purchase(reservation, username.as_str()).await;
                told.map_or_else(or_else, |told| Answer::from(&told))
            }
            Ask::Release { reservation, username: Some(username) } => {
                let told = service.release(reservation, username.as_str()).await;
                told.map_or_else(or_else, |told| Answer::from(&told))
            }
            Ask::Release { reservation, username: None } => {
                let told = service.release_any(reservation).await;
                told.map_or_else(or_else, |told| Answer::from(&told))
            }
            Ask::Amend { drop_id, amendment } => {
                let told = service.amend_drop(drop_id, amendment).await;
                told.map_or_else(or_else, |told| Answer::Done { revision: told.revision })
            }
            _ => match service.drop_snapshot(self.drop_id).await {
                Ok(snapshot) => Answer::from(&snapshot.expect("the drop is there")),
                Err(error) => or_else(error),
            },
        }
    }

    /// Several commands at once, straight to the store, as a lane does it.
    async fn batch(&self, dice: &mut Dice) {
        let drop_id = self.drop_id;
        let asks: Vec<_> = (0..1 + dice.below(6))
            .map(|_| match dice.below(12) {
                0 => Ask::Expire { drop_id },
                1 => Ask::Forget { drop_id, username: Self::username(dice) },
                _ => self.ask(dice),
            })
            .filter(|ask| !matches!(ask, Ask::Read { .. }))
            .collect();
        let Ok(batch) = Batch::new(drop_id, asks.iter().map(command).collect()) else { return };
        let tickets: Vec<_> = asks.iter().map(|ask| self.recorder.begin(ask.clone())).collect();
        let answers = match self.store.apply(&batch).await {
            Ok(applied) => {
                let revision = applied.revision();
                let outcomes = applied.into_outcomes().into_iter();
                outcomes.map(|outcome| answer(outcome, revision)).collect()
            }
            Err(error) => vec![Answer::from(&ServiceError::from(error)); asks.len()],
        };
        for ((ask, ticket), answer) in asks.iter().zip(tickets).zip(answers) {
            self.learn(ask, &answer);
            self.recorder.end(ticket, answer);
        }
    }

    fn learn(&self, ask: &Ask, answer: &Answer) {
        if let (Ask::Reserve { username, .. }, Answer::Reserved { reservation, .. }) = (ask, answer)
        {
            self.known.lock().expect("holds").push((*reservation, username.clone()));
        }
    }
}

async fn turns(count: u64) {
    for _ in 0..count {
        yield_now().await;
    }
}
