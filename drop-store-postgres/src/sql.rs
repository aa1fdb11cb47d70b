//! Every statement of the transaction that changes a drop.
//!
//! Three kinds. What begins a transaction, and what is seldom asked, goes as a script: several
//! statements in one message, planned each time. What the first message asks each time is
//! [`PREPARED`] by every connection, and run by such a script. What takes arrays of everything else
//! is prepared by the driver. Neither of the latter two may be planned badly while tables are
//! empty:
//! - [`OPENING`] and [`BEGIN_USERS`] forbid sequential scans for the transaction, which also binds
//!   the plans of the foreign keys' checks;
//! - the statements leave next to nothing to choose: one row, or a drop's few variants, by primary
//!   key; a name by its index; a customer's purchases by the index that has all that is asked for;
//!   `INSERT`, and `INSERT ... ON CONFLICT` (which always goes by its arbiter index).

use crate::script::Statement;

/// What every connection has prepared.
pub(crate) const PREPARED: [Statement; 4] = [MAKE_USERS, LOCK, HEAD, CUSTOMERS];

/// Begins a transaction of [`MAKE_USERS`] alone: whoever waits for a user's row must not keep a
/// drop waiting.
///
/// It is not flushed. Nobody is told an id before the commit of a reservation of it, whose own
/// flush covers everything that the server has written before.
///
/// `$1` `lock_timeout` in milliseconds.
pub(crate) const BEGIN_USERS: &str = "\
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = off;
SET LOCAL lock_timeout = $1;
SET LOCAL enable_seqscan = off;
";

/// Makes users of those who reserve and are none.
///
/// In the order given, so that no two of these deadlock. A name that is there is not written again,
/// and is given no answer: who somebody is, is asked behind the lock. Where the drop does not exist,
/// or has nothing to sell, it makes nobody: who gets nothing leaves nothing behind.
///
/// `$1` the drop, `$2` names, `$3` 1 to make them whether or not the drop has units available.
pub(crate) const MAKE_USERS: Statement = Statement {
    name: "drop_make_users",
    types: "bigint, text[], bigint",
    sql: "\
INSERT INTO users (username, created_at, updated_at)
SELECT new.username, (SELECT clock_timestamp()), (SELECT clock_timestamp())
FROM unnest($2) WITH ORDINALITY AS new (username, position)
WHERE EXISTS (SELECT 1 FROM drops WHERE id = $1 AND ($3 = 1 OR held + sold < total))
ORDER BY new.position
ON CONFLICT (lower(username COLLATE \"C\")) DO NOTHING",
};

/// Begins the transaction that changes a drop: [`LOCK`], [`CLOCK`], [`HEAD`] and [`CUSTOMERS`]
/// follow in the same message.
///
/// Each of them is a statement of its own, with a snapshot of its own under READ COMMITTED, which
/// is therefore named here whatever the database's default is; and so is `synchronous_commit`.
///
/// `$1` `lock_timeout`, `$2` `idle_in_transaction_session_timeout`, both in milliseconds.
pub(crate) const OPENING: &str = "\
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
SET LOCAL lock_timeout = $1;
SET LOCAL idle_in_transaction_session_timeout = $2;
SET LOCAL enable_seqscan = off;
";

/// Has one plan made of each statement that is prepared, for all values: to plan one that takes
/// arrays takes longer than to run it for a lone caller, and the server would do so each time.
///
/// Only where there are such statements: a server that is made of several (Citus) plans for the
/// values at hand.
pub(crate) const PLANNED_ONCE: &str = "SET LOCAL plan_cache_mode = force_generic_plan;\n";

/// Takes the drop's lock. It reads nothing: its snapshot is older than its wait.
///
/// `$1` the drop.
pub(crate) const LOCK: Statement = Statement {
    name: "drop_lock",
    types: "bigint",
    sql: "SELECT 1 AS locked FROM drops WHERE id = $1 FOR UPDATE",
};

/// The time, behind the lock.
pub(crate) const CLOCK: &str = "SELECT clock_timestamp() AS as_of;\n";

/// Whether what is kept of the drop still holds.
///
/// `$1` the drop.
pub(crate) const HEAD: Statement = Statement {
    name: "drop_head",
    types: "bigint",
    sql: "SELECT revision, updated_at, held FROM drops WHERE id = $1",
};

/// Begins a transaction that locks nothing and sees one moment of a drop: [`VARIANTS`] and [`LOAD`]
/// follow.
///
/// `$1` the drop.
pub(crate) const MOMENT: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL enable_seqscan = off;
SELECT revision, updated_at FROM drops WHERE id = $1;
";

/// Who the customers are, and what they have bought where a limit counts it: position, id,
/// spelling and units of each who is a user.
///
/// Behind the lock each time, and kept by nobody: another instance may have deleted a user and
/// made the name another one. A write for the old one would fail by its foreign key, but a
/// refusal has none.
///
/// `$1` the drop, `$2` keys, `$3` 1 where the batch sets a limit.
pub(crate) const CUSTOMERS: Statement = Statement {
    name: "drop_customers",
    types: "bigint, text[], bigint",
    sql: "\
SELECT string_agg(concat_ws(' ', sought.position, found.id, found.username, coalesce(CASE
    WHEN $3 = 1 OR (SELECT max_per_customer FROM drops WHERE id = $1) IS NOT NULL
    THEN (SELECT sum(quantity) FROM purchases WHERE user_id = found.id AND drop_id = $1)
    END, 0)), ',') AS customers
FROM unnest($2) WITH ORDINALITY AS sought (key, position) CROSS JOIN LATERAL (
    SELECT id, username FROM users WHERE lower(username COLLATE \"C\") = sought.key LIMIT 1
) found",
};

/// Begins a transaction that locks no drop.
///
/// `$1` `lock_timeout`, `$2` `idle_in_transaction_session_timeout`, in milliseconds.
pub(crate) const BEGIN: &str = "\
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
SET LOCAL lock_timeout = $1;
SET LOCAL idle_in_transaction_session_timeout = $2;";

/// The columns of a reservation, as [`crate::decode::reservation`] takes them.
macro_rules! reservation {
    () => {
        "r.n, r.user_id, r.variant, r.quantity, r.price::text, r.status, r.created_at, \
         r.expires_at, r.updated_at"
    };
}

/// A drop's variants with their counters, in their order. `$1` the drop.
pub(crate) const VARIANTS: &str = "\
SELECT no, name AS variant_name, total, held, sold
FROM drop_variants WHERE drop_id = $1 ORDER BY no;
";

/// With [`VARIANTS`] before it everything that is kept of a drop: itself and its active holds.
///
/// `$1` the drop.
pub(crate) const LOAD: &str = concat!(
    "SELECT next_number, name, price::text AS price, starts_at, ends_at, max_per_customer, \
     hold_micros, longest_micros, recent::text AS recent FROM drops WHERE id = $1; \
     SELECT ",
    reservation!(),
    " FROM reservations r \
     WHERE r.drop_id = $1 AND r.status = 'active' AND r.expires_at IS NOT NULL;"
);

/// Reservations by number.
///
/// `$1` the drop, `$2` numbers.
pub(crate) const LOAD_NAMED: &str = concat!(
    "SELECT ",
    reservation!(),
    " FROM unnest($2) AS named (n) CROSS JOIN LATERAL (\
     SELECT * FROM reservations WHERE drop_id = $1 AND n = named.n LIMIT 1) r"
);

/// Every reservation of users in a drop. No index serves it: a reserve does not need one, and
/// forgetting somebody may take its time.
///
/// `$1` the drop, `$2` users.
pub(crate) const LOAD_FORGOTTEN: &str = concat!(
    "SELECT ",
    reservation!(),
    " FROM reservations r WHERE r.drop_id = $1 AND r.user_id = ANY($2)"
);

/// The newest purchasers who are not about to be forgotten.
///
/// `$1` the drop, `$2` users, `$3` how many.
pub(crate) const LOAD_RECENT: &str = "\
SELECT u.username, p.created_at FROM purchases p JOIN users u ON u.id = p.user_id
WHERE p.drop_id = $1 AND p.user_id <> ALL($2)
ORDER BY p.created_at DESC, p.n DESC LIMIT $3";

/// Removes reservations of users, and by the foreign key their purchases.
///
/// `$1` the drop, `$2` users.
pub(crate) const FORGET: &str = "DELETE FROM reservations WHERE drop_id = $1 AND user_id = ANY($2)";

/// The update of reservations that were active, as an insert that always meets the row: it
/// goes by the primary key, whatever the planner believes of the table. A row that is not
/// there would be inserted for user 0, whom no foreign key allows.
///
/// `$1` the drop, `$2` as of, `$n ..` numbers, states, deadlines.
macro_rules! settled {
    ($numbers:literal, $states:literal, $deadlines:literal) => {
        concat!(
            "INSERT INTO reservations AS r (drop_id, n, user_id, variant, quantity, price, \
             status, created_at, expires_at, updated_at) \
             SELECT $1, new.n, 0, 0, 1, 0, new.status, $2, new.expires_at, $2 FROM unnest(",
            $numbers,
            "::bigint[], ",
            $states,
            "::text[], ",
            $deadlines,
            "::timestamptz[]) AS new (n, status, expires_at) \
             ON CONFLICT (drop_id, n) DO UPDATE SET status = excluded.status, \
             expires_at = excluded.expires_at, updated_at = excluded.updated_at \
             WHERE r.status = 'active'"
        )
    };
}

/// Settles, where the same change also takes holds.
///
/// On its own, because the unique index of active holds would see the old hold of a customer
/// and the new one in one statement.
///
/// `$1` the drop, `$2` as of, `$3` numbers, `$4` states, `$5` deadlines.
pub(crate) const SETTLE: &str = settled!("$3", "$4", "$5");

/// Purchases, counters, the drop's row and the feed, after a first part that is named `rows`.
///
/// The parts of one statement do not see each other, and need not: each has its own table or,
/// in `drops`, its own row, and no two of them write one row. A purchase of a reservation that
/// the same statement inserts is sound, because foreign keys are checked after the whole of it.
/// Each part is counted, and the counts are compared with what was decided.
macro_rules! written {
    ($rows:expr) => {
        concat!(
            "WITH rows AS (",
            $rows,
            " RETURNING 1), \
             sales AS (INSERT INTO purchases \
             (drop_id, n, user_id, variant, quantity, amount_paid, created_at, updated_at) \
             SELECT $1, new.n, new.user_id, new.variant, new.quantity, new.amount_paid::numeric, \
             $2, $2 FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
             $7::text[]) AS new (n, user_id, variant, quantity, amount_paid) RETURNING 1), \
             counters AS (UPDATE drop_variants v SET total = new.total, held = new.held, \
             sold = new.sold FROM unnest($8::bigint[], $9::bigint[], $10::bigint[], \
             $11::bigint[], $12::bigint[], $13::bigint[]) \
             AS new (no, total, held, sold, held_before, sold_before) \
             WHERE v.drop_id = $1 AND v.no = new.no \
             AND v.held = new.held_before AND v.sold = new.sold_before RETURNING 1), \
             head AS (UPDATE drops SET revision = $14, next_number = $15, total = $16, \
             held = $17, sold = $18, recent = $19::json, updated_at = $2 \
             WHERE id = $1 AND revision = $14 - 1 RETURNING 1), \
             feed AS (INSERT INTO drop_changes (drop_id, revision, as_of, facts) \
             VALUES ($1, $14, $2, $20::json) RETURNING 1) \
             SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM sales), \
             (SELECT count(*) FROM counters), (SELECT count(*) FROM head), \
             (SELECT count(*) FROM feed)"
        )
    };
}

/// Writes a change that takes holds, or none.
///
/// `$1` the drop, `$2` as of; purchases: `$3` numbers, `$4` users, `$5` variants, `$6`
/// quantities, `$7` amounts; variants: `$8` positions, `$9` totals, `$10` held, `$11` sold,
/// `$12` held and `$13` sold before; the drop: `$14` revision, `$15` next number, `$16` total, `$17` held, `$18` sold, `$19`
/// recent; `$20` the change; reservations: `$21` numbers, `$22` states, `$23` deadlines, `$24`
/// users, `$25` variants, `$26` quantities, `$27` prices.
pub(crate) const WRITE_TAKEN: &str = written!(
    "INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
     created_at, expires_at, updated_at) \
     SELECT $1, new.n, new.user_id, new.variant, new.quantity, new.price::numeric, new.status, \
     $2, new.expires_at, $2 FROM unnest($21::bigint[], $22::text[], $23::timestamptz[], \
     $24::bigint[], $25::bigint[], $26::bigint[], $27::text[]) \
     AS new (n, status, expires_at, user_id, variant, quantity, price)"
);

/// Writes a change that takes no hold and settles some: with no insert beside it, settling is
/// safe in the same statement.
///
/// Parameters as [`WRITE_TAKEN`], up to `$23`.
pub(crate) const WRITE_SETTLED: &str = written!(settled!("$21", "$22", "$23"));

/// Writes new terms.
///
/// `$1` the drop, `$2` name, `$3` price, `$4` start, `$5` end, `$6` limit, `$7` hold, `$8`
/// longest hold.
pub(crate) const AMEND: &str = "\
UPDATE drops SET name = $2, price = $3::numeric, starts_at = $4, ends_at = $5,
    max_per_customer = $6, hold_micros = $7, longest_micros = $8 WHERE id = $1";

/// Adds variants that are not there yet; those that are there keep their row.
///
/// `$1` the drop, `$2` positions, `$3` names, `$4` totals.
pub(crate) const ADD_VARIANTS: &str = "\
INSERT INTO drop_variants (drop_id, no, name, total, held, sold)
SELECT $1, new.no, new.name, new.total, 0, 0
FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS new (no, name, total)
ON CONFLICT (drop_id, no) DO NOTHING";

/// Counts one drop more, and reads the time.
pub(crate) const NEXT_DROP: &str = "\
UPDATE drop_ids SET last = last + 1 WHERE one = 1 RETURNING last, clock_timestamp()";

/// Creates a drop's row; its variants follow by [`ADD_VARIANTS`].
///
/// `$1` the drop, `$2` name, `$3` price, `$4` start, `$5` end, `$6` limit, `$7` hold, `$8`
/// longest hold, `$9` total, `$10` as of.
pub(crate) const CREATE: &str = "\
INSERT INTO drops (id, revision, next_number, total, held, sold, name, price, starts_at, ends_at,
    max_per_customer, hold_micros, longest_micros, recent, created_at, updated_at)
VALUES ($1, 1, 1, $9, 0, 0, $2, $3::numeric, $4, $5, $6, $7, $8, '[]', $10, $10)";

/// Appends to the feed.
///
/// `$1` the drop, `$2` revision, `$3` as of, `$4` the change.
pub(crate) const APPEND: &str = "\
INSERT INTO drop_changes (drop_id, revision, as_of, facts) VALUES ($1, $2, $3, $4::json)";
