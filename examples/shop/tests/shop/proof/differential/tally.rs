//! What the histories have been about: each kind of command with each kind of answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use drop_core::rules::{Command, Effect, Outcome};

static SEEN: Mutex<BTreeMap<(&str, String), u64>> = Mutex::new(BTreeMap::new());

/// Counts an answer.
pub(super) fn note(command: &Command, outcome: &Outcome) {
    let asked = match command {
        Command::Reserve { .. } => "reserve",
        Command::Release { .. } => "release",
        Command::Purchase { .. } => "purchase",
        Command::Expire => "expire",
        Command::Amend(_) => "amend",
        Command::Forget { .. } => "forget",
    };
    let told = match outcome {
        Outcome::Done(Effect::Reserved { extended: true, .. }) => "Extended".to_owned(),
        Outcome::Done(Effect::Purchased { repeated: true, .. }) => "Repeated".to_owned(),
        Outcome::Done(_) => "Done".to_owned(),
        Outcome::Rejected(rejection) => format!("{rejection:?}"),
        Outcome::Deferred => "Deferred".to_owned(),
    };
    // What it is, without what is in it.
    let told = told.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
    *SEEN.lock().unwrap_or_else(PoisonError::into_inner).entry((asked, told)).or_default() += 1;
}

/// What was counted.
pub(super) fn seen() -> BTreeMap<(&'static str, String), u64> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What was counted, as a table.
pub(super) fn table() -> String {
    let rows = seen();
    let rows =
        rows.iter().map(|((asked, told), times)| format!("| {asked} | {told} | {times} |\n"));
    format!("| command | answer | times |\n| --- | --- | --- |\n{}", rows.collect::<String>())
}
