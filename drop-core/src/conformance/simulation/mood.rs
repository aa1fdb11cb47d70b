//! What kind of run a seed makes.

use crate::conformance::Dice;

/// The bounds and the odds of one run, which differ from seed to seed: some runs are calm, some
/// are nothing but trouble, some have lanes of two places.
#[derive(Clone, Debug)]
pub(super) struct Mood {
    pub(super) instances: usize,
    /// The most calls under way.
    pub(super) calls: usize,
    /// One call of the store in so many goes wrong; 0 for none.
    pub(super) faults: u64,
    /// Of 1,000 steps, how many make trouble of another kind.
    pub(super) trouble: u64,
    /// Of 1,000 steps, how many let time pass.
    pub(super) time: u64,
    pub(super) slow_reads: u64,
    pub(super) lost_hints: u64,
    pub(super) keep_changes: u32,
    pub(super) lane_capacity: usize,
    pub(super) batch: usize,
    pub(super) subscriber_capacity: usize,
    /// Whether it goes for what is rare: holds that have lapsed unseen in drops that are shut.
    pub(super) lapses: bool,
    /// Whether users are deleted, and come back as others of the same name.
    pub(super) deletes_users: bool,
    /// The longest of the holds, in seconds.
    pub(super) longest_hold: u64,
}

impl Mood {
    pub(super) fn of(dice: &mut Dice, instances: Option<usize>) -> Self {
        let calm = dice.one_in(16);
        let small = |dice: &mut Dice, bound| usize::try_from(dice.below(bound)).unwrap_or(0);
        let drawn = small(dice, 3) + 2;
        Self {
            instances: instances.unwrap_or(drawn),
            calls: small(dice, 10) + 1,
            faults: if calm { 0 } else { dice.pick(&[3, 4, 6, 12]) },
            trouble: if calm { 0 } else { dice.pick(&[20, 60, 120]) },
            time: dice.pick(&[20, 60, 120]),
            slow_reads: dice.pick(&[0, 4, 16, 64]),
            lost_hints: dice.pick(&[0, 0, 3]),
            keep_changes: dice.pick(&[1, 3, 10_000, 10_000]),
            lane_capacity: if dice.one_in(12) { 1 } else { dice.pick(&[4, 16_384]) },
            batch: dice.pick(&[1, 2, 256, 256]),
            // Either too few or more than one step ever publishes: room is made for all of
            // them at each start.
            subscriber_capacity: dice.pick(&[2, 64, 64, 64]),
            lapses: dice.one_in(3),
            deletes_users: !dice.one_in(4),
            longest_hold: dice.pick(&[10, 60, 600, 7200]),
        }
    }
}
