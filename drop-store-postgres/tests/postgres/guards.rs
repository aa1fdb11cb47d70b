//! The guards behind the lock: each is shown alone, by a hand in the database that does what
//! no instance does.

use drop_core::model::Status;
use drop_core::rules::{Command, Outcome, Rejection};
use drop_core::store::Deletion;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Database, SqlProxy, Verdict};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::kit::{
    apply, batch, counts, database, drop_of, hold, outcome, purchase, refused, release, reserve,
    seconds, snapshot, timed, try_one,
};
use crate::races::waits;

pub(crate) async fn beginning(database: &Database, statement: &str) -> PgConnection {
    let mut outside = database.connection().await.unwrap();
    outside.execute("BEGIN").await.unwrap();
    outside.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
    outside
}

/// A row that somebody else ends after it was loaded, without the drop's lock, keeps the state
/// that it was given; what was decided over it is not committed.
#[tokio::test]
async fn a_row_that_has_left_active_meanwhile_is_not_written_over() {
    let (database, time, store) = timed().await;
    for (settles, expected) in [(true, Status::Completed), (false, Status::Released)] {
        let id = drop_of(&store, 5).await;
        let held = hold(&store, id, "ann").await;
        let word = expected.as_str();
        let n = held.id().number();
        let mut outside = beginning(
            &database,
            &format!("UPDATE reservations SET status = '{word}' WHERE drop_id = {id} AND n = {n}"),
        )
        .await;
        if settles {
            time.set_time(held.expires_at()).await.unwrap();
        }
        let deciding = tokio::spawn({
            let store = store.clone();
            let command = if settles { Command::Expire } else { purchase(held.id(), "ann") };
            async move { try_one(&store, id, command).await }
        });
        waits(&database, 1).await;
        outside.execute("COMMIT").await.unwrap();
        let error = deciding.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        let reading = store.reservation(held.id()).await.unwrap().unwrap();
        assert_eq!(reading.reservation.status(), expected);
        let sales = "SELECT count(*) FROM purchases";
        let sales = sqlx::query_scalar::<_, i64>(sales).fetch_one(&mut outside).await.unwrap();
        assert_eq!((sales, snapshot(&store, id).await.revision.get()), (0, 2));
    }
}

/// As above, where the same change also takes a hold, and so settles in a statement of its own.
#[tokio::test]
async fn settling_beside_a_new_hold_does_not_write_over_either() {
    let (database, store) = crate::kit::store().await;
    let id = drop_of(&store, 5).await;
    let held = hold(&store, id, "ann").await;
    let ended = format!("UPDATE reservations SET status = 'completed' WHERE drop_id = {id}");
    let mut outside = beginning(&database, &ended).await;
    let deciding = tokio::spawn({
        let store = store.clone();
        let batch = batch(id, vec![release(held.id(), "ann"), reserve("bob")]);
        async move { store.apply(&batch).await }
    });
    waits(&database, 1).await;
    outside.execute("COMMIT").await.unwrap();
    let error = deciding.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let reading = store.reservation(held.id()).await.unwrap().unwrap();
    assert_eq!(reading.reservation.status(), Status::Completed);
    assert_eq!(snapshot(&store, id).await.revision.get(), 2);
}

/// A drop whose revision is not what was loaded is not written.
#[tokio::test]
async fn a_revision_that_was_raised_meanwhile_is_not_written_over() {
    let (database, store) = crate::kit::store().await;
    let id = drop_of(&store, 5).await;
    let held = hold(&store, id, "ann").await;
    let mut outside = database.connection().await.unwrap();
    // Settling is a statement of its own here, so this comes between loading and writing.
    let raise = "CREATE FUNCTION raise() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
            UPDATE drops SET revision = revision + 1; RETURN NULL; END $$;
         CREATE TRIGGER raise AFTER UPDATE ON reservations
            FOR EACH STATEMENT EXECUTE FUNCTION raise();";
    outside.execute(raise).await.unwrap();
    let both = batch(id, vec![release(held.id(), "ann"), reserve("bob")]);
    let error = store.apply(&both).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert_eq!(snapshot(&store, id).await.revision.get(), 2);
    assert_eq!(counts(&store, id).await, (5, 1, 0));
}

/// A drop that is committed between the locking statement and the reading one is not locked.
#[tokio::test]
async fn a_drop_that_appears_behind_the_locking_statement_is_not_there_yet() {
    let (database, _time, store) = timed().await;
    let pattern = drop_of(&store, 5).await;
    let id = drop_core::model::DropId::new(pattern.get() + 1).unwrap();
    // Whoever reads the time waits: that is after the locking statement.
    let lock = "LOCK TABLE manual_time.clock IN ACCESS EXCLUSIVE MODE";
    let mut outside = beginning(&database, lock).await;
    let early = tokio::spawn({
        let store = store.clone();
        async move { outcome(&store, id, Command::Expire).await }
    });
    waits(&database, 1).await;
    let mut creator = database.connection().await.unwrap();
    let copy = format!(
        "CREATE TEMP TABLE copy AS SELECT * FROM drops; UPDATE copy SET id = {id};
         INSERT INTO drops SELECT * FROM copy;
         INSERT INTO drop_variants SELECT {id}, no, name, total, held, sold FROM drop_variants;"
    );
    creator.execute(AssertSqlSafe(copy)).await.unwrap();
    outside.execute("COMMIT").await.unwrap();
    assert_eq!(early.await.unwrap(), refused(Rejection::DropNotFound));
    hold(&store, id, "ann").await;
}

/// Users are made in the order of their names, whatever the order of the batch: two instances
/// that make the same ones wait for each other and do not deadlock.
#[tokio::test]
async fn users_are_made_in_the_order_of_their_names() {
    let (_database, store) = crate::kit::store().await;
    let id = drop_of(&store, 9).await;
    let names = ["zoe", "Ann", "mia", "BOB"];
    let applied = apply(&store, id, names.map(reserve).to_vec()).await;
    let mut made: Vec<_> = names
        .iter()
        .zip(&applied.change().unwrap().inserted)
        .map(|(name, row)| (row.claim().user_id, *name))
        .collect();
    made.sort_unstable();
    let made: Vec<_> = made.into_iter().map(|(_, name)| name).collect();
    assert_eq!(made, ["Ann", "BOB", "mia", "zoe"]);
}

/// COMMIT waits for a deferred trigger, and there its session is ended: nobody knows what
/// became of it, and nobody says that he does.
#[tokio::test]
async fn a_session_that_is_ended_in_its_commit_is_unknown_and_converges() {
    let database = database().await;
    let store = database.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    let mut outside = database.connection().await.unwrap();
    outside
        .execute(
            "CREATE FUNCTION late() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
                PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON drop_changes
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
             SELECT pg_advisory_lock(7);",
        )
        .await
        .unwrap();
    let committing = tokio::spawn({
        let store = store.clone();
        async move { try_one(&store, id, reserve("ann")).await }
    });
    waits(&database, 1).await;
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event = 'advisory'";
    outside.execute(end).await.unwrap();
    let answer = committing.await.unwrap();
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    outside.execute("SELECT pg_advisory_unlock(7)").await.unwrap();
    // It had not happened; the same again happens once.
    assert_eq!(counts(&store, id).await, (5, 0, 0));
    hold(&store, id, "ann").await;
    hold(&store, id, "ann").await;
    assert_eq!(counts(&store, id).await, (5, 1, 0));
}

/// A name that another instance deleted and gave to another user is that user's from then on:
/// the holder is not refused by what this instance remembers.
#[tokio::test]
async fn a_name_that_went_to_another_user_is_not_refused() {
    let (_database, time, store) = timed().await;
    let other: PostgresStore = time.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    for again in 0..2 {
        let held = hold(&store, id, "ann").await;
        assert!(matches!(outcome(&store, id, release(held.id(), "ann")).await, Outcome::Done(_)));
        outcome(&other, id, crate::kit::forget("ann")).await;
        other.delete_user(&crate::kit::name("ann")).await.unwrap();
        let held = hold(&other, id, "ann").await;
        let command = match again {
            0 => purchase(held.id(), "ann"),
            _ => release(held.id(), "ann"),
        };
        let answer = outcome(&store, id, command).await;
        assert!(matches!(answer, Outcome::Done(_)), "{answer:?}");
        time.advance(seconds(1)).await.unwrap();
    }
}

/// Whoever deletes a user waits for a reservation that is on its way, and then sees it.
#[tokio::test]
async fn a_user_is_not_deleted_over_a_reservation_that_is_not_committed_yet() {
    let (database, store) = crate::kit::store().await;
    let id = drop_of(&store, 5).await;
    let held = hold(&store, id, "ann").await;
    outcome(&store, id, crate::kit::forget("ann")).await;
    let user = held.claim().user_id.get();
    let reserving = format!(
        "INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status, \
         created_at, expires_at, updated_at) \
         VALUES ({id}, 9, {user}, 0, 1, 1, 'released', now(), now(), now())"
    );
    let mut outside = beginning(&database, &reserving).await;
    let deleting = tokio::spawn({
        let store = store.clone();
        async move { store.delete_user(&crate::kit::name("ann")).await.unwrap() }
    });
    waits(&database, 1).await;
    outside.execute("COMMIT").await.unwrap();
    assert_eq!(deleting.await.unwrap(), Deletion::Refused);
    assert_eq!(store.drops_of(&crate::kit::name("ann")).await.unwrap(), [id]);
}

/// Whoever reserves in a drop that is created between the look at its customers and its lock is
/// looked up again: nobody was made a user for a drop that was not there.
#[tokio::test]
async fn a_reserve_that_races_the_creation_of_its_drop_is_served() {
    let database = database().await;
    let outside = database.connect().await.unwrap();
    let next = drop_core::model::DropId::new(1).unwrap();
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let store = PostgresStore::builder_with(proxy.options()).connect_unmigrated().await.unwrap();
    let mut gate = proxy.gate();
    proxy.set_judge(|step| if step.is_begin() { Verdict::Hold } else { Verdict::Pass });
    let reserving = tokio::spawn({
        let store = store.clone();
        async move { try_one(&store, next, reserve("ann")).await }
    });
    let opening = gate.next().await.unwrap();
    assert_eq!(drop_of(&outside, 5).await, next);
    proxy.pass();
    opening.release();
    let answer = reserving.await.unwrap();
    assert!(answer.as_ref().is_ok_and(crate::kit::is_hold), "{answer:?}");
    crate::kit::assert_sound(&outside, next).await;
}

/// The index that forbids it is gone, and somebody has two holds: neither is taken for the one.
#[tokio::test]
async fn two_active_holds_of_one_customer_are_both_seen() {
    let (database, store) = crate::kit::store().await;
    let id = drop_of(&store, 5).await;
    hold(&store, id, "ann").await;
    let mut outside = database.connection().await.unwrap();
    let twice = "DROP INDEX reservations_one_hold;
         INSERT INTO reservations SELECT drop_id, n + 1, user_id, variant, quantity, price, \
         status, created_at, expires_at, updated_at FROM reservations;
         UPDATE drops SET updated_at = clock_timestamp();";
    outside.execute(twice).await.unwrap();
    let error = try_one(&store, id, reserve("ann")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}
