//! What becomes of a call that is let go.

use std::sync::Arc;

use crate::error::{Cause, StoreError};
use crate::model::DropId;
use crate::rules::Command;

use super::coverage::Cell;
use super::desk::{Verdict, Waiting, What};
use super::request::Request;
use super::stage::Stage;
use super::states::{CommandKind, DropState, HoldState, Incarnation, Trouble};

impl Stage<'_> {
    /// Lets the call at `index` go, and something may go wrong with it.
    pub(super) async fn let_go(&mut self, index: usize) {
        let mut call = self.desk.waiting(|waiting| waiting.remove(index));
        let incarnation = call.incarnation;
        let rare = match &call.what {
            What::Apply(batch) => {
                let mut commands = batch.commands().iter();
                commands.any(|command| self.is_rare_command(batch.drop_id(), command))
            }
            _ => false,
        };
        if rare && !call.done && self.mood.faults > 0 && self.dice.one_in(16) {
            // So little that what has lapsed stays lapsed.
            let back = i64::try_from(self.dice.below(1000) + 1).unwrap_or(1);
            self.set_store_clock(self.store_offset - back);
            call.troubles |= Trouble::ClockBack.bit();
        }
        let odds = if rare { self.mood.faults.min(2) } else { self.mood.faults };
        let faulty = odds > 0 && self.dice.one_in(odds);
        if call.done || !faulty {
            // Now and then it stands still once more, when it is done.
            let stops = !call.done && self.mood.slow_reads > 0 && self.dice.one_in(8);
            let verdict = if stops { Verdict::GoAndWait } else { Verdict::Go };
            let kind = if call.done { "told" } else { "goes" };
            self.trace.note(kind, &[call.number, incarnation], || {
                format!("{} {:?}", call.number, call.what)
            });
            if !call.done {
                self.cover(&call, Trouble::Clean);
            }
            return call.let_go(verdict);
        }
        let trouble = match call.what {
            What::Read => Trouble::Unavailable,
            _ => self.dice.pick(&Trouble::AT_THE_STORE),
        };
        self.trace.note("fault", &[call.number, incarnation, u64::from(trouble.bit())], || {
            format!("{} {:?}: {}", call.number, call.what, trouble.words())
        });
        self.cover(&call, trouble);
        self.trouble(incarnation);
        let number = call.number;
        match trouble {
            Trouble::Unavailable => call.let_go(Verdict::Fail(unavailable())),
            Trouble::Contended => call.let_go(Verdict::Fail(StoreError::Contended(cause()))),
            Trouble::UnknownNotDone => call.let_go(Verdict::Fail(StoreError::Unknown(cause()))),
            Trouble::PanicBefore => call.let_go(Verdict::Panic),
            Trouble::CrashBefore => {
                std::mem::drop(call);
                self.crash_incarnation(incarnation);
            }
            _ => {
                call.let_go(Verdict::GoAndWait);
                self.settle().await;
                let done = self.desk.waiting(|waiting| {
                    let done = |call: &Waiting| {
                        let writes = !matches!(call.what, What::Read);
                        call.done
                            && writes
                            && call.incarnation == incarnation
                            && call.number > number
                    };
                    let at = waiting.iter().rposition(done)?;
                    Some(waiting.remove(at))
                });
                match (trouble, done) {
                    (Trouble::AnswerLost, Some(done)) => {
                        done.let_go(Verdict::Fail(StoreError::Unknown(cause())));
                    }
                    (Trouble::PanicAfter, Some(done)) => done.let_go(Verdict::Panic),
                    (Trouble::CrashAfter, _) => self.crash_incarnation(incarnation),
                    _ => {}
                }
            }
        }
    }

    fn crash_incarnation(&mut self, incarnation: Incarnation) {
        let mut instances = self.instances.iter();
        let of_incarnation = instances.position(|instance| {
            instance.as_ref().is_some_and(|running| running.incarnation == incarnation)
        });
        if let Some(instance) = of_incarnation {
            self.crash(instance);
        }
    }

    /// Counts the commands of a call by their states and what they have been through.
    fn cover(&mut self, call: &Waiting, trouble: Trouble) {
        let workers = self.instances.iter().flatten();
        let mut workers = workers.filter(|instance| instance.incarnation == call.incarnation);
        let dead = workers.any(|instance| instance.workers.is_none());
        let troubles = call.troubles | if dead { Trouble::SweeperDead.bit() } else { 0 };
        match &call.what {
            What::Apply(batch) => {
                for (index, command) in batch.commands().iter().enumerate() {
                    let gone = index < 64 && call.gone & (1 << index) != 0;
                    let repeats = self.calls.values().any(|other| {
                        other.repeats
                            && other.incarnation == call.incarnation
                            && other.command.as_ref() == Some(command)
                    });
                    let own = if gone { Trouble::CallerGone.bit() } else { 0 }
                        | if repeats { Trouble::Duplicate.bit() } else { 0 };
                    let (kind, hold, drop) = self.states(batch.drop_id(), command);
                    self.hit(kind, hold, drop, troubles | own, trouble);
                }
            }
            What::Read => {}
            what => {
                let mut of_request = self.calls.values().filter(|call| what.serves(&call.request));
                let repeats = of_request.any(|call| call.repeats);
                let own = if repeats { Trouble::Duplicate.bit() } else { 0 };
                if let Some((kind, drop)) = self.state_of(what) {
                    self.hit(kind, HoldState::Nothing, drop, troubles | own, trouble);
                }
            }
        }
    }

    /// Whoever sent this request has gone, and with the caller the call of the store itself,
    /// where it is one.
    pub(super) fn cover_caller_gone(&mut self, incarnation: Incarnation, request: &Request) {
        let waiting = self.desk.waiting(|waiting| {
            let of_request = |call: &&Waiting| {
                !call.done && call.incarnation == incarnation && call.what.serves(request)
            };
            waiting.iter().find(of_request).map(|call| call.what.clone())
        });
        if let Some((kind, drop)) = waiting.and_then(|what| self.state_of(&what)) {
            let (hold, trouble) = (HoldState::Nothing, Trouble::CallerGone);
            self.summary.coverage.hit(Cell { kind, hold, drop, trouble });
        }
    }

    /// What a call is that is no batch, and where its drop stands.
    fn state_of(&self, what: &What) -> Option<(CommandKind, DropState)> {
        match what {
            What::Create(_) => Some((CommandKind::Create, DropState::Unknown)),
            What::Delete(id) => Some((CommandKind::Delete, self.drop_state(*id))),
            What::DeleteUser(_) => Some((CommandKind::DeleteUser, DropState::Unknown)),
            What::Apply(_) | What::Read => None,
        }
    }

    fn hit(
        &mut self,
        kind: CommandKind,
        hold: HoldState,
        drop: DropState,
        troubles: u32,
        trouble: Trouble,
    ) {
        if trouble != Trouble::Clean || troubles == 0 {
            self.summary.coverage.hit(Cell { kind, hold, drop, trouble });
        }
        for trouble in Trouble::ALL.iter().filter(|trouble| troubles & trouble.bit() != 0) {
            self.summary.coverage.hit(Cell { kind, hold, drop, trouble: *trouble });
        }
    }

    /// Whether a request comes, as things stand, to what is rarely met.
    pub(super) fn is_rare(&self, request: &Request) -> bool {
        let Some(command) = request.command() else { return false };
        match request.drop_id() {
            Some(id) => self.is_rare_command(id, &command),
            None => self.witness.drops.keys().any(|id| self.is_rare_command(*id, &command)),
        }
    }

    /// What has lapsed is settled by whatever comes next; holds in a drop that is shut, and
    /// users who are removed twice, are few.
    fn is_rare_command(&self, id: DropId, command: &Command) -> bool {
        let (kind, hold, drop) = self.states(id, command);
        let shut = matches!(drop, DropState::Upcoming | DropState::Ended);
        match hold {
            HoldState::Lapsed => true,
            HoldState::Active => shut,
            HoldState::Forgotten => kind == CommandKind::Forget,
            _ => kind == CommandKind::Forget && shut,
        }
    }

    fn drop_state(&self, id: DropId) -> DropState {
        let known = self.witness.drops.get(&id);
        known.map_or(DropState::Unknown, |known| known.state(self.now()))
    }

    /// What a command is, and where its drop and its hold stand.
    fn states(&self, id: DropId, command: &Command) -> (CommandKind, HoldState, DropState) {
        let now = self.now();
        let drop = self.drop_state(id);
        let known = self.witness.drops.get(&id).filter(|known| !known.deleted);
        let newest = |customer| {
            known.map_or(HoldState::Nothing, |known| {
                known.newest_hold(customer, self.witness.user(customer), now)
            })
        };
        let named = |id| known.map_or(HoldState::Nothing, |known| known.hold(id, now));
        let owner = |id| {
            let row = known?.rows.reservations.get(&id)?;
            self.witness.name(row.claim().user_id)
        };
        let (kind, hold) = match command {
            Command::Reserve { customer, .. } => (CommandKind::Reserve, newest(customer)),
            Command::Forget { customer } => (CommandKind::Forget, newest(customer)),
            Command::Purchase { reservation, customer } => {
                let own = owner(*reservation).is_none_or(|owner| owner == customer);
                (
                    if own { CommandKind::Purchase } else { CommandKind::PurchaseOther },
                    named(*reservation),
                )
            }
            Command::Release { reservation, customer: None } => {
                (CommandKind::ReleaseAny, named(*reservation))
            }
            Command::Release { reservation, customer: Some(customer) } => {
                let own = owner(*reservation).is_none_or(|owner| owner == customer);
                (
                    if own { CommandKind::Release } else { CommandKind::ReleaseOther },
                    named(*reservation),
                )
            }
            Command::Expire => (CommandKind::Expire, HoldState::Nothing),
            Command::Amend(_) => (CommandKind::Amend, HoldState::Nothing),
        };
        (kind, hold, drop)
    }
}

fn cause() -> Cause {
    Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}

fn unavailable() -> StoreError {
    StoreError::Unavailable(cause())
}
