//! Arbitrary histories of one drop.

use std::time::Duration;

use drop_core::Amendment;
use drop_core::conformance::{Model, Rows, START};
use drop_core::model::{
    DropId, DropTerms, HoldPolicy, NewDrop, ReservationId, Revision, Timestamp, Units, Username,
    VariantName, Window,
};
use drop_core::rules::{Applied, Batch, Command};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

pub(crate) const SIZES: [&str; 3] = ["S", "M", "L"];
const USERS: [&str; 5] = ["amy", "Bob", "cat", "DAN", "eve"];

/// A drop and what is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) new: NewDrop,
    pub(crate) steps: Vec<Step>,
}

/// Commands that are decided together, after some time.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pause: Duration,
    asks: Vec<Ask>,
}

/// A command whose reservation is chosen when it is known which there are.
#[derive(Clone, Debug)]
enum Ask {
    Reserve { user: usize, size: Option<usize>, quantity: u32 },
    Release { row: Index, by: Option<usize> },
    Purchase { row: Index, by: Option<usize> },
    Expire,
    Amend { amendment: Amendment, guarded: bool },
    Forget { user: usize },
}

/// What may be asked beside reserving, buying, giving back and expiring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Amendments of anything; of totals only where this is `false`.
    pub(crate) amend: bool,
    /// Amendments that name a revision.
    pub(crate) guarded: bool,
    /// Forgetting customers.
    pub(crate) forget: bool,
}

impl Allowed {
    pub(crate) const EVERYTHING: Self = Self { amend: true, guarded: true, forget: true };
}

pub(crate) fn histories(allowed: Allowed) -> impl Strategy<Value = History> {
    (drops(), vec(steps(allowed), 1..14)).prop_map(|(new, steps)| History { new, steps })
}

fn drops() -> impl Strategy<Value = NewDrop> {
    // In tens of seconds, so that moments coincide.
    let window = option::of((0..4_u64, 1..40_u64));
    (1..4_usize, vec(1..6_u32, 3), option::of(1..5_u32), window, (1..7_u64, 0..10_u64)).prop_map(
        |(sizes, totals, limit, window, (hold, more))| {
            let mut terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
            terms.limit = limit.map(units);
            let tens = |tens| Duration::from_secs(10 * tens);
            terms.hold = HoldPolicy::new(tens(hold), tens(hold + more)).unwrap();
            if let Some((opens, length)) = window {
                let opens = after(START, opens);
                terms.window = Window::new(opens, Some(after(opens, length))).unwrap();
            }
            if sizes == 1 {
                return NewDrop::plain(terms, units(totals[0])).unwrap();
            }
            let variants = SIZES.into_iter().zip(totals).take(sizes);
            let variants = variants.map(|(name, total)| (size(name), units(total)));
            NewDrop::with_variants(terms, variants).unwrap()
        },
    )
}

fn steps(allowed: Allowed) -> impl Strategy<Value = Step> {
    let pause = prop_oneof![
        3 => Just(Duration::ZERO),
        1 => Just(Duration::from_micros(1)),
        4 => (0..20_u64).prop_map(|tens| Duration::from_secs(10 * tens)),
    ];
    (pause, vec(asks(allowed), 1..9)).prop_map(|(pause, asks)| Step { pause, asks })
}

fn asks(allowed: Allowed) -> impl Strategy<Value = Ask> {
    let user = || 0..USERS.len();
    let by = || prop_oneof![4 => Just(None), 1 => user().prop_map(Some)];
    let size = option::weighted(0.7, 0..SIZES.len());
    let quantity = prop_oneof![3 => Just(1_u32), 1 => 0..4_u32];
    prop_oneof![
        9 => (user(), size, quantity)
            .prop_map(|(user, size, quantity)| Ask::Reserve { user, size, quantity }),
        5 => (any::<Index>(), by()).prop_map(|(row, by)| Ask::Purchase { row, by }),
        3 => (any::<Index>(), by()).prop_map(|(row, by)| Ask::Release { row, by }),
        1 => Just(Ask::Expire),
        2 => (amendments(allowed.amend), any::<bool>()).prop_map(move |(amendment, guarded)| {
            Ask::Amend { amendment, guarded: guarded && allowed.guarded }
        }),
        1 => user().prop_map(move |user| {
            if allowed.forget { Ask::Forget { user } } else { Ask::Expire }
        }),
    ]
}

fn amendments(everything: bool) -> impl Strategy<Value = Amendment> {
    let total = (0..9_u32)
        .prop_map(|total| Amendment { total: Some(units(total)), ..Amendment::default() });
    let variants = (0..SIZES.len(), 0..9_u32).prop_map(|(index, total)| Amendment {
        variants: vec![(size(SIZES[index]), units(total))],
        ..Amendment::default()
    });
    let limit = option::of(0..5_u32)
        .prop_map(|limit| Amendment { limit: Some(limit.map(units)), ..Amendment::default() });
    let price = (0..9999_i64).prop_map(|price| Amendment {
        price: Some(price.to_string().parse().unwrap()),
        ..Amendment::default()
    });
    let window = (0..10_u64, option::of(0..30_u64)).prop_map(|(opens, closes)| Amendment {
        starts_at: Some(after(START, opens)),
        ends_at: Some(closes.map(|closes| after(START, closes))),
        ..Amendment::default()
    });
    if everything {
        prop_oneof![total, variants, limit, price, window].boxed()
    } else {
        prop_oneof![total, variants].boxed()
    }
}

pub(crate) fn drop_id() -> DropId {
    DropId::new(7).unwrap()
}

pub(crate) fn units(count: u32) -> Units {
    Units::new(i64::from(count)).unwrap()
}

pub(crate) fn user(index: usize) -> Username {
    Username::new(USERS[index]).unwrap()
}

pub(crate) fn customers() -> impl Iterator<Item = Username> {
    (0..USERS.len()).map(user)
}

fn size(name: &str) -> VariantName {
    VariantName::new(name).unwrap()
}

fn after(at: Timestamp, tens: u64) -> Timestamp {
    at.saturating_add(Duration::from_secs(10 * tens))
}

/// A history that is being played, on rows and on the model.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) rows: Rows,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
}

impl Played {
    pub(crate) fn new(history: &History) -> Self {
        let rows = Rows::new(drop_id(), &history.new, START);
        Self { rows, model: Model::new(&history.new, START), now: START }
    }

    /// Lets the step's time pass and makes its commands.
    pub(crate) fn begin(&mut self, step: &Step) -> Batch {
        self.now = self.now.saturating_add(step.pause);
        let commands = step.asks.iter().map(|ask| self.command(ask)).collect();
        Batch::new(drop_id(), commands).unwrap()
    }

    /// Decides a batch.
    pub(crate) fn decide(&mut self, batch: &Batch) -> Applied {
        self.rows.decide(batch, self.now).unwrap()
    }

    fn command(&self, ask: &Ask) -> Command {
        match ask {
            Ask::Reserve { user: index, size: named, quantity } => Command::Reserve {
                customer: user(*index),
                variant: named.map(|index| size(SIZES[index])),
                quantity: units(*quantity),
            },
            Ask::Release { row, by } => {
                let (reservation, owner) = self.row(row);
                Command::Release { reservation, customer: by.map_or(owner, |by| Some(user(by))) }
            }
            Ask::Purchase { row, by } => {
                let (reservation, owner) = self.row(row);
                let customer = by.map(user).or(owner).unwrap_or_else(|| user(0));
                Command::Purchase { reservation, customer }
            }
            Ask::Expire => Command::Expire,
            Ask::Amend { amendment, guarded } => {
                let revision: Revision = self.rows.revision;
                let if_revision = guarded.then_some(revision);
                Command::Amend(Amendment { if_revision, ..amendment.clone() })
            }
            Ask::Forget { user: index } => Command::Forget { customer: user(*index) },
        }
    }

    /// A reservation that there is, or that the batch may make, and its owner.
    fn row(&self, row: &Index) -> (ReservationId, Option<Username>) {
        let known = self.model.rows();
        match known.get(row.index(known.len() + 2)) {
            Some(row) => {
                let id = ReservationId::new(drop_id(), row.number).unwrap();
                (id, Some(row.customer.clone()))
            }
            None => (ReservationId::new(drop_id(), self.rows.next_number).unwrap(), None),
        }
    }
}
