//! Recounting a drop from its rows: what the seed computes at each read.

use std::collections::HashMap;

use drop_core::StoreError;
use drop_core::model::{DropId, VariantNo};
use drop_core::rules::{Audit, CountedVariant};

use crate::decode::{self, get, has, sound};
use crate::fault::Fault;
use crate::literal::{Literal, spell};
use crate::opening;
use crate::server::Server;
use crate::sql;

/// No joins: the drop's lock is held meanwhile, and a join that is planned on wrong beliefs
/// about a table may take for ever.
///
/// `$1` the drop.
const COUNTS: &str = "\
SELECT variant AS reserved, coalesce(sum(quantity) FILTER (WHERE status = 'active'), 0)::bigint,
    coalesce(sum(quantity) FILTER (WHERE status = 'completed'), 0)::bigint
FROM reservations WHERE drop_id = $1 GROUP BY variant;
SELECT variant AS sold, sum(quantity)::bigint FROM purchases WHERE drop_id = $1 GROUP BY variant;
SELECT count(*) AS double_holders FROM (
    SELECT user_id FROM reservations WHERE drop_id = $1 AND status = 'active'
    GROUP BY user_id HAVING count(*) > 1
) twice;
SELECT count(*) AS orphans FROM (
    SELECT 1 FROM (
        SELECT n, user_id, quantity, 1 AS sales, 0 AS completed FROM purchases WHERE drop_id = $1
        UNION ALL
        SELECT n, user_id, quantity, 0, 1 FROM reservations
        WHERE drop_id = $1 AND status = 'completed'
    ) both_sides GROUP BY n, user_id, quantity HAVING sum(sales) > sum(completed)
) orphans;
SELECT count(*) AS wrong_sums FROM drops d WHERE d.id = $1 AND (d.total, d.held, d.sold) <> (
    SELECT sum(total), sum(held), sum(sold) FROM drop_variants WHERE drop_id = $1
);";

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    held: u64,
    completed: u64,
    purchased: u64,
}

/// Recounts a drop under its lock.
pub(crate) async fn audit(server: &Server, id: DropId) -> Result<Option<Audit>, StoreError> {
    let mut tries = server.tries();
    loop {
        match attempt(server, id).await {
            Ok(audit) => return Ok(audit),
            Err(fault) => tries.again(fault).await?,
        }
    }
}

async fn attempt(server: &Server, id: DropId) -> Result<Option<Audit>, Fault> {
    let opened = opening::open(server, id).await?;
    let mut transaction = opened.transaction;
    let Some(head) = opened.head else {
        return Ok(None);
    };
    transaction.wait(server.long());
    let mut counts: HashMap<VariantNo, Counts> = HashMap::new();
    let (mut double_holders, mut orphan_purchases) = (0, 0);
    let mut counters = Vec::new();
    let script = spell(&[sql::VARIANTS, COUNTS].concat(), &[Literal::Integer(id.get())]);
    for row in &transaction.script(script).await? {
        if has(row, "variant_name") {
            counters.push(decode::variant(row)?);
        } else if has(row, "reserved") {
            let counts = counts.entry(decode::variant_no(row, 0)?).or_default();
            counts.held = decode::count(row, 1)?;
            counts.completed = decode::count(row, 2)?;
        } else if has(row, "sold") {
            let counts = counts.entry(decode::variant_no(row, 0)?).or_default();
            counts.purchased = decode::count(row, 1)?;
        } else if has(row, "double_holders") {
            double_holders = decode::count(row, 0)?;
        } else if has(row, "orphans") {
            orphan_purchases = decode::count(row, 0)?;
        } else if get::<i64, _>(row, "wrong_sums")? != 0 {
            return Err(StoreError::corrupt("a drop's sums are not those of its variants").into());
        }
    }
    let mut variants = Vec::with_capacity(counters.len());
    for (index, variant) in counters.into_iter().enumerate() {
        let no = VariantNo::new(sound(u16::try_from(index))?);
        let rows = counts.get(&no).copied().unwrap_or_default();
        variants.push(CountedVariant {
            name: variant.name,
            counters: variant.stock,
            held: rows.held,
            completed: rows.completed,
            purchased: rows.purchased,
        });
    }
    let revision = head.revision;
    let as_of = opened.as_of;
    Ok(Some(Audit { drop_id: id, revision, as_of, variants, double_holders, orphan_purchases }))
}
