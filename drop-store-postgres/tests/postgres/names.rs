//! Names that are remembered from before their users were deleted and made anew elsewhere: what
//! an instance believes of them refuses nobody.

use drop_core::Store;
use drop_core::model::{DropId, DropTerms, NewDrop, ReservationId};
use drop_core::rules::{Effect, Outcome, Rejection};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, SqlProxy, Verdict};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::guards::beginning;
use crate::kit::{
    assert_sound, buy, database, drop_of, forget, hold, name, outcome, purchase, refused, release,
    reserve, terms, timed, units,
};
use crate::races::waits;

/// Deletes a user with everything he has in these drops.
async fn delete(store: &PostgresStore, drops: &[DropId], who: &str) {
    for id in drops {
        outcome(store, *id, forget(who)).await;
    }
    store.delete_user(&name(who)).await.unwrap();
}

/// The last unit is Ann's, whom this instance takes for the user she was: it is hers here too.
#[tokio::test]
async fn a_repeat_of_who_was_made_anew_is_not_out_of_stock() {
    let (_database, time, store) = timed().await;
    let other = time.connect().await.unwrap();
    let [first, id] = [drop_of(&store, 5).await, drop_of(&store, 1).await];
    hold(&store, first, "ann").await;
    delete(&other, &[first], "ann").await;
    let held = hold(&other, id, "ann").await;
    let repeated = outcome(&store, id, reserve("ann")).await;
    let Outcome::Done(Effect::Reserved { reservation, .. }) = &repeated else {
        panic!("{repeated:?}")
    };
    assert_eq!(reservation.id(), held.id());
    assert_sound(&store, id).await;
}

/// Neither does what she bought under her old id count, nor is what she bought since forgotten.
#[tokio::test]
async fn the_limit_counts_what_the_user_bought_who_has_the_name_now() {
    let (_database, time, store) = timed().await;
    let other = time.connect().await.unwrap();
    let limited = DropTerms { limit: Some(units(1)), ..terms() };
    let limited = NewDrop::plain(limited, units(9)).unwrap();
    let first = drop_of(&store, 5).await;
    let id = store.create_drop(&limited).await.unwrap().id;
    hold(&store, first, "ann").await;
    delete(&other, &[first], "ann").await;
    buy(&other, id, "ann").await;
    let answer = outcome(&store, id, reserve("ann")).await;
    assert_eq!(answer, refused(Rejection::LimitReached));
}

/// Nobody had the name when it was looked up, and its reservation was there behind the lock.
#[tokio::test]
async fn who_became_a_user_before_the_lock_is_not_refused() {
    let database = database().await;
    let outside = database.connect().await.unwrap();
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let store = PostgresStore::builder_with(proxy.options()).connect_unmigrated().await.unwrap();
    let mut gate = proxy.gate();
    for sells in [true, false] {
        let id = drop_of(&outside, 5).await;
        let first = ReservationId::new(id, 1).unwrap();
        let who = if sells { "ann" } else { "bob" };
        proxy.set_judge(|step| if step.is_begin() { Verdict::Hold } else { Verdict::Pass });
        let asking = tokio::spawn({
            let store = store.clone();
            let command = if sells { purchase(first, who) } else { release(first, who) };
            async move { outcome(&store, id, command).await }
        });
        let opening = gate.next().await.unwrap();
        assert_eq!(hold(&outside, id, who).await.id(), first);
        proxy.pass();
        opening.release();
        let answer = asking.await.unwrap();
        assert!(matches!(answer, Outcome::Done(_)), "{answer:?}");
    }
}

/// As above, where the name becomes a user's only while the lock is waited for.
#[tokio::test]
async fn who_became_a_user_while_the_lock_was_waited_for_is_not_refused() {
    let (database, store) = crate::kit::store().await;
    let id = drop_of(&store, 5).await;
    let lock = format!("SELECT 1 FROM drops WHERE id = {id} FOR UPDATE");
    let mut outside = beginning(&database, &lock).await;
    let first = ReservationId::new(id, 1).unwrap();
    let asking = tokio::spawn({
        let store = store.clone();
        async move { outcome(&store, id, purchase(first, "ann")).await }
    });
    waits(&database, 1).await;
    let holds = format!(
        "INSERT INTO users (username, created_at, updated_at) VALUES ('ann', now(), now());
         INSERT INTO reservations (drop_id, n, user_id, variant, quantity, price, status,
            created_at, expires_at, updated_at)
         SELECT {id}, 1, id, 0, 1, 1, 'active', now(), now() + INTERVAL '1 day', now() FROM users;
         UPDATE drop_variants SET held = 1 WHERE drop_id = {id};
         UPDATE drops SET held = 1, next_number = 2, revision = 2, updated_at = now()
         WHERE id = {id};
         COMMIT"
    );
    outside.execute(AssertSqlSafe(holds)).await.unwrap();
    let answer = asking.await.unwrap();
    assert!(matches!(answer, Outcome::Done(_)), "{answer:?}");
}

/// Where the database was put back to an earlier state and went on from there, another change
/// has the revision that this instance stands at: what it has kept is not of this history.
#[tokio::test]
async fn what_was_kept_of_another_history_is_not_gone_on_with() {
    let (database, store) = crate::kit::store().await;
    let id = drop_of(&store, 5).await;
    hold(&store, id, "ann").await;
    let mut outside = database.connection().await.unwrap();
    let restored = format!(
        "DELETE FROM reservations; DELETE FROM drop_changes WHERE drop_id = {id} AND revision > 1;
         UPDATE drop_variants SET held = 0 WHERE drop_id = {id};
         UPDATE drops SET held = 0, next_number = 1, revision = 1, updated_at = created_at
         WHERE id = {id};"
    );
    outside.execute(AssertSqlSafe(restored)).await.unwrap();
    let other = database.connect().await.unwrap();
    let bobs = hold(&other, id, "bob").await;
    hold(&other, id, "carol").await;
    // Ann's hold had the number that is bob's now.
    let answer = outcome(&store, id, purchase(bobs.id(), "bob")).await;
    assert!(matches!(answer, Outcome::Done(_)), "{answer:?}");
    crate::kit::assert_sound(&store, id).await;
}

/// Turkish lowers `I` to a letter that no username has. Before migration 2 names were lowered so,
/// and such a name was made a user again and again, whom nobody found.
#[tokio::test]
async fn a_name_is_one_user_whatever_language_the_database_is_in() {
    let cluster = Cluster::in_memory().await.unwrap();
    let beside = cluster.empty_database().await.unwrap();
    let mut outside = beside.connection().await.unwrap();
    let database = format!("drop_test_turkish_{}", std::process::id());
    let create = format!(
        "CREATE DATABASE {database} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'"
    );
    outside.execute(AssertSqlSafe(create)).await.unwrap();
    let options = beside.options().database(&database);
    let builder = PostgresStore::builder_with(options.clone());
    builder.migrate().await.unwrap();
    let mut within = PgConnection::connect_with(&options).await.unwrap();
    let as_before = "DELETE FROM drop_migrations WHERE version = 2;
        DROP INDEX users_by_name;
        CREATE UNIQUE INDEX users_by_name ON users (lower(username));
        INSERT INTO users (username, created_at, updated_at)
        VALUES ('IRIS', now(), now()), ('iris', now(), now());";
    within.execute(as_before).await.unwrap();
    within.close().await.unwrap();
    let store = builder.connect().await.unwrap();
    let id = drop_of(&store, 5).await;
    let held = hold(&store, id, "IRIS").await;
    assert_eq!(hold(&store, id, "iris").await.id(), held.id());
    assert_eq!(hold(&store, id, "IrIs").await.id(), held.id());
    buy(&store, id, "iris").await;
    assert_eq!(store.drops_of(&name("Iris")).await.unwrap(), [id]);
    assert_sound(&store, id).await;
    store.close().await;
    let remove = format!("DROP DATABASE {database} WITH (FORCE)");
    outside.execute(AssertSqlSafe(remove)).await.unwrap();
}
