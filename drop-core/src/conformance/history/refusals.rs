//! Refusals, held against every state that the call can have met.
//!
//! A command is decided either with others that change nothing, on the drop as it stands at a
//! revision, or in the batch that makes a revision, between the states before and after.
//! Lapsed holds are settled, and so written, before any command: where nothing is written
//! nothing had lapsed.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::{ReservationId, Status, UserId, Username, VariantNo};
use crate::rules::{Amendment, Rejection};

use super::attribution::Attribution;
use super::availability::Availability;
use super::call::{Answer, Ask, Call};
use super::life::Life;
use super::moments::Moments;
use super::names::Names;
use super::story::Story;
use super::violation::{Invariant, Violation};

pub(super) struct Refusals<'s, 'a> {
    calls: &'a [Call],
    story: &'s Story<'a>,
    names: &'s Names<'a>,
    availability: HashMap<VariantNo, Availability>,
    amendments: usize,
    /// Who asked for something and heard nothing.
    silent: HashSet<&'a Username>,
}

/// The revisions that a call can have met as the drop stood; those above the first also while
/// they were made.
#[derive(Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// Whether what came with revision `from` and ended in `until` can have been met.
    fn overlaps(self, from: u64, until: Option<u64>) -> bool {
        from <= self.last && until.is_none_or(|until| until > self.first)
    }

    /// Whether what came with revision `from` and ended in `until` was there all the time.
    fn within(self, from: u64, until: Option<u64>) -> bool {
        from <= self.first && until.is_none_or(|until| until > self.last)
    }

    /// Whether it can have been in the batch that made this revision.
    fn makes(self, revision: u64) -> bool {
        self.first < revision && revision <= self.last
    }
}

/// A reserve, as it was asked.
struct Wish<'a> {
    username: &'a Username,
    variant: Option<VariantNo>,
    named: bool,
    units: u64,
}

/// Which invariant forbids the refusal.
type Verdict = Result<(), Invariant>;

const fn only_if(possible: bool, invariant: Invariant) -> Verdict {
    if possible { Ok(()) } else { Err(invariant) }
}

impl<'s, 'a> Refusals<'s, 'a> {
    pub(super) fn new(calls: &'a [Call], story: &'s Story<'a>, names: &'s Names<'a>) -> Self {
        let silent = calls.iter().filter(|call| call.answer == Answer::Unknown);
        let silent = silent.filter_map(|call| match &call.ask {
            Ask::Reserve { username, .. } | Ask::Purchase { username, .. } => Some(username),
            _ => None,
        });
        let amends = |call: &&Call| matches!(call.ask, Ask::Amend { .. });
        Self {
            calls,
            story,
            names,
            availability: HashMap::new(),
            amendments: calls.iter().filter(amends).count(),
            silent: silent.collect(),
        }
    }

    pub(super) fn check(mut self, moments: &Moments, attribution: &Attribution) -> Vec<Violation> {
        let mut found = Vec::new();
        for (index, call) in self.calls.iter().enumerate() {
            let Answer::Refused(rejection) = &call.answer else { continue };
            let first = moments.floor(call.began).min(self.story.last());
            let last = call.ended.map_or(u64::MAX, |ended| attribution.ceiling(ended));
            let span = Span { first, last: last.clamp(first, self.story.last().max(first)) };
            if let Err(invariant) = self.judge(call, rejection, span) {
                let why = format!("not true from revision {} to {}", span.first, span.last);
                found.push(Violation::of_call(invariant, index, call, &why));
            }
        }
        found
    }

    fn judge(&mut self, call: &'a Call, rejection: &Rejection, span: Span) -> Verdict {
        match &call.ask {
            Ask::Reserve { username, variant, quantity, .. } => {
                let wish = Wish {
                    username,
                    variant: self.story.variant(variant.as_ref()),
                    named: variant.is_some(),
                    units: u64::from(*quantity),
                };
                self.reserve(&wish, rejection, span)
            }
            Ask::Release { reservation, username } => {
                let by = username.as_ref().map(|name| (name, call.began));
                self.of_hold(*reservation, by, rejection, span)
            }
            Ask::Purchase { reservation, username } => match rejection {
                Rejection::ReservationExpired => self.expired(*reservation, span),
                Rejection::AlreadyPurchased => Err(Invariant::I6),
                _ => self.of_hold(*reservation, Some((username, call.began)), rejection, span),
            },
            Ask::Amend { amendment, .. } => self.amend(amendment, rejection, span),
            Ask::Forget { username, .. } => match rejection {
                Rejection::HasSales => Ok(()),
                Rejection::UserNotFound => {
                    let mut users = self.names.users(username);
                    let stays = |life: &Life| span.within(life.taken, life.forgotten);
                    let stays = users.any(|user| self.story.lives_of(user).any(stays));
                    only_if(!stays, Invariant::I8)
                }
                _ => Err(Invariant::I6),
            },
            Ask::Expire { .. } | Ask::Read { .. } => Err(Invariant::I6),
        }
    }

    fn reserve(&mut self, wish: &Wish<'_>, rejection: &Rejection, span: Span) -> Verdict {
        match rejection {
            Rejection::NotActive => only_if(self.may_be_closed(span), Invariant::I7),
            Rejection::NoQuantity => only_if(wish.units == 0, Invariant::I6),
            Rejection::VariantRequired => {
                let several = self.variants_at(span.last) > 1;
                only_if(!wish.named && several, Invariant::I6)
            }
            Rejection::UnknownVariant => {
                let known = |variant: VariantNo| variant.index() < self.variants_at(span.first);
                only_if(wish.named && !wish.variant.is_some_and(known), Invariant::I6)
            }
            Rejection::OutOfStock => {
                let Some(variant) = wish.variant else { return Err(Invariant::I6) };
                let holds = self.holds_throughout(wish.username, span);
                let least = self.availability(variant).least(span.first, span.last);
                let short = least < wish.units;
                only_if(short && !holds, Invariant::I6)
            }
            Rejection::LimitReached => {
                let holds = self.holds_throughout(wish.username, span);
                only_if(!holds && self.may_reach_limit(wish, span), Invariant::I4)
            }
            Rejection::AlreadyHolding => only_if(self.may_hold_other(wish, span), Invariant::I4),
            Rejection::NumbersUsedUp => {
                let next = self.story.change(span.last).map_or(0, |change| change.next_number);
                only_if(next > ReservationId::MAX_NUMBER, Invariant::I6)
            }
            _ => Err(Invariant::I6),
        }
    }

    /// What was available of a variant, counted once.
    fn availability(&mut self, variant: VariantNo) -> &Availability {
        let (story, amendments) = (self.story, self.amendments);
        let counted = self.availability.entry(variant);
        counted.or_insert_with(|| Availability::of(story, variant, amendments))
    }

    /// Revisions that set terms, which can have been met; and the first.
    fn terms_met(&self, span: Span) -> impl Iterator<Item = u64> {
        let set = self.story.terms_set().filter(move |at| span.makes(*at));
        std::iter::once(span.first).chain(set)
    }

    /// Whether two amendments in one change can have shown what the feed does not.
    fn hides_terms(&self, span: Span) -> bool {
        self.amendments > 1 && self.story.terms_set().any(|at| span.makes(at))
    }

    /// A decision that writes nothing may come any time after the change that it stands on.
    fn may_be_closed(&self, span: Span) -> bool {
        self.hides_terms(span)
            || self.terms_met(span).any(|at| {
                let window = self.story.terms_at(at).window;
                let as_of = self.story.change(at).map(|change| change.as_of);
                window.ends_at().is_some() || as_of.is_some_and(|at| !window.has_opened(at))
            })
    }

    /// Whether a user, where it is known who, holds one thing all the time.
    fn holds_throughout(&self, username: &Username, span: Span) -> bool {
        let holds = |life: &Life| span.within(life.taken, life.left_active());
        let user = self.names.only(username);
        user.is_some_and(|user| self.story.lives_of(user).any(holds))
    }

    /// Nobody knows what a user has whose calls were not answered, or who was deleted.
    fn is_open(&self, username: &Username) -> bool {
        self.names.only(username).is_none()
            && (self.silent.contains(username) || self.names.users(username).next().is_some())
    }

    fn may_hold_other(&self, wish: &Wish<'_>, span: Span) -> bool {
        let other = |life: &Life| {
            let same = Some(life.claim.variant) == wish.variant && life.units() == wish.units;
            !same && span.overlaps(life.taken, life.left_active())
        };
        let user = self.names.only(wish.username);
        self.is_open(wish.username) || user.is_some_and(|user| self.story.lives_of(user).any(other))
    }

    fn may_reach_limit(&self, wish: &Wish<'_>, span: Span) -> bool {
        if self.is_open(wish.username) || self.hides_terms(span) {
            return true;
        }
        let user = self.names.only(wish.username);
        let bought = |at: u64| user.map_or(0, |user| self.bought(user, at));
        let sales = user.into_iter().flat_map(|user| self.story.lives_of(user));
        let sales = sales.filter_map(Life::completed).filter(|at| span.makes(*at));
        let moments: BTreeSet<u64> = self.terms_met(span).chain(sales).collect();
        moments.into_iter().any(|at| {
            // While the revision is made, what was before counts too.
            [at.saturating_sub(1).max(span.first), at].into_iter().any(|terms_at| {
                let limit = self.story.terms_at(terms_at).limit;
                limit.is_some_and(|limit| bought(at) + wish.units > u64::from(limit.get()))
            })
        })
    }

    fn bought(&self, user: UserId, at: u64) -> u64 {
        let by_then = |life: &&Life| {
            life.completed().is_some_and(|sold| sold <= at)
                && life.forgotten.is_none_or(|gone| gone > at)
        };
        self.story.lives_of(user).filter(by_then).map(Life::units).sum()
    }

    fn variants_at(&self, revision: u64) -> usize {
        self.story.change(revision).map_or(0, |change| change.variants.len())
    }

    /// A purchase that came too late: the hold was over, which is written down before.
    fn expired(&self, id: ReservationId, span: Span) -> Verdict {
        let Some(life) = self.story.life(id) else {
            return only_if(self.story.hidden(id).is_some(), Invariant::I7);
        };
        let over = match life.ended {
            Some((at, Status::Expired | Status::Released)) => {
                at <= span.last && span.overlaps(life.taken, life.forgotten)
            }
            _ => unseen(life, span),
        };
        only_if(over, Invariant::I7)
    }

    /// Refusals that name a hold; `by` is who asked, and when.
    fn of_hold(
        &self,
        id: ReservationId,
        by: Option<(&Username, u64)>,
        rejection: &Rejection,
        span: Span,
    ) -> Verdict {
        let life = self.story.life(id);
        if life.is_none() && self.story.hidden(id).is_some() {
            return Ok(());
        }
        let met_it = |life: &Life| span.overlaps(life.taken, life.forgotten);
        match rejection {
            Rejection::ReservationNotFound => {
                let away = |life: &Life| !span.within(life.taken, life.forgotten);
                only_if(life.is_none_or(away), Invariant::I8)
            }
            Rejection::NotYours => {
                let others = by.zip(life).is_some_and(|((name, began), life)| {
                    let theirs = self.names.only(name) == Some(life.user());
                    met_it(life) && !(theirs && self.names.is_known(name, began))
                });
                only_if(others, Invariant::I3)
            }
            Rejection::AlreadyPurchased => {
                let bought = |life: &Life| match life.completed() {
                    Some(at) => at <= span.last && met_it(life),
                    None => unseen(life, span),
                };
                only_if(life.is_some_and(bought), Invariant::I5)
            }
            _ => Err(Invariant::I6),
        }
    }

    fn amend(&mut self, amendment: &Amendment, rejection: &Rejection, span: Span) -> Verdict {
        match rejection {
            Rejection::Stale => {
                let still = span.first == span.last
                    && amendment.if_revision.is_none_or(|wanted| wanted.get() == span.first);
                only_if(!still, Invariant::I6)
            }
            Rejection::InvalidTerms(_) => Ok(()),
            Rejection::StockBelowCommitted => {
                let mut wanted: Vec<_> = amendment
                    .variants
                    .iter()
                    .filter_map(|(name, total)| Some((self.story.variant(Some(name))?, *total)))
                    .collect();
                wanted.extend(amendment.total.map(|total| (VariantNo::default(), total)));
                let below = wanted.into_iter().any(|(variant, total)| {
                    let availability = self.availability(variant);
                    (span.first..=span.last)
                        .any(|at| availability.committed(at) > u64::from(total.get()))
                });
                only_if(below, Invariant::I6)
            }
            _ => Err(Invariant::I6),
        }
    }
}

/// Whether it may have ended in the change that forgot it: the feed does not tell how.
fn unseen(life: &Life, span: Span) -> bool {
    life.ended.is_none() && life.forgotten.is_some_and(|at| span.makes(at))
}
