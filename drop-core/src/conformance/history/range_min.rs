//! The smallest of a range.

/// Numbers of which the smallest in any range is found in O(log n).
#[derive(Debug)]
pub(super) struct RangeMin {
    /// A segment tree: the numbers themselves in the second half, above them the smaller of
    /// each two.
    tree: Vec<u64>,
    size: usize,
}

impl RangeMin {
    pub(super) fn new(numbers: &[u64]) -> Self {
        let size = numbers.len();
        let mut tree = vec![u64::MAX; size];
        tree.extend_from_slice(numbers);
        for index in (1..size).rev() {
            tree[index] = tree[2 * index].min(tree[2 * index + 1]);
        }
        Self { tree, size }
    }

    /// The smallest from position `first` to `last`, both included.
    pub(super) fn between(&self, first: usize, last: usize) -> u64 {
        let mut lowest = u64::MAX;
        let mut left = first.min(self.size) + self.size;
        let mut right = last.saturating_add(1).min(self.size) + self.size;
        while left < right {
            if left % 2 == 1 {
                lowest = lowest.min(self.tree[left]);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                lowest = lowest.min(self.tree[right]);
            }
            left /= 2;
            right /= 2;
        }
        lowest
    }
}
