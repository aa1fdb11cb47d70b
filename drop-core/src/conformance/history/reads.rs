//! Counts that were read.

use std::collections::BTreeMap;

use crate::model::Timestamp;

use super::call::{Answer, Call};
use super::story::Story;
use super::violation::{Invariant, Violation};

/// Holds every reading of the counts against the drop at its revision: what has lapsed by the
/// time of the reading counts as available, so all holds up to some deadline may, and those
/// that had lapsed when the revision was made must.
pub(super) fn check(calls: &[Call], story: &Story<'_>) -> Vec<Violation> {
    let mut readings: Vec<_> = calls
        .iter()
        .enumerate()
        .filter_map(|(index, call)| match call.answer {
            Answer::Stock { revision, .. } => Some((revision.get(), index)),
            _ => None,
        })
        .collect();
    readings.sort_unstable();
    let mut events: BTreeMap<u64, Vec<(Timestamp, i64)>> = BTreeMap::new();
    let mut deadlines = Vec::new();
    for life in story.lives() {
        let units = i64::try_from(life.units()).unwrap_or(0);
        let left = life.left_active().unwrap_or(u64::MAX);
        let mut set = life.deadlines().iter().copied().peekable();
        while let Some((from, deadline)) = set.next() {
            let until = set.peek().map_or(left, |(next, _)| *next);
            deadlines.push(deadline);
            events.entry(from).or_default().push((deadline, units));
            events.entry(until).or_default().push((deadline, -units));
        }
    }
    let mut by_deadline = FenwickTree::new(deadlines);
    let mut events = events.into_iter().peekable();
    let mut found = Vec::new();
    for (revision, index) in readings {
        while let Some((_, changes)) = events.next_if(|(at, _)| *at <= revision) {
            for (deadline, units) in changes {
                by_deadline.add(deadline, units);
            }
        }
        if let Some(why) = wrong(calls, story, &by_deadline, revision, index) {
            found.push(Violation::of_call(Invariant::I6, index, &calls[index], &why));
        }
    }
    found
}

fn wrong(
    calls: &[Call],
    story: &Story<'_>,
    by_deadline: &FenwickTree,
    revision: u64,
    index: usize,
) -> Option<String> {
    let Answer::Stock { available, held, sold, .. } = calls[index].answer else { return None };
    // A revision that the feed does not have is told of elsewhere.
    let change = story.change(revision)?;
    let stock = change.stock();
    let counted = u64::from(available) + u64::from(held) + u64::from(sold);
    if sold != stock.sold().get() || counted != u64::from(stock.total().get()) {
        let why = format!("{} are sold of {}", stock.sold(), stock.total());
        return Some(why);
    }
    let lapsed = i64::from(stock.held().get()) - i64::from(held);
    if !by_deadline.has_prefix(lapsed, change.as_of) {
        return Some(format!("{} are held", stock.held()));
    }
    None
}

/// Units of active holds by deadline, as a Fenwick tree: what has lapsed up to any moment is
/// found in O(log n).
struct FenwickTree {
    deadlines: Vec<Timestamp>,
    tree: Vec<i64>,
}

impl FenwickTree {
    fn new(mut deadlines: Vec<Timestamp>) -> Self {
        deadlines.sort_unstable();
        deadlines.dedup();
        let tree = vec![0; deadlines.len() + 1];
        Self { deadlines, tree }
    }

    fn add(&mut self, deadline: Timestamp, units: i64) {
        let mut index = self.upto(deadline);
        while index > 0 && index < self.tree.len() {
            self.tree[index] += units;
            index += index & index.wrapping_neg();
        }
    }

    /// How many deadlines lie up to that moment.
    fn upto(&self, moment: Timestamp) -> usize {
        self.deadlines.partition_point(|deadline| *deadline <= moment)
    }

    fn sum(&self, mut index: usize) -> i64 {
        let mut sum = 0;
        while index > 0 {
            sum += self.tree[index];
            index -= index & index.wrapping_neg();
        }
        sum
    }

    /// Whether the holds up to some moment, which is not before `from`, have that many units.
    fn has_prefix(&self, units: i64, from: Timestamp) -> bool {
        if units < self.sum(self.upto(from)) {
            return false;
        }
        let mut index = 0;
        let mut rest = units;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            let next = index + step;
            if next < self.tree.len() && self.tree[next] <= rest {
                index = next;
                rest -= self.tree[next];
            }
            step /= 2;
        }
        rest == 0
    }
}
