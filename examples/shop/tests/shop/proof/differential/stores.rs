//! The three stores side by side, and all that is compared.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use drop_core::conformance::{ModelRow, Rows, START};
use drop_core::model::{DropId, DropSnapshot, DropStatus, ReservationId, Revision, Status};
use drop_core::store::{Deletion, DropPage, Page, Scope};
use drop_core::{ManualClock, Store};
use drop_store_memory::{FileStore, MemoryStore};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, Database, ManualTime};
use futures::future::join_all;
use tempfile::TempDir;

use super::same::{self, Users};
use super::steps::Look;
use super::tally;
use super::world::{Act, Kept, World};

/// More than any history has of anything.
const ALL: usize = 10_000;
const EVERY_ROW: Page = Page { before: None, limit: ALL };
const EVERY_DROP: DropPage = DropPage { status: None, after: None, limit: ALL };
const NAMES: [&str; 3] = ["memory", "file", "postgres"];

/// One data set in each store, all at one time.
#[derive(Debug)]
pub(super) struct Stores {
    clock: Arc<ManualClock>,
    memory: MemoryStore,
    /// `None` only while it is opened again.
    file: Option<FileStore>,
    /// Two instances, each with its own pool and its own memory of users.
    postgres: [PostgresStore; 2],
    time: ManualTime,
    /// Whose number is whose, of the memory store against each other.
    users: [Users; 2],
    directory: TempDir,
    _database: Database,
}

impl Stores {
    pub(super) async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        // In memory, where there is such a place: what survives a crash is not the question here.
        let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        let directory = directory.expect("a folder");
        let file = FileStore::open_with_clock(directory.path(), clock.clone()).expect("a file");
        let cluster = Cluster::in_memory().await.expect("PostgreSQL");
        let database = cluster.database().await.expect("a database");
        let time = database.with_manual_time(START).await.expect("a time");
        let patience = Duration::from_secs(30);
        let builder = time.builder().acquire_timeout(patience).lock_timeout(patience).pool_size(1);
        let first = builder.clone().connect().await.expect("a store");
        let second = builder.connect_unmigrated().await.expect("a store");
        Self {
            memory: MemoryStore::with_clock(clock.clone()),
            file: Some(file),
            postgres: [first, second],
            time,
            users: Default::default(),
            directory,
            _database: database,
            clock,
        }
    }

    /// What has the same: memory first, the others are compared with it.
    fn all(&self, instance: usize) -> [Arc<dyn Store>; 3] {
        let file = self.file.clone().expect("it is open");
        [Arc::new(self.memory.clone()), Arc::new(file), Arc::new(self.postgres[instance].clone())]
    }

    /// Does what the world's last step was, and compares what each answers.
    pub(super) async fn take(&mut self, world: &World) {
        let place = format!("{:?} at {}", world.act, world.now);
        match &world.act {
            Act::Begin => {}
            Act::Create { new, id } => {
                let made = self.each(0, async |store| store.create_drop(new).await.unwrap()).await;
                assert_eq!(made[0].id, *id, "{place}");
                equal(&place, &made);
            }
            Act::Batch { batch, instance, answers, as_of } => {
                let applied =
                    self.each(*instance, async |store| store.apply(batch).await.unwrap()).await;
                for (command, (answer, outcome)) in
                    batch.commands().iter().zip(answers.iter().zip(applied[0].outcomes()))
                {
                    assert!(answer.agrees_with(outcome), "{outcome:?}, not {answer:?}: {place}");
                    tally::note(command, outcome);
                }
                assert_eq!(applied[0].as_of(), *as_of, "{place}");
                equal(&place, &applied.each_ref().map(|done| (done.as_of(), done.revision())));
                let values = applied.each_ref().map(|done| same::outcomes(done.outcomes()));
                self.same(&place, &values);
                let changes = applied.each_ref().map(|done| same::list(done.change()));
                self.same(&place, &changes);
            }
            Act::Time => {
                self.clock.jump(world.now);
                self.time.set_time(world.now).await.expect("a time");
                let ready = self.each(0, async |store| store.ready().await.unwrap()).await;
                assert_eq!(ready, [world.now; 3], "{place}");
            }
            Act::DeleteDrop { id, force, deletion } => {
                let done =
                    self.each(0, async |store| store.delete_drop(*id, *force).await.unwrap()).await;
                assert_eq!(done, [*deletion; 3], "{place}");
            }
            Act::DeleteUser { user, deletion } => {
                let done = self.each(1, async |store| store.delete_user(user).await.unwrap()).await;
                assert_eq!(done, [*deletion; 3], "{place}");
            }
            Act::Trim { keep, removed } => {
                let done = self.each(0, async |store| store.trim(*keep).await.unwrap()).await;
                assert_eq!(done, [*removed; 3], "{place}");
            }
            Act::Reopen { strangers } => {
                // A name that was only ever refused is in no file: nor may others keep it.
                for user in strangers {
                    let [memory, _, postgres] = self.all(0);
                    let done = [memory.delete_user(user).await, postgres.delete_user(user).await];
                    assert_eq!(done.map(Result::unwrap), [Deletion::Deleted; 2], "{place}");
                }
                self.file = None;
                let path = self.directory.path();
                let opened = FileStore::open_with_clock(path, self.clock.clone());
                self.file = Some(opened.unwrap_or_else(|error| panic!("{error}: {place}")));
            }
            Act::Look { look, drop, row } => self.look(look, *drop, *row, &place).await,
        }
    }

    /// Compares the lists, in parts.
    async fn look(&mut self, look: &Look, drop: DropId, row: ReservationId, place: &str) {
        let statuses =
            [DropStatus::Upcoming, DropStatus::Open, DropStatus::SoldOut, DropStatus::Ended];
        let after = look.from.then_some(drop);
        let page =
            DropPage { status: statuses.get(look.status).copied(), after, limit: look.limit };
        let rows = Page { before: look.from.then_some(row), limit: look.limit };
        let reads = self
            .each(1, async |store| {
                (
                    store.snapshots(&page).await.unwrap(),
                    store.heads(after, look.limit).await.unwrap(),
                    store.due(look.limit).await.unwrap(),
                    store.drops_of(&look.user).await.unwrap(),
                )
            })
            .await;
        equal(place, &reads);
        for scope in [Scope::Drop(drop), Scope::Customer(look.user.clone())] {
            let holds = self.each(0, async |store| store.holds(&scope, rows).await.unwrap()).await;
            self.same(place, &holds.each_ref().map(|held| same::holds(held)));
            let sales =
                self.each(0, async |store| store.purchases(&scope, rows).await.unwrap()).await;
            self.same(place, &sales.each_ref().map(|sold| same::sales(sold)));
        }
        let since = Revision::new(look.since);
        let changes =
            self.each(1, async |store| store.changes(drop, since, look.limit).await.unwrap()).await;
        self.same(place, &changes.each_ref().map(same::list));
    }

    /// Compares what is read of every drop with the world, and the stores with each other.
    pub(super) async fn check(&mut self, world: &World) {
        let place = format!("after {:?}, at {}", world.act, world.now);
        let reads = self
            .each(1, async |store| {
                (store.snapshots(&EVERY_DROP).await.unwrap(), store.due(ALL).await.unwrap())
            })
            .await;
        equal(&place, &reads);
        assert_eq!(reads[0].0.len(), world.drops.len(), "{place}");
        for (snapshot, (id, kept)) in reads[0].0.iter().zip(world.drops.iter().rev()) {
            assert_eq!(snapshot.id, *id, "{place}");
            as_modelled(snapshot, kept, world, &place);
        }
        for (id, kept) in &world.drops {
            self.check_rows(*id, kept, world, &place).await;
        }
    }

    /// Compares a drop's holds and purchases with the rows of its model.
    async fn check_rows(&mut self, id: DropId, kept: &Kept, world: &World, place: &str) {
        let (scope, at) = (Scope::Drop(id), world.time_of(kept));
        let newest = |wanted: &dyn Fn(&&ModelRow) -> bool| {
            kept.model.rows().iter().rev().filter(wanted).cloned().collect::<Vec<_>>()
        };
        let holds = self.each(0, async |store| store.holds(&scope, EVERY_ROW).await.unwrap()).await;
        let expected = newest(&|row| row.status == Status::Active && row.expires_at > at);
        assert_eq!(holds[0].len(), expected.len(), "{place}");
        for (held, row) in holds[0].iter().zip(&expected) {
            assert!(row.is(&held.reservation) && row.customer == held.username, "{place}");
        }
        self.same(place, &holds.each_ref().map(|held| same::holds(held)));
        let sales =
            self.each(1, async |store| store.purchases(&scope, EVERY_ROW).await.unwrap()).await;
        let expected = newest(&|row| row.status == Status::Completed);
        assert_eq!(sales[0].len(), expected.len(), "{place}");
        for (sale, row) in sales[0].iter().zip(&expected) {
            let bought = &sale.purchase;
            let told = (bought.id.number(), bought.purchased_at, bought.amount_paid);
            let paid = row.price.times(bought.quantity);
            assert_eq!(told, (row.number, row.updated_at, paid), "{place}");
        }
        self.same(place, &sales.each_ref().map(|sold| same::sales(sold)));
    }

    /// Compares the whole feeds, every row in whatever state, and the recounts.
    pub(super) async fn conclude(&mut self, world: &World) {
        for (id, kept) in &world.drops {
            let place = format!("drop {id} in the end");
            let changes = self
                .each(1, async |store| store.changes(*id, Revision::ZERO, ALL).await.unwrap())
                .await;
            assert_eq!(u64::try_from(changes[0].len()), Ok(kept.in_feed), "{place}");
            if let Some(rows) = Rows::replay(&changes[0]) {
                assert_eq!(rows.reservations.len(), kept.model.rows().len(), "{place}");
                let mut pairs = rows.reservations.values().zip(kept.model.rows());
                assert!(pairs.all(|(row, expected)| expected.is(row)), "{place}");
            }
            self.same(&place, &changes.each_ref().map(same::list));
            let audits =
                self.each(0, async |store| store.audit(*id).await.unwrap().expect("a drop")).await;
            assert!(audits[0].is_sound(), "{place}: {:?}", audits[0].findings());
            equal(&place, &audits);
            let newest = kept.model.rows().last().map_or(0, |row| row.number);
            for number in 1..=newest + 1 {
                let row = ReservationId::new(*id, number).expect("an id");
                let readings = self
                    .each(1, async |store| store.reservation(row).await.unwrap())
                    .await
                    .map(|reading| reading.map(|reading| (reading.reservation, reading.as_of)));
                let expected = kept.model.rows().iter().find(|row| row.number == number);
                assert_eq!(readings[0].is_some(), expected.is_some(), "{row}: {place}");
                self.same(&place, &readings.each_ref().map(same::list));
            }
        }
    }

    /// The same of each store, all at once.
    async fn each<T>(&self, instance: usize, ask: impl AsyncFn(&dyn Store) -> T) -> [T; 3] {
        let stores = self.all(instance);
        let answers = join_all(stores.iter().map(|store| ask(&**store))).await;
        answers.try_into().unwrap_or_else(|_| unreachable!("three stores, three answers"))
    }

    #[track_caller]
    fn same(&mut self, place: &str, values: &[serde_json::Value; 3]) {
        let [memory, others @ ..] = values;
        for ((users, other), name) in self.users.iter_mut().zip(others).zip(&NAMES[1..]) {
            users.same(&format!("memory and {name}, {place}"), memory, other);
        }
    }
}

/// What has no user's number in it must be the same to the letter.
#[track_caller]
fn equal<T: Debug>(place: &str, values: &[T; 3]) {
    let [memory, others @ ..] = values.each_ref().map(|value| format!("{value:#?}"));
    for (other, name) in others.iter().zip(&NAMES[1..]) {
        assert!(memory == *other, "{place}: memory\n{memory}\nbut {name}\n{other}");
    }
}

fn as_modelled(snapshot: &DropSnapshot, kept: &Kept, world: &World, place: &str) {
    let at = world.time_of(kept);
    assert_eq!(snapshot.revision.get(), kept.model.revision(), "{place}");
    assert_eq!(*snapshot.terms, *kept.model.terms(), "{place}");
    let times = [snapshot.as_of, snapshot.created_at, snapshot.updated_at];
    assert_eq!(times, [at, kept.created_at, kept.updated_at], "{place}");
    assert_eq!(snapshot.variants.len(), kept.model.sizes(), "{place}");
    for (size, read) in snapshot.variants.iter().enumerate() {
        let stock = read.stock;
        let counts = (stock.total().get(), stock.held().get(), stock.sold().get());
        assert_eq!(counts, kept.model.counts(size, at), "{place}");
        assert_eq!(stock.available().get(), kept.model.available(size, at), "{place}");
    }
}
