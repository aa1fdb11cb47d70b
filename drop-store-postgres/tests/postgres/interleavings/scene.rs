//! Drops to play on, made in portions, and what is to be true of each afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drop_core::Store;
use drop_core::conformance::{Model, Rows};
use drop_core::model::{DropId, ReservationId, Revision, Timestamp, Units};
use drop_core::rules::{Change, Command, Outcome};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::ManualTime;
use futures::future::join_all;

use super::acts::{Act, Cast};
use super::merge::Merge;
use crate::kit::{assert_sound, batch, hold, plain, reserve, seconds, start};

/// Makes drops on a database of its own, past every proxy.
pub(crate) struct Scenes {
    store: PostgresStore,
    time: ManualTime,
    now: Timestamp,
    portion: usize,
    made: Vec<Cast>,
    beside: DropId,
    /// What was in the feed of each drop before anybody played on it: some of it may be trimmed.
    before: BTreeMap<DropId, Vec<Arc<Change>>>,
}

impl Scenes {
    /// So many drops at a time; the time stands still until they are used up.
    pub(crate) async fn new(time: ManualTime, portion: usize) -> Self {
        const PATIENCE: Duration = Duration::from_secs(60);
        let builder = time.builder().acquire_timeout(PATIENCE).lock_timeout(PATIENCE);
        let store = builder.answer_timeout(PATIENCE).connect().await.unwrap();
        let (made, before) = (Vec::new(), BTreeMap::new());
        let beside = store.create_drop(&plain(1_000_000)).await.unwrap().id;
        Self { store, time, now: start(), portion, made, beside, before }
    }

    /// The time of all its drops.
    pub(crate) const fn time(&self) -> &ManualTime {
        &self.time
    }

    /// The way past every proxy.
    pub(crate) const fn store(&self) -> &PostgresStore {
        &self.store
    }

    /// A drop that nobody has played on.
    pub(crate) async fn next(&mut self) -> Cast {
        self.next_after(&[]).await
    }

    /// A drop for one merge, which these instances have met, and the one beside as it stands.
    pub(crate) async fn next_met(&mut self, instances: &[&PostgresStore]) -> Cast {
        self.made.clear();
        let portion = std::mem::replace(&mut self.portion, 1);
        let cast = self.next_after(instances).await;
        self.portion = portion;
        cast
    }

    async fn next_after(&mut self, instances: &[&PostgresStore]) -> Cast {
        if let Some(cast) = self.made.pop() {
            return cast;
        }
        let store = &self.store;
        let new = plain(2);
        let made = join_all((0..self.portion).map(|_| store.create_drop(&new))).await;
        let ids: Vec<DropId> = made.into_iter().map(|made| made.unwrap().id).collect();
        let lenas = self.holds(&ids, "lena").await;
        self.pass(30).await;
        let anns = self.holds(&ids, "ann").await;
        for store in instances {
            // Nothing has lapsed yet: it is read, and nothing is written.
            for id in ids.iter().chain([&self.beside]) {
                store.apply(&batch(*id, vec![Command::Expire])).await.unwrap();
            }
        }
        self.pass(30).await;
        let feeds = ids.iter().map(|id| self.store.changes(*id, Revision::ZERO, 10));
        let feeds = join_all(feeds).await.into_iter().map(Result::unwrap);
        self.before = ids.iter().copied().zip(feeds).collect();
        let casts = ids.iter().zip(anns).zip(lenas);
        let (at, beside) = (self.now, self.beside);
        self.made = casts
            .map(|((drop_id, anns), lenas)| Cast { drop_id: *drop_id, anns, lenas, beside, at })
            .collect();
        self.made.pop().unwrap()
    }

    /// A drop made for one merge: [`Act::Trim`] reaches all that are there.
    pub(crate) async fn next_alone(&mut self) -> Cast {
        self.next_met(&[]).await
    }

    async fn holds(&self, ids: &[DropId], who: &str) -> Vec<ReservationId> {
        let holds =
            ids.iter().map(|id| async { hold(&self.store, *id, &Cast::name(*id, who)).await.id() });
        join_all(holds).await
    }

    async fn pass(&mut self, span: u64) {
        self.now = self.now.saturating_add(seconds(span));
        self.time.set_time(self.now).await.unwrap();
    }

    /// The whole feed of a drop, with what was trimmed of it, once counters, rows and feed agree;
    /// empty where it is deleted.
    async fn sound_feed(&self, cast: &Cast) -> Vec<Arc<Change>> {
        let audit = self.store.audit(cast.drop_id).await.unwrap();
        let mut feed = self.store.changes(cast.drop_id, Revision::ZERO, 1000).await.unwrap();
        assert_eq!(audit.is_some(), !feed.is_empty());
        if audit.is_some() {
            let kept = usize::try_from(Act::KEPT).unwrap();
            assert!(feed.len() >= kept, "more was trimmed than may be");
            let oldest = feed[0].revision;
            let trimmed = self.before[&cast.drop_id].iter().filter(|c| c.revision < oldest);
            feed.splice(..0, trimmed.cloned().collect::<Vec<_>>());
            assert_sound(&self.store, cast.drop_id).await;
            // A change that does not fit on the one before panics.
            for (id, row) in Rows::replay(&feed).unwrap().reservations {
                let stored = self.store.reservation(id).await.unwrap().unwrap();
                assert_eq!(stored.reservation, row);
            }
        }
        feed
    }

    /// Whether a drop is sound and as it was made, or as one act has left it.
    pub(crate) async fn is_after(&self, act: Option<Act>, cast: &Cast) -> bool {
        let mut model = Some(model_of(cast));
        if let Some(act) = act {
            act.happen(&mut model, cast);
        }
        is_left_by(&self.sound_feed(cast).await, model.as_ref(), cast)
    }

    /// I1 to I8 of a drop that was played on: recounted, replayed, and as one of the two orders
    /// would have left and answered it.
    pub(crate) async fn check(&self, acts: [Act; 2], cast: &Cast, merge: &Merge) {
        let feed = self.sound_feed(cast).await;
        let orders = [[0, 1], [1, 0]];
        let explained = orders.iter().any(|order| {
            let mut model = Some(model_of(cast));
            let answered = order.iter().all(|who| {
                let at = if merge.late[*who] { cast.later() } else { cast.at };
                acts[*who].explains(&merge.answers[*who], &mut model, cast, at)
            });
            answered && is_left_by(&feed, model.as_ref(), cast)
        });
        if acts.contains(&Act::Together) {
            assert_sound(&self.store, cast.beside).await;
        }
        assert!(explained, "neither order answers {:?} and leaves {feed:#?}", merge.answers);
    }
}

/// The drop before anybody plays.
fn model_of(cast: &Cast) -> Model {
    let earlier = |span: i64| Timestamp::from_micros(cast.at.as_micros() - span * 1_000_000);
    let (created, later) = (earlier(60).unwrap(), earlier(30).unwrap());
    let mut model = Model::new(&plain(2), created);
    for (who, at) in [("lena", created), ("ann", later)] {
        let commands = vec![reserve(&Cast::name(cast.drop_id, who))];
        model.apply(&batch(cast.drop_id, commands), at);
    }
    model
}

/// Whether the feed tells of the rows, terms and revision that the model has.
fn is_left_by(feed: &[Arc<Change>], model: Option<&Model>, cast: &Cast) -> bool {
    let (Some(rows), Some(model)) = (Rows::replay(feed), model) else {
        return feed.is_empty() && model.is_none();
    };
    assert!(rows.audit().is_sound());
    let (total, held, sold) = model.counts(0, cast.at);
    let stock = rows.variants_at(cast.at)[0].stock;
    rows.revision.get() == model.revision()
        && *rows.terms == *model.terms()
        && [stock.total(), stock.held(), stock.sold()].map(Units::get) == [total, held, sold]
        && rows.reservations.len() == model.rows().len()
        && rows.reservations.values().zip(model.rows()).all(|(row, expected)| expected.is(row))
}

/// What was refused in a merge, for the figures.
pub(crate) fn refusals(merge: &Merge) -> usize {
    let refused = |answer: &&super::acts::Answer| {
        matches!(answer, super::acts::Answer::Outcome(Outcome::Rejected(_)))
    };
    merge.answers.iter().filter(refused).count()
}
