//! Who is behind the commands of a batch.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drop_core::StoreError;
use drop_core::model::{User, Username};
use drop_core::rules::{Batch, Command};

use crate::decode;
use crate::fault::Fault;
use crate::literal::Literal;
use crate::server::{Server, millis};
use crate::sql;

/// The users that this instance knows by name.
///
/// Bounded in number and in age. A user that another instance deletes stays known here for
/// [`Users::AGE`] at most, and is believed by nobody: whether a batch's customers are still
/// users is read behind the drop's lock, with their rows (see [`crate::load`]), and where one is
/// not, the names are asked anew and the batch runs again. Else a customer who was made anew
/// would be refused what is his: the repeat of a hold of the last unit would be out of stock.
/// Who is deleted after that and before the commit is found by the foreign key. Forgetting asks
/// anew from the start.
#[derive(Debug, Default)]
pub(crate) struct Users {
    known: Mutex<Known>,
}

/// Two generations: when the young one is full it becomes the old one, and the old one is
/// dropped. So forgetting costs nothing, and who is met again stays.
#[derive(Debug, Default)]
struct Known {
    young: HashMap<Username, (User, Instant)>,
    old: HashMap<Username, (User, Instant)>,
}

impl Users {
    /// The most names of a generation.
    const GENERATION: usize = 50_000;
    /// How long a name is believed.
    const AGE: Duration = Duration::from_secs(60);

    /// The user of each customer of the batch who has one. Customers who reserve are made
    /// users where they are none, before any lock is taken: whoever waits for a user's row
    /// must not keep a drop waiting. Where there is no such drop nobody is made.
    pub(crate) async fn of_batch(
        &self,
        server: &Server,
        batch: &Batch,
    ) -> Result<HashMap<Username, User>, Fault> {
        let mut found = HashMap::with_capacity(batch.commands().len());
        let mut reserving = BTreeSet::new();
        let mut others = BTreeSet::new();
        let now = Instant::now();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for command in batch.commands() {
                // Who is to be forgotten is asked for anew: done, and nothing forgotten, would
                // be no answer.
                if let Command::Forget { customer } = command {
                    known.remove(customer);
                }
            }
            for command in batch.commands() {
                let Some(name) = command.customer() else { continue };
                if found.contains_key(name) {
                    continue;
                }
                if let Some(user) = known.get(name, now) {
                    found.insert(name.clone(), user);
                } else if matches!(command, Command::Reserve { .. }) {
                    reserving.insert(name);
                } else {
                    others.insert(name);
                }
            }
        }
        // In one order, so that two instances that make the same users do not deadlock.
        let unknown: Vec<&Username> = reserving.iter().copied().collect();
        if !unknown.is_empty() {
            let values = [
                Literal::Names(&unknown),
                Literal::Integer(batch.drop_id().get()),
                Literal::Integer(millis(server.patience.lock)),
            ];
            let upsert = [sql::BEFORE_USERS, sql::UPSERT_USERS].concat();
            self.learn(server, &upsert, &values, &mut found).await?;
        }
        let unknown: Vec<&Username> = others.difference(&reserving).copied().collect();
        if !unknown.is_empty() {
            self.learn(server, sql::FIND_USERS, &[Literal::Keys(&unknown)], &mut found).await?;
        }
        Ok(found)
    }

    /// The user of that name, as the server knows it.
    pub(crate) async fn find(
        server: &Server,
        username: &Username,
    ) -> Result<Option<User>, StoreError> {
        let rows = server.read(sql::FIND_USERS, &[Literal::Keys(&[username])]).await?;
        rows.first()
            .map(|row| {
                let id = decode::user_id(row, "id")?;
                Ok(User { id, username: decode::username(row, "username")? })
            })
            .transpose()
    }

    /// Believes nothing of the customers of a batch any more.
    pub(crate) fn doubt(&self, batch: &Batch) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in batch.commands().iter().filter_map(Command::customer) {
            known.remove(name);
        }
    }

    /// Forgets a user who is deleted.
    pub(crate) fn forget(&self, name: &Username) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    async fn learn(
        &self,
        server: &Server,
        statement: &str,
        values: &[Literal<'_>],
        found: &mut HashMap<Username, User>,
    ) -> Result<(), Fault> {
        // From before they were read: who is deleted since then is not believed any longer.
        let asked = Instant::now();
        let rows = server.run(statement, values).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for row in &rows {
            let id = decode::user_id(row, "id")?;
            let user = User { id, username: decode::username(row, "username")? };
            known.put(user.clone(), asked);
            found.insert(user.username.clone(), user);
        }
        Ok(())
    }
}

impl Known {
    fn get(&mut self, name: &Username, now: Instant) -> Option<User> {
        let is_believed = |since: &Instant| now.saturating_duration_since(*since) < Users::AGE;
        if let Some((user, since)) = self.young.get(name)
            && is_believed(since)
        {
            return Some(user.clone());
        }
        let (user, since) = self.old.remove(name)?;
        if !is_believed(&since) {
            return None;
        }
        self.put(user.clone(), since);
        Some(user)
    }

    fn put(&mut self, user: User, since: Instant) {
        if self.young.len() >= Users::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(user.username.clone(), (user, since));
    }

    fn remove(&mut self, name: &Username) {
        self.young.remove(name);
        self.old.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use drop_core::model::{User, UserId, Username};

    use super::{Known, Users};

    fn user(id: i64) -> User {
        let username = Username::new(&format!("user{id}")).unwrap();
        User { id: UserId::new(id).unwrap(), username }
    }

    #[test]
    fn what_is_known_is_bounded_and_who_is_met_again_stays() {
        let (mut known, now) = (Known::default(), Instant::now());
        let first = user(1);
        known.put(first.clone(), now);
        for id in 2..200_000 {
            known.put(user(id), now);
            assert_eq!(known.get(&first.username, now).as_ref(), Some(&first));
            assert!(known.young.len() + known.old.len() <= 2 * Users::GENERATION);
        }
        assert_eq!(known.get(&user(2).username, now), None);
        known.remove(&first.username);
        assert_eq!(known.get(&first.username, now), None);
    }

    #[test]
    fn a_name_is_believed_for_a_minute_however_often_it_is_met() {
        let (mut known, since) = (Known::default(), Instant::now());
        let last = since + Users::AGE - Duration::from_nanos(1);
        for id in [1, 2] {
            known.put(user(id), since);
        }
        assert!(known.get(&user(1).username, last).is_some());
        assert_eq!(known.get(&user(1).username, since + Users::AGE), None);
        // Also one that has become old meanwhile, which being met makes young again.
        for id in 0..i64::try_from(Users::GENERATION).unwrap() {
            known.put(user(1000 + id), since);
        }
        assert!(known.old.contains_key(&user(2).username));
        assert!(known.get(&user(2).username, last).is_some());
        assert!(known.young.contains_key(&user(2).username));
        assert_eq!(known.get(&user(2).username, since + Users::AGE), None);
        known.put(user(3), since);
        known.old = std::mem::take(&mut known.young);
        assert_eq!(known.get(&user(3).username, since + Users::AGE), None);
    }
}
