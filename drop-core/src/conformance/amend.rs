//! What a seller changes while the drop is sold.

use crate::model::{DropName, InvalidTerms, NewDrop, Revision, Units, Window};
use crate::rules::{Amendment, Command, Effect, Rejection};

use super::START;
use super::commands::{
    HOLD, TICK, new_total, reserve, reserve_of, reserve_some, terms, units, variant,
};
use super::trial::Trial;

fn sizes(sizes: &[(&str, u32)]) -> Amendment {
    let variants = sizes.iter().map(|(name, total)| (variant(name), units(*total)));
    Amendment { variants: variants.collect(), ..Amendment::default() }
}

pub(super) async fn changes_what_it_names_only(t: &Trial) {
    let drop_id = t.drop_with(5, |terms| terms.limit = Some(units(2))).await;
    let hold = t.hold(drop_id, "ann").await;
    t.pass(TICK).await;
    let name = DropName::new("Air Two").expect("a name");
    let amendment = Amendment { name: Some(name.clone()), ..Amendment::default() };
    assert_eq!(t.done(drop_id, Command::Amend(amendment)).await, Effect::Amended);
    let mut expected = terms();
    expected.name = name;
    expected.limit = Some(units(2));
    let snapshot = t.snapshot(drop_id).await;
    assert_eq!(*snapshot.terms, expected);
    assert_eq!((snapshot.revision.get(), snapshot.updated_at), (3, t.now()));
    assert_eq!(t.counts(drop_id).await, (4, 1, 0));
    assert_eq!(t.row(hold.id()).await, hold);
    let feed = t.feed(drop_id).await;
    let change = feed.last().expect("a change");
    assert_eq!(change.terms.as_deref(), Some(&expected), "the feed tells the new terms");
    assert!(!change.moved);

    let opens = START.saturating_add(HOLD);
    let window = Amendment {
        starts_at: Some(opens),
        ends_at: Some(Some(opens.saturating_add(HOLD))),
        ..Amendment::default()
    };
    t.done(drop_id, Command::Amend(window)).await;
    expected.window = Window::new(opens, Some(opens.saturating_add(HOLD))).expect("a window");
    assert_eq!(*t.snapshot(drop_id).await.terms, expected);
}

pub(super) async fn raised_stock_is_for_sale_at_once(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.sell(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
    t.done(drop_id, new_total(3)).await;
    assert_eq!(t.counts(drop_id).await, (2, 0, 1));
    t.hold_by(drop_id, reserve_some("bob", 2)).await;
}

pub(super) async fn refuses_a_total_below_what_is_committed(t: &Trial) {
    let drop_id = t.plain(9).await;
    t.sell(drop_id, "ann").await;
    t.hold_by(drop_id, reserve_some("bob", 2)).await;
    assert_eq!(t.refused(drop_id, new_total(2)).await, Rejection::StockBelowCommitted);
    assert_eq!(t.counts(drop_id).await, (6, 2, 1));
    t.done(drop_id, new_total(3)).await;
    assert_eq!(t.counts(drop_id).await, (0, 2, 1));
    assert_eq!(t.refused(drop_id, reserve("cat")).await, Rejection::OutOfStock);
}

pub(super) async fn counts_what_has_lapsed_as_available(t: &Trial) {
    let drop_id = t.plain(9).await;
    t.hold_by(drop_id, reserve_some("ann", 9)).await;
    assert_eq!(t.refused(drop_id, new_total(8)).await, Rejection::StockBelowCommitted);
    t.pass(HOLD).await;
    t.done(drop_id, new_total(1)).await;
    assert_eq!(t.counts(drop_id).await, (1, 0, 0));
}

pub(super) async fn with_a_stale_revision_is_refused(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.hold(drop_id, "ann").await;
    for stale in [0, 1, 3] {
        let amendment = Amendment {
            total: Some(units(5)),
            if_revision: Some(Revision::new(stale)),
            ..Amendment::default()
        };
        let rejection = t.refused(drop_id, Command::Amend(amendment)).await;
        assert_eq!(rejection, Rejection::Stale);
    }
    assert_eq!(t.revision(drop_id).await, 2);
}

pub(super) async fn with_the_present_revision_is_done(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.hold(drop_id, "ann").await;
    let amendment = Amendment {
        total: Some(units(5)),
        if_revision: Some(Revision::new(2)),
        ..Amendment::default()
    };
    t.done(drop_id, Command::Amend(amendment)).await;
    assert_eq!(t.counts(drop_id).await, (4, 1, 0));
    assert_eq!(t.revision(drop_id).await, 3);
}

pub(super) async fn of_nothing_writes_nothing(t: &Trial) {
    let drop_id = t.plain(4).await;
    t.done(drop_id, Command::Amend(Amendment::default())).await;
    t.done(drop_id, new_total(4)).await;
    assert_eq!(t.revision(drop_id).await, 1);
    assert_eq!(t.feed(drop_id).await.len(), 1);
}

pub(super) async fn adds_a_variant(t: &Trial) {
    let drop_id = t.sized(&[("S", 1), ("M", 1)]).await;
    t.hold_by(drop_id, reserve_of("ann", "S", 1)).await;
    t.done(drop_id, Command::Amend(sizes(&[("L", 4), ("S", 2)]))).await;
    let snapshot = t.snapshot(drop_id).await;
    let totals: Vec<_> = snapshot.variants.iter().map(|size| size.stock.total().get()).collect();
    assert_eq!(totals, [2, 1, 4], "M stays, L comes last");
    let large = t.hold_by(drop_id, reserve_of("bob", "L", 4)).await;
    assert_eq!(large.claim().variant.get(), 2);
    t.hold_by(drop_id, reserve_of("cat", "S", 1)).await;
    assert_eq!(t.counts(drop_id).await, (1, 6, 0));
}

pub(super) async fn answers_nonsense_with_a_refusal(t: &Trial) {
    let plain = t.plain(4).await;
    let sized = t.sized(&[("S", 1), ("M", 1)]).await;
    let nothing = Amendment::default;
    let over = u32::try_from(NewDrop::MAX_VARIANTS).unwrap_or(u32::MAX);
    let many: Vec<_> = (0..over).map(|n| (variant(&format!("size {n}")), units(1))).collect();
    let nonsense = [
        (plain, Amendment { limit: Some(Some(Units::ZERO)), ..nothing() }),
        (plain, Amendment { starts_at: Some(START), ends_at: Some(Some(START)), ..nothing() }),
        (plain, Amendment { total: Some(Units::ZERO), ..nothing() }),
        (plain, sizes(&[("S", 1)])),
        (sized, sizes(&[("S", 0), ("M", 0)])),
        (sized, Amendment { total: Some(units(3)), ..nothing() }),
        (sized, Amendment { variants: vec![(variant("L"), Units::MAX)], ..nothing() }),
        (sized, Amendment { variants: many, ..nothing() }),
    ];
    for (drop_id, amendment) in nonsense {
        let words = format!("{amendment:?}");
        match t.refused(drop_id, Command::Amend(amendment)).await {
            Rejection::InvalidTerms(
                InvalidTerms::Limit
                | InvalidTerms::Window
                | InvalidTerms::Total
                | InvalidTerms::Variants(_),
            ) => {}
            other => panic!("{words}: {other}"),
        }
        assert_eq!(t.revision(drop_id).await, 1);
    }
}
