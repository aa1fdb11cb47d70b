//! The limit per customer: bought and held units, over all variants and all time.

use crate::model::{DropId, Units};
use crate::rules::{Amendment, Command, Outcome, Rejection};

use super::commands::{HOLD, purchase, release, reserve, reserve_of, reserve_some, units};
use super::trial::Trial;

async fn limited(t: &Trial, total: u32, limit: u32) -> DropId {
    t.drop_with(total, |terms| terms.limit = Some(units(limit))).await
}

fn new_limit(limit: Option<Units>) -> Command {
    Command::Amend(Amendment { limit: Some(limit), ..Amendment::default() })
}

pub(super) async fn count_what_is_bought_and_asked_for(t: &Trial) {
    let drop_id = limited(t, 20, 3).await;
    assert_eq!(t.refused(drop_id, reserve_some("ann", 4)).await, Rejection::LimitReached);
    let hold = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    t.buy(&hold, "ann").await;
    assert_eq!(t.refused(drop_id, reserve_some("ann", 2)).await, Rejection::LimitReached);
    t.sell(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::LimitReached);
    assert_eq!(t.refused(drop_id, reserve("ANN")).await, Rejection::LimitReached);
    assert_eq!(t.counts(drop_id).await, (17, 0, 3));
}

pub(super) async fn count_all_variants_together(t: &Trial) {
    let sizes = [("S", 9), ("M", 9)];
    let drop_id = t.sized_with(&sizes, |terms| terms.limit = Some(units(2))).await;
    for size in ["S", "M"] {
        let hold = t.hold_by(drop_id, reserve_of("ann", size, 1)).await;
        t.buy(&hold, "ann").await;
    }
    for size in ["S", "M"] {
        let rejection = t.refused(drop_id, reserve_of("ann", size, 1)).await;
        assert_eq!(rejection, Rejection::LimitReached);
    }
}

pub(super) async fn count_what_the_same_batch_buys(t: &Trial) {
    let drop_id = limited(t, 9, 2).await;
    let hold = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    let commands = vec![purchase(hold.id(), "ann"), reserve("ann"), reserve("bob")];
    let applied = t.apply(drop_id, commands).await;
    match applied.outcomes() {
        [Outcome::Done(_), Outcome::Rejected(Rejection::LimitReached), Outcome::Done(_)] => {}
        other => panic!("{other:?}"),
    }
}

pub(super) async fn set_by_the_same_batch_count_what_was_bought(t: &Trial) {
    let drop_id = t.plain(9).await;
    t.sell(drop_id, "ann").await;
    t.sell(drop_id, "ann").await;
    let commands = vec![new_limit(Some(units(2))), reserve("ann"), reserve("bob")];
    let applied = t.apply(drop_id, commands).await;
    match applied.outcomes() {
        [Outcome::Done(_), Outcome::Rejected(Rejection::LimitReached), Outcome::Done(_)] => {}
        other => panic!("{other:?}"),
    }
}

pub(super) async fn forget_what_was_given_back(t: &Trial) {
    let drop_id = limited(t, 9, 2).await;
    let first = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    t.done(drop_id, release(first.id(), "ann")).await;
    t.hold_by(drop_id, reserve_some("ann", 2)).await;
    t.pass(HOLD).await;
    let third = t.hold_by(drop_id, reserve_some("ann", 2)).await;
    t.buy(&third, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::LimitReached);
}

pub(super) async fn are_each_customers_own(t: &Trial) {
    let drop_id = limited(t, 3, 1).await;
    let other = limited(t, 3, 1).await;
    for who in ["ann", "bob", "cat"] {
        t.sell(drop_id, who).await;
        assert_eq!(t.refused(drop_id, reserve(who)).await, Rejection::LimitReached);
    }
    t.sell(other, "ann").await;
}

pub(super) async fn raised_count_at_once(t: &Trial) {
    let drop_id = limited(t, 9, 1).await;
    t.sell(drop_id, "ann").await;
    t.done(drop_id, new_limit(Some(units(2)))).await;
    t.sell(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::LimitReached);
    t.done(drop_id, new_limit(None)).await;
    t.hold_by(drop_id, reserve_some("ann", 7)).await;
}

pub(super) async fn lowered_take_nothing_back(t: &Trial) {
    let drop_id = limited(t, 9, 5).await;
    let hold = t.hold_by(drop_id, reserve_some("ann", 5)).await;
    t.done(drop_id, new_limit(Some(units(1)))).await;
    t.buy(&hold, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::LimitReached);
    assert_eq!(t.counts(drop_id).await, (4, 0, 5));
}
