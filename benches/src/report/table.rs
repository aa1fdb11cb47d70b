//! [`Table`]: words under each other.

use std::fmt::{Display, Formatter, Result};

use super::goal::Verdict;
use super::row::{Cell, Row, Waits, float};
use super::spread::{Spread, figure};

/// Lines of cells, the first of them the head; columns of figures stand to the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// How many columns from the left are words.
    words: usize,
    lines: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(words: usize, head: [&str; N]) -> Self {
        Self { words, lines: vec![head.map(str::to_owned).into()] }
    }

    /// What was measured.
    #[must_use]
    pub fn of_rows(rows: &[Row]) -> Self {
        let head =
            ["work", "by", "at", "median", "min - max", "unit", "p50 ms", "p99 ms", "p999 ms"];
        let mut table = Self::new(3, head);
        for row in rows {
            let cell = &row.cell;
            let wait = |which: fn(Waits) -> f64| {
                row.waited(which).map_or(String::new(), |spread| figure(spread.median))
            };
            table.lines.push(vec![
                cell.work.clone(),
                cell.series.clone(),
                at(cell),
                row.spread().map_or(String::new(), |spread| figure(spread.median)),
                row.spread().map_or(String::new(), between),
                row.unit.clone(),
                wait(|waits| waits.p50),
                wait(|waits| waits.p99),
                wait(|waits| waits.p999),
            ]);
        }
        table
    }

    /// What was asked for, and what is only compared.
    #[must_use]
    pub fn of_verdicts(verdicts: &[Verdict]) -> Self {
        let head = ["work", "by", "at", "measure", "median", "min - max", "unit", "goal", ""];
        let mut table = Self::new(4, head);
        for verdict in verdicts {
            table.lines.push(vec![
                verdict.cell.work.clone(),
                verdict.cell.series.clone(),
                at(&verdict.cell),
                verdict.what.clone(),
                figure(verdict.spread.median),
                between(verdict.spread),
                verdict.unit.clone(),
                verdict.goal.clone().unwrap_or_default(),
                verdict.met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
            ]);
        }
        table
    }

    /// Whether there is nothing under the head.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.len() <= 1
    }

    /// As a table in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &Vec<String>| {
            let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut lines = self.lines.iter();
        let Some(head) = lines.next() else { return String::new() };
        let rule = (0..head.len()).map(|column| if column < self.words { "---" } else { "---:" });
        let rule = rule.collect::<Vec<_>>().join(" | ");
        let body: String = lines.map(line).collect();
        format!("{}| {rule} |\n{body}", line(head))
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for line in &self.lines {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let padded = if column < self.words {
                    format!("{cell:<width$}  ")
                } else {
                    format!("{cell:>width$}  ")
                };
                text.push_str(&padded);
            }
            writeln!(formatter, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn at(cell: &Cell) -> String {
    format!("{} {}", figure(float(cell.x)), cell.axis)
}

fn between(spread: Spread) -> String {
    format!("{} - {}", figure(spread.min), figure(spread.max))
}
