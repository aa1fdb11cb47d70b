//! What the scheduler decides, step by step.

use std::time::Duration;

use crate::model::Status;
use crate::rules::Command;

use super::desk::What;
use super::instance::Instance;
use super::known::Known;
use super::request::Request;
use super::stage::Stage;
use super::states::Trouble;
use super::trace::bits;

impl Stage<'_> {
    /// Steps for each operation, many times what any run takes.
    const PATIENCE: u64 = 100;

    /// Plays until so many calls were made.
    pub(super) async fn play(&mut self) {
        while self.summary.operations < self.play.operations {
            self.summary.steps += 1;
            let patience = Self::PATIENCE * (self.play.operations + 100);
            if self.summary.steps > patience {
                panic!("calls {:?} are never answered", self.calls.keys());
            }
            self.step().await;
            self.settle().await;
        }
    }

    async fn step(&mut self) {
        let roll = self.dice.below(1000);
        if roll < self.mood.trouble {
            return self.make_trouble();
        }
        if roll < self.mood.trouble + self.mood.time {
            return self.let_time_pass();
        }
        let ready = self.ready_instances();
        let waiting = self.eligible();
        let may_begin = !ready.is_empty() && self.calls.len() < self.mood.calls;
        if may_begin && (waiting.is_empty() || self.dice.one_in(2)) {
            let instance = self.dice.pick(&ready);
            let request = self.new_request();
            self.begin(instance, request, false);
        } else if !waiting.is_empty() {
            let mut index = self.dice.pick(&waiting);
            if self.mood.lapses && self.only_settles(index) && !self.dice.one_in(4) {
                index = self.dice.pick(&waiting);
            }
            self.let_go(index).await;
        } else if self.instances.iter().all(Option::is_none) || self.dice.one_in(8) {
            self.restart_one();
        } else {
            self.let_time_pass();
        }
    }

    /// The instances that are there and do not stand still.
    pub(super) fn ready_instances(&self) -> Vec<usize> {
        let instances = self.instances.iter().enumerate();
        let ready = instances.filter(|(_, instance)| {
            instance.as_ref().is_some_and(|running| running.paused_until <= self.summary.steps)
        });
        ready.map(|(index, _)| index).collect()
    }

    /// The waiting calls that may go on.
    fn eligible(&self) -> Vec<usize> {
        let step = self.summary.steps;
        let paused: Vec<_> = self
            .instances
            .iter()
            .flatten()
            .filter(|instance| instance.paused_until > step)
            .map(|instance| instance.incarnation)
            .collect();
        self.desk.waiting(|waiting| {
            waiting.retain(|call| !call.is_over());
            let calls = waiting.iter().enumerate();
            let free = calls
                .filter(|(_, call)| call.held_until <= step && !paused.contains(&call.incarnation));
            free.map(|(index, _)| index).collect()
        })
    }

    /// Whether a waiting call does nothing but settle what has lapsed.
    fn only_settles(&self, index: usize) -> bool {
        self.desk.waiting(|waiting| match &waiting[index].what {
            What::Apply(batch) => batch.commands().iter().all(|one| *one == Command::Expire),
            _ => false,
        })
    }

    /// Time passes: often to a deadline or the edge of a window, or a tick to either side.
    fn let_time_pass(&mut self) {
        let tick = Duration::from_micros(1);
        let span = match self.dice.below(12) {
            0 => tick,
            1 => Duration::from_millis(self.dice.below(2000)),
            2 | 3 => Duration::from_secs(self.dice.below(60)),
            4 => Duration::from_secs(self.dice.below(self.mood.longest_hold)),
            _ => match self.some_edge() {
                Some(to_edge) => match self.dice.below(4) {
                    0 => to_edge.saturating_sub(tick),
                    1 => to_edge + tick,
                    _ => to_edge,
                },
                None => Duration::from_secs(self.dice.below(10)),
            },
        };
        self.pass(span);
    }

    /// How long until some deadline or edge of a window that lies ahead.
    fn some_edge(&mut self) -> Option<Duration> {
        let now = self.now();
        let mut edges = Vec::new();
        let shut = |known: &&Known| {
            !known.rows.terms.window.is_open(now) && known.last_deadline().is_some()
        };
        // Holds that lapse in a drop that is shut are rare.
        let picky = self.mood.lapses && self.dice.one_in(2);
        let picky = picky && self.witness.live().any(|known| shut(&known));
        for known in self.witness.live().filter(|known| !picky || shut(known)) {
            let rows = known.rows.reservations.values().rev();
            let active = rows.filter(|row| row.status() == Status::Active).take(8);
            edges.extend(active.map(crate::model::Reservation::expires_at));
            let window = known.rows.terms.window;
            edges.push(window.starts_at());
            edges.extend(window.ends_at());
        }
        edges.retain(|edge| *edge > now);
        let edge = (!edges.is_empty()).then(|| self.dice.pick(&edges))?;
        Some(edge.since(now))
    }

    fn make_trouble(&mut self) {
        let step = self.summary.steps;
        let instance = usize::try_from(self.dice.below(8)).unwrap_or(0) % self.instances.len();
        match self.dice.below(20) {
            0 => self.crash(instance),
            1 | 2 => self.restart_one(),
            3 | 4 => {
                let until = step + self.some_while();
                let instance = self.busy_instance().unwrap_or(instance);
                self.pause(instance, until);
            }
            5..=7 => {
                let until = step + self.some_while();
                let roll = self.dice.roll();
                self.delay(roll, until);
            }
            8 | 9 => self.caller_goes(),
            10..=13 => self.send_again(),
            14 => {
                let span = Duration::from_secs(60 + self.dice.below(3541));
                self.pass(span);
            }
            15 | 16 => {
                let longest = self.dice.pick(&[2_000_000, 3_600_000_000]);
                let micros = i64::try_from(self.dice.below(longest) + 1).unwrap_or(0);
                let back = self.store_offset == 0 || self.dice.one_in(3);
                // Back by up to two seconds or an hour, and then right again.
                self.set_store_clock(if back { -micros } else { 0 });
            }
            17 => self.kill_workers(instance),
            18 => {
                let offset = i64::try_from(self.dice.below(7200)).unwrap_or(0) - 3600;
                if let Some(running) = &self.instances[instance] {
                    running.clock.set_offset(offset * 1_000_000);
                    let numbers = [running.incarnation, bits(offset)];
                    self.trace.note("wrong", &numbers, || {
                        format!("the clock of instance {instance} is off by {offset} s")
                    });
                }
            }
            _ => self.watchers_come_and_go(instance),
        }
    }

    pub(super) fn restart_one(&mut self) {
        let Some(instance) = self.instances.iter().position(Option::is_none) else { return };
        let with_workers = !self.dice.one_in(8);
        self.start(instance, with_workers);
    }

    fn pause(&mut self, instance: usize, until: u64) {
        let Some(running) = &mut self.instances[instance] else { return };
        running.paused_until = until;
        let incarnation = running.incarnation;
        self.trace.note("pause", &[incarnation, until], || {
            format!("instance {instance}, until step {until}")
        });
        self.desk.waiting(|waiting| {
            for call in waiting.iter_mut().filter(|call| call.incarnation == incarnation) {
                call.troubles |= Trouble::Pause.bit();
            }
        });
    }

    /// So many steps: a few, in which little else happens, or many.
    fn some_while(&mut self) -> u64 {
        if self.dice.one_in(3) { 20 + self.dice.below(100) } else { 2 + self.dice.below(8) }
    }

    /// An instance that has something to do.
    fn busy_instance(&mut self) -> Option<usize> {
        let incarnations: Vec<_> = self.desk.waiting(|waiting| {
            waiting
                .iter()
                .filter(|call| call.is_to_be_done())
                .map(|call| call.incarnation)
                .collect()
        });
        let incarnation = (!incarnations.is_empty()).then(|| self.dice.pick(&incarnations))?;
        let of_incarnation = |instance: &Option<Instance>| {
            instance.as_ref().is_some_and(|running| running.incarnation == incarnation)
        };
        self.instances.iter().position(of_incarnation)
    }

    fn delay(&mut self, roll: u64, until: u64) {
        let number = self.desk.waiting(|waiting| {
            let to_do = waiting.iter_mut().filter(|call| call.is_to_be_done());
            let mut to_do: Vec<_> = to_do.collect();
            let count = u64::try_from(to_do.len()).unwrap_or(0);
            let index = usize::try_from(roll.checked_rem(count)?).ok()?;
            let call = to_do.get_mut(index)?;
            call.held_until = until;
            call.troubles |= Trouble::Delay.bit();
            Some(call.number)
        });
        if let Some(number) = number {
            self.trace.note("delay", &[number, until], || format!("{number} until step {until}"));
        }
    }

    fn caller_goes(&mut self) {
        let picky = self.dice.one_in(2);
        let calls = self.rare_first(self.calls.values().collect(), picky, |call| &call.request);
        let numbers: Vec<_> = calls.into_iter().map(|call| call.number).collect();
        if numbers.is_empty() {
            return;
        }
        let number = self.dice.pick(&numbers);
        self.trace.note("gone", &[number], || format!("the caller of {number}"));
        let call = &self.calls[&number];
        let (incarnation, command) = (call.incarnation, call.command.clone());
        let request = call.request.clone();
        self.cover_caller_gone(incarnation, &request);
        self.desk.waiting(|waiting| {
            for waiting in waiting.iter_mut().filter(|waiting| waiting.incarnation == incarnation) {
                waiting.caller_gone(command.as_ref());
            }
        });
        self.lose(number);
    }

    /// Those that come to what is rarely met, where they are wanted and there are any.
    fn rare_first<'r, T>(
        &self,
        all: Vec<&'r T>,
        picky: bool,
        request: fn(&T) -> &Request,
    ) -> Vec<&'r T> {
        let rare = all.iter().copied().filter(|one| picky && self.is_rare(request(*one)));
        let rare: Vec<_> = rare.collect();
        if rare.is_empty() { all } else { rare }
    }

    fn send_again(&mut self) {
        let ready = self.ready_instances();
        let picky = self.dice.one_in(2);
        let old = self.unresolved.iter().rev().take(8).chain(&self.sent).collect();
        let old = self.rare_first(old, picky, |request| request);
        if ready.is_empty() || old.is_empty() {
            return;
        }
        let count = u64::try_from(old.len()).unwrap_or(1);
        // Often the last one: it is under way still.
        let which = if self.dice.one_in(2) { count - 1 } else { self.dice.below(count) };
        let request: Request = old[usize::try_from(which).unwrap_or(0)].clone();
        let instance = self.dice.pick(&ready);
        self.begin(instance, request, true);
    }

    fn kill_workers(&mut self, instance: usize) {
        let Some(running) = &mut self.instances[instance] else { return };
        let incarnation = running.incarnation;
        if running.kill_workers() {
            self.trace
                .note("dead", &[incarnation], || format!("the workers of instance {instance}"));
            self.desk.waiting(|waiting| {
                for waiting in
                    waiting.iter_mut().filter(|waiting| waiting.incarnation == incarnation)
                {
                    waiting.caller_gone(Some(&Command::Expire));
                }
            });
        }
    }

    fn watchers_come_and_go(&mut self, instance: usize) {
        let Some(running) = &mut self.instances[instance] else { return };
        let incarnation = running.incarnation;
        if running.watchers.len() > 2 {
            running.watchers.remove(0);
        }
        self.trace
            .note("watch", &[incarnation], || format!("somebody comes to instance {instance}"));
        running.watch(self.desk.clone());
    }
}
