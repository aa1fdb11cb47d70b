//! The window: open while `starts_at <= as_of < ends_at`, by the store's time under the lock.

use std::time::Duration;

use crate::model::{DropId, Timestamp, Window};
use crate::rules::{Amendment, Applied, Command, Outcome, Rejection};

use super::START;
use super::commands::{HOLD, TICK, before, purchase, reserve, reserved};
use super::trial::{Trial, apply};

const HOUR: Duration = Duration::from_secs(3600);

/// A drop of `total` units whose window opens at `starts_at` and closes at `ends_at`.
async fn windowed(
    t: &Trial,
    total: u32,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
) -> DropId {
    let window = Window::new(starts_at, ends_at).expect("a window");
    t.drop_with(total, |terms| terms.window = window).await
}

pub(super) async fn opens_at_its_first_tick(t: &Trial) {
    let opens = START.saturating_add(HOUR);
    let drop_id = windowed(t, 1, opens, None).await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::NotActive);
    t.set(before(opens, TICK)).await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::NotActive);
    t.set(opens).await;
    t.hold(drop_id, "ann").await;
    assert_eq!(t.revision(drop_id).await, 2);
}

pub(super) async fn closes_at_its_end(t: &Trial) {
    let closes = START.saturating_add(HOUR);
    let drop_id = windowed(t, 3, START, Some(closes)).await;
    t.hold(drop_id, "ann").await;
    t.set(before(closes, TICK)).await;
    t.hold(drop_id, "bob").await;
    t.set(closes).await;
    assert_eq!(t.refused(drop_id, reserve("cat")).await, Rejection::NotActive);
}

pub(super) async fn lets_what_was_held_be_paid_afterwards(t: &Trial) {
    let closes = START.saturating_add(HOUR);
    let drop_id = windowed(t, 1, START, Some(closes)).await;
    t.set(before(closes, TICK)).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(before(hold.expires_at(), TICK)).await;
    t.buy(&hold, "ann").await;
    assert_eq!(t.counts(drop_id).await, (0, 0, 1));
}

pub(super) async fn refuses_a_repeat_afterwards_and_leaves_the_hold(t: &Trial) {
    let closes = START.saturating_add(HOUR);
    let drop_id = windowed(t, 1, START, Some(closes)).await;
    t.set(before(closes, TICK)).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(closes).await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::NotActive);
    assert_eq!(t.row(hold.id()).await, hold);
    t.buy(&hold, "ann").await;
}

pub(super) async fn says_closed_before_it_says_sold_out(t: &Trial) {
    let closes = START.saturating_add(HOUR);
    let drop_id = windowed(t, 1, START, Some(closes)).await;
    t.sell(drop_id, "ann").await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::OutOfStock);
    t.set(closes).await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::NotActive);
}

pub(super) async fn amended_counts_at_once(t: &Trial) {
    let drop_id = windowed(t, 3, START.saturating_add(HOUR), None).await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::NotActive);
    let open = Amendment { starts_at: Some(START), ..Amendment::default() };
    t.done(drop_id, Command::Amend(open)).await;
    t.hold(drop_id, "ann").await;
    t.pass(TICK).await;
    let close = Amendment { ends_at: Some(Some(t.now())), ..Amendment::default() };
    t.done(drop_id, Command::Amend(close)).await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::NotActive);
    let reopen = Amendment { ends_at: Some(None), ..Amendment::default() };
    t.done(drop_id, Command::Amend(reopen)).await;
    t.hold(drop_id, "bob").await;
}

pub(super) async fn works_at_the_end_of_time(t: &Trial) {
    let opens = before(Timestamp::MAX, HOLD);
    let drop_id = windowed(t, 2, opens, Some(Timestamp::MAX)).await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::NotActive);
    t.set(before(Timestamp::MAX, HOLD / 2)).await;
    let hold = t.hold(drop_id, "ann").await;
    assert_eq!(hold.expires_at(), Timestamp::MAX, "there is no later moment");
    assert_eq!(t.row(hold.id()).await, hold);
    t.buy(&hold, "ann").await;
    let window = t.snapshot(drop_id).await.terms.window;
    assert_eq!((window.starts_at(), window.ends_at()), (opens, Some(Timestamp::MAX)));
    t.set(Timestamp::MAX).await;
    assert_eq!(t.refused(drop_id, reserve("bob")).await, Rejection::NotActive);
    assert_eq!(t.snapshot(drop_id).await.as_of, Timestamp::MAX);
}

/// Asks for `command`, has it wait for the drop's lock where the world can hold one, and
/// moves the time to `at` meanwhile. `true` where it certainly waited.
async fn wait_until(
    t: &Trial,
    drop_id: DropId,
    command: Command,
    at: Timestamp,
) -> (Applied, bool) {
    let stall = t.stall(drop_id).await;
    let store = t.instance(1);
    let mut waiting = tokio::spawn(async move { apply(&*store, drop_id, vec![command]).await });
    if stall.is_some() {
        // Time for the request to come to the lock. Were it answered, the lock is none.
        let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
        assert!(early.is_err(), "a change went past the lock: {early:?}");
    }
    t.set(at).await;
    let waited = stall.is_some();
    if let Some(release) = stall {
        release.await;
    }
    (waiting.await.expect("an answer"), waited)
}

pub(super) async fn is_judged_after_the_wait_for_the_lock(t: &Trial) {
    let closes = START.saturating_add(HOUR);
    let drop_id = windowed(t, 1, START, Some(closes)).await;
    t.set(before(closes, TICK)).await;
    let (applied, waited) = wait_until(t, drop_id, reserve("ann"), closes).await;
    assert!(!waited || applied.as_of() >= closes, "the time was read before the lock");
    let refused = [Outcome::Rejected(Rejection::NotActive)];
    assert_eq!(applied.outcomes() == refused, applied.as_of() >= closes);

    let opens = t.now().saturating_add(HOUR);
    let drop_id = windowed(t, 1, opens, None).await;
    let (applied, waited) = wait_until(t, drop_id, reserve("ann"), opens).await;
    assert!(!waited || applied.as_of() >= opens, "the time was read before the lock");
    assert_eq!(applied.outcomes() == refused, applied.as_of() < opens);
}

pub(super) async fn lets_no_purchase_through_that_waited_over_its_deadline(t: &Trial) {
    let drop_id = t.plain(1).await;
    let hold = t.hold(drop_id, "ann").await;
    t.set(before(hold.expires_at(), TICK)).await;
    let buy = purchase(hold.id(), "ann");
    let (applied, waited) = wait_until(t, drop_id, buy, hold.expires_at()).await;
    assert!(!waited || applied.as_of() >= hold.expires_at(), "the time was read before the lock");
    let late = [Outcome::Rejected(Rejection::ReservationExpired)];
    assert_eq!(applied.outcomes() == late, applied.as_of() >= hold.expires_at());
}

pub(super) async fn of_one_stalled_drop_delays_no_other(t: &Trial) {
    let (stalled, other) = (t.plain(1).await, t.plain(2).await);
    let stall = t.stall(stalled).await;
    for (instance, who) in [(0, "ann"), (1, "bob")] {
        let applied = apply(&*t.instance(instance), other, vec![reserve(who)]).await;
        let outcome = applied.into_outcomes().pop().expect("an answer");
        match outcome {
            Outcome::Done(effect) => assert!(!reserved(effect).1),
            refused => panic!("{refused:?}"),
        }
    }
    if let Some(release) = stall {
        release.await;
    }
    t.hold(stalled, "ann").await;
}
