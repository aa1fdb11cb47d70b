//! Which user a name is.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::{UserId, Username};

use super::call::{Answer, Ask, Call};
use super::violation::{Invariant, Violation};

/// Names and user ids, as far as the answers tell: one to one, except that a name whose user
/// was deleted is another user when it comes back.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    ids: HashMap<&'a Username, BTreeSet<UserId>>,
    names: HashMap<UserId, &'a Username>,
    deleted: HashSet<&'a Username>,
    /// The moment from which a name is known to be a user.
    since: HashMap<&'a Username, u64>,
}

impl<'a> Names<'a> {
    /// Learns from the answers, and finds those that contradict each other.
    pub(super) fn learn(calls: &'a [Call]) -> (Self, Vec<Violation>) {
        let mut names = Self::default();
        let mut found = Vec::new();
        for call in calls {
            if let Ask::Forget { username, .. } = &call.ask {
                names.deleted.insert(username);
            }
        }
        for (index, call) in calls.iter().enumerate() {
            let (Ask::Reserve { username, .. } | Ask::Purchase { username, .. }) = &call.ask else {
                continue;
            };
            let (Answer::Reserved { user_id, .. } | Answer::Purchased { user_id, .. }) =
                call.answer
            else {
                continue;
            };
            let known = *names.names.entry(user_id).or_insert(username);
            if known != username {
                let why = format!("user {user_id} is {known}, who is somebody else");
                found.push(Violation::of_call(Invariant::I3, index, call, &why));
                continue;
            }
            let ended = call.ended.unwrap_or(u64::MAX);
            let since = names.since.entry(username).or_insert(ended);
            *since = ended.min(*since);
            let ids = names.ids.entry(username).or_default();
            ids.insert(user_id);
            if ids.len() > 1 && !names.deleted.contains(username) {
                let why = "the same name was another user before";
                found.push(Violation::of_call(Invariant::I3, index, call, why));
            }
        }
        (names, found)
    }

    /// Whether this name may stand for this user.
    pub(super) fn may_be(&self, name: &Username, user: UserId) -> bool {
        match self.names.get(&user) {
            Some(known) => *known == name,
            None => !self.ids.contains_key(name) || self.deleted.contains(name),
        }
    }

    /// The name of a user, where an answer told it.
    pub(super) fn of(&self, user: UserId) -> Option<&'a Username> {
        self.names.get(&user).copied()
    }

    /// Everybody that the name has stood for.
    pub(super) fn users(&self, name: &Username) -> impl Iterator<Item = UserId> {
        self.ids.get(name).into_iter().flatten().copied()
    }

    /// Whether the name was a user's before that moment. Users are looked up before the drop is
    /// locked: a call may not know one who is made meanwhile.
    pub(super) fn is_known(&self, name: &Username, moment: u64) -> bool {
        self.since.get(name).is_some_and(|since| *since < moment)
    }

    /// The one user that the name stands for all the time, where that is known.
    pub(super) fn only(&self, name: &Username) -> Option<UserId> {
        let mut users = self.users(name);
        let first = users.next()?;
        (users.next().is_none() && !self.deleted.contains(name)).then_some(first)
    }
}
