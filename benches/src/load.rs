//! [`load`]: callers who each wait for an answer before they ask again.

use std::time::{Duration, Instant};

use crate::report::Round;

/// What callers were answered, and how long it took.
#[derive(Clone, Debug)]
pub struct Answered<A> {
    /// From before the first was asked until after the last was answered.
    pub took: Duration,
    /// Every answer.
    pub answers: Vec<A>,
    /// What each answer was waited for.
    pub waits: Vec<Duration>,
}

impl<A> Answered<A> {
    /// As a round of a question: answers a second, and the waits.
    #[must_use]
    pub fn round(&self) -> Round {
        let count = u64::try_from(self.answers.len()).unwrap_or(u64::MAX);
        Round::rate(count, self.took).waited(self.waits.iter().copied())
    }
}

/// Deals `asks` out to `callers` tasks, each of which asks one after the other.
///
/// Everything that an ask consists of is there before the time begins.
///
/// # Panics
/// Where `ask` does.
pub async fn load<T, A, F>(
    callers: usize,
    asks: Vec<T>,
    ask: impl Fn(T) -> F + Clone + Send + 'static,
) -> Answered<A>
where
    T: Send + 'static,
    A: Send + 'static,
    F: Future<Output = A> + Send,
{
    let share = asks.len().div_ceil(callers.max(1));
    let mut dealt: Vec<Vec<T>> = (0..callers).map(|_| Vec::with_capacity(share)).collect();
    for (ask, caller) in asks.into_iter().zip((0..callers).cycle()) {
        if let Some(hand) = dealt.get_mut(caller) {
            hand.push(ask);
        }
    }
    let began = Instant::now();
    let crowd: Vec<_> = dealt
        .into_iter()
        .map(|asks| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut answered = Vec::with_capacity(asks.len());
                for next in asks {
                    let asked = Instant::now();
                    let answer = ask(next).await;
                    answered.push((answer, asked.elapsed()));
                }
                answered
            })
        })
        .collect();
    let mut heard = Vec::with_capacity(callers);
    for caller in crowd {
        heard.push(caller.await.expect("a caller"));
    }
    let took = began.elapsed();
    let (answers, waits) = heard.into_iter().flatten().unzip();
    Answered { took, answers, waits }
}
