//! The recount.

use crate::rules::Command;

use super::commands::{HOLD, forget, release_any, reserve_of};
use super::trial::Trial;

pub(super) async fn counts_the_rows(t: &Trial) {
    let drop_id = t.sized(&[("S", 9), ("M", 9)]).await;
    let small = t.hold_by(drop_id, reserve_of("ann", "S", 2)).await;
    t.buy(&small, "ann").await;
    t.hold_by(drop_id, reserve_of("ann", "S", 1)).await;
    let given_back = t.hold_by(drop_id, reserve_of("bob", "M", 4)).await;
    t.done(drop_id, release_any(given_back.id())).await;
    t.hold_by(drop_id, reserve_of("bob", "M", 3)).await;
    let gone = t.hold_by(drop_id, reserve_of("cat", "M", 5)).await;
    t.buy(&gone, "cat").await;
    t.done(drop_id, forget("cat")).await;
    for instance in [0, 1] {
        let audit = t.instance(instance).audit(drop_id).await.expect("an audit").expect("a drop");
        assert_eq!(audit.findings(), Vec::<String>::new());
        assert_eq!(audit.drop_id, drop_id);
        assert_eq!(audit.revision.get(), t.revision(drop_id).await);
        assert_eq!(audit.as_of, t.now());
        let counted: Vec<_> = audit
            .variants
            .iter()
            .map(|size| {
                let name = size.name.as_ref().map(ToString::to_string);
                (name, size.held, size.completed, size.purchased, size.counters.total().get())
            })
            .collect();
        let size = |name: &str| Some(name.to_owned());
        assert_eq!(counted, [(size("S"), 1, 2, 2, 9), (size("M"), 3, 0, 0, 9)]);
        assert_eq!((audit.double_holders, audit.orphan_purchases), (0, 0));
    }
}

pub(super) async fn counts_a_lapsed_hold_until_it_is_settled(t: &Trial) {
    let drop_id = t.plain(3).await;
    t.hold(drop_id, "ann").await;
    t.pass(HOLD).await;
    let held = async || {
        let audit = t.store().audit(drop_id).await.expect("an audit").expect("a drop");
        assert!(audit.is_sound(), "{:?}", audit.findings());
        audit.variants[0].held
    };
    assert_eq!(held().await, 1, "rows and counters agree on what is written");
    t.done(drop_id, Command::Expire).await;
    assert_eq!(held().await, 0);
}

pub(super) async fn of_nothing_is_nothing(t: &Trial) {
    let drop_id = t.plain(1).await;
    t.store().delete_drop(drop_id, true).await.expect("an answer");
    assert_eq!(t.store().audit(drop_id).await.expect("an answer"), None);
}
