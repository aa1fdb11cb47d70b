//! Whether two stores say the same. Only the numbers of users are each store's own.

use std::collections::BTreeMap;

use drop_core::rules::{Effect, Outcome};
use drop_core::store::{Held, Sale};
use serde::Serialize;
use serde_json::{Value, json};

/// Which user of one store is which of another: one to one, for the whole of a history.
#[derive(Debug, Default)]
pub(super) struct Users {
    there: BTreeMap<i64, i64>,
    back: BTreeMap<i64, i64>,
}

impl Users {
    /// Compares what two stores say.
    #[track_caller]
    pub(super) fn same(&mut self, what: &str, ours: &Value, theirs: &Value) {
        if let Err(place) = self.walk(ours, theirs, "") {
            panic!("{what}: at {place}\n{ours}\nis not\n{theirs}");
        }
    }

    /// Compares what stands at one place; `Err` names the first place that differs.
    fn walk(&mut self, ours: &Value, theirs: &Value, place: &str) -> Result<(), String> {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) if ours.len() == theirs.len() => {
                ours.iter().try_for_each(|(key, value)| {
                    let other = theirs.get(key).unwrap_or(&Value::Null);
                    self.walk(value, other, &format!("{place}.{key}"))
                })
            }
            (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
                let mut pairs = ours.iter().zip(theirs).enumerate();
                pairs.try_for_each(|(index, (one, other))| {
                    self.walk(one, other, &format!("{place}[{index}]"))
                })
            }
            (Value::Number(one), Value::Number(other)) if is_user(place) => {
                let [one, other] = [one, other].map(|id| id.as_i64().expect("a user's id"));
                let there = *self.there.entry(one).or_insert(other);
                let back = *self.back.entry(other).or_insert(one);
                let same = (there, back) == (other, one);
                same.then_some(()).ok_or_else(|| format!("{place}, users {one} and {other}"))
            }
            (one, other) => (one == other).then_some(()).ok_or_else(|| place.to_owned()),
        }
    }
}

fn is_user(place: &str) -> bool {
    place.ends_with(".user_id") || place.contains(".forgotten[")
}

/// A list of what has users in it.
pub(super) fn list<T: Serialize>(items: impl IntoIterator<Item = T>) -> Value {
    Value::Array(items.into_iter().map(value).collect())
}

/// A list of holds.
pub(super) fn holds(held: &[Held]) -> Value {
    list(held.iter().map(|held| (&held.reservation, &held.username)))
}

/// A list of purchases.
pub(super) fn sales(sales: &[Sale]) -> Value {
    list(sales.iter().map(|sale| (&sale.purchase, &sale.username)))
}

/// The answers to a batch.
pub(super) fn outcomes(outcomes: &[Outcome]) -> Value {
    list(outcomes.iter().map(|outcome| match outcome {
        Outcome::Done(Effect::Reserved { reservation, extended }) => {
            json!({ "reserved": reservation, "extended": extended })
        }
        Outcome::Done(Effect::Released { reservation }) => json!({ "released": reservation }),
        Outcome::Done(Effect::Purchased { purchase, username, repeated }) => {
            json!({ "purchased": purchase, "username": username, "repeated": repeated })
        }
        // Without any user in it.
        other => Value::String(format!("{other:?}")),
    }))
}

fn value(item: impl Serialize) -> Value {
    serde_json::to_value(item).expect("what a store says can be written")
}
