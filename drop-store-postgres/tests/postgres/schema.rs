//! Migrations, readiness, and what the schema promises by itself.

use drop_core::model::DropId;
use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Cluster, SqlProxy};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::kit::{
    assert_sound, buy, counts, database, drop_of, hold, name, reserve, start, try_one,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_migrate_at_once_wait_for_each_other() {
    let cluster = Cluster::in_memory().await.unwrap();
    let database = cluster.empty_database().await.unwrap();
    let unready = database.builder().connect_unmigrated().await.unwrap();
    assert!(matches!(unready.ready().await, Err(StoreError::Backend(_))));
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let url = database.url();
            tokio::spawn(async move { PostgresStore::connect(&url).await })
        })
        .collect();
    let mut stores = Vec::new();
    for task in tasks {
        stores.push(task.await.unwrap().unwrap());
    }
    // And once more: nothing is left to do.
    stores[0].migrate().await.unwrap();
    unready.ready().await.unwrap();
    let id = drop_of(&stores[0], 6).await;
    for (n, store) in stores.iter().enumerate() {
        hold(store, id, &format!("user{n}")).await;
    }
    assert_eq!(counts(&unready, id).await, (6, 6, 0));
}

/// Nothing could be prepared on the connections that were there before the schema was.
#[tokio::test]
async fn who_was_there_before_the_schema_is_told_so_and_sells_once_it_is_there() {
    let cluster = Cluster::in_memory().await.unwrap();
    let database = cluster.empty_database().await.unwrap();
    let early = database.builder().pool_size(2).connect_unmigrated().await.unwrap();
    // Its one connection lacks what it should have prepared, and stays until it is used.
    let silent = database.builder().pool_size(2).connect_unmigrated().await.unwrap();
    let id = DropId::new(1).unwrap();
    let refused = try_one(&early, id, reserve("ann")).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused:?}");
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("lacks the schema"), "{why}");
    let store = database.connect().await.unwrap();
    assert_eq!(drop_of(&store, 2).await, id);
    hold(&silent, id, "ann").await;
    hold(&early, id, "bob").await;
    assert_sound(&early, id).await;
}

#[tokio::test]
async fn a_host_keeps_its_own_migrations_beside() {
    let cluster = Cluster::in_memory().await.unwrap();
    let database = cluster.empty_database().await.unwrap();
    let mut outside = database.connection().await.unwrap();
    outside
        .execute(
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
                installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL,
                checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL);
             INSERT INTO _sqlx_migrations VALUES (42, 'of the host', now(), true, '\\x00', 1);",
        )
        .await
        .unwrap();
    database.connect().await.unwrap().ready().await.unwrap();
}

#[tokio::test]
async fn a_changed_migration_is_refused_and_keeps_nobody_waiting() {
    let database = database().await;
    let mut outside = database.connection().await.unwrap();
    outside.execute("UPDATE drop_migrations SET checksum = '\\x00'").await.unwrap();
    for _ in 0..2 {
        let refused = database.connect().await;
        assert!(refused.is_err(), "{refused:?}");
    }
}

#[tokio::test]
async fn rows_cascade_from_drop_user_and_reservation() {
    let database = database().await;
    let store = database.connect().await.unwrap();
    let [first, second] = [drop_of(&store, 9).await, drop_of(&store, 9).await];
    for id in [first, second] {
        for customer in ["ann", "bob"] {
            buy(&store, id, customer).await;
            hold(&store, id, customer).await;
        }
    }
    let mut outside = database.connection().await.unwrap();
    let rows = "SELECT (SELECT count(*) FROM reservations), (SELECT count(*) FROM purchases)";
    let mut left = async |statement: &str| {
        let statement = statement.to_owned();
        outside.execute(AssertSqlSafe(statement)).await.unwrap();
        sqlx::query_as::<_, (i64, i64)>(rows).fetch_one(&mut outside).await.unwrap()
    };
    assert_eq!(left("SELECT 1").await, (8, 4));
    let one = format!("DELETE FROM reservations WHERE drop_id = {first} AND status = 'completed'");
    assert_eq!(left(&one).await, (6, 2));
    assert_eq!(left("DELETE FROM users WHERE username = 'ann'").await, (3, 1));
    assert_eq!(left(&format!("DELETE FROM drops WHERE id = {second}")).await, (1, 0));
    // Behind the store's back the counters stay: the audit finds it.
    let audit = store.audit(first).await.unwrap().unwrap();
    assert!(!audit.is_sound());
}

#[tokio::test]
async fn the_schema_refuses_a_second_hold_and_an_oversold_drop() {
    let database = database().await;
    let store = database.connect().await.unwrap();
    let id = drop_of(&store, 2).await;
    hold(&store, id, "ann").await;
    let mut outside = database.connection().await.unwrap();
    let code = |error: sqlx::Error| {
        error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned))
    };
    let twice = "INSERT INTO reservations SELECT drop_id, n + 1, user_id, variant, quantity, \
                 price, status, created_at, expires_at, updated_at FROM reservations";
    assert_eq!(outside.execute(twice).await.map_err(code).unwrap_err().unwrap(), "23505");
    let oversold = "UPDATE drops SET sold = 2";
    assert_eq!(outside.execute(oversold).await.map_err(code).unwrap_err().unwrap(), "23514");
    let state = "UPDATE reservations SET status = 'sold'";
    assert_eq!(outside.execute(state).await.map_err(code).unwrap_err().unwrap(), "23514");
    outside.close().await.unwrap();
    assert_sound(&store, id).await;
}

#[tokio::test]
async fn counters_are_updated_in_place() {
    let database = database().await;
    let store = database.connect().await.unwrap();
    let id = drop_of(&store, 500).await;
    for n in 0..200 {
        hold(&store, id, &format!("user{n}")).await;
    }
    store.close().await;
    let mut outside = database.connection().await.unwrap();
    let hot = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables \
               WHERE relname IN ('drops', 'drop_variants')";
    for (table, updates, hot) in
        sqlx::query_as::<_, (String, i64, i64)>(hot).fetch_all(&mut outside).await.unwrap()
    {
        assert!(updates >= 200, "{table}: {updates}");
        assert!(hot * 10 >= updates * 9, "{table}: {hot} of {updates} in place");
    }
}

#[tokio::test]
async fn an_operator_reads_where_the_store_is_and_no_secret() {
    let database = database().await;
    let options = database.options().password("sesame");
    let store = PostgresStore::builder_with(options).connect_unmigrated().await.unwrap();
    let text = store.describe();
    assert!(text.starts_with("postgres ") && text.contains("drop_test_"), "{text}");
    assert!(!format!("{text} {store:?}").contains("sesame"));
    assert!(PostgresStore::builder("nonsense").is_err());
}

#[tokio::test]
async fn without_prepared_statements_everything_works_as_a_pooler_needs_it() {
    let database = database().await;
    let time = database.with_manual_time(start()).await.unwrap();
    let url = format!("{}&statement-cache-capacity=0", time.url());
    PostgresStore::connect(&url).await.unwrap().close().await;
    let proxy = SqlProxy::before(&time.options()).await.unwrap();
    let builder = PostgresStore::builder_with(proxy.options()).statement_cache_capacity(0);
    let store = builder.connect_unmigrated().await.unwrap();
    let id = drop_of(&store, 5).await;
    buy(&store, id, "ann").await;
    hold(&store, id, "null").await;
    assert_eq!(store.drops_of(&name("NULL")).await.unwrap(), [id]);
    assert_sound(&store, id).await;
    assert_eq!(store.ready().await.unwrap(), start());
    // Nor is anything planned but for the values at hand.
    let by_name = ["PREPARE", "EXECUTE", "plan_cache_mode"];
    let steps = proxy.take_steps();
    assert!(steps.iter().any(|step| step.sql.contains("FOR UPDATE")), "{steps:?}");
    let step = steps.iter().find(|step| by_name.iter().any(|word| step.sql.contains(word)));
    assert!(step.is_none(), "{step:?}");
}
