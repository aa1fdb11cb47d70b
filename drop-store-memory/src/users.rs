//! Who has ever reserved.

use std::hash::{BuildHasher, RandomState};

use drop_core::model::{User, UserId, Username};
use drop_core::rules::Slots;
use hashbrown::HashTable;

/// Users by name and by id. Ids are given once and never again.
///
/// A name is kept once. The table of names has hashes and ids only, so that it grows without
/// looking at a million names again; it is seeded, since names are chosen by strangers.
#[derive(Debug, Default)]
pub(crate) struct Users {
    by_name: HashTable<Named>,
    names: Slots<Username>,
    last_id: i64,
    seed: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Named {
    hash: u64,
    id: UserId,
}

impl Users {
    pub(crate) fn find(&self, username: &Username) -> Option<User> {
        self.find_hashed(self.seed.hash_one(username), username)
    }

    fn find_hashed(&self, hash: u64, username: &Username) -> Option<User> {
        let is_it = |named: &Named| self.name(named.id) == Some(username);
        let id = self.by_name.find(hash, is_it)?.id;
        Some(User { id, username: self.name(id)?.clone() })
    }

    pub(crate) fn name(&self, id: UserId) -> Option<&Username> {
        self.names.get(slot(id))
    }

    /// The user of that name, made if there is none. `None` once all ids are used up.
    pub(crate) fn find_or_add(&mut self, username: &Username) -> Option<User> {
        let hash = self.seed.hash_one(username);
        if let Some(user) = self.find_hashed(hash, username) {
            return Some(user);
        }
        let id = UserId::new(self.last_id.checked_add(1)?).ok()?;
        let user = User { id, username: username.clone() };
        self.add(hash, user.clone());
        Some(user)
    }

    fn add(&mut self, hash: u64, user: User) {
        self.last_id = self.last_id.max(user.id.get());
        self.by_name.insert_unique(hash, Named { hash, id: user.id }, |named| named.hash);
        self.names.insert(slot(user.id), user.username);
    }

    /// Takes over a user as it was kept, which may be in several places.
    #[cfg(feature = "journal")]
    pub(crate) fn restore(&mut self, user: User) {
        if self.name(user.id).is_none() {
            self.add(self.seed.hash_one(&user.username), user);
        }
    }

    pub(crate) fn remove(&mut self, user: &User) {
        let hash = self.seed.hash_one(&user.username);
        if let Ok(entry) = self.by_name.find_entry(hash, |named| named.id == user.id) {
            entry.remove();
        }
        self.names.remove(slot(user.id));
    }

    /// The ids up to this one were given before.
    #[cfg(feature = "journal")]
    pub(crate) fn given(&mut self, id: i64) {
        self.last_id = self.last_id.max(id);
    }
}

/// Where the name of a user is: ids are above zero.
fn slot(id: UserId) -> u64 {
    id.get().unsigned_abs()
}
