//! Who reserves: a username, and the user that a store made of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::UserId;

/// A text is not a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Username must be 3-50 alphanumeric characters")]
pub struct InvalidUsername;

/// A shopper's name: `^[A-Za-z0-9_]{3,50}$` after trimming.
///
/// Unique without regard to case: two names that differ only in case are equal here,
/// hash alike and are one user. The spelling that a store saw first is the one it keeps.
///
/// A name of up to 23 characters needs no memory of its own, and a longer one is shared by its
/// clones.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(SmolStr);

impl Username {
    /// The longest, in characters, which are bytes.
    pub const MAX_CHARS: usize = 50;

    /// Trims and checks `text`. This is the only place with the rule.
    ///
    /// # Errors
    /// [`InvalidUsername`] for any other text.
    pub fn new(text: &str) -> Result<Self, InvalidUsername> {
        let text = text.trim();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (3..=Self::MAX_CHARS).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidUsername)
        }
    }

    /// The name as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes the name unique: its spelling in lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Username {}

impl PartialOrd for Username {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By key, so that every process takes users in one order.
impl Ord for Username {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |byte: u8| byte.to_ascii_lowercase();
        self.0.bytes().map(key).cmp(other.0.bytes().map(key))
    }
}

impl Hash for Username {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // In one piece: a hasher takes many bytes at once faster than one after the other.
        let mut key = [0; Self::MAX_CHARS];
        if let Some(key) = key.get_mut(..self.0.len()) {
            key.copy_from_slice(self.0.as_bytes());
            key.make_ascii_lowercase();
            state.write(key);
        }
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        Self::new(text)
    }
}

impl TryFrom<String> for Username {
    type Error = InvalidUsername;

    fn try_from(text: String) -> Result<Self, InvalidUsername> {
        Self::new(&text)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> String {
        name.0.into()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A username with the id that a store gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name, in the spelling it was first seen in.
    pub username: Username,
}

#[cfg(test)]
mod tests {
    use super::Username;

    #[test]
    fn the_rule() {
        for text in ["ann", "  ann\n", "A_1", &"x".repeat(50)] {
            assert!(Username::new(text).is_ok(), "{text}");
        }
        let bad =
            ["", "ab", "a b", "ann-1", "ännä", "a\u{200b}nn", "a\0nn", "a'--", &"x".repeat(51)];
        for text in bad {
            assert!(Username::new(text).is_err(), "{text}");
        }
        assert_eq!(Username::new("Ann").unwrap(), Username::new("aNN").unwrap());
    }
}
