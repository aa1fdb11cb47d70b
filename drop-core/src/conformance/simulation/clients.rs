//! What clients do, and whether they are told the truth.

use crate::conformance::history::Answer;
use crate::error::{ServiceError, StoreError};
use crate::rules::Outcome;
use crate::store::Deletion;

use super::calls::{Act, Call, Deed};
use super::request::{Request, Told};
use super::stage::Stage;

impl Stage<'_> {
    /// The requests that are kept to be sent again.
    const SENT: usize = 32;

    /// A client asks an instance, if it is there.
    pub(super) fn begin(&mut self, instance: usize, request: Request, repeats: bool) {
        let Some(running) = &self.instances[instance] else { return };
        let (number, incarnation) = (self.summary.operations, running.incarnation);
        self.summary.operations += 1;
        self.trace.note("ask", &[number, incarnation, u64::from(repeats)], || {
            format!("{number} of incarnation {incarnation}, repeats {repeats}: {request:?}")
        });
        let ticket = request.as_history().map(|ask| self.recorder.begin(ask));
        let ask = request.clone().ask(running.service.clone(), number, self.desk.clone());
        let (task, command) = (tokio::spawn(ask).abort_handle(), request.command());
        if self.sent.len() == Self::SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(request.clone());
        let began = self.deeds.len();
        let call = Call { number, incarnation, request, command, began, ticket, task, repeats };
        self.calls.insert(number, call);
    }

    /// A client was answered; nobody listens any more where the call is not there.
    pub(super) fn answered(&mut self, number: u64, told: Told) {
        let Some(mut call) = self.calls.remove(&number) else { return };
        self.trace
            .note("answer", &[number, told.number()], || format!("{number}: {}", told.words()));
        if let Some(ticket) = call.ticket.take()
            && !matches!(told, Told::Nothing)
        {
            self.recorder.end(ticket, told.as_history(&call.request));
        }
        self.check(&call, &told);
        if told.is_unknown() {
            self.unresolved.push(call.request.clone());
            self.lost.push(call);
        }
        self.last_told = Some((number, told));
    }

    /// # Panics
    /// Where the answer is not the truth.
    fn check(&mut self, call: &Call, told: &Told) {
        if let Told::Drop(_) = told
            && matches!(call.request, Request::Read { .. })
        {
            return; // compared when it was read
        }
        let Told::Failed(error) = told else {
            if matches!(told, Told::Nothing) {
                return self.check_trouble(call, told);
            }
            return self.claim(call, told);
        };
        match error {
            ServiceError::Rejected(_) => self.claim(call, told),
            ServiceError::Busy => {
                let full = self.mood.lane_capacity < 100;
                assert!(full, "call {} is refused by a lane of many places", call.number);
                self.check_not_done(call);
            }
            ServiceError::Closed => panic!("call {} of a service that is open", call.number),
            ServiceError::Store(StoreError::Corrupt(_)) => {
                panic!("call {}: {error:?}", call.number)
            }
            ServiceError::Store(_) => {
                self.check_trouble(call, told);
                if Answer::from(error) == Answer::NotDone {
                    self.check_not_done(call);
                }
            }
        }
    }

    /// I8: what is acknowledged was committed, and what is refused was refused by a decision of
    /// this instance, after the call began; and each is told of once.
    fn claim(&mut self, call: &Call, told: &Told) {
        // Who asked the same here before and waits still: what was done first is theirs. Which of
        // several deletions of one user did which part of it does not show, so each may be told
        // of any part that fits.
        let together = matches!(call.request, Request::DeleteUser { .. });
        let before = self.calls.values().filter(|other| {
            other.incarnation == call.incarnation
                && other.request.drop_id() == call.request.drop_id()
                && other.command == call.command
                && call.command.is_some()
                && other.number < call.number
        });
        let before = if together { 0 } else { before.count() };
        let took_part = call.took_part(self.deeds.get(call.began..).unwrap_or_default());
        let since = self.deeds.iter_mut().skip(call.began);
        let own = since.filter(|deed| deed.incarnation == call.incarnation);
        let own = own.filter(|deed| together || !deed.claimed);
        let fitting =
            own.filter(|deed| call.asked_for(deed) && call.told_of(&deed.act, told, took_part));
        match fitting.take(before + 1).last() {
            Some(deed) => deed.claimed = true,
            None => panic!("I8: call {} is told what never was: {told:?}", call.number),
        }
    }

    /// Nobody hears of a fault where there was none.
    fn check_trouble(&self, call: &Call, told: &Told) {
        if self.mood.lane_capacity < 100 && matches!(call.request, Request::DeleteUser { .. }) {
            return; // half done when it came to a full lane
        }
        let mut since = self.deeds.iter().skip(call.began);
        let made = since
            .any(|deed| deed.incarnation == call.incarnation && matches!(deed.act, Act::Trouble));
        assert!(made, "call {} hears of a fault that nobody made: {told:?}", call.number);
    }

    /// I8: what is said not to be done is not done, unless it was done for somebody else who
    /// asked for the same and has not been answered.
    fn check_not_done(&self, call: &Call) {
        if let Request::DeleteUser { .. } = call.request {
            return; // which of two deletions of a user did which part, nobody can tell
        }
        let done = |deed: &&Deed| {
            let effective = match &deed.act {
                Act::Decided(_, _, outcome, ..) => matches!(outcome, Outcome::Done(_)),
                Act::Deleted(_, _, deletion) | Act::UserDeleted(_, deletion) => {
                    *deletion == Deletion::Deleted
                }
                Act::Created(_) => true,
                Act::Trouble => false,
            };
            deed.incarnation == call.incarnation
                && !deed.claimed
                && effective
                && call.asked_for(deed)
        };
        let done = self.deeds.iter().skip(call.began).filter(done).count();
        if done == 0 {
            return;
        }
        let others = self.calls.values().chain(&self.lost);
        let same = |other: &&Call| {
            other.incarnation == call.incarnation
                && match (&other.command, &call.command) {
                    (None, None) => true,
                    (one, another) => one == another,
                }
        };
        let others = others.filter(same).count();
        assert!(done <= others, "I8: call {} is told it is not done, and it is", call.number);
    }
}
