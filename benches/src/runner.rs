//! [`Runner`]: a contender at one cell of a question.

use std::sync::Arc;
use std::time::Duration;

use crate::drops::STOCK;
use crate::report::{Cell, Round};
use crate::shops::Contender;

/// A contender, how many callers it has, and how many reserves it makes in a round.
#[expect(missing_debug_implementations, reason = "a contender may be anything")]
pub struct Runner {
    /// What it runs for.
    pub cell: Cell,
    contender: Arc<dyn Contender>,
    callers: usize,
    reserves: usize,
}

impl Runner {
    /// How long a round is to take, about.
    const ROUND: Duration = Duration::from_millis(700);
    /// How long it is tried before, to see how many reserves that is.
    const TRIAL: Duration = Duration::from_millis(150);
    /// The most reserves of a round: what they leave behind has to fit in memory.
    const MOST: usize = 1_000_000;

    /// Tries a contender on `drops`, so that its rounds will take as long as everybody's.
    ///
    /// # Panics
    /// Where the contender fails.
    pub async fn ready(
        cell: Cell,
        contender: Arc<dyn Contender>,
        callers: usize,
        drops: &[i64],
    ) -> Self {
        let mut tried = callers.max(16);
        let reserves = loop {
            let took = contender.crowd(callers, drops, tried).await.took;
            if took >= Self::TRIAL {
                break scaled(tried, Self::ROUND, took).clamp(callers, Self::MOST);
            }
            tried *= 2;
        };
        Self { cell, contender, callers, reserves }
    }

    /// [`Runner::ready`] on a new drop.
    ///
    /// # Panics
    /// Where the contender fails.
    pub async fn hot(cell: Cell, contender: Box<dyn Contender>, callers: usize) -> Self {
        let contender: Arc<dyn Contender> = Arc::from(contender);
        let drop_id = contender.open(STOCK).await;
        Self::ready(cell, contender, callers, &[drop_id]).await
    }

    /// A round on a new drop. Every caller gets a unit, and the rows say so.
    ///
    /// # Panics
    /// Where the contender fails, or counts otherwise.
    pub async fn hot_round(&self) -> Round {
        let drop_id = self.contender.open(STOCK).await;
        let round = self.round(&[drop_id]).await;
        let held = self.contender.held(drop_id).await;
        assert_eq!(usize::try_from(held), Ok(self.reserves), "{}", self.contender.series());
        round
    }

    /// A round on these drops, to which callers are dealt in turn. Every caller gets a unit.
    ///
    /// # Panics
    /// Where the contender fails.
    pub async fn round(&self, drops: &[i64]) -> Round {
        let answered = self.contender.crowd(self.callers, drops, self.reserves).await;
        assert!(answered.answers.iter().all(Option::is_some), "there is stock for everybody");
        answered.round()
    }

    /// The contender.
    #[must_use]
    pub fn contender(&self) -> &dyn Contender {
        &*self.contender
    }

    /// How many reserves a round makes.
    #[must_use]
    pub const fn reserves(&self) -> usize {
        self.reserves
    }
}

/// As many as are in `time`, where `count` are in `took`.
fn scaled(count: usize, time: Duration, took: Duration) -> usize {
    let count = u128::try_from(count).unwrap_or(u128::MAX);
    let scaled = count.saturating_mul(time.as_micros()) / took.as_micros().max(1);
    usize::try_from(scaled).unwrap_or(usize::MAX)
}
