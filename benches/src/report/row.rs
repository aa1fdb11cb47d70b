//! [`Row`]: one cell of a question, with its rounds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::spread::Spread;

/// What was measured where: the work, who did it, and how much of what stood around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The work: `reserve`, `GET /api/drops`.
    pub work: String,
    /// Who did it: `postgres`, `memory`, or a baseline such as `lock, count, insert`.
    pub series: String,
    /// What grows along the axis: `callers`, `drops`, `rows`, `sockets`.
    pub axis: String,
    /// How many of them.
    pub x: u64,
}

impl Cell {
    /// `Cell::new("reserve", "postgres", "callers", 256)`.
    #[must_use]
    pub fn new(work: &str, series: &str, axis: &str, x: u64) -> Self {
        Self { work: work.to_owned(), series: series.to_owned(), axis: axis.to_owned(), x }
    }

    /// The same work at the same place, by another.
    #[must_use]
    pub fn by(&self, series: &str) -> Self {
        Self { series: series.to_owned(), ..self.clone() }
    }

    /// The same, with another number along the axis.
    #[must_use]
    pub fn at(&self, x: u64) -> Self {
        Self { x, ..self.clone() }
    }
}

/// What callers waited in one round, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// Half of them at most so long.
    pub p50: f64,
    /// 99 of 100 at most so long.
    pub p99: f64,
    /// 999 of 1,000 at most so long.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Waits {
    /// Of every single wait.
    ///
    /// # Panics
    /// Never: the histogram's bounds are constant.
    #[must_use]
    pub fn of(waits: impl IntoIterator<Item = Duration>) -> Self {
        // A tenth of a microsecond to ten minutes, to a thousandth.
        let mut all = Histogram::<u64>::new_with_bounds(100, 600_000_000_000, 3).expect("bounds");
        for wait in waits {
            all.saturating_record(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        }
        let millis = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1000.0;
        let at = |quantile: f64| millis(all.value_at_quantile(quantile));
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: millis(all.max()) }
    }
}

/// One round: its figure, and what callers waited where they did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The figure, in the row's unit.
    pub figure: f64,
    /// What callers waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
}

impl Round {
    /// A figure alone.
    #[must_use]
    pub const fn of(figure: f64) -> Self {
        Self { figure, waits: None }
    }

    /// So many done in such a time, per second.
    #[must_use]
    pub fn rate(count: u64, took: Duration) -> Self {
        Self::of(float(count) / took.as_secs_f64())
    }

    /// With what each caller waited.
    #[must_use]
    pub fn waited(self, waits: impl IntoIterator<Item = Duration>) -> Self {
        Self { waits: Some(Waits::of(waits)), ..self }
    }
}

/// A cell and all its rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    #[serde(flatten)]
    pub cell: Cell,
    /// What the figures count: `/s`, `ns`, `bytes`.
    pub unit: String,
    /// Round by round, as they were run.
    pub rounds: Vec<Round>,
}

impl Row {
    /// The figures together.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|round| round.figure))
    }

    /// One of the waits, over the rounds that have them.
    #[must_use]
    pub fn waited(&self, which: impl Fn(Waits) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round.waits.map(&which)))
    }
}

/// A count as a number that can be divided; above 2^53 it is rounded.
#[must_use]
pub fn float(count: u64) -> f64 {
    let [high, low] = [count >> 32, count & u64::from(u32::MAX)];
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(high) * 4_294_967_296.0 + part(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_numbers() {
        for (count, number) in
            [(0, 0.0), (1, 1.0), (1 << 32, 4_294_967_296.0), (10_000_000_001, 10_000_000_001.0)]
        {
            assert_eq!(float(count), number);
        }
    }

    #[test]
    fn waits_are_told_in_milliseconds() {
        let waits = Waits::of((1..=1000).map(Duration::from_millis));
        assert!((waits.p50 - 500.0).abs() < 1.0, "{waits:?}");
        assert!((waits.p99 - 990.0).abs() < 1.0, "{waits:?}");
        assert!((waits.max - 1000.0).abs() < 1.0, "{waits:?}");
    }
}
