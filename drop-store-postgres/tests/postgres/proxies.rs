//! The proxies themselves: a test that relies on them relies on these.

use std::time::Duration;

use drop_core::{Store, StoreError};
use drop_store_postgres::PostgresStore;
use drop_store_postgres::testing::{Line, SqlProxy, StepKind, TcpProxy, Verdict};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::kit::{assert_sound, database, drop_of, hold, reserve, try_one};

#[tokio::test]
async fn a_proxy_names_the_steps_and_says_what_the_server_would() {
    let database = database().await;
    let proxy = SqlProxy::before(&database.options()).await.unwrap();
    let mut connection = PgConnection::connect_with(&proxy.options()).await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    sqlx::query("SELECT $1::bigint").bind(1).execute(&mut connection).await.unwrap();
    let kinds: Vec<StepKind> = proxy.take_steps().iter().map(|step| step.kind).collect();
    assert_eq!(kinds[..2], [StepKind::Startup, StepKind::Script]);
    assert_eq!(kinds[kinds.len() - 2..], [StepKind::Prepare, StepKind::Execute]);
    let code = |error: sqlx::Error| error.as_database_error().unwrap().code().unwrap().to_string();
    proxy.set_judge(|step| match step.sql.contains("UPDATE") {
        true => Verdict::Refuse("40001"),
        false => Verdict::Pass,
    });
    let update = "UPDATE drop_ids SET last = 7";
    assert_eq!(code(connection.execute(update).await.unwrap_err()), "40001");
    // The transaction is broken, as the server's would be, and undone.
    assert_eq!(code(connection.execute("SELECT 1").await.unwrap_err()), "25P02");
    proxy.pass();
    connection.execute("ROLLBACK").await.unwrap();
    connection.execute("SELECT 1").await.unwrap();
    proxy.quiet().await;
    proxy.set_judge(|step| match step.is_commit() {
        true => Verdict::Refuse("40001"),
        false => Verdict::Pass,
    });
    connection.execute("BEGIN").await.unwrap();
    connection.execute(update).await.unwrap();
    assert_eq!(code(connection.execute("COMMIT").await.unwrap_err()), "40001");
    let last = sqlx::query_scalar::<_, i64>("SELECT last FROM drop_ids");
    assert_eq!(last.fetch_one(&mut connection).await.unwrap(), 0);
    assert_eq!(proxy.take_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn the_line_is_cut_drips_and_is_a_black_hole_for_any_protocol() {
    let database = database().await;
    let options = database.options();
    let proxy = TcpProxy::before(format!("{}:{}", options.get_host(), options.get_port()));
    let proxy = proxy.await.unwrap();
    let options = options.host("127.0.0.1").port(proxy.address().port());
    let builder = PostgresStore::builder_with(options.clone()).pool_size(2);
    let builder = builder.acquire_timeout(Duration::from_secs(1));
    let store = builder.answer_timeout(Duration::from_secs(1)).connect_unmigrated();
    let store = store.await.unwrap();
    let id = drop_of(&store, 9).await;
    // Both connections of the pool had died in it: they are replaced.
    proxy.cut();
    hold(&store, id, "ann").await;
    proxy.set(Line::Drip);
    hold(&store, id, "bob").await;
    for line in [Line::Down, Line::CutAfterSent(30), Line::CutAfterReceived(30), Line::BlackHole] {
        proxy.set(line);
        proxy.cut();
        let error = try_one(&store, id, reserve("eve")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{line:?}: {error:?}");
    }
    proxy.set(Line::Clear);
    hold(&store, id, "eve").await;
    assert_sound(&database.connect().await.unwrap(), id).await;
}

/// A failover to a standby, or an operator who has closed the database for writing.
#[tokio::test]
async fn a_read_only_database_is_unavailable_and_can_still_be_read() {
    let database = database().await;
    let writing = database.connect().await.unwrap();
    let id = drop_of(&writing, 5).await;
    let ann = hold(&writing, id, "ann").await;
    database.set("default_transaction_read_only", "on").await.unwrap();
    let store = database.builder().connect_unmigrated().await.unwrap();
    for command in [reserve("bob"), reserve("ann"), crate::kit::purchase(ann.id(), "ann")] {
        let error = try_one(&store, id, command).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    let error = store.create_drop(&crate::kit::plain(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let error = store.delete_drop(id, true).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(crate::kit::counts(&store, id).await, (5, 1, 0));
    // Sessions keep what they began with, also who takes it back; a new one is as it is now.
    let mut owner = database.connection().await.unwrap();
    owner.execute("SET default_transaction_read_only = off").await.unwrap();
    let name = database.options().get_database().unwrap().to_owned();
    let reset = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    owner.execute(AssertSqlSafe(reset)).await.unwrap();
    let store = database.connect().await.unwrap();
    hold(&store, id, "bob").await;
    assert_sound(&store, id).await;
}
