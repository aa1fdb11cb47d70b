//! What is read in pages.

use std::time::Duration;

use crate::model::{DropId, DropStatus, ReservationId, Window};
use crate::store::{DropPage, Page, Scope};

use super::START;
use super::commands::{HOLD, TICK, name, reserve_some};
use super::trial::{ALL, Trial};

async fn ids(t: &Trial, status: Option<DropStatus>) -> Vec<DropId> {
    let page = DropPage { status, after: None, limit: 100 };
    let drops = t.store().snapshots(&page).await.expect("a list");
    for drop in &drops {
        assert_eq!(*drop, t.snapshot(drop.id).await, "a list says what a single reading says");
    }
    drops.iter().map(|drop| drop.id).collect()
}

pub(super) async fn drops_newest_first_in_pages(t: &Trial) {
    let mut newest_first = Vec::new();
    for _ in 0..7 {
        newest_first.insert(0, t.plain(1).await);
        t.pass(TICK).await;
    }
    assert_eq!(ids(t, None).await, newest_first);
    let mut paged = Vec::new();
    loop {
        let page = DropPage { status: None, after: paged.last().copied(), limit: 3 };
        let drops = t.store().snapshots(&page).await.expect("a page");
        assert!(drops.len() <= 3);
        paged.extend(drops.iter().map(|drop| drop.id));
        if drops.len() < 3 {
            break;
        }
    }
    assert_eq!(paged, newest_first);
    let page = DropPage { status: None, after: None, limit: 0 };
    assert!(t.store().snapshots(&page).await.expect("a page").is_empty());
}

pub(super) async fn drops_by_status(t: &Trial) {
    let hour = Duration::from_secs(3600);
    let window = |from, to| Window::new(from, to).expect("a window");
    let later = window(START.saturating_add(hour), None);
    let upcoming = t.drop_with(1, |terms| terms.window = later).await;
    let brief = window(START, Some(START.saturating_add(HOLD)));
    let ended = t.drop_with(1, |terms| terms.window = brief).await;
    let open = t.plain(2).await;
    t.sell(open, "ann").await;
    let sold_out = t.plain(1).await;
    t.sell(sold_out, "ann").await;
    let sold_out_upcoming = t.drop_with(1, |terms| terms.window = brief).await;
    t.sell(sold_out_upcoming, "ann").await;
    let held = t.plain(1).await;
    t.pass(HOLD).await;
    t.hold(held, "ann").await;

    let at = t.now();
    for (drop_id, status) in [
        (upcoming, DropStatus::Upcoming),
        (ended, DropStatus::Ended),
        (open, DropStatus::Open),
        (sold_out, DropStatus::SoldOut),
        (sold_out_upcoming, DropStatus::Ended),
        (held, DropStatus::Open),
    ] {
        assert_eq!(t.snapshot(drop_id).await.status(at), status);
    }
    assert_eq!(ids(t, Some(DropStatus::Upcoming)).await, [upcoming]);
    assert_eq!(ids(t, Some(DropStatus::Ended)).await, [sold_out_upcoming, ended]);
    assert_eq!(ids(t, Some(DropStatus::SoldOut)).await, [sold_out]);
    let inside = ids(t, Some(DropStatus::Open)).await;
    assert_eq!(inside, [held, sold_out, open], "what is sold out inside its window stays");
    let page = DropPage { status: Some(DropStatus::Open), after: Some(held), limit: 1 };
    let next = t.store().snapshots(&page).await.expect("a page");
    assert_eq!(next.iter().map(|drop| drop.id).collect::<Vec<_>>(), [sold_out]);
}

pub(super) async fn heads_in_pages(t: &Trial) {
    let mut expected = Vec::new();
    for holds in 0..5_u64 {
        let drop_id = t.plain(9).await;
        for who in 0..holds {
            t.hold(drop_id, &format!("user_{who}")).await;
        }
        expected.push((drop_id, holds + 1));
    }
    expected.sort_unstable();
    let mut read = Vec::new();
    loop {
        let after = read.last().map(|(drop_id, _)| *drop_id);
        let heads = t.instance(1).heads(after, 2).await.expect("heads");
        assert!(heads.len() <= 2);
        read.extend(heads.iter().map(|(drop_id, revision)| (*drop_id, revision.get())));
        if heads.len() < 2 {
            break;
        }
    }
    assert_eq!(read, expected);
}

/// Reads holds and purchases of a scope page by page.
async fn paged(t: &Trial, scope: &Scope) -> (Vec<ReservationId>, Vec<ReservationId>) {
    let (mut holds, mut sales) = (Vec::new(), Vec::new());
    loop {
        let page = Page { before: holds.last().copied(), limit: 2 };
        let read = t.store().holds(scope, page).await.expect("a page");
        holds.extend(read.iter().map(|held| held.reservation.id()));
        if read.len() < 2 {
            break;
        }
    }
    loop {
        let page = Page { before: sales.last().copied(), limit: 2 };
        let read = t.store().purchases(scope, page).await.expect("a page");
        sales.extend(read.iter().map(|sale| sale.purchase.id));
        if read.len() < 2 {
            break;
        }
    }
    (holds, sales)
}

pub(super) async fn holds_of_a_drop_in_pages(t: &Trial) {
    let (drop_id, other) = (t.plain(9).await, t.plain(9).await);
    let mut falling = Vec::new();
    for who in ["amy", "bob", "cat", "dan", "eve"] {
        falling.insert(0, t.hold(drop_id, who).await.id());
        t.hold(other, who).await;
    }
    t.sell(drop_id, "fay").await;
    let (holds, sales) = paged(t, &Scope::Drop(drop_id)).await;
    assert_eq!(holds, falling);
    assert_eq!(sales.len(), 1);
    for held in t.holds(&Scope::Drop(drop_id)).await {
        assert_eq!(held.reservation, t.row(held.reservation.id()).await);
    }
}

pub(super) async fn holds_of_a_customer(t: &Trial) {
    let mut falling = Vec::new();
    for _ in 0..3 {
        let drop_id = t.plain(9).await;
        t.hold(drop_id, "bob").await;
        falling.insert(0, t.hold(drop_id, "Ann").await.id());
        t.pass(TICK).await;
    }
    let scope = Scope::Customer(name("ann"));
    assert_eq!(paged(t, &scope).await.0, falling);
    t.set(START.saturating_add(HOLD)).await;
    let valid: Vec<_> = t.holds(&scope).await.iter().map(|held| held.reservation.id()).collect();
    assert_eq!(valid, falling[..2], "the first has lapsed");
}

pub(super) async fn purchases_of_a_drop_in_pages(t: &Trial) {
    let (drop_id, other) = (t.plain(9).await, t.plain(9).await);
    let mut falling = Vec::new();
    for (who, quantity) in [("amy", 1), ("bob", 2), ("Cat", 1), ("amy", 1)] {
        let hold = t.hold_by(drop_id, reserve_some(who, quantity)).await;
        let sale = t.buy(&hold, who).await;
        falling.insert(0, (who, sale));
        t.sell(other, who).await;
        t.pass(TICK).await;
    }
    let sales = t.purchases(&Scope::Drop(drop_id)).await;
    let read: Vec<_> = sales.iter().map(|sale| (sale.username.as_str(), sale.purchase)).collect();
    assert_eq!(read, falling);
    let ids: Vec<_> = falling.iter().map(|(_, sale)| sale.id).collect();
    assert_eq!(paged(t, &Scope::Drop(drop_id)).await.1, ids);
}

pub(super) async fn purchases_of_a_customer(t: &Trial) {
    let mut falling = Vec::new();
    for _ in 0..3 {
        let drop_id = t.plain(9).await;
        for _ in 0..2 {
            falling.insert(0, t.sell(drop_id, "Ann").await.id);
        }
        t.sell(drop_id, "bob").await;
        t.hold(drop_id, "ann").await;
    }
    assert_eq!(paged(t, &Scope::Customer(name("ANN"))).await.1, falling);
}

pub(super) async fn drops_of_a_customer(t: &Trial) {
    let (held, sold, other) = (t.plain(9).await, t.plain(9).await, t.plain(9).await);
    t.hold(held, "ann").await;
    t.sell(sold, "ann").await;
    t.hold(other, "bob").await;
    t.pass(HOLD).await;
    let mut drops = t.store().drops_of(&name("ANN")).await.expect("drops");
    drops.sort_unstable();
    assert_eq!(drops, [held, sold], "a lapsed hold is a row like any other");
    let page = t.store().holds(&Scope::Customer(name("ann")), ALL).await.expect("a page");
    assert!(page.is_empty());
}
