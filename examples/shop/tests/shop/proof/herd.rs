//! Rounds of a crowd at both instances of a shop, for a handful of units.
//!
//! In each round everybody presses the button at once, some in several tabs. Then buyers buy (in
//! every tab), keepers press again, quitters give back and waverers do both at once in two tabs,
//! while who has nothing tries again. Once that is over, who still wants a unit and has none asks
//! a last time: after that a unit is left over only where nobody wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drop_core::Rejection;
use drop_core::conformance::Dice;
use drop_core::conformance::history::Answer;
use drop_core::model::{DropId, ReservationId};
use futures::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;

use super::run::Run;
use super::stage::door;
use super::witness::{Told, Witness};
use crate::support::{Start, database};

const CLIENTS: usize = 64;

/// What a user has in mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mind {
    Buyer,
    Keeper,
    Quitter,
    Waverer,
}

impl Mind {
    /// Whether such a user wants a unit for good.
    fn wants(self) -> bool {
        matches!(self, Self::Buyer | Self::Keeper)
    }
}

/// One open page of one user.
#[derive(Debug)]
struct Tab {
    drop_id: DropId,
    user: String,
    mind: Mind,
    /// Whether it is the first of its user.
    first: bool,
    doors: [Witness; 2],
    dice: Dice,
    /// The hold that it knows of.
    hold: Option<ReservationId>,
    /// Whether it has a hold or a purchase at the end.
    has: bool,
    /// Answers that no herd may see.
    wrong: Vec<String>,
    /// Answers that ask to press again.
    contended: usize,
}

impl Tab {
    /// Presses the button.
    async fn presses(&mut self) {
        let told = loop {
            let told = self.door().reserve(self.drop_id, &self.user).await;
            if !self.is_contended(&told) {
                break told;
            }
        };
        match (&told.answer, told.status) {
            (Answer::Reserved { reservation, .. }, Some(201)) => {
                self.hold = Some(*reservation);
                self.has = true;
            }
            (Answer::Refused(Rejection::OutOfStock), Some(409)) => {}
            _ => self.wrong.push(format!("{} presses: {told:?}", self.user)),
        }
    }

    /// Does what its user has in mind, or tries again where there is no hold.
    async fn acts(&mut self) {
        let Some(id) = self.hold else {
            if self.mind.wants() {
                self.presses().await;
            }
            return;
        };
        let told = loop {
            let at = self.door();
            let told = match self.mind {
                Mind::Keeper => at.reserve(self.drop_id, &self.user).await,
                Mind::Buyer => at.purchase(id, &self.user).await,
                Mind::Waverer if self.first => at.purchase(id, &self.user).await,
                Mind::Waverer | Mind::Quitter => at.release(id, &self.user).await,
            };
            if !self.is_contended(&told) {
                break told;
            }
        };
        let wavers = self.mind == Mind::Waverer;
        let right = match (&told.answer, told.status) {
            (Answer::Reserved { reservation, extended, .. }, Some(201)) => {
                *extended && *reservation == id
            }
            (Answer::Purchased { reservation, .. }, Some(200 | 201)) => *reservation == id,
            (Answer::Released { .. }, Some(200)) => true,
            // The other tab was first.
            (Answer::Refused(Rejection::AlreadyPurchased), Some(409))
            | (Answer::Refused(Rejection::ReservationExpired), Some(410)) => wavers,
            _ => false,
        };
        if !right {
            self.wrong.push(format!("{} is a {:?} of {id}: {told:?}", self.user, self.mind));
        }
        self.has = matches!(told.answer, Answer::Reserved { .. } | Answer::Purchased { .. });
    }

    /// Either instance, each time.
    fn door(&mut self) -> Witness {
        let [one, two] = &self.doors;
        if self.dice.one_in(2) { one.clone() } else { two.clone() }
    }

    /// Another instance had the drop for too long: the answer is to press again.
    fn is_contended(&mut self, told: &Told) -> bool {
        let contended = told.status == Some(409) && told.answer == Answer::NotDone;
        self.contended += usize::from(contended);
        contended
    }
}

/// The tabs of one round, by the dice.
fn tabs(doors: &[Witness; 2], drop_id: DropId, dice: &mut Dice) -> Vec<Tab> {
    let minds = [Mind::Buyer, Mind::Keeper, Mind::Quitter, Mind::Waverer];
    let users = usize::try_from(dice.pick(&[1, 2, 4, 16, 48, 64])).expect("a small number");
    let minds: Vec<Mind> = (0..users).map(|_| dice.pick(&minds)).collect();
    let tab = |number: usize| Tab {
        drop_id,
        user: format!("user_{}", number % users),
        mind: minds[number % users],
        first: number < users,
        doors: doors.clone(),
        dice: Dice::new(dice.roll()),
        hold: None,
        has: false,
        wrong: Vec::new(),
        contended: 0,
    };
    (0..CLIENTS).map(tab).collect()
}

/// Lets all tabs do the same thing at once.
async fn at_once<F>(tabs: Vec<Tab>, what: impl Fn(Tab) -> F) -> Vec<Tab>
where
    F: Future<Output = Tab> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(tabs.len()));
    let one = |tab| {
        let (barrier, doing) = (barrier.clone(), what(tab));
        tokio::spawn(async move {
            barrier.wait().await;
            doing.await
        })
    };
    let done = join_all(tabs.into_iter().map(one)).await;
    done.into_iter().map(|tab| tab.expect("no tab fails")).collect()
}

/// By user, whether any of its tabs says so.
fn by_user(tabs: &[Tab], says: impl Fn(&Tab) -> bool) -> BTreeSet<String> {
    tabs.iter().filter(|tab| says(tab)).map(|tab| tab.user.clone()).collect()
}

/// One round; what must not be goes to `findings`, and how often a tab had to press again is
/// given back.
async fn round(
    doors: &[Witness; 2],
    (drop_id, stock): (DropId, u64),
    dice: &mut Dice,
    findings: &mut Vec<String>,
) -> usize {
    let tabs = tabs(doors, drop_id, dice);
    let tabs = at_once(tabs, async |mut tab| {
        tab.presses().await;
        tab
    })
    .await;
    let mut ids: BTreeMap<&str, BTreeSet<Option<ReservationId>>> = BTreeMap::new();
    for tab in &tabs {
        ids.entry(&tab.user).or_default().insert(tab.hold);
    }
    let several = ids.iter().filter(|(_, ids)| ids.len() > 1);
    findings.extend(several.map(|(user, ids)| format!("drop {drop_id}: {user} saw {ids:?}")));
    let tabs = at_once(tabs, async |mut tab| {
        tab.acts().await;
        tab
    })
    .await;
    let has = by_user(&tabs, |tab| tab.has);
    let tabs = at_once(tabs, |mut tab| {
        let wants = tab.mind.wants() && !has.contains(&tab.user);
        async move {
            if wants {
                tab.presses().await;
            }
            tab
        }
    })
    .await;
    findings.extend(tabs.iter().flat_map(|tab| tab.wrong.iter().cloned()));
    // Who wants one for good, and who wavered and bought all the same.
    let demand = by_user(&tabs, |tab| tab.mind.wants() || tab.has).len();
    let expected = stock.min(u64::try_from(demand).expect("a small number"));
    for door in doors {
        let told = door.read(drop_id).await;
        let Answer::Stock { available, held, sold, .. } = told.answer else {
            findings.push(format!("drop {drop_id} is read: {told:?}"));
            continue;
        };
        let gone = u64::from(held) + u64::from(sold);
        if gone != expected || gone + u64::from(available) != stock {
            findings.push(format!("drop {drop_id}: {demand} want one of {stock}, and {told:?}"));
        }
    }
    tabs.iter().map(|tab| tab.contended).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn herd_over_two_instances() {
    let rounds = Run::share(100, 500);
    let mut run = Run::begin("herd", "64 clients, two instances", "herd::herd_over_two_instances");
    let database = database().await;
    let start = Start::on(&database.url()).with(&["--hold-seconds", "300"]);
    let shops = [start.run().await, start.run().await];
    let doors = [door(&shops[0], &run), door(&shops[1], &run)];
    let mut dice = run.dice(0);
    let mut drops = Vec::new();
    let mut contended = 0;
    for _ in 0..rounds {
        let stock = 1 + dice.below(5);
        let terms = json!({
            "name": "Air One", "price": 1, "totalStock": stock, "maxPerCustomer": 1,
        });
        let drop_id = DropId::new(shops[0].api.create_drop(terms).await).expect("an id");
        contended += round(&doors, (drop_id, stock), &mut dice, &mut run.findings).await;
        drops.push(drop_id);
    }
    run.figure("rounds", &rounds);
    run.figure("told to press again", &contended);
    let store = database.connect().await.expect("a store");
    run.judge(&store, &drops).await;
    run.end();
}
