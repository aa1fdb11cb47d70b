//! Purchases aimed at the deadline of their hold, 20 ms before it to 20 ms after, while others
//! wait for the unit.
//!
//! When a request arrives depends on the machine; what it must be told does not: the history
//! says by the times of the decisions whether a sale was late, a refusal early or a unit
//! promised twice. The clock here only aims. As answers come too early or too late for the
//! aim, it moves, so that about half of the purchases are in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use drop_core::conformance::Dice;
use drop_core::conformance::history::Answer;
use drop_core::model::{DropId, ReservationId, Timestamp};
use drop_core::{Clock, Rejection, SystemClock};
use drop_store_memory::FileStore;
use futures::future::join_all;

use super::inside::Inside;
use super::run::Run;
use super::stage::door;
use super::witness::Witness;
use crate::support::{Api, Start, database};

/// Holds of one drop, each with a purchase aimed at its deadline.
const HOLDS: usize = 50;
/// Others who want a unit of that drop all the time.
const OTHERS: usize = 6;
const HOLD: Duration = Duration::from_millis(500);
/// The aim: so many microseconds before or after the deadline.
const SPREAD: u64 = 20_000;

/// What became of the aimed purchases.
#[derive(Debug, Default)]
struct Score {
    bought: AtomicU64,
    refused: AtomicU64,
    /// Units that others got at the same time.
    handed_on: AtomicU64,
    contended: AtomicU64,
}

/// How much earlier a purchase is sent than it should be decided, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Lead {
    way: i64,
    bias: i64,
}

impl Lead {
    const STEP: i64 = 4_000;

    /// `late` is how much later than aimed the answers came; half of the way is there.
    fn learns(&mut self, mut late: Vec<i64>, bought: u64, refused: u64) {
        late.sort_unstable();
        self.way = late.get(late.len() / 2).map_or(0, |median| (median + self.total()) / 2);
        if bought > refused.saturating_mul(2) {
            self.bias -= Self::STEP;
        } else if refused > bought.saturating_mul(2) {
            self.bias += Self::STEP;
        }
    }

    fn total(self) -> i64 {
        self.way + self.bias
    }
}

/// The waves of one store, at one or more doors.
struct Waves<'a> {
    run: &'a mut Run,
    /// For creating drops.
    api: Api,
    doors: Vec<Witness>,
    lead: Lead,
    score: Arc<Score>,
}

impl<'a> Waves<'a> {
    fn new(run: &'a mut Run, api: Api, doors: Vec<Witness>) -> Self {
        Self { run, api, doors, lead: Lead::default(), score: Arc::default() }
    }

    /// One drop: taken whole, then bought or lost at the deadlines, while others wait for it.
    async fn wave(&mut self, number: usize, dice: &mut Dice) -> DropId {
        let units = u32::try_from(HOLDS).expect("a small number");
        let drop_id = DropId::new(self.api.plain_drop(units).await).expect("an id");
        let over = Arc::new(AtomicBool::new(false));
        let taken = (0..HOLDS).map(|holder| {
            let door = self.doors[holder % self.doors.len()].clone();
            tokio::spawn(take(door, drop_id, format!("holder_{number}_{holder}")))
        });
        let taken = join_all(taken.collect::<Vec<_>>()).await;
        let early = self.lead.total();
        let holders = taken.into_iter().map(|held| {
            let aim = i64::try_from(dice.below(2 * SPREAD + 1)).expect("a small number");
            let offset = aim - i64::try_from(SPREAD).expect("a small number");
            let held = held.expect("no holder fails");
            tokio::spawn(aimed(held, offset, early, self.score.clone()))
        });
        let holders: Vec<_> = holders.collect();
        let others = (0..OTHERS).map(|other| {
            let door = self.doors[other % self.doors.len()].clone();
            let name = format!("other_{number}_{other}");
            let dice = Dice::new(dice.roll());
            tokio::spawn(other_of(door, drop_id, name, dice, over.clone(), self.score.clone()))
        });
        let others: Vec<_> = others.collect();
        let before = self.counts();
        let mut late = Vec::new();
        for holder in join_all(holders).await {
            match holder.expect("no holder fails") {
                Ok(after) => late.push(after),
                Err(finding) => self.run.findings.push(finding),
            }
        }
        over.store(true, Ordering::SeqCst);
        for other in join_all(others).await {
            self.run.findings.extend(other.expect("nobody fails"));
        }
        let after = self.counts();
        self.lead.learns(late, after[0] - before[0], after[1] - before[1]);
        drop_id
    }

    fn counts(&self) -> [u64; 2] {
        [&self.score.bought, &self.score.refused].map(|count| count.load(Ordering::SeqCst))
    }

    /// All waves of a run.
    async fn all(&mut self) -> Vec<DropId> {
        let mut dice = self.run.dice(0);
        let purchases = Run::share(350, 5_000);
        let mut drops = Vec::new();
        for number in 0..purchases.div_ceil(HOLDS) {
            drops.push(self.wave(number, &mut dice).await);
        }
        let score = self.score.clone();
        self.run.figure("purchases at a deadline", &(drops.len() * HOLDS));
        for (what, count) in [
            ("in time", &score.bought),
            ("too late", &score.refused),
            ("units that others got", &score.handed_on),
            ("told to ask again", &score.contended),
        ] {
            self.run.figure(what, &count.load(Ordering::SeqCst));
        }
        if self.counts().contains(&0) {
            self.run.findings.push("nothing was aimed at a deadline".to_owned());
        }
        drops
    }
}

/// A unit in somebody's hand.
#[derive(Debug)]
struct Held {
    door: Witness,
    name: String,
    id: ReservationId,
    expires_at: Timestamp,
}

/// Takes a unit of a drop that has one for everybody.
async fn take(door: Witness, drop_id: DropId, name: String) -> Held {
    loop {
        let told = door.reserve(drop_id, &name).await;
        match told.answer {
            Answer::Reserved { reservation: id, expires_at, .. } => {
                return Held { door, name, id, expires_at };
            }
            Answer::NotDone => {}
            _ => panic!("{name} was told {told:?}"),
        }
    }
}

/// Buys it at its deadline and `offset`; gives back how much later than aimed the answer came,
/// or what is wrong with it.
async fn aimed(held: Held, offset: i64, early: i64, score: Arc<Score>) -> Result<i64, String> {
    let aim = held.expires_at.as_micros() + offset;
    let until = u64::try_from(aim - early - now()).unwrap_or(0);
    tokio::time::sleep(Duration::from_micros(until)).await;
    purchase(&held.door, held.id, &held.name, &score).await?;
    Ok(now() - aim)
}

async fn purchase(
    door: &Witness,
    id: ReservationId,
    name: &str,
    score: &Score,
) -> Result<(), String> {
    loop {
        let told = door.purchase(id, name).await;
        let count = match told.answer {
            Answer::Purchased { repeated: false, .. } => &score.bought,
            Answer::Refused(Rejection::ReservationExpired) => &score.refused,
            Answer::NotDone => &score.contended,
            _ => return Err(format!("{name} holds {id} and was told {told:?}")),
        };
        count.fetch_add(1, Ordering::SeqCst);
        if told.answer != Answer::NotDone {
            return Ok(());
        }
    }
}

/// Tries to get a unit until all is over, and gives some of them back.
async fn other_of(
    door: Witness,
    drop_id: DropId,
    name: String,
    mut dice: Dice,
    over: Arc<AtomicBool>,
    score: Arc<Score>,
) -> Vec<String> {
    let mut findings = Vec::new();
    let mut turn = 0_u64;
    while !over.load(Ordering::SeqCst) {
        turn += 1;
        let name = format!("{name}_{turn}");
        let told = door.reserve(drop_id, &name).await;
        match told.answer {
            Answer::Reserved { reservation, .. } => {
                score.handed_on.fetch_add(1, Ordering::SeqCst);
                if dice.one_in(2) {
                    door.release(reservation, &name).await;
                }
            }
            Answer::Refused(Rejection::OutOfStock) | Answer::NotDone => {}
            _ => findings.push(format!("{name} was told {told:?}")),
        }
    }
    findings
}

/// The machine's clock, in microseconds.
fn now() -> i64 {
    SystemClock.now().as_micros()
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_memory() {
    let test = "deadline::deadline_memory";
    let mut run = Run::begin("deadline", "in memory, inside the test", test);
    let inside = Inside::start(HOLD).await;
    let doors = vec![Witness::new(inside.api.clone(), &run.recorder)];
    let api = inside.api.clone();
    let drops = Waves::new(&mut run, api, doors).all().await;
    run.judge(&inside.store, &drops).await;
    run.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_file() {
    let mut run = Run::begin("deadline", "shop on a file", "deadline::deadline_file");
    let directory = tempfile::tempdir().expect("a directory");
    let store = format!("file:{}", directory.path().display());
    let mut shop = start(&store).run().await;
    let doors = vec![door(&shop, &run)];
    let drops = Waves::new(&mut run, shop.api.clone(), doors).all().await;
    shop.process.kill().await;
    let store = FileStore::open(directory.path()).expect("the file opens");
    run.judge(&store, &drops).await;
    run.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_postgres_two_instances() {
    let test = "deadline::deadline_postgres_two_instances";
    let mut run = Run::begin("deadline", "PostgreSQL, two instances", test);
    let database = database().await;
    let start = start(&database.url());
    let (one, two) = (start.run().await, start.run().await);
    let doors = vec![door(&one, &run), door(&two, &run)];
    let drops = Waves::new(&mut run, one.api.clone(), doors).all().await;
    let store = database.connect().await.expect("a store");
    run.judge(&store, &drops).await;
    run.end();
}

fn start(store: &str) -> Start {
    Start::on(store).with(&["--hold-seconds", &HOLD.as_secs_f64().to_string()])
}
