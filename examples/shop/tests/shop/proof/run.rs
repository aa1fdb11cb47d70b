//! One run: its seed, its history, what is judged of it and what is told of it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use drop_core::Store;
use drop_core::conformance::history::{Recorder, violations};
use drop_core::conformance::{Dice, Report, is_long};
use drop_core::model::DropId;

use super::witness;

/// The resolution of times in answers over HTTP.
const TICK: Duration = Duration::from_millis(1);
/// So many findings are shown.
const SHOWN: usize = 20;

/// A run from its beginning to its report.
#[derive(Debug)]
pub(crate) struct Run {
    /// What its choices come from.
    pub(crate) seed: u64,
    /// Everything that its clients asked and were told.
    pub(crate) recorder: Recorder,
    /// What contradicts something, in words.
    pub(crate) findings: Vec<String>,
    report: Report,
    judged: Judged,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Judged {
    drops: usize,
    calls: usize,
    changes: usize,
}

impl Run {
    /// Begins a run of the test that is called `test` below `proof::`.
    pub(crate) fn begin(topic: &str, name: &str, test: &str) -> Self {
        let seed = std::env::var("DROP_SEED").ok().map(|seed| seed.parse().expect("a seed"));
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(test) % 1_000_000_000);
        let long = if is_long() { "DROP_LONG=1 " } else { "" };
        let replay = format!(
            "{long}DROP_SEED={seed} cargo test -p drop-shop --test shop -- proof::{test} --exact"
        );
        // Shown where the test fails.
        println!("{topic}, {name}: seed {seed}, again by\n  {replay}");
        let report = Report::begin(topic, name, &replay).seeds(&seed);
        Self {
            seed,
            recorder: Recorder::new(),
            findings: Vec::new(),
            report,
            judged: Judged::default(),
        }
    }

    /// Dice for one of those who choose.
    pub(crate) fn dice(&self, who: u64) -> Dice {
        Dice::new(self.seed.wrapping_add(who.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// How much of something: the share of every run, or all of it.
    pub(crate) fn share(share: usize, long: usize) -> usize {
        if is_long() { long } else { share }
    }

    /// A figure for the report.
    pub(crate) fn figure(&mut self, what: &str, figure: &impl ToString) {
        println!("{what}: {}", figure.to_string());
        self.report = self.report.clone().figure(what, figure);
    }

    /// Judges what was told of `drops` by what `store` keeps of them.
    pub(crate) async fn judge(&mut self, store: &dyn Store, drops: &[DropId]) {
        let calls = self.recorder.calls();
        for &drop_id in drops {
            let own: Vec<_> =
                calls.iter().filter(|call| call.ask.drop_id() == drop_id).cloned().collect();
            let feed = witness::feed(store, drop_id).await;
            let found = violations(&own, &feed, TICK);
            self.findings.extend(found.iter().map(|found| format!("drop {drop_id}: {found}")));
            let audit = store.audit(drop_id).await.expect("an audit").expect("the drop");
            if !audit.is_sound() {
                self.findings.push(format!("drop {drop_id} as it is kept: {audit:?}"));
            }
            self.judged.drops += 1;
            self.judged.calls += own.len();
            self.judged.changes += feed.len();
        }
    }

    /// Ends the run: it has passed where nothing was found.
    ///
    /// # Panics
    /// With what was found.
    pub(crate) fn end(mut self) {
        let shown: Vec<&str> = self.findings.iter().take(SHOWN).map(String::as_str).collect();
        let count = self.findings.len();
        assert!(count == 0, "{count} contradictions, of which:\n{}", shown.join("\n"));
        let Judged { drops, calls, changes } = self.judged;
        self.figure(
            "histories judged",
            &format!("{drops} drops, {calls} calls, {changes} changes"),
        );
        self.report.save();
    }
}
