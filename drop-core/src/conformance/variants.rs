//! Drops in several sizes.

use crate::rules::Rejection;

use super::commands::{purchase, release_any, reserve, reserve_of, reserve_some, units, variant};
use super::trial::{Trial, counts};

pub(super) async fn must_be_named_where_there_are_several(t: &Trial) {
    let drop_id = t.sized(&[("S", 1), ("M", 1)]).await;
    assert_eq!(t.refused(drop_id, reserve("ann")).await, Rejection::VariantRequired);
    let single = t.sized(&[("S", 1)]).await;
    t.hold(single, "ann").await;
}

pub(super) async fn must_exist(t: &Trial) {
    let sized = t.sized(&[("S", 1), ("M", 1)]).await;
    let plain = t.plain(1).await;
    for drop_id in [sized, plain] {
        let rejection = t.refused(drop_id, reserve_of("ann", "XXL", 1)).await;
        assert_eq!(rejection, Rejection::UnknownVariant);
    }
}

pub(super) async fn have_stock_of_their_own(t: &Trial) {
    let drop_id = t.sized(&[("S", 1), ("M", 3), ("L", 2)]).await;
    let small = t.hold_by(drop_id, reserve_of("ann", "S", 1)).await;
    assert_eq!(small.claim().variant.get(), 0);
    assert_eq!(t.refused(drop_id, reserve_of("bob", "S", 1)).await, Rejection::OutOfStock);
    assert_eq!(t.refused(drop_id, reserve_of("bob", "L", 3)).await, Rejection::OutOfStock);
    let large = t.hold_by(drop_id, reserve_of("bob", "L", 2)).await;
    assert_eq!(large.claim().variant.get(), 2);
    t.buy(&large, "bob").await;
    let snapshot = t.snapshot(drop_id).await;
    let each: Vec<_> = snapshot
        .variants
        .iter()
        .map(|size| {
            let stock = size.stock;
            let name = size.name.clone().expect("a name");
            (name, stock.total(), stock.held(), stock.sold())
        })
        .collect();
    let expect =
        |name: &str, total, held, sold| (variant(name), units(total), units(held), units(sold));
    assert_eq!(each, [expect("S", 1, 1, 0), expect("M", 3, 0, 0), expect("L", 2, 0, 2)]);
    assert_eq!(counts(&snapshot), (3, 1, 2));
    t.done(drop_id, release_any(small.id())).await;
    t.hold_by(drop_id, reserve_of("cat", "S", 1)).await;
}

pub(super) async fn are_named_exactly(t: &Trial) {
    let longest = "ä".repeat(60);
    let sizes = ["EU 42", "eu 42", "EU 42½", "', DROP TABLE drops; --", "👟", &longest];
    let drop_id = t.sized(&sizes.map(|size| (size, 1))).await;
    for (index, size) in sizes.iter().enumerate() {
        let who = format!("user_{index}");
        let hold = t.hold_by(drop_id, reserve_of(&who, size, 1)).await;
        assert_eq!(hold.claim().variant.index(), index, "{size}");
    }
    let named: Vec<_> =
        t.snapshot(drop_id).await.variants.into_iter().map(|size| size.name).collect();
    assert_eq!(named, sizes.map(|size| Some(variant(size))));
}

pub(super) async fn may_be_a_hundred(t: &Trial) {
    let names: Vec<_> = (0..100).map(|size| format!("size {size}")).collect();
    let sizes: Vec<_> = names.iter().map(|name| (name.as_str(), 2)).collect();
    let drop_id = t.sized(&sizes).await;
    for (index, size) in names.iter().enumerate().step_by(9) {
        let who = format!("user_{index}");
        let hold = t.hold_by(drop_id, reserve_of(&who, size, 2)).await;
        t.done(drop_id, purchase(hold.id(), &who)).await;
    }
    let snapshot = t.snapshot(drop_id).await;
    assert_eq!(counts(&snapshot), (176, 0, 24));
    let sold_out = snapshot.variants.iter().filter(|size| size.stock.sold() == units(2)).count();
    assert_eq!(sold_out, 12);
    assert_eq!(t.refused(drop_id, reserve_some("ann", 1)).await, Rejection::VariantRequired);
}
