//! Who has ever reserved.

use std::collections::HashMap;

use drop_core::model::{User, UserId, Username};

/// Users by name and by id. Ids are given once and never again.
#[derive(Debug, Default)]
pub(crate) struct Users {
    by_name: HashMap<Username, User>,
    names: HashMap<UserId, Username>,
    last_id: i64,
}

impl Users {
    pub(crate) fn find(&self, username: &Username) -> Option<&User> {
        self.by_name.get(username)
    }

    pub(crate) fn name(&self, id: UserId) -> Option<&Username> {
        self.names.get(&id)
    }

    /// The user of that name, made if there is none. `None` once all ids are used up.
    pub(crate) fn find_or_add(&mut self, username: &Username) -> Option<User> {
        if let Some(user) = self.by_name.get(username) {
            return Some(user.clone());
        }
        let id = UserId::new(self.last_id.checked_add(1)?).ok()?;
        let user = User { id, username: username.clone() };
        self.restore(user.clone());
        Some(user)
    }

    /// Takes over a user as it was kept.
    pub(crate) fn restore(&mut self, user: User) {
        self.last_id = self.last_id.max(user.id.get());
        self.names.insert(user.id, user.username.clone());
        self.by_name.insert(user.username.clone(), user);
    }

    pub(crate) fn remove(&mut self, user: &User) {
        self.by_name.remove(&user.username);
        self.names.remove(&user.id);
    }

    /// The ids up to this one were given before.
    #[cfg(feature = "journal")]
    pub(crate) fn given(&mut self, id: i64) {
        self.last_id = self.last_id.max(id);
    }
}
