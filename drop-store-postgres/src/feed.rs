//! The feed of changes, and what is due.

use std::sync::Arc;

use drop_core::StoreError;
use drop_core::model::{DropId, Revision, Timestamp};
use drop_core::rules::Change;
use drop_core::store::Due;

use crate::decode::{self, get, sound};
use crate::facts;
use crate::literal::Literal;
use crate::reader::limit;
use crate::server::Server;

/// The earliest deadline of each drop with holds; `$1` limit.
pub(crate) const DUE: &str = "\
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT moment.at AS as_of, due.id, due.expires_at FROM moment LEFT JOIN (
    SELECT d.id, next.expires_at FROM drops d CROSS JOIN LATERAL (
        SELECT r.expires_at FROM reservations r
        WHERE r.drop_id = d.id AND r.status = 'active' AND r.expires_at IS NOT NULL
        ORDER BY r.expires_at LIMIT 1
    ) next WHERE d.held > 0 ORDER BY next.expires_at, d.id LIMIT $1
) due ON true ORDER BY due.expires_at, due.id";

/// `$1` after this drop, `$2` limit.
pub(crate) const HEADS: &str = "SELECT id, revision FROM drops WHERE id > $1 ORDER BY id LIMIT $2";

/// `$1` the drop, `$2` after this revision, `$3` limit.
pub(crate) const CHANGES: &str = "\
SELECT facts::text FROM drop_changes WHERE drop_id = $1 AND revision > $2
ORDER BY revision LIMIT $3";

/// `$1` how many changes of each drop stay.
const TRIM: &str = "\
WITH trimmed AS (
    DELETE FROM drop_changes c USING drops d
    WHERE c.drop_id = d.id AND c.revision <= d.revision - $1 RETURNING 1
) SELECT count(*) FROM trimmed";

/// The drops whose holds end next.
pub(crate) async fn due(server: &Server, most: usize) -> Result<Due, StoreError> {
    let rows = server.read(DUE, &[limit(most)]).await?;
    let mut as_of = Timestamp::MIN;
    let mut deadlines = Vec::with_capacity(rows.len());
    for row in &rows {
        as_of = decode::time(row, "as_of")?;
        if get::<Option<i64>, _>(row, "id")?.is_some() {
            deadlines.push((decode::drop_id(row, "id")?, decode::time(row, "expires_at")?));
        }
    }
    Ok(Due { as_of, deadlines })
}

/// The revisions of the drops after `after`.
pub(crate) async fn heads(
    server: &Server,
    after: Option<DropId>,
    most: usize,
) -> Result<Vec<(DropId, Revision)>, StoreError> {
    let after = after.map_or(0, DropId::get);
    let rows = server.read(HEADS, &[Literal::Integer(after), limit(most)]).await?;
    rows.iter()
        .map(|row| {
            let revision: i64 = get(row, 1)?;
            Ok((decode::drop_id(row, 0)?, Revision::new(sound(u64::try_from(revision))?)))
        })
        .collect()
}

/// The changes of a drop after `since`, in order.
pub(crate) async fn changes(
    server: &Server,
    id: DropId,
    since: Revision,
    most: usize,
) -> Result<Vec<Arc<Change>>, StoreError> {
    let since = i64::try_from(since.get()).unwrap_or(i64::MAX);
    let values = [Literal::Integer(id.get()), Literal::Integer(since), limit(most)];
    let rows = server.read(CHANGES, &values).await?;
    rows.iter()
        .map(|row| {
            let facts: &str = get(row, 0)?;
            facts::decode(facts).map(Arc::new)
        })
        .collect()
}

/// Removes all but the newest `keep` changes of each drop, and never the newest of all.
///
/// Where the owner's default is REPEATABLE READ, another instance that trims as well, or that
/// deletes a drop, undoes it: then there is less to do, and it runs again.
pub(crate) async fn trim(server: &Server, keep: u32) -> Result<u64, StoreError> {
    let values = [Literal::Integer(i64::from(keep.max(1)))];
    let mut tries = server.tries();
    let rows = loop {
        match server.run_long(TRIM, &values).await {
            Ok(rows) => break rows,
            Err(fault) => tries.again(fault).await?,
        }
    };
    rows.first().map_or(Ok(0), |row| decode::count(row, 0))
}
