//! What readers see: scripts outside of a transaction, each one statement and so one snapshot.
//!
//! `moment` is the server's time, read once in a statement. A drop's time never goes back
//! behind its last change, so it is the later of the two; holds that have lapsed by then count
//! as available.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{
    Amount, DropId, DropSnapshot, DropStatus, Purchase, Reservation, ReservationId, Revision,
    Username,
};
use drop_core::store::{DropPage, Held, Page, Reading, Sale, Scope};
use sqlx::postgres::PgRow;

use crate::decode::{self, get, sound};
use crate::literal::Literal;
use crate::server::Server;

/// `$1` one drop or NULL, `$2` drops before this or NULL, `$3` a status or NULL, `$4` limit.
pub(crate) const SNAPSHOTS: &str = "\
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT page.id, page.revision, page.name, page.price::text AS price, page.starts_at,
    page.ends_at, page.max_per_customer, page.hold_micros, page.longest_micros,
    page.recent::text AS recent, page.created_at, page.updated_at, page.as_of,
    v.name AS variant_name, v.total, v.held - coalesce(lapsed.units, 0) AS held, v.sold
FROM (
    SELECT d.*, clock.as_of FROM moment CROSS JOIN drops d
    CROSS JOIN LATERAL (SELECT greatest(moment.at, d.updated_at) AS as_of) clock
    WHERE ($1::bigint IS NULL OR d.id = $1) AND ($2::bigint IS NULL OR d.id < $2)
    AND ($3::text IS NULL
        OR ($3 = 'upcoming' AND d.starts_at > clock.as_of)
        OR ($3 = 'ended' AND d.starts_at <= clock.as_of AND d.ends_at <= clock.as_of)
        OR ($3 IN ('open', 'sold_out') AND d.starts_at <= clock.as_of
            AND (d.ends_at IS NULL OR d.ends_at > clock.as_of)
            AND ($3 = 'open' OR d.sold = d.total)))
    ORDER BY d.id DESC LIMIT $4
) page
JOIN drop_variants v ON v.drop_id = page.id
LEFT JOIN LATERAL (
    SELECT r.variant, sum(r.quantity)::bigint AS units FROM reservations r
    WHERE r.drop_id = page.id AND r.status = 'active' AND r.expires_at <= page.as_of
    GROUP BY r.variant
) lapsed ON lapsed.variant = v.no
ORDER BY page.id DESC, v.no";

/// `$1` the drop, `$2` the number.
pub(crate) const RESERVATION: &str = "\
SELECT r.n, r.user_id, r.variant, r.quantity, r.price::text, r.status, r.created_at,
    r.expires_at, r.updated_at, greatest(clock_timestamp(), d.updated_at) AS as_of
FROM reservations r JOIN drops d ON d.id = r.drop_id WHERE r.drop_id = $1 AND r.n = $2";

/// The holds that are valid now; `$1` the drop or NULL, `$2` the customer's key or NULL, `$3`
/// and `$4` only before this drop and number, `$5` limit.
pub(crate) const HOLDS: &str = "\
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT r.n, r.user_id, r.variant, r.quantity, r.price::text, r.status, r.created_at,
    r.expires_at, r.updated_at, r.drop_id, u.username
FROM moment CROSS JOIN reservations r
JOIN drops d ON d.id = r.drop_id JOIN users u ON u.id = r.user_id
WHERE ($1::bigint IS NULL OR r.drop_id = $1)
AND ($2::text IS NULL OR r.user_id = (SELECT id FROM users WHERE lower(username COLLATE \"C\") = $2))
AND (r.drop_id, r.n) < ($3, $4)
AND r.status = 'active' AND r.expires_at > greatest(moment.at, d.updated_at)
ORDER BY r.drop_id DESC, r.n DESC LIMIT $5";

/// Parameters as [`HOLDS`].
pub(crate) const PURCHASES: &str = "\
SELECT p.n, p.user_id, p.variant, p.quantity, p.amount_paid::text, p.created_at, p.drop_id,
    u.username
FROM purchases p JOIN users u ON u.id = p.user_id
WHERE ($1::bigint IS NULL OR p.drop_id = $1)
AND ($2::text IS NULL OR p.user_id = (SELECT id FROM users WHERE lower(username COLLATE \"C\") = $2))
AND (p.drop_id, p.n) < ($3, $4)
ORDER BY p.drop_id DESC, p.n DESC LIMIT $5";

/// `$1` the user.
const DROPS_OF: &str = "SELECT DISTINCT drop_id FROM reservations \
     WHERE user_id = (SELECT id FROM users WHERE lower(username COLLATE \"C\") = $1) ORDER BY drop_id";

/// One drop, as it is now.
pub(crate) async fn snapshot(
    server: &Server,
    id: DropId,
) -> Result<Option<DropSnapshot>, StoreError> {
    let values =
        [Literal::Integer(id.get()), Literal::Word(None), Literal::Word(None), Literal::Integer(1)];
    Ok(read_snapshots(server, &values).await?.pop())
}

/// A part of the drops, newest first.
pub(crate) async fn snapshots(
    server: &Server,
    page: &DropPage,
) -> Result<Vec<DropSnapshot>, StoreError> {
    let status = page.status.map(|status| match status {
        DropStatus::Upcoming => "upcoming",
        DropStatus::Open => "open",
        DropStatus::SoldOut => "sold_out",
        DropStatus::Ended => "ended",
    });
    let values = [
        Literal::Word(None),
        Literal::from(page.after.map(DropId::get)),
        Literal::Word(status),
        limit(page.limit),
    ];
    read_snapshots(server, &values).await
}

/// One reservation, in any state.
pub(crate) async fn reservation(
    server: &Server,
    id: ReservationId,
) -> Result<Option<Reading>, StoreError> {
    let drop_id = id.drop_id();
    let values = [Literal::Integer(drop_id.get()), Literal::Integer(i64::from(id.number()))];
    let rows = server.read(RESERVATION, &values).await?;
    rows.first()
        .map(|row| {
            let reservation = decode::reservation(row, drop_id, 0)?;
            Ok(Reading { reservation, as_of: decode::time(row, "as_of")? })
        })
        .transpose()
}

/// The holds that are valid now, by falling number.
pub(crate) async fn holds(
    server: &Server,
    scope: &Scope,
    page: Page,
) -> Result<Vec<Held>, StoreError> {
    let rows = server.read(HOLDS, &listed(scope, page)).await?;
    rows.iter()
        .map(|row| {
            let reservation: Reservation =
                decode::reservation(row, decode::drop_id(row, "drop_id")?, 0)?;
            Ok(Held { reservation, username: decode::username(row, "username")? })
        })
        .collect()
}

/// The purchases, by falling number.
pub(crate) async fn purchases(
    server: &Server,
    scope: &Scope,
    page: Page,
) -> Result<Vec<Sale>, StoreError> {
    let rows = server.read(PURCHASES, &listed(scope, page)).await?;
    rows.iter()
        .map(|row| {
            let purchase = Purchase {
                id: decode::reservation_id(row, decode::drop_id(row, "drop_id")?, 0)?,
                user_id: decode::user_id(row, 1)?,
                variant: decode::variant_no(row, 2)?,
                quantity: decode::units(row, 3)?,
                amount_paid: amount(row, 4)?,
                purchased_at: decode::time(row, 5)?,
            };
            Ok(Sale { purchase, username: decode::username(row, "username")? })
        })
        .collect()
}

/// The drops in which a user has any reservation. No index serves it, as none is needed to
/// reserve: this is for deleting a user.
pub(crate) async fn drops_of(
    server: &Server,
    username: &Username,
) -> Result<Vec<DropId>, StoreError> {
    let rows = server.run_long(DROPS_OF, &[Literal::Key(username)]).await?;
    rows.iter().map(|row| decode::drop_id(row, 0)).collect()
}

async fn read_snapshots(
    server: &Server,
    values: &[Literal<'_>],
) -> Result<Vec<DropSnapshot>, StoreError> {
    let mut snapshots: Vec<DropSnapshot> = Vec::new();
    for row in &server.read(SNAPSHOTS, values).await? {
        let id = decode::drop_id(row, "id")?;
        let variant = decode::variant(row)?;
        match snapshots.last_mut() {
            Some(last) if last.id == id => last.variants.push(variant),
            _ => {
                let revision: i64 = get(row, "revision")?;
                snapshots.push(DropSnapshot {
                    id,
                    revision: Revision::new(sound(u64::try_from(revision))?),
                    as_of: decode::time(row, "as_of")?,
                    terms: Arc::new(decode::terms(row)?),
                    variants: vec![variant],
                    recent: decode::recent(row)?,
                    created_at: decode::time(row, "created_at")?,
                    updated_at: decode::time(row, "updated_at")?,
                });
            }
        }
    }
    Ok(snapshots)
}

/// The parameters of [`HOLDS`] and [`PURCHASES`].
fn listed(scope: &Scope, page: Page) -> [Literal<'_>; 5] {
    let (drop_id, customer) = match scope {
        Scope::Drop(id) => (Literal::Integer(id.get()), Literal::Word(None)),
        Scope::Customer(username) => (Literal::Word(None), Literal::Key(username)),
    };
    // Every number of every drop is before this one.
    let end = (DropId::MAX + 1, 0);
    let (before_drop, before) =
        page.before.map_or(end, |id| (id.drop_id().get(), i64::from(id.number())));
    [drop_id, customer, Literal::Integer(before_drop), Literal::Integer(before), limit(page.limit)]
}

pub(crate) fn limit(limit: usize) -> Literal<'static> {
    Literal::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}

fn amount(row: &PgRow, column: usize) -> Result<Amount, StoreError> {
    let amount: String = get(row, column)?;
    sound(serde_json::from_value(serde_json::Value::String(amount)))
}
