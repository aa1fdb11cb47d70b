//! Every statement of a transaction of several drops.
//!
//! As [`crate::sql`] has them for one drop, with its number beside each value. None of them joins a
//! table in a way that a planner might turn round, and read all drops for a few: each row is looked
//! up by its key for each element of the arrays, and an update is an insert that meets the row.

use crate::script::Statement;

/// What every connection has prepared.
pub(crate) const PREPARED: [Statement; 5] = [MAKE_USERS, LOCK, HEADS, CUSTOMERS, CHANGES];

/// Makes users of those who reserve and are none, in the order given: see
/// [`crate::sql::MAKE_USERS`].
///
/// `$1` the drop of each, `$2` names.
pub(crate) const MAKE_USERS: Statement = Statement {
    name: "drops_make_users",
    types: "bigint[], text[]",
    sql: "\
INSERT INTO users (username, created_at, updated_at)
SELECT new.username, (SELECT clock_timestamp()), (SELECT clock_timestamp())
FROM unnest($1, $2) WITH ORDINALITY AS new (drop_id, username, position)
WHERE (SELECT held + sold < total FROM drops WHERE id = new.drop_id)
ORDER BY new.position
ON CONFLICT (lower(username COLLATE \"C\")) DO NOTHING",
};

/// Takes the locks that are free. It waits for none: whoever has one keeps no other drop waiting,
/// and no two transactions wait for each other, in whatever order they lock.
///
/// `$1` the drops.
pub(crate) const LOCK: Statement = Statement {
    name: "drops_lock",
    types: "bigint[]",
    sql: "SELECT id AS locked FROM drops WHERE id = ANY ($1) FOR UPDATE SKIP LOCKED",
};

/// Whether what is kept of the drops still holds.
///
/// `$1` the drops.
pub(crate) const HEADS: Statement = Statement {
    name: "drops_heads",
    types: "bigint[]",
    sql: "\
SELECT found.id, found.revision, found.updated_at, found.held
FROM unnest($1) AS sought (id) CROSS JOIN LATERAL (
    SELECT id, revision, updated_at, held FROM drops WHERE id = sought.id LIMIT 1
) found",
};

/// Who the customers are: see [`crate::sql::CUSTOMERS`].
///
/// `$1` the drop of each, `$2` keys.
pub(crate) const CUSTOMERS: Statement = Statement {
    name: "drops_customers",
    types: "bigint[], text[]",
    sql: "\
SELECT string_agg(concat_ws(' ', sought.position, found.id, found.username, coalesce(CASE
    WHEN (SELECT max_per_customer FROM drops WHERE id = sought.drop_id) IS NOT NULL
    THEN (SELECT sum(quantity) FROM purchases
        WHERE user_id = found.id AND drop_id = sought.drop_id)
    END, 0)), ',') AS customers
FROM unnest($1, $2) WITH ORDINALITY AS sought (drop_id, key, position) CROSS JOIN LATERAL (
    SELECT id, username FROM users WHERE lower(username COLLATE \"C\") = sought.key LIMIT 1
) found",
};

/// Drops with their variants and active holds, a row of each with its drop's number last: see
/// [`crate::sql::VARIANTS`] and [`crate::sql::LOAD`].
///
/// `$1` the drops.
pub(crate) const LOAD: &str = "\
SELECT found.no, found.name AS variant_name, found.total, found.held, found.sold, found.drop_id
FROM unnest($1) AS sought (id) CROSS JOIN LATERAL (
    SELECT * FROM drop_variants WHERE drop_id = sought.id ORDER BY no OFFSET 0
) found ORDER BY found.drop_id, found.no;
SELECT found.next_number, found.name, found.price::text AS price, found.starts_at, found.ends_at,
    found.max_per_customer, found.hold_micros, found.longest_micros, found.recent::text AS recent,
    found.id AS drop_id
FROM unnest($1) AS sought (id) CROSS JOIN LATERAL (
    SELECT * FROM drops WHERE id = sought.id LIMIT 1
) found;
SELECT found.n, found.user_id, found.variant, found.quantity, found.price::text, found.status,
    found.created_at, found.expires_at, found.updated_at, found.drop_id
FROM unnest($1) AS sought (id) CROSS JOIN LATERAL (
    SELECT * FROM reservations
    WHERE drop_id = sought.id AND status = 'active' AND expires_at IS NOT NULL OFFSET 0
) found;
";

/// The changes of others after what is kept of each drop, in order.
///
/// `$1` drops, `$2` after these revisions, `$3` how many of each.
pub(crate) const CHANGES: Statement = Statement {
    name: "drops_changes",
    types: "bigint[], bigint[], bigint",
    sql: "\
SELECT sought.drop_id, found.facts
FROM unnest($1, $2) AS sought (drop_id, since) CROSS JOIN LATERAL (
    SELECT revision, facts::text AS facts FROM drop_changes
    WHERE drop_id = sought.drop_id AND revision > sought.since ORDER BY revision LIMIT $3
) found ORDER BY sought.drop_id, found.revision",
};

/// Settles: see [`crate::sql::SETTLE`].
///
/// `$1` drops, `$2` numbers, `$3` as of, `$4` states, `$5` deadlines.
pub(crate) const SETTLE: &str = "\
INSERT INTO reservations AS r (drop_id, n, user_id, variant, quantity, price, status, created_at,
    expires_at, updated_at)
SELECT new.drop_id, new.n, 0, 0, 1, 0, new.status, new.as_of, new.expires_at, new.as_of
FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::timestamptz[])
    AS new (drop_id, n, as_of, status, expires_at)
ON CONFLICT (drop_id, n) DO UPDATE SET status = excluded.status,
    expires_at = excluded.expires_at, updated_at = excluded.updated_at
WHERE r.status = 'active'";

/// Writes the holds that are taken, purchases, counters, the drops' rows and the feed, each part
/// counted: see [`crate::sql::WRITE_TAKEN`]. A row that is not there, or not as it was decided on,
/// is not met, and missing in the count.
///
/// Reservations: `$1` drops, `$2` numbers, `$3` as of, `$4` states, `$5` deadlines, `$6` users, `$7`
/// variants, `$8` quantities, `$9` prices; purchases: `$10` drops, `$11` numbers, `$12` as of, `$13`
/// users, `$14` variants, `$15` quantities, `$16` amounts; variants: `$17` drops, `$18` positions,
/// `$19` totals, `$20` held, `$21` sold, `$22` held and `$23` sold before; drops: `$24` ids, `$25`
/// revisions, `$26` as of, `$27` next numbers, `$28` totals, `$29` held, `$30` sold, `$31` recent;
/// `$32` the changes.
pub(crate) const WRITE: &str = "\
WITH rows AS (
    INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, created_at,
        expires_at, updated_at)
    SELECT new.drop_id, new.n, new.user_id, new.variant, new.quantity, new.price::numeric,
        new.status, new.as_of, new.expires_at, new.as_of
    FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::timestamptz[],
        $6::bigint[], $7::bigint[], $8::bigint[], $9::text[])
        AS new (drop_id, n, as_of, status, expires_at, user_id, variant, quantity, price)
    RETURNING 1
), sales AS (
    INSERT INTO purchases (drop_id, n, user_id, variant, quantity, amount_paid, created_at,
        updated_at)
    SELECT new.drop_id, new.n, new.user_id, new.variant, new.quantity, new.amount_paid::numeric,
        new.as_of, new.as_of
    FROM unnest($10::bigint[], $11::bigint[], $12::timestamptz[], $13::bigint[], $14::bigint[],
        $15::bigint[], $16::text[])
        AS new (drop_id, n, as_of, user_id, variant, quantity, amount_paid)
    RETURNING 1
), counters AS (
    INSERT INTO drop_variants (drop_id, no, total, held, sold)
    SELECT new.drop_id, new.no, new.total, new.held, new.sold
    FROM unnest($17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[],
        $22::bigint[], $23::bigint[])
        AS new (drop_id, no, total, held, sold, held_before, sold_before)
    CROSS JOIN LATERAL (
        SELECT FROM drop_variants WHERE drop_id = new.drop_id AND no = new.no
        AND held = new.held_before AND sold = new.sold_before LIMIT 1
    ) before
    ON CONFLICT (drop_id, no) DO UPDATE
    SET total = excluded.total, held = excluded.held, sold = excluded.sold
    RETURNING 1
), heads AS (
    INSERT INTO drops (id, revision, next_number, total, held, sold, name, price, starts_at,
        hold_micros, longest_micros, recent, created_at, updated_at)
    SELECT new.id, new.revision, new.next_number, new.total, new.held, new.sold, before.name,
        before.price, before.starts_at, before.hold_micros, before.longest_micros,
        new.recent::json, before.created_at, new.as_of
    FROM unnest($24::bigint[], $25::bigint[], $26::timestamptz[], $27::bigint[], $28::bigint[],
        $29::bigint[], $30::bigint[], $31::text[])
        AS new (id, revision, as_of, next_number, total, held, sold, recent)
    CROSS JOIN LATERAL (
        SELECT * FROM drops WHERE id = new.id AND revision = new.revision - 1 LIMIT 1
    ) before
    ON CONFLICT (id) DO UPDATE SET revision = excluded.revision,
        next_number = excluded.next_number, total = excluded.total, held = excluded.held,
        sold = excluded.sold, recent = excluded.recent, updated_at = excluded.updated_at
    RETURNING 1
), feed AS (
    INSERT INTO drop_changes (drop_id, revision, as_of, facts)
    SELECT new.drop_id, new.revision, new.as_of, new.facts::json
    FROM unnest($24::bigint[], $25::bigint[], $26::timestamptz[], $32::text[])
        AS new (drop_id, revision, as_of, facts)
    RETURNING 1
)
SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM sales), (SELECT count(*) FROM counters),
    (SELECT count(*) FROM heads), (SELECT count(*) FROM feed)";
