//! The real-time order of calls.

use super::call::Call;

/// Which revision was known to have been committed, moment by moment.
#[derive(Debug)]
pub(super) struct Moments {
    /// Moments at which answers came, rising, with the highest revision named by then.
    seen: Vec<(u64, u64)>,
}

impl Moments {
    /// The answers of a drop whose last revision is `last`.
    pub(super) fn of(calls: &[Call], last: u64) -> Self {
        let answered = calls.iter().filter_map(|call| {
            let revision = call.answer.revision()?.get();
            (revision <= last).then_some((call.ended?, revision))
        });
        let mut seen: Vec<_> = answered.collect();
        seen.sort_unstable();
        let mut highest = 0;
        for (_, revision) in &mut seen {
            highest = highest.max(*revision);
            *revision = highest;
        }
        Self { seen }
    }

    /// The highest revision named by an answer that came before `moment`; a call that began
    /// then cannot be answered from an earlier one.
    pub(super) fn floor(&self, moment: u64) -> u64 {
        let before = self.seen.partition_point(|(ended, _)| *ended < moment);
        let highest = before.checked_sub(1).and_then(|index| self.seen.get(index));
        // Who names a drop knows that it was created.
        highest.map_or(1, |(_, revision)| *revision).max(1)
    }
}
