//! Values spelled out in a script, which takes no parameters.
//!
//! Only integers, usernames and words of this crate can be spelled out, so that
//! no text of a caller ever becomes part of a statement.

use drop_core::model::Username;
use sqlx::AssertSqlSafe;

/// A value that is safe within a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Literal<'a> {
    /// Any integer.
    Integer(i64),
    /// Integers, as an array.
    Integers(&'a [i64]),
    /// A username's key: its spelling in lower case.
    Key(&'a Username),
    /// Usernames in their own spelling, as an array.
    Names(&'a [&'a Username]),
    /// Keys of usernames, as an array.
    Keys(&'a [&'a Username]),
    /// A word of this crate, or NULL.
    Word(Option<&'static str>),
}

impl From<Option<i64>> for Literal<'static> {
    fn from(integer: Option<i64>) -> Self {
        integer.map_or(Self::Word(None), Self::Integer)
    }
}

impl Literal<'_> {
    pub(crate) fn push_to(self, text: &mut String) {
        match self {
            Self::Integer(integer) => text.push_str(&integer.to_string()),
            Self::Integers(integers) => {
                text.push_str("'{");
                for (index, integer) in integers.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    text.push_str(&integer.to_string());
                }
                text.push_str("}'::bigint[]");
            }
            Self::Key(username) => push_quoted(text, username.key()),
            Self::Names(names) => push_array(text, names, |name| name.as_str().to_owned()),
            Self::Keys(names) => push_array(text, names, Username::key),
            Self::Word(Some(word)) => push_quoted(text, word.to_owned()),
            Self::Word(None) => text.push_str("NULL"),
        }
    }
}

fn push_quoted(text: &mut String, word: String) {
    text.push('\'');
    text.push_str(&harmless(word));
    text.push('\'');
}

/// Each name within quotes: without, the user whose name is `null` would be no value.
fn push_array(text: &mut String, names: &[&Username], spelling: impl Fn(&Username) -> String) {
    text.push_str("'{");
    for (index, name) in names.iter().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ",\"" });
        text.push_str(&harmless(spelling(name)));
        text.push('"');
    }
    text.push_str("}'::text[]");
}

/// A name has letters, digits and underscores only. Should that rule ever be widened, a name
/// that needs escaping finds nobody here, instead of becoming part of a statement.
fn harmless(word: String) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if word.bytes().all(plain) { word } else { String::new() }
}

/// The statement with each `$n` replaced by the n-th value.
pub(crate) fn spell(sql: &str, values: &[Literal<'_>]) -> AssertSqlSafe<String> {
    let mut text = String::with_capacity(sql.len());
    spell_to(&mut text, sql, values);
    AssertSqlSafe(text)
}

/// [`spell`], behind what is there.
pub(crate) fn spell_to(text: &mut String, sql: &str, values: &[Literal<'_>]) {
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.len().saturating_sub(part.trim_start_matches(char::is_numeric).len());
        let (number, rest) = part.split_at_checked(digits).unwrap_or_default();
        let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(value) = index.and_then(|index| values.get(index)) {
            value.push_to(text);
        }
        text.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use drop_core::model::Username;

    use super::{Literal, spell};

    #[test]
    fn values_take_the_places_of_their_numbers() {
        let ann = Username::new("Ann").unwrap();
        let null = Username::new("null").unwrap();
        let names = [&ann, &null];
        let values = [
            Literal::Integer(-7),
            Literal::Key(&ann),
            Literal::Names(&names),
            Literal::Word(Some("open")),
            Literal::from(None),
        ];
        let text = spell("a $1 b $2, $3 c $4 AND $5 = $1", &values).0;
        let wanted = r#"a -7 b 'ann', '{"Ann","null"}'::text[] c 'open' AND NULL = -7"#;
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_is_not_plain_never_gets_in() {
        assert_eq!(super::harmless("a'b".to_owned()), "");
        assert_eq!(super::harmless("a\\b".to_owned()), "");
        assert_eq!(super::harmless("a_1".to_owned()), "a_1");
    }
}
