//! The statements of the hot path, for tests that look at their plans.

use crate::sql;

/// A statement of the hot path, with arguments that it can be explained with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HotStatement {
    /// What the store calls it.
    pub name: &'static str,
    /// Its text, with `$n` for parameters.
    pub sql: &'static str,
    /// The types of its parameters, where they are not said in the text.
    pub types: &'static str,
    /// Arguments for drop 1.
    pub arguments: &'static str,
}

/// Arguments of the two writing statements: nobody buys, drop 1 goes to revision 2.
macro_rules! write_arguments {
    ($rows:literal) => {
        concat!(
            "1, now(), '{}', '{}', '{}', '{}', '{}', '{0}', '{9}', '{1}', '{0}', 2, 9, 9, 1, 0, \
             '[]', '{}', ",
            $rows
        )
    };
}

/// Every prepared statement of [`apply`](drop_core::Store::apply), and the two that stand
/// before its lock.
#[must_use]
pub fn hot_statements() -> Vec<HotStatement> {
    let load = "1, now(), '{1,2,3}', 4097";
    let named = "1, now(), '{1,2,3}', 4097, '{1,2}'";
    let types = "bigint, timestamptz";
    let statement = |name, sql, types, arguments| HotStatement { name, sql, types, arguments };
    vec![
        statement("UPSERT_USERS", trimmed(sql::UPSERT_USERS), "text[]", "'{ann,bob}'"),
        statement("FIND_USERS", trimmed(sql::FIND_USERS), "text[]", "'{ann,bob}'"),
        statement("LOAD", sql::LOAD, types, load),
        statement("LOAD_BOUGHT", sql::LOAD_BOUGHT, types, load),
        statement("LOAD_NAMED", sql::LOAD_NAMED, types, named),
        statement("LOAD_NAMED_BOUGHT", sql::LOAD_NAMED_BOUGHT, types, named),
        statement("LOAD_FORGOTTEN", sql::LOAD_FORGOTTEN, "bigint", "1, '{1}'"),
        statement("FORGET", sql::FORGET, "bigint", "1, '{1}'"),
        statement(
            "SETTLE",
            sql::SETTLE,
            types,
            "1, now(), '{1,2}', '{expired,released}', ARRAY[now(), now()]",
        ),
        statement(
            "WRITE_TAKEN",
            sql::WRITE_TAKEN,
            types,
            write_arguments!("'{400000}', '{active}', ARRAY[now()], '{1}', '{0}', '{1}', '{1.50}'"),
        ),
        statement(
            "WRITE_SETTLED",
            sql::WRITE_SETTLED,
            types,
            write_arguments!("'{1}', '{completed}', ARRAY[now()]"),
        ),
    ]
}

/// Without the semicolon that ends it within a script.
fn trimmed(sql: &'static str) -> &'static str {
    sql.trim_end_matches(';')
}
