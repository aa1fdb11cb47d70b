//! Keeping calls as they are made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::{Answer, Ask, Call};

/// Writes down calls and answers, of any number of callers at once.
///
/// [`Recorder::begin`] goes before the request is sent and [`Recorder::end`] after its answer
/// has come, so that a call that ended before another began is known to have happened before
/// it. A call that is never ended may have been done, then or later.
///
/// Clones write into the same history.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    moment: u64,
}

/// A call that has begun.
#[derive(Debug)]
#[must_use = "a call that is not ended counts as unanswered"]
pub struct Ticket(usize);

impl Recorder {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A call is about to be sent.
    pub fn begin(&self, ask: Ask) -> Ticket {
        let mut state = self.lock();
        let began = state.next_moment();
        state.calls.push(Call { ask, began, ended: None, answer: Answer::Unknown });
        Ticket(state.calls.len() - 1)
    }

    /// Its answer has come.
    ///
    /// # Panics
    /// Where the ticket is of another, longer history.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is used once")]
    pub fn end(&self, ticket: Ticket, answer: Answer) {
        let mut state = self.lock();
        let ended = state.next_moment();
        let call = &mut state.calls[ticket.0];
        call.ended = Some(ended);
        call.answer = answer;
    }

    /// The calls so far, in the order of their beginning.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// The present moment: whatever begins or ends from now on does so after it.
    #[must_use]
    pub fn moment(&self) -> u64 {
        self.lock().moment
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }
}
