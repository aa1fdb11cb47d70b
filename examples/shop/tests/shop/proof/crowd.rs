//! Clients who go on through every fault: what got no answer is asked again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use drop_core::Rejection;
use drop_core::conformance::Dice;
use drop_core::conformance::history::Answer;
use drop_core::model::{DropId, ReservationId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::run::Run;
use super::witness::{Told, Witness};

/// A guard against hanging, not a measure: nobody asks in vain for so long.
const PATIENCE: Duration = Duration::from_secs(90);
/// So many answers that cannot be are enough to give a run up.
const SURPRISES: usize = 50;
/// Between two tries of one client.
const PAUSE: Duration = Duration::from_millis(10);

/// A number of clients at one door, behind which is one shop at a time.
#[derive(Debug)]
pub(crate) struct Crowd {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
    heard: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Shared {
    /// What the names of these clients begin with.
    label: &'static str,
    door: RwLock<Witness>,
    drops: RwLock<Vec<DropId>>,
    over: AtomicBool,
    /// Holds, purchases and releases that were acknowledged.
    acknowledged: watch::Sender<u64>,
    tally: Tally,
    /// Answers that cannot be, in words.
    surprises: Mutex<Vec<String>>,
}

/// What became of what was asked.
#[derive(Debug, Default)]
struct Tally {
    /// Tries whose connection broke before an answer.
    broken: AtomicU64,
    /// Tries that were answered with a fault.
    faults: AtomicU64,
    /// Repeats that found the try without an answer done.
    done_unheard: AtomicU64,
    /// Those where the connection had broken, and no fault been told.
    done_broken: AtomicU64,
}

/// What a client wants of a shop.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Hold(DropId),
    Buy(ReservationId),
    Release(ReservationId),
    Look(DropId),
}

/// How asking until there was an answer ended.
struct Settled {
    told: Told,
    broken: bool,
    fault: bool,
}

impl Crowd {
    /// Lets `count` clients in, whose names begin with `label`.
    pub(crate) fn enter(
        run: &Run,
        (label, count): (&'static str, u64),
        door: Witness,
        drops: Vec<DropId>,
    ) -> Self {
        let (acknowledged, heard) = watch::channel(0);
        let shared = Arc::new(Shared {
            label,
            door: RwLock::new(door),
            drops: RwLock::new(drops),
            over: AtomicBool::new(false),
            acknowledged,
            tally: Tally::default(),
            surprises: Mutex::default(),
        });
        let client = |number| tokio::spawn(shared.clone().client(number, run.dice(number)));
        let clients = (0..count).map(client).collect();
        Self { shared, clients, heard }
    }

    /// Returns after so many more acknowledged answers.
    ///
    /// # Panics
    /// When too much cannot be that the crowd is told: a shop that has lost everything refuses
    /// everybody.
    pub(crate) async fn hears(&self, more: u64) {
        let mut heard = self.heard.clone();
        let enough = *heard.borrow_and_update() + more;
        let told = heard.wait_for(|count| *count >= enough || self.surprises() > SURPRISES);
        match timeout(PATIENCE, told).await {
            Ok(told) => drop(told.expect("the crowd is there")),
            Err(_) => panic!("nothing acknowledged for {PATIENCE:?}"),
        }
        if self.surprises() > SURPRISES {
            let surprises = self.shared.surprises.lock().expect("surprises").join("\n");
            panic!("contradictions, of which:\n{surprises}");
        }
    }

    fn surprises(&self) -> usize {
        self.shared.surprises.lock().expect("surprises").len()
    }

    /// How many answers were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        *self.heard.borrow()
    }

    /// The shop has come back, maybe elsewhere.
    pub(crate) fn moves_to(&self, door: Witness) {
        *self.shared.door.write().expect("a door") = door;
    }

    /// What begins from now on is about these drops.
    pub(crate) fn turns_to(&self, drops: Vec<DropId>) {
        *self.shared.drops.write().expect("drops") = drops;
    }

    /// Tries whose connection broke, and that were found done without a word.
    pub(crate) fn done_broken(&self) -> u64 {
        self.shared.tally.done_broken.load(Ordering::SeqCst)
    }

    /// Tells what became of what was asked.
    pub(crate) fn tell(&self, run: &mut Run) {
        let tally = &self.shared.tally;
        for (what, count) in [
            ("tries without an answer", &tally.broken),
            ("tries answered by a fault", &tally.faults),
            ("of those, found done when repeated", &tally.done_unheard),
        ] {
            run.figure(what, &count.load(Ordering::SeqCst));
        }
    }

    /// Everybody finishes what they do and goes; what they wonder about goes into the verdict.
    pub(crate) async fn leaves(&mut self, run: &mut Run) {
        self.shared.over.store(true, Ordering::SeqCst);
        for client in self.clients.drain(..) {
            client.await.expect("no client fails");
        }
        run.findings.append(&mut self.shared.surprises.lock().expect("surprises"));
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for client in &self.clients {
            client.abort();
        }
    }
}

impl Shared {
    /// One client, with another name each time.
    async fn client(self: Arc<Self>, number: u64, mut dice: Dice) {
        let mut turn = 0_u64;
        while !self.over.load(Ordering::SeqCst) {
            turn += 1;
            let name = format!("{}_{number}_{turn}", self.label);
            let drop_id = dice.pick(&self.drops.read().expect("drops"));
            let held = self.settle(Wish::Hold(drop_id), &name).await;
            let Answer::Reserved { reservation: id, extended, .. } = held.told.answer else {
                self.wonder(&name, "wants a unit", &held.told);
                continue;
            };
            self.count(&held, extended, &name);
            match dice.below(10) {
                // Left to lapse.
                0 => {}
                1 => {
                    let gone = self.settle(Wish::Release(id), &name).await;
                    match gone.told.answer {
                        Answer::Released { .. } => self.acknowledge(),
                        _ => self.wonder(&name, "gives its hold back", &gone.told),
                    }
                }
                _ => self.buys(id, &name, &mut dice).await,
            }
            if dice.one_in(8) {
                self.settle(Wish::Look(drop_id), &name).await;
            }
        }
    }

    async fn buys(&self, id: ReservationId, name: &str, dice: &mut Dice) {
        let bought = self.settle(Wish::Buy(id), name).await;
        match bought.told.answer {
            Answer::Purchased { repeated, .. } => self.count(&bought, repeated, name),
            // The shop was away for longer than the hold: the history says whether it was.
            Answer::Refused(Rejection::ReservationExpired) => return,
            _ => return self.wonder(name, "buys what it holds", &bought.told),
        }
        if dice.one_in(4) {
            let again = self.settle(Wish::Buy(id), name).await;
            if !matches!(again.told.answer, Answer::Purchased { repeated: true, .. }) {
                self.wonder(name, "buys what it has bought", &again.told);
            }
        }
    }

    /// Counts what was acknowledged; `before` says that it had been done before this answer.
    fn count(&self, settled: &Settled, before: bool, name: &str) {
        if before {
            self.tally.done_unheard.fetch_add(1, Ordering::SeqCst);
            if !settled.fault {
                self.tally.done_broken.fetch_add(1, Ordering::SeqCst);
            }
            if !settled.broken && !settled.fault {
                self.wonder(name, "had not asked before", &settled.told);
            }
        }
        self.acknowledge();
    }

    fn acknowledge(&self) {
        self.acknowledged.send_modify(|count| *count += 1);
    }

    fn wonder(&self, name: &str, why: &str, told: &Told) {
        let surprise = format!("{name} {why}, and was told {told:?}");
        self.surprises.lock().expect("surprises").push(surprise);
        // Whoever waits has a look.
        self.acknowledged.send_modify(|_| {});
    }

    /// Asks the shop until it says yes or no.
    async fn settle(&self, wish: Wish, name: &str) -> Settled {
        let asking = async {
            let (mut broken, mut fault) = (false, false);
            loop {
                let at = self.witness();
                let told = match wish {
                    Wish::Hold(drop_id) => at.reserve(drop_id, name).await,
                    Wish::Buy(id) => at.purchase(id, name).await,
                    Wish::Release(id) => at.release(id, name).await,
                    Wish::Look(drop_id) => at.read(drop_id).await,
                };
                match (told.status, &told.answer) {
                    (None, _) => {
                        self.tally.broken.fetch_add(1, Ordering::SeqCst);
                        broken = true;
                    }
                    (_, Answer::Unknown | Answer::NotDone) => {
                        let clean = matches!(told.status, Some(409 | 503));
                        assert!(clean, "neither an answer nor a clean fault: {told:?}");
                        self.tally.faults.fetch_add(1, Ordering::SeqCst);
                        fault = true;
                    }
                    _ => return Settled { told, broken, fault },
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, asking).await.expect("an answer in the end")
    }

    fn witness(&self) -> Witness {
        self.door.read().expect("a door").clone()
    }
}
