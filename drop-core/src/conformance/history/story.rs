//! What the drop was at each revision.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::{
    DropId, DropTerms, Reservation, ReservationId, Revision, UserId, VariantName, VariantNo,
};
use crate::rules::Change;

use super::life::Life;
use super::violation::{Invariant, Violation};

/// What a whole feed tells of a drop.
#[derive(Debug)]
pub(super) struct Story<'a> {
    feed: &'a [Arc<Change>],
    lives: BTreeMap<u32, Life>,
    by_user: HashMap<UserId, Vec<u32>>,
    /// The terms, and the revision that set each.
    terms: Vec<(u64, &'a Arc<DropTerms>)>,
}

impl<'a> Story<'a> {
    /// Begins with the creation.
    ///
    /// # Errors
    /// What keeps the feed from being one: revisions that do not follow each other from 1.
    pub(super) fn begin(feed: &'a [Arc<Change>]) -> Result<Self, Violation> {
        let lost = |at, finding: &str| Violation::at_revision(Invariant::I6, at, finding);
        let mut expected = 0;
        for change in feed {
            expected += 1;
            if change.revision.get() != expected {
                let finding = format!("the feed has {} in its place", change.revision);
                return Err(lost(expected, &finding));
            }
        }
        let Some(first) = feed.first() else {
            return Err(lost(1, "there is no feed"));
        };
        let Some(terms) = &first.terms else {
            return Err(lost(1, "the drop is created without terms"));
        };
        let terms = vec![(1, terms)];
        Ok(Self { feed, lives: BTreeMap::new(), by_user: HashMap::new(), terms })
    }

    /// Takes over what a change says of the terms.
    pub(super) fn amend(&mut self, change: &'a Change) {
        if let Some(terms) = &change.terms {
            self.terms.push((change.revision.get(), terms));
        }
    }

    /// The revision of the last change.
    pub(super) fn last(&self) -> u64 {
        self.feed.last().map_or(0, |change| change.revision.get())
    }

    pub(super) fn drop_id(&self) -> Option<DropId> {
        self.feed.first().map(|change| change.drop_id)
    }

    /// The change that made a revision.
    pub(super) fn change(&self, revision: u64) -> Option<&'a Change> {
        let index = usize::try_from(revision.checked_sub(1)?).ok()?;
        self.feed.get(index).map(Arc::as_ref)
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = &'a Change> + use<'a> {
        self.feed.iter().map(Arc::as_ref)
    }

    /// The terms after that revision.
    pub(super) fn terms_at(&self, revision: u64) -> &'a Arc<DropTerms> {
        let after = self.terms.partition_point(|(at, _)| *at <= revision);
        self.terms[after.max(1) - 1].1
    }

    /// The revisions after the first that set terms.
    pub(super) fn terms_set(&self) -> impl Iterator<Item = u64> {
        self.terms.iter().map(|(at, _)| *at).filter(|at| *at > 1)
    }

    pub(super) fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values()
    }

    pub(super) fn life(&self, id: ReservationId) -> Option<&Life> {
        self.lives.get(&id.number()).filter(|life| life.claim.id == id)
    }

    pub(super) fn life_mut(&mut self, id: ReservationId) -> Option<&mut Life> {
        self.lives.get_mut(&id.number())
    }

    /// Every reservation that a user ever had.
    pub(super) fn lives_of(&self, user: UserId) -> impl Iterator<Item = &Life> {
        let numbers = self.by_user.get(&user).into_iter().flatten();
        numbers.filter_map(|number| self.lives.get(number))
    }

    pub(super) fn insert(&mut self, row: &Reservation, at: u64) {
        self.by_user.entry(row.claim().user_id).or_default().push(row.id().number());
        self.lives.insert(row.id().number(), Life::begin(row, at));
    }

    /// Numbers of a user's rows that are there.
    pub(super) fn present(&self, user: UserId) -> Vec<ReservationId> {
        self.lives_of(user).filter(|life| life.is_there()).map(|life| life.claim.id).collect()
    }

    /// The change that used up a number which no row has: it was taken and its user forgotten
    /// in one change.
    pub(super) fn hidden(&self, id: ReservationId) -> Option<Revision> {
        if self.lives.contains_key(&id.number()) || Some(id.drop_id()) != self.drop_id() {
            return None;
        }
        let index = self.feed.partition_point(|change| change.next_number <= id.number());
        self.feed.get(index).map(|change| change.revision)
    }

    /// The variant of that name, if the drop ever had it; without a name its only one.
    pub(super) fn variant(&self, name: Option<&VariantName>) -> Option<VariantNo> {
        let Some(name) = name else { return Some(VariantNo::default()) };
        let variants = &self.feed.last()?.variants;
        let index = variants.iter().position(|variant| variant.name.as_ref() == Some(name))?;
        u16::try_from(index).ok().map(VariantNo::new)
    }
}
