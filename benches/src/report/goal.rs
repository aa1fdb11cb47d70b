//! [`Goal`]: what a question is measured against, and [`Verdict`], whether it was reached.

use serde::{Deserialize, Serialize};

use super::row::{Cell, Row, Waits, float};
use super::spread::{Spread, figure};

/// What of a row is looked at.
#[derive(Clone, Debug, PartialEq)]
enum Measure {
    Figure,
    Times(Cell),
    P50,
    P99,
    P999,
    Longest,
}

/// On which side of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Between(f64, f64),
}

/// What is looked at, and what it has to be. The median counts.
///
/// ```
/// use drop_benches::report::{Cell, Goal};
///
/// let ours = Cell::new("reserve", "postgres", "callers", 256);
/// let goals = [
///     Goal::figure(&ours).at_least(35_000.0),
///     Goal::times(&ours, &ours.by("lock, count, insert")).at_least(50.0),
///     Goal::p99(&ours).at_most(12.0),
///     // Told, and not asked for.
///     Goal::times(&ours, &ours.by("one statement, counter")),
/// ];
/// # assert_eq!(goals.len(), 4);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    of: Cell,
    measure: Measure,
    bound: Option<Bound>,
}

impl Goal {
    const fn new(of: Cell, measure: Measure) -> Self {
        Self { of, measure, bound: None }
    }

    /// The figure itself.
    #[must_use]
    pub fn figure(of: &Cell) -> Self {
        Self::new(of.clone(), Measure::Figure)
    }

    /// How many times another's figure, round by round: what disturbed both is in neither.
    #[must_use]
    pub fn times(of: &Cell, over: &Cell) -> Self {
        Self::new(of.clone(), Measure::Times(over.clone()))
    }

    /// What half of the callers wait at most, in milliseconds.
    #[must_use]
    pub fn p50(of: &Cell) -> Self {
        Self::new(of.clone(), Measure::P50)
    }

    /// What 99 of 100 callers wait at most, in milliseconds.
    #[must_use]
    pub fn p99(of: &Cell) -> Self {
        Self::new(of.clone(), Measure::P99)
    }

    /// What 999 of 1,000 callers wait at most, in milliseconds.
    #[must_use]
    pub fn p999(of: &Cell) -> Self {
        Self::new(of.clone(), Measure::P999)
    }

    /// What the one who waits longest waits in all rounds, in milliseconds.
    #[must_use]
    pub fn longest(of: &Cell) -> Self {
        Self::new(of.clone(), Measure::Longest)
    }

    /// It has to be this or more.
    #[must_use]
    pub fn at_least(self, bound: f64) -> Self {
        Self { bound: Some(Bound::AtLeast(bound)), ..self }
    }

    /// It has to be this or less.
    #[must_use]
    pub fn at_most(self, bound: f64) -> Self {
        Self { bound: Some(Bound::AtMost(bound)), ..self }
    }

    /// It has to be in between.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { bound: Some(Bound::Between(low, high)), ..self }
    }

    /// What became of it; `None` where one of its cells was not measured.
    pub(super) fn judge(&self, rows: &[Row]) -> Option<Verdict> {
        let row = |cell: &Cell| rows.iter().find(|row| row.cell == *cell);
        let of = row(&self.of)?;
        let wait = |which: fn(Waits) -> f64| of.waited(which);
        let (what, unit, spread) = match &self.measure {
            Measure::Figure => (String::new(), of.unit.as_str(), of.spread()?),
            Measure::Times(over) => {
                let pairs = of.rounds.iter().zip(&row(over)?.rounds);
                let ratios = Spread::of(pairs.map(|(ours, other)| ours.figure / other.figure))?;
                (format!("over {}", self.other(over)), "x", ratios)
            }
            Measure::P50 => ("p50".to_owned(), "ms", wait(|waits| waits.p50)?),
            Measure::P99 => ("p99".to_owned(), "ms", wait(|waits| waits.p99)?),
            Measure::P999 => ("p999".to_owned(), "ms", wait(|waits| waits.p999)?),
            Measure::Longest => {
                let longest = wait(|waits| waits.max)?.max;
                let spread = Spread::of([longest])?;
                ("longest wait of all rounds".to_owned(), "ms", spread)
            }
        };
        let goal = self.bound.map(|bound| match bound {
            Bound::AtLeast(low) => format!("at least {}", figure(low)),
            Bound::AtMost(high) => format!("at most {}", figure(high)),
            Bound::Between(low, high) => format!("{} to {}", figure(low), figure(high)),
        });
        let met = self.bound.map(|bound| match bound {
            Bound::AtLeast(low) => spread.median >= low,
            Bound::AtMost(high) => spread.median <= high,
            Bound::Between(low, high) => (low..=high).contains(&spread.median),
        });
        Some(Verdict { cell: self.of.clone(), what, unit: unit.to_owned(), spread, goal, met })
    }

    /// The other cell, by what differs.
    fn other(&self, over: &Cell) -> String {
        let mut words = Vec::new();
        if over.work != self.of.work {
            words.push(over.work.clone());
        }
        if over.series != self.of.series {
            words.push(over.series.clone());
        }
        if (&over.axis, over.x) != (&self.of.axis, self.of.x) {
            words.push(format!("{} {}", figure(float(over.x)), over.axis));
        }
        words.join(", ")
    }
}

/// A goal as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whose figure.
    pub cell: Cell,
    /// What of it: nothing for the figure itself, else `p99`, or `over` a baseline.
    pub what: String,
    /// In which unit.
    pub unit: String,
    /// What was found.
    pub spread: Spread,
    /// What was asked for; nothing where it is only told.
    pub goal: Option<String>,
    /// Whether the median is that.
    pub met: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::super::row::Round;
    use super::*;

    fn row(series: &str, figures: [f64; 3]) -> Row {
        let cell = Cell::new("reserve", series, "callers", 256);
        let rounds = figures.map(|figure| Round {
            waits: Some(Waits { p50: 1.0, p99: figure / 10.0, p999: 3.0, max: 4.0 }),
            ..Round::of(figure)
        });
        Row { cell, unit: "/s".to_owned(), rounds: rounds.into() }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let rows = [row("ours", [100.0, 50.0, 200.0]), row("theirs", [10.0, 5.0, 50.0])];
        let ours = &rows[0].cell;
        let verdict = Goal::times(ours, &rows[1].cell).at_least(10.0).judge(&rows).unwrap();
        assert_eq!((verdict.spread.median, verdict.spread.min), (10.0, 4.0));
        assert_eq!((verdict.what.as_str(), verdict.met), ("over theirs", Some(true)));
        assert_eq!(Goal::times(ours, &ours.by("nobody")).judge(&rows), None);
    }

    #[test]
    fn a_goal_is_met_on_its_side_of_the_bound() {
        let rows = [row("ours", [100.0, 50.0, 200.0])];
        let ours = &rows[0].cell;
        let met = |goal: Goal| goal.judge(&rows).unwrap().met;
        assert_eq!(met(Goal::figure(ours).at_least(100.0)), Some(true));
        assert_eq!(met(Goal::figure(ours).at_least(101.0)), Some(false));
        assert_eq!(met(Goal::p99(ours).at_most(10.0)), Some(true));
        assert_eq!(met(Goal::p99(ours).at_most(9.9)), Some(false));
        assert_eq!(met(Goal::figure(ours).between(90.0, 110.0)), Some(true));
        assert_eq!(met(Goal::figure(ours).between(101.0, 110.0)), Some(false));
        assert_eq!(met(Goal::figure(ours)), None);
    }

    #[test]
    fn who_waits_longest_is_looked_for_in_all_rounds() {
        let mut rows = [row("ours", [1.0, 1.0, 1.0])];
        rows[0].rounds[1].waits = Some(Waits { p50: 1.0, p99: 2.0, p999: 3.0, max: 9.0 });
        let longest = Goal::longest(&rows[0].cell);
        assert_eq!(longest.clone().at_most(8.0).judge(&rows).unwrap().met, Some(false));
        assert_eq!(longest.at_most(9.0).judge(&rows).unwrap().met, Some(true));
    }
}
