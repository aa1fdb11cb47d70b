//! What benches report: questions, whose rows hold the figures of each round, and goals.
//!
//! A bench asks one [`Question`]. Its rows are [`Cell`]s (work, series, place on an axis) with
//! [`Round`]s; its [`Goal`]s are judged from them, ratios round by round. It prints tables, and
//! leaves a JSON file from which `docs/performance.md` is written.

mod filter;
mod goal;
mod question;
mod row;
mod spread;
mod table;

pub use filter::Filter;
pub use goal::{Goal, Verdict};
pub use question::Question;
pub use row::{Cell, Round, Row, Waits, float};
pub use spread::{Spread, figure};
pub use table::Table;
