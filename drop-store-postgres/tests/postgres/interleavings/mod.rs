//! Every merge of the statements of each pair of operations, on two instances, whatever
//! isolation the database's owner has set as the default.
//!
//! Each instance reaches the server through a proxy that holds its every step. Where both can
//! go on, both ways are played, each on a drop of its own. A step that waits for the other's
//! lock is seen in the server's own table of locks, and the other goes on.

pub(crate) mod acts;
mod merge;
pub(crate) mod scene;

use std::panic::AssertUnwindSafe;

use drop_core::conformance::{Report, is_long};
use drop_store_postgres::testing::Database;
use futures::FutureExt;
use sqlx::PgConnection;

use self::acts::Act;
use self::merge::{Course, Player, play};
use self::scene::{Scenes, refusals};
use crate::kit::{database, start};

/// Plays one merge again: `reserve+purchase:0110`, the acts and who went on where both could.
const REPLAY: &str = "DROP_MERGE";

/// Into how many the pairs are cut, of which each run plays one for each default.
const SHARES: usize = 12;

const DEFAULTS: [&str; 3] = ["read committed", "repeatable read", "serializable"];

#[derive(Default)]
struct Figures {
    pairs: usize,
    merges: usize,
    steps: usize,
    waits: usize,
    refusals: usize,
    restarts: usize,
    /// Transactions of several drops.
    joint: usize,
}

struct Stage {
    database: Database,
    players: [Player; 2],
    scenes: Scenes,
    watch: PgConnection,
    isolation: &'static str,
    figures: Figures,
}

impl Stage {
    async fn new(isolation: &'static str) -> Self {
        let database = database().await;
        database.set("default_transaction_isolation", isolation).await.unwrap();
        let time = database.with_manual_time(start()).await.unwrap();
        let players = [Player::new(&time).await, Player::new(&time).await];
        let watch = database.connection().await.unwrap();
        let scenes = Scenes::new(time, 40).await;
        Self { database, players, scenes, watch, isolation, figures: Figures::default() }
    }

    /// Plays one merge and checks what it left; the choices there were.
    async fn one(&mut self, acts: [Act; 2], script: &[usize]) -> Vec<usize> {
        self.players.iter().for_each(Player::pass);
        let cast = if acts.contains(&Act::Together) {
            let [first, second] = &self.players;
            let cast = self.scenes.next_met(&[first.store(), second.store()]).await;
            tokio::join!(first.quiet(), second.quiet());
            cast
        } else if acts.contains(&Act::Trim) {
            self.scenes.next_alone().await
        } else {
            self.scenes.next().await
        };
        self.players.iter().for_each(Player::hold);
        let mut course = Course::default();
        let played = async {
            let watch = (&mut self.watch, self.scenes.time());
            let merge = play(&mut self.players, acts, cast, watch, script, &mut course).await;
            self.scenes.check(acts, &cast, &merge).await;
            merge
        };
        let merge = match AssertUnwindSafe(played).catch_unwind().await {
            Ok(merge) => merge,
            Err(panic) => {
                let again = replay(self.isolation, acts, &course.choices);
                eprintln!("{:#?}\n{again}", course.steps);
                std::panic::resume_unwind(panic);
            }
        };
        let Course { choices, steps } = course;
        let errors: Vec<String> = self.players.iter().flat_map(Player::errors).collect();
        let deadlocks = errors.iter().filter(|error| *error == "40P01").count();
        assert_eq!(deadlocks, 0, "{}", replay(self.isolation, acts, &choices));
        self.figures.merges += 1;
        self.figures.steps += steps.len();
        // The write of one drop goes on in the same line.
        self.figures.joint += steps.iter().filter(|step| step.ends_with("WITH rows AS (")).count();
        self.figures.waits += merge.waits;
        self.figures.refusals += refusals(&merge);
        self.figures.restarts += errors.iter().filter(|error| *error == "40001").count();
        choices
    }

    /// Every merge of a pair: depth first over who goes on where both can.
    async fn every(&mut self, acts: [Act; 2]) {
        self.figures.pairs += 1;
        let joint = self.figures.joint;
        let mut script = Vec::new();
        loop {
            script = self.one(acts, &script).await;
            // The last choice that was not yet made the other way.
            let Some(last) = script.iter().rposition(|chosen| *chosen == 0) else { break };
            script.truncate(last);
            script.push(1);
        }
        let is_joint = self.figures.joint > joint;
        assert_eq!(is_joint, acts.contains(&Act::Together), "who went together: {acts:?}");
    }

    async fn deadlocks(&mut self) -> i64 {
        let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        sqlx::query_scalar(count).fetch_one(&mut self.watch).await.unwrap()
    }
}

fn replay(isolation: &str, acts: [Act; 2], choices: &[usize]) -> String {
    let choices: String = choices.iter().map(ToString::to_string).collect();
    let test = isolation.replace(' ', "_");
    format!(
        "again: {REPLAY}={:?}+{:?}:{choices} cargo test -p drop-store-postgres --test postgres -- \
         interleavings::every_merge_where_the_default_is_{test}",
        acts[0], acts[1]
    )
}

/// The merge that is to be played again.
fn wanted() -> Option<([Act; 2], Vec<usize>)> {
    let text = std::env::var(REPLAY).ok()?;
    let (acts, choices) = text.split_once(':').expect("acts:choices");
    let (first, second) = acts.split_once('+').expect("act+act");
    let act = |text: &str| {
        let found = Act::ALL.into_iter().find(|act| format!("{act:?}") == text);
        found.unwrap_or_else(|| panic!("{text} is no act"))
    };
    let choices = choices.chars().map(|choice| usize::from(choice == '1')).collect();
    Some(([act(first), act(second)], choices))
}

/// Days since 1970.
fn day() -> usize {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    usize::try_from(since.as_secs() / 86_400).unwrap_or_default()
}

async fn every_merge(isolation: &'static str) {
    let test = isolation.replace(' ', "_");
    let command = format!(
        "cargo test -p drop-store-postgres --test postgres -- \
         interleavings::every_merge_where_the_default_is_{test}"
    );
    let report = Report::begin("SQL interleavings", isolation, &command);
    let mut stage = Stage::new(isolation).await;
    if let Some((acts, choices)) = wanted() {
        stage.one(acts, &choices).await;
        return;
    }
    let pairs = Act::ALL.into_iter().enumerate().flat_map(|(index, first)| {
        Act::ALL.into_iter().skip(index).map(move |second| [first, second])
    });
    // A share of every run: no pair that cannot meet, and a quarter of the pairs under one of the
    // three defaults each, others every day.
    let share = match is_long() {
        true => "all",
        false => "those that can meet, a twelfth for each default, which changes by day",
    };
    let first = 4 * DEFAULTS.iter().position(|known| *known == isolation).unwrap();
    let chosen = (day() + first) % SHARES;
    let pairs = pairs.filter(|[first, second]| is_long() || !first.is_apart_from(*second));
    for (number, acts) in pairs.enumerate() {
        if is_long() || number % SHARES == chosen {
            stage.every(acts).await;
        }
    }
    assert_eq!(stage.deadlocks().await, 0);
    let Figures { pairs, merges, steps, waits, refusals, restarts, joint } = stage.figures;
    // Few pairs may have nothing to refuse.
    assert!(waits > 0 && (refusals > 0 || !is_long()), "nobody was in anybody's way");
    println!("{isolation}: {pairs} pairs, {merges} merges, {steps} steps, {waits} waits");
    report
        .figure("pairs of operations", &pairs)
        .figure("merges", &merges)
        .figure("steps", &steps)
        .figure("steps that waited for the other's lock", &waits)
        .figure("refusals by the rules", &refusals)
        .figure("40001, run again", &restarts)
        .figure("40P01", &0)
        .figure("transactions of several drops", &joint)
        .figure("share of the pairs", &share)
        .save();
    drop(stage.database);
}

#[tokio::test]
async fn every_merge_where_the_default_is_read_committed() {
    every_merge("read committed").await;
}

#[tokio::test]
async fn every_merge_where_the_default_is_repeatable_read() {
    every_merge("repeatable read").await;
}

#[tokio::test]
async fn every_merge_where_the_default_is_serializable() {
    every_merge("serializable").await;
}
