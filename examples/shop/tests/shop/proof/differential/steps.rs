//! What may happen in a history, before it is known what there is.

use std::time::Duration;

use drop_core::Amendment;
use drop_core::conformance::START;
use drop_core::model::{
    DropName, DropTerms, HoldPolicy, NewDrop, Timestamp, Units, Username, VariantName, Window,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

const SIZES: [&str; 3] = ["S", "M", "L"];
/// Two spellings of one name among them.
const USERS: [&str; 6] = ["amy", "Bob", "bob", "DAN", "eve", "z_9"];

/// One step. What it names is chosen when it is known what there is, so that a history from
/// which steps are taken away is still one.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A new drop.
    Create(NewDrop),
    /// Commands that are decided together; by which of two processes, where there can be two.
    Batch { on: Index, asks: Vec<Ask>, instance: usize },
    /// Time goes on, or is set back.
    Time(Pass),
    /// A drop is deleted.
    DeleteDrop { which: Index, force: bool },
    /// A user is deleted.
    DeleteUser(Username),
    /// The feeds are cut.
    Trim(u32),
    /// The process ends and begins again.
    Reopen,
    /// Parts of lists are read.
    Look(Look),
}

/// One command.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Reserve { user: Username, size: Option<VariantName>, quantity: Units },
    Purchase { row: Index, by: Option<Username> },
    Release { row: Index, by: By },
    Expire,
    Amend { amendment: Box<Amendment>, guard: Option<u64> },
    Forget(Username),
}

/// Who releases.
#[derive(Clone, Debug)]
pub(super) enum By {
    Owner,
    Seller,
    Other(Username),
}

/// What becomes of the time.
#[derive(Clone, Debug)]
pub(super) enum Pass {
    On(Duration),
    Back(Duration),
    /// To a deadline of some hold, or an edge of some window, and so many ticks more.
    To {
        which: Index,
        ticks: i64,
    },
}

/// A part of each list.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) drop: Index,
    pub(super) row: Index,
    pub(super) user: Username,
    pub(super) from: bool,
    pub(super) status: usize,
    pub(super) since: u64,
    pub(super) limit: usize,
}

pub(super) fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => drops().prop_map(Step::Create),
        22 => (any::<Index>(), batches(), 0..2_usize)
            .prop_map(|(on, asks, instance)| Step::Batch { on, asks, instance }),
        7 => passes().prop_map(Step::Time),
        1 => (any::<Index>(), any::<bool>())
            .prop_map(|(which, force)| Step::DeleteDrop { which, force }),
        1 => users().prop_map(Step::DeleteUser),
        1 => (0..6_u32).prop_map(Step::Trim),
        1 => Just(Step::Reopen),
        4 => looks().prop_map(Step::Look),
    ]
}

/// A drop that is there from the beginning, so that most of a history is about something.
pub(super) fn drops() -> impl Strategy<Value = NewDrop> {
    // In tens of seconds, so that moments coincide.
    let window = option::weighted(0.4, (0..4_u64, 1..40_u64));
    let named = (1..4_usize, any::<bool>());
    let limit = option::of(1..5_u32);
    (named, vec(1..6_u32, 3), limit, window, (1..7_u64, 0..10_u64), prices()).prop_map(
        |((sizes, named), totals, limit, window, (hold, more), price)| {
            let mut terms = DropTerms::new("Air One", &price, Default::default()).unwrap();
            terms.limit = limit.map(units);
            let tens = |tens| Duration::from_secs(10 * tens);
            terms.hold = HoldPolicy::new(tens(hold), tens(hold + more)).unwrap();
            if let Some((opens, length)) = window {
                let opens = after(START, opens);
                terms.window = Window::new(opens, Some(after(opens, length))).unwrap();
            }
            if sizes == 1 && !named {
                return NewDrop::plain(terms, units(totals[0])).unwrap();
            }
            let variants = SIZES.into_iter().zip(totals).take(sizes);
            let variants = variants.map(|(name, total)| (size(name), units(total)));
            NewDrop::with_variants(terms, variants).unwrap()
        },
    )
}

fn batches() -> impl Strategy<Value = Vec<Ask>> {
    prop_oneof![6 => vec(asks(), 1..2), 4 => vec(asks(), 2..8), 1 => vec(asks(), 8..60)]
}

fn asks() -> impl Strategy<Value = Ask> {
    let size_asked = option::weighted(0.6, sizes());
    let quantity = prop_oneof![4 => Just(1_u32), 1 => 0..4_u32].prop_map(units);
    let by = prop_oneof![
        5 => Just(By::Owner),
        1 => Just(By::Seller),
        1 => users().prop_map(By::Other),
    ];
    prop_oneof![
        10 => (users(), size_asked, quantity)
            .prop_map(|(user, size, quantity)| Ask::Reserve { user, size, quantity }),
        5 => (any::<Index>(), option::weighted(0.15, users()))
            .prop_map(|(row, by)| Ask::Purchase { row, by }),
        3 => (any::<Index>(), by).prop_map(|(row, by)| Ask::Release { row, by }),
        1 => Just(Ask::Expire),
        2 => (amendments(), option::weighted(0.3, 0..2_u64))
            .prop_map(|(amendment, guard)| Ask::Amend { amendment: Box::new(amendment), guard }),
        1 => users().prop_map(Ask::Forget),
    ]
}

fn amendments() -> impl Strategy<Value = Amendment> {
    let name = "[A-Za-z é]{0,6}X".prop_map(|name| Amendment {
        name: Some(DropName::new(&name).unwrap()),
        ..Amendment::default()
    });
    let total = (0..9_u32)
        .prop_map(|total| Amendment { total: Some(units(total)), ..Amendment::default() });
    let variants = vec((sizes(), 0..9_u32), 1..3).prop_map(|variants| Amendment {
        variants: variants.into_iter().map(|(size, total)| (size, units(total))).collect(),
        ..Amendment::default()
    });
    let limit = option::of(0..5_u32)
        .prop_map(|limit| Amendment { limit: Some(limit.map(units)), ..Amendment::default() });
    let price = prices()
        .prop_map(|price| Amendment { price: Some(price.parse().unwrap()), ..Default::default() });
    let window =
        (option::of(0..10_u64), option::of(option::of(0..30_u64))).prop_map(|(opens, closes)| {
            Amendment {
                starts_at: opens.map(|opens| after(START, opens)),
                ends_at: closes.map(|closes| closes.map(|closes| after(START, closes))),
                ..Amendment::default()
            }
        });
    prop_oneof![name, total, variants, limit, price, window]
}

fn passes() -> impl Strategy<Value = Pass> {
    prop_oneof![
        1 => Just(Pass::On(Duration::from_micros(1))),
        4 => (0..12_u64).prop_map(|tens| Pass::On(Duration::from_secs(10 * tens))),
        1 => (0..12_u64).prop_map(|tens| Pass::Back(Duration::from_secs(10 * tens))),
        4 => (any::<Index>(), -1..2_i64).prop_map(|(which, ticks)| Pass::To { which, ticks }),
    ]
}

fn looks() -> impl Strategy<Value = Look> {
    let picks = (any::<Index>(), any::<Index>(), users());
    (picks, any::<bool>(), 0..5_usize, 0..9_u64, 0..6_usize).prop_map(
        |((drop, row, user), from, status, since, limit)| Look {
            drop,
            row,
            user,
            from,
            status,
            since,
            limit,
        },
    )
}

fn users() -> impl Strategy<Value = Username> {
    (0..USERS.len()).prop_map(|index| USERS[index].parse().unwrap())
}

fn sizes() -> impl Strategy<Value = VariantName> {
    (0..SIZES.len()).prop_map(|index| size(SIZES[index]))
}

/// Some with digits that a binary fraction does not have, some with zeros at the end.
fn prices() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..100_000_u32).prop_map(|cents| format!("{}.{:02}", cents / 100, cents % 100)),
        (0..1000_u32).prop_map(|price| price.to_string()),
        (0..1000_u32).prop_map(|tenths| format!("{}.{}", tenths / 10, tenths % 10)),
    ]
}

fn units(count: u32) -> Units {
    Units::new(i64::from(count)).unwrap()
}

fn size(name: &str) -> VariantName {
    VariantName::new(name).unwrap()
}

fn after(at: Timestamp, tens: u64) -> Timestamp {
    at.saturating_add(Duration::from_secs(10 * tens))
}
