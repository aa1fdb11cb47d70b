//! How little of a variant was available.

use crate::model::{Status, VariantNo};
use crate::rules::Change;

use super::range_min::RangeMin;
use super::story::Story;

/// What was available and committed of one variant, revision by revision.
#[derive(Debug)]
pub(super) struct Availability {
    /// Available after each change.
    standing: RangeMin,
    /// The least that can have been available between the commands of each change.
    deciding: RangeMin,
    /// The most that can have been held and sold in each change.
    committed: Vec<u64>,
}

impl Availability {
    pub(super) fn of(story: &Story<'_>, variant: VariantNo, amendments: usize) -> Self {
        let changes: Vec<_> = story.changes().collect();
        // Taken and settled in each change.
        let mut moved = vec![(0_u64, 0_u64); changes.len()];
        for life in story.lives().filter(|life| life.claim.variant == variant) {
            if let Some((taken, _)) = at(&mut moved, life.taken) {
                *taken = taken.saturating_add(life.units());
            }
            if let Some((end, Status::Expired)) = life.ended
                && let Some((_, settled)) = at(&mut moved, end)
            {
                *settled = settled.saturating_add(life.units());
            }
        }
        let (mut standing, mut deciding, mut committed) = (Vec::new(), Vec::new(), Vec::new());
        for (index, change) in changes.iter().enumerate() {
            let (total, committed_now) = counts(change, variant);
            let (taken, settled) = moved[index];
            let mut least = total.saturating_sub(committed_now);
            let mut most = committed_now;
            standing.push(least);
            if let Some(before) = index.checked_sub(1).map(|before| changes[before]) {
                let (total_before, committed_before) = counts(before, variant);
                most = most.max(committed_before.saturating_sub(settled).saturating_add(taken));
                least = total.min(total_before).saturating_sub(most);
                let numbers = change.next_number.saturating_sub(before.next_number);
                let rows = u32::try_from(change.inserted.len()).unwrap_or(u32::MAX);
                let unseen = numbers > rows || (change.terms.is_some() && amendments > 1);
                if unseen {
                    // What was taken and forgotten, or amended twice, in one change.
                    (least, most) = (0, u64::MAX);
                }
            }
            deciding.push(least);
            committed.push(most);
        }
        Self { standing: RangeMin::new(&standing), deciding: RangeMin::new(&deciding), committed }
    }

    /// The least that a command can have met from one revision to another.
    pub(super) fn least(&self, first: u64, last: u64) -> u64 {
        let position = |revision: u64| usize::try_from(revision).unwrap_or(usize::MAX);
        let (first, last) = (position(first).max(1), position(last).max(1));
        let standing = self.standing.between(first - 1, last - 1);
        standing.min(self.deciding.between(first, last - 1))
    }

    /// The most that was held and sold in a change.
    pub(super) fn committed(&self, revision: u64) -> u64 {
        let index = revision.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.committed.get(index)).copied().unwrap_or(0)
    }
}

fn at<T>(by_revision: &mut [T], revision: u64) -> Option<&mut T> {
    by_revision.get_mut(usize::try_from(revision.checked_sub(1)?).ok()?)
}

/// Total, and what is held and sold of it.
fn counts(change: &Change, variant: VariantNo) -> (u64, u64) {
    let stock = change.variants.get(variant.index()).map(|variant| variant.stock);
    stock.map_or((u64::MAX, 0), |stock| {
        let committed = u64::from(stock.held().get()) + u64::from(stock.sold().get());
        (u64::from(stock.total().get()), committed)
    })
}
