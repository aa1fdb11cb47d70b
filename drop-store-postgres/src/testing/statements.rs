//! The statements of the hot path, for tests that look at their plans.

use crate::{feed, reader, sql};

/// A statement that must be as fast on a full table as on an empty one, with arguments that it
/// can be explained with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HotStatement {
    /// What the store calls it.
    pub name: &'static str,
    /// Its text, with `$n` for parameters.
    pub sql: &'static str,
    /// The types of its parameters, where the text leaves them open.
    pub types: &'static str,
    /// Arguments for drop 1.
    pub arguments: &'static str,
    /// Whether it runs in the transaction that [`HotStatement::settings`] are set in.
    pub within: bool,
}

impl HotStatement {
    /// What a transaction sets before its statements are planned.
    pub fn settings() -> impl Iterator<Item = &'static str> {
        parts().filter(|part| part.starts_with("SET LOCAL enable") || part.contains("plan_cache"))
    }
}

/// Arguments of the two writing statements: nobody buys, drop 1 goes to revision 2.
macro_rules! write_arguments {
    ($rows:literal) => {
        concat!(
            "1, now(), '{}', '{}', '{}', '{}', '{}', '{0}', '{1000000}', '{1}', '{0}', 2, 9, \
             1000000, 1, 0, '[]', '{}', ",
            $rows
        )
    };
}

/// Every statement of [`apply`](drop_core::Store::apply), and what readers ask most.
#[must_use]
pub fn hot_statements() -> Vec<HotStatement> {
    let within = |name, sql, arguments| {
        let types = "bigint, timestamptz";
        HotStatement { name, sql, types, arguments, within: true }
    };
    let outside = |name, sql: &'static str, types, arguments| {
        let sql = sql.trim_end_matches(';');
        HotStatement { name, sql, types, arguments, within: false }
    };
    let load = "1, now(), '{1,2,3}', 4097";
    let named = "1, now(), '{1,2,3}', 4097, '{1,2}'";
    let settled = "1, now(), '{1,2}', '{expired,released}', ARRAY[now(), now()]";
    let taken =
        write_arguments!("'{400000}', '{active}', ARRAY[now()], '{1}', '{0}', '{1}', '{1.50}'");
    let mut statements = vec![
        within("LOAD", sql::LOAD, load),
        within("LOAD_BOUGHT", sql::LOAD_BOUGHT, load),
        within("LOAD_NAMED", sql::LOAD_NAMED, named),
        within("LOAD_NAMED_BOUGHT", sql::LOAD_NAMED_BOUGHT, named),
        within("SETTLE", sql::SETTLE, settled),
        within("WRITE_TAKEN", sql::WRITE_TAKEN, taken),
        within(
            "WRITE_SETTLED",
            sql::WRITE_SETTLED,
            write_arguments!("'{1}', '{completed}', ARRAY[now()]"),
        ),
        outside("UPSERT_USERS", sql::UPSERT_USERS, "text[], bigint", "'{user7,somebody}', 1"),
        outside("FIND_USERS", sql::FIND_USERS, "text[]", "'{user7,nobody}'"),
        outside("SNAPSHOTS", reader::SNAPSHOTS, "", "1, NULL, NULL, 1"),
        outside("SNAPSHOTS", reader::SNAPSHOTS, "", "NULL, NULL, 'open', 20"),
        outside("RESERVATION", reader::RESERVATION, "", "1, 1"),
        outside("HOLDS", reader::HOLDS, "", "NULL, 'user7', 16777216, 0, 20"),
        outside("PURCHASES", reader::PURCHASES, "", "NULL, 'user7', 16777216, 0, 20"),
        outside("DUE", feed::DUE, "", "20"),
        outside("HEADS", feed::HEADS, "", "0, 20"),
        outside("CHANGES", feed::CHANGES, "", "1, 1, 20"),
    ];
    let opening = parts().filter(|part| part.starts_with("SELECT") && part.contains("$1"));
    statements.extend(opening.map(|sql| HotStatement {
        name: "OPENING",
        sql,
        types: "",
        arguments: "1",
        within: true,
    }));
    statements
}

/// The statements of the script that opens a transaction.
fn parts() -> impl Iterator<Item = &'static str> {
    sql::OPENING.split(';').map(str::trim)
}
