//! Which calls can have made what the feed has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{ReservationId, Revision, Status, Username, VariantNo};

use super::call::{Answer, Ask, Call};
use super::life::Life;
use super::moments::Moments;
use super::names::Names;
use super::story::Story;
use super::violation::{Invariant, Violation};

/// For each revision the moment before which it cannot have been committed, because nobody had
/// asked for what is in it. Expiry asks by itself.
#[derive(Debug)]
pub(super) struct Attribution {
    earliest: Vec<u64>,
}

impl Attribution {
    /// Finds a call for each fact of the feed, and the facts that have none: what was answered
    /// as not done, refused, or begun after the fact was seen has made nothing.
    pub(super) fn find(
        calls: &[Call],
        story: &Story<'_>,
        names: &Names<'_>,
        moments: &Moments,
    ) -> (Self, Vec<Violation>) {
        let mut search = Search {
            calls,
            story,
            names,
            moments,
            earliest: story.changes().map(|_| 0).collect(),
            found: Vec::new(),
        };
        search.holds();
        search.ends();
        search.forgotten();
        search.amendments();
        let Search { mut earliest, found, .. } = search;
        let mut latest = 0;
        for moment in &mut earliest {
            latest = latest.max(*moment);
            *moment = latest;
        }
        (Self { earliest }, found)
    }

    /// The highest revision that can have been committed before `moment`.
    pub(super) fn ceiling(&self, moment: u64) -> u64 {
        let count = self.earliest.partition_point(|earliest| *earliest < moment);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

struct Search<'s, 'a> {
    calls: &'a [Call],
    story: &'s Story<'a>,
    names: &'s Names<'a>,
    moments: &'s Moments,
    earliest: Vec<u64>,
    found: Vec<Violation>,
}

/// What an unanswered reserve may have taken.
type Wish<'a> = (Option<&'a Username>, VariantNo, u64);

impl<'a> Search<'_, 'a> {
    /// Each hold was taken by the one call that was told so, or by one that heard nothing.
    fn holds(&mut self) {
        let mut takers: HashMap<ReservationId, usize> = HashMap::new();
        for (index, call) in self.calls.iter().enumerate() {
            let Answer::Reserved { reservation, extended: false, .. } = call.answer else {
                continue;
            };
            if takers.insert(reservation, index).is_some() {
                self.convict_call(Invariant::I4, index, "two calls were told that they took it");
            }
        }
        let mut unclaimed: BTreeMap<Wish<'a>, Vec<&Life>> = BTreeMap::new();
        let story = self.story;
        for life in story.lives() {
            if let Some(taker) = takers.get(&life.claim.id) {
                self.made_by(*taker, life.taken, "it was taken");
            } else {
                let name = self.names.of(life.user());
                let wish = (name, life.claim.variant, life.units());
                unclaimed.entry(wish).or_default().push(life);
            }
        }
        let mut silent = self.silent_reserves();
        for (wish, lives) in unclaimed {
            let mut floors = silent.remove(&wish).unwrap_or_default();
            floors.sort_unstable();
            let earliest = floors.iter().map(|(_, began)| *began).min().unwrap_or(0);
            let mut floors = floors.into_iter().map(|(floor, _)| floor).peekable();
            // By rising number, which is the order of revisions: each takes the call that
            // knew least, and what is left knew more.
            for life in lives {
                if floors.next_if(|floor| *floor < life.taken).is_some() {
                    self.note(life.taken, earliest);
                } else {
                    let finding = format!(
                        "nobody can have taken {}: user {}, {} units",
                        life.claim.id,
                        life.user(),
                        life.units()
                    );
                    self.convict(Invariant::I8, life.taken, finding);
                }
            }
        }
    }

    /// Reserves that heard nothing, with what was known when they began; a name whose user may
    /// be one that no answer names stands for that one too.
    fn silent_reserves(&self) -> HashMap<Wish<'a>, Vec<(u64, u64)>> {
        let mut silent: HashMap<Wish<'a>, Vec<(u64, u64)>> = HashMap::new();
        for call in self.calls.iter().filter(|call| call.answer == Answer::Unknown) {
            let Ask::Reserve { username, variant, quantity, .. } = &call.ask else { continue };
            let Some(variant) = self.story.variant(variant.as_ref()) else { continue };
            let entry = (self.moments.floor(call.began), call.began);
            let units = u64::from(*quantity);
            silent.entry((Some(username), variant, units)).or_default().push(entry);
            if self.names.only(username).is_none() {
                silent.entry((None, variant, units)).or_default().push(entry);
            }
        }
        silent
    }

    /// Each sale and each release was asked for, the sale by one call.
    fn ends(&mut self) {
        let mut asks: HashMap<ReservationId, Vec<usize>> = HashMap::new();
        for (index, call) in self.calls.iter().enumerate() {
            if let Ask::Purchase { reservation, .. } | Ask::Release { reservation, .. } = call.ask {
                asks.entry(reservation).or_default().push(index);
            }
        }
        let story = self.story;
        for life in story.lives() {
            let asks = asks.get(&life.claim.id).map_or(&[][..], Vec::as_slice);
            match life.ended {
                Some((at, Status::Completed)) => self.sold(life, at, asks),
                Some((at, Status::Released)) => self.released(life, at, asks),
                _ => {}
            }
        }
    }

    fn sold(&mut self, life: &Life, at: u64, asks: &[usize]) {
        let first = |index: &&usize| {
            matches!(self.calls[**index].answer, Answer::Purchased { repeated: false, .. })
        };
        let sellers: Vec<_> = asks.iter().filter(first).copied().collect();
        for again in sellers.iter().skip(1) {
            self.convict_call(Invariant::I3, *again, "another call was told that it bought it");
        }
        if let Some(seller) = sellers.first() {
            return self.made_by(*seller, at, "it was bought");
        }
        let silent = |call: &Call| match &call.ask {
            Ask::Purchase { username, .. } => {
                call.answer == Answer::Unknown && self.names.may_be(username, life.user())
            }
            _ => false,
        };
        self.by_one_of(life, at, asks.iter().filter(|index| silent(&self.calls[**index])));
    }

    /// A release that was told with this revision did it or came right after it.
    fn released(&mut self, life: &Life, at: u64, asks: &[usize]) {
        let told = |call: &Call| match (&call.ask, &call.answer) {
            (Ask::Release { .. }, Answer::Released { revision, .. }) => revision.get() == at,
            (Ask::Release { username, .. }, Answer::Unknown) => {
                username.as_ref().is_none_or(|name| self.names.may_be(name, life.user()))
            }
            _ => false,
        };
        self.by_one_of(life, at, asks.iter().filter(|index| told(&self.calls[**index])));
    }

    /// The end of a hold that may be the work of any of these calls.
    fn by_one_of<'i>(&mut self, life: &Life, at: u64, asks: impl Iterator<Item = &'i usize>) {
        let in_time = asks.filter(|index| self.floor(**index) < at);
        match in_time.map(|index| self.calls[*index].began).min() {
            Some(began) => self.note(at, began),
            None => {
                let word = life.status().as_str();
                let finding = format!("nobody can have {word} {}", life.claim.id);
                self.convict(Invariant::I8, at, finding);
            }
        }
    }

    /// Each user who was forgotten was to be forgotten.
    fn forgotten(&mut self) {
        let forgets = self.calls.iter().enumerate();
        let forgets = forgets.filter(|(_, call)| matches!(call.ask, Ask::Forget { .. }));
        let forgets: Vec<_> = forgets.collect();
        for change in self.story.changes() {
            let at = change.revision.get();
            for user in &change.forgotten {
                let may = forgets.iter().filter(|(index, call)| match &call.ask {
                    Ask::Forget { username, .. } => {
                        self.names.may_be(username, *user) && self.may_have(*index, at)
                    }
                    _ => false,
                });
                match may.map(|(_, call)| call.began).min() {
                    Some(began) => self.note(at, began),
                    None => {
                        let finding = format!("nobody asked to forget user {user}");
                        self.convict(Invariant::I8, at, finding);
                    }
                }
            }
        }
    }

    /// Each amendment was asked for, by a call of its own.
    fn amendments(&mut self) {
        let mut coming: Vec<_> = (0..self.calls.len())
            .filter(|index| matches!(self.calls[*index].ask, Ask::Amend { .. }))
            .filter(|index| {
                matches!(self.calls[*index].answer, Answer::Done { .. } | Answer::Unknown)
            })
            .map(|index| (self.floor(index), index))
            .collect();
        coming.sort_unstable();
        let mut coming = coming.into_iter().peekable();
        // Those that may have been done by now, by the revision until which they must.
        let mut open: BTreeSet<(u64, usize)> = BTreeSet::new();
        for change in self.story.changes().skip(1).filter(|change| change.terms.is_some()) {
            let at = change.revision.get();
            while let Some((_, index)) = coming.next_if(|(floor, _)| *floor < at) {
                let until = self.calls[index].answer.revision();
                open.insert((until.map_or(u64::MAX, Revision::get), index));
            }
            open.retain(|(until, _)| *until >= at);
            match open.pop_first() {
                Some((_, index)) => {
                    let others = open.iter().map(|(_, index)| self.calls[*index].began);
                    let began = others.min().unwrap_or(u64::MAX);
                    self.note(at, began.min(self.calls[index].began));
                }
                None => self.convict(Invariant::I8, at, "nobody asked to amend the terms".into()),
            }
        }
    }

    /// Whether a call that is answered without saying what it made can have made a revision.
    fn may_have(&self, index: usize, at: u64) -> bool {
        let in_time = match &self.calls[index].answer {
            Answer::Done { revision } => revision.get() >= at,
            Answer::Unknown => true,
            _ => false,
        };
        in_time && self.floor(index) < at
    }

    fn floor(&self, index: usize) -> u64 {
        self.moments.floor(self.calls[index].began)
    }

    /// A fact has one call that made it; it began before anybody saw the fact.
    fn made_by(&mut self, index: usize, at: u64, what: &str) {
        if self.floor(index) >= at {
            let why = format!("{what} in revision {at}, which was seen before the call began");
            self.convict_call(Invariant::I6, index, &why);
        } else {
            self.note(at, self.calls[index].began);
        }
    }

    fn note(&mut self, at: u64, began: u64) {
        let index = at.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        if let Some(earliest) = index.and_then(|index| self.earliest.get_mut(index)) {
            *earliest = (*earliest).max(began);
        }
    }

    fn convict(&mut self, invariant: Invariant, at: u64, finding: String) {
        self.found.push(Violation::at_revision(invariant, at, finding));
    }

    fn convict_call(&mut self, invariant: Invariant, index: usize, why: &str) {
        self.found.push(Violation::of_call(invariant, index, &self.calls[index], why));
    }
}
