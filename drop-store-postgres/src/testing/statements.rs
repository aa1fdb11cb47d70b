//! The statements of the hot path, for tests that look at their plans.

use crate::script::Statement;
use crate::{feed, joint, reader, sql};

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
        parts(sql::OPENING).filter(|part| part.starts_with("SET LOCAL enable"))
    }
}

/// Arguments of the two writing statements: nobody buys, drop 1 goes to revision 2.
macro_rules! write_arguments {
    ($rows:literal) => {
        concat!(
            "1, now(), '{}', '{}', '{}', '{}', '{}', '{0}', '{1000000}', '{1}', '{0}', '{0}', '{0}', 2, 9, \
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
    let settled = "1, now(), '{1,2}', '{expired,released}', ARRAY[now(), now()]";
    let taken =
        write_arguments!("'{400000}', '{active}', ARRAY[now()], '{1}', '{0}', '{1}', '{1.50}'");
    let mut statements = vec![
        HotStatement {
            types: "bigint, bigint[]",
            ..within("LOAD_NAMED", sql::LOAD_NAMED, "1, '{1,2}'")
        },
        within("SETTLE", sql::SETTLE, settled),
        within("WRITE_TAKEN", sql::WRITE_TAKEN, taken),
        within(
            "WRITE_SETTLED",
            sql::WRITE_SETTLED,
            write_arguments!("'{1}', '{completed}', ARRAY[now()]"),
        ),
        outside("SNAPSHOTS", reader::SNAPSHOTS, "", "1, NULL, NULL, 1"),
        outside("SNAPSHOTS", reader::SNAPSHOTS, "", "NULL, NULL, 'open', 20"),
        outside("RESERVATION", reader::RESERVATION, "", "1, 1"),
        outside("HOLDS", reader::HOLDS, "", "NULL, 'filler1', 16777216, 0, 20"),
        outside("PURCHASES", reader::PURCHASES, "", "NULL, 'filler7', 16777216, 0, 20"),
        outside("DUE", feed::DUE, "", "20"),
        outside("HEADS", feed::HEADS, "", "0, 20"),
        outside("CHANGES", feed::CHANGES, "", "1, 1, 20"),
    ];
    statements.extend(sql::PREPARED.map(|statement| HotStatement {
        name: statement.name,
        sql: statement.sql,
        types: statement.types,
        arguments: match statement.name {
            "drop_make_users" => "1, '{user7,somebody}', 1",
            "drop_customers" => "1, '{filler7,nobody}', 1",
            _ => "1",
        },
        within: true,
    }));
    statements.extend(of_several_drops());
    // Of a drop that has nothing: what one costs that has much is its own affair.
    let loading = parts(sql::VARIANTS).chain(parts(sql::LOAD)).filter(|part| !part.is_empty());
    statements
        .extend(loading.map(|sql| HotStatement { types: "bigint", ..within("LOAD", sql, "3") }));
    statements
}

/// Those of a transaction of several drops, for drops 1 and 2, of which drop 1 takes a hold.
fn of_several_drops() -> Vec<HotStatement> {
    let hot =
        |name, sql, types, arguments| HotStatement { name, sql, types, arguments, within: true };
    let settled = "'{1,2}', '{1,2}', ARRAY[now(), now()], '{expired,released}', \
                   ARRAY[now(), now()]";
    let taken = "'{1}', '{400000}', ARRAY[now()], '{active}', ARRAY[now()], '{1}', '{0}', '{1}', \
                 '{1.50}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{1}', '{0}', '{1000000}', \
                 '{1}', '{0}', '{0}', '{0}', '{1}', '{2}', ARRAY[now()], '{9}', '{1000000}', \
                 '{1}', '{0}', '{[]}', '{\"{}\"}'";
    let mut statements = vec![
        hot("SETTLE of several", joint::sql::SETTLE, "", settled),
        hot("WRITE of several", joint::sql::WRITE, "", taken),
    ];
    statements.extend(joint::sql::PREPARED.map(|Statement { name, types, sql }| {
        let arguments = match name {
            "drops_make_users" => "'{1,2}', '{user7,somebody}'",
            "drops_customers" => "'{1,2}', '{filler7,nobody}'",
            "drops_changes" => "'{1,2}', '{1,1}', 33",
            _ => "'{1,2}'",
        };
        hot(name, sql, types, arguments)
    }));
    // Of drops that have nothing: what one costs that has much is its own affair.
    let loading = parts(joint::sql::LOAD).filter(|part| !part.is_empty());
    statements.extend(loading.map(|sql| hot("LOAD of several", sql, "bigint[]", "'{3,4}'")));
    statements
}

/// The statements of a script.
fn parts(script: &'static str) -> impl Iterator<Item = &'static str> {
    script.split(';').map(str::trim)
}
