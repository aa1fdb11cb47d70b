//! Contenders by their names.

use super::{
    ArraysOnly, BareFlush, BareInsert, Contender, CounterStatement, LockCountInsert, Ours,
    RedisScript,
};
use crate::stores::Kind;

/// All that sell a hot drop, ours first.
pub const SERIES: [&str; 8] = [
    Kind::Postgres.name(),
    Kind::File.name(),
    Kind::Memory.name(),
    LockCountInsert::SERIES,
    CounterStatement::SERIES,
    ArraysOnly::SERIES,
    ArraysOnly::UNBOUND,
    RedisScript::SERIES,
];

/// A contender by its name, on a new store; nothing where it is not installed.
///
/// # Panics
/// Where nobody has the name, or where PostgreSQL is missing.
pub async fn contender(series: &str) -> Option<Box<dyn Contender>> {
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == series) {
        return Some(Box::new(Ours::begin(kind).await));
    }
    match series {
        LockCountInsert::SERIES => Some(Box::new(LockCountInsert::begin().await)),
        CounterStatement::SERIES => Some(Box::new(CounterStatement::begin().await)),
        BareInsert::SERIES => Some(Box::new(BareInsert::begin().await)),
        ArraysOnly::SERIES => Some(Box::new(ArraysOnly::begin().await)),
        ArraysOnly::UNBOUND => Some(Box::new(ArraysOnly::unbound().await)),
        BareFlush::SERIES => Some(Box::new(BareFlush::begin())),
        RedisScript::SERIES => {
            RedisScript::begin().await.map(|redis| -> Box<dyn Contender> { Box::new(redis) })
        }
        other => panic!("no contender is called {other}"),
    }
}
