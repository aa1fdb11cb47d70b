//! How holds end, a round each: bought or released. How they lapse, see [`Lapse`](crate::Lapse).

use drop_core::model::ReservationId;

use crate::drops::STOCK;
use crate::load::load;
use crate::report::Round;
use crate::shops::{Ours, Shop, Till, usernames};

/// Purchases by `callers` at a time, of `holds` holds that were taken before.
///
/// # Panics
/// Where one fails, or the rows say otherwise afterwards.
pub async fn purchases(till: &impl Till, callers: usize, holds: usize) -> Round {
    let drop_id = till.open(STOCK).await;
    let taken = take(till, drop_id, callers, holds).await;
    let shop = till.clone();
    let bought = load(callers, taken, move |(hold, username)| {
        let shop = shop.clone();
        async move { shop.purchase(drop_id, hold, &username).await }
    })
    .await;
    assert_eq!(usize::try_from(till.sold(drop_id).await), Ok(holds), "{}", till.series());
    bought.round()
}

/// Releases by `callers` at a time, of `holds` holds that were taken before.
///
/// # Panics
/// Where one fails, or the rows say otherwise afterwards.
pub async fn releases(ours: &Ours, callers: usize, holds: usize) -> Round {
    let drop_id = ours.open(STOCK).await;
    let taken = take(ours, drop_id, callers, holds).await;
    let service = ours.service().clone();
    let released = load(callers, taken, move |(hold, username)| {
        let service = service.clone();
        async move {
            let hold = ReservationId::from_i64(hold).expect("a hold");
            service.release(hold, &username).await.expect("a release")
        }
    })
    .await;
    assert_eq!(ours.held(drop_id).await, 0, "{}", ours.series());
    released.round()
}

/// Takes holds, and says whose they are.
async fn take<S: Shop>(shop: &S, drop_id: i64, callers: usize, holds: usize) -> Vec<(i64, String)> {
    let asking = shop.clone();
    let taken = load(callers, usernames(holds), move |username| {
        let shop = asking.clone();
        async move {
            let hold = shop.reserve(drop_id, username.clone()).await;
            (hold.expect("stock for everybody"), username)
        }
    });
    taken.await.answers
}
