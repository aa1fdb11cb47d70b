//! What was written is counted, table by table: each is made to lose its rows without a word, by
//! a trigger of the owner's, and nothing of the change is committed.

use drop_core::model::{DropName, NewDrop, VariantName};
use drop_core::rules::{Amendment, Command};
use drop_core::{Store, StoreError};
use sqlx::{AssertSqlSafe, Executor};

use crate::kit::{
    assert_sound, batch, hold, plain, purchase, release, reserve, snapshot, store, terms, units,
};

/// Has rows of a table vanish `when` something is written to it: `INSERT ON drops`.
pub(crate) fn losing(written: &str, when: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION lose() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
            IF {when} THEN RETURN NULL; END IF; RETURN NEW; END $$;
         CREATE OR REPLACE TRIGGER lose BEFORE {written} FOR EACH ROW EXECUTE FUNCTION lose();"
    )
}

/// The finding says which count it was: where one is not compared, another may notice as well.
fn assert_found(what: &str, error: &StoreError) {
    let StoreError::Corrupt(finding) = error else { panic!("{what}: {error:?}") };
    let finding = finding.to_string();
    assert!(finding.contains(&format!("1 {what} were decided, 0 written")), "{what}: {finding}");
}

#[tokio::test]
async fn rows_that_vanish_on_their_way_undo_the_change_that_wrote_them() {
    let (database, store) = store().await;
    let size = |text: &str| (VariantName::new(text).unwrap(), units(5));
    let sized = NewDrop::with_variants(terms(), [size("41")]).unwrap();
    let named = Amendment { name: Some(DropName::new("Boot").unwrap()), ..Amendment::default() };
    let larger = Amendment { variants: vec![size("42")], ..Amendment::default() };
    let mut outside = database.connection().await.unwrap();
    for (what, written, when) in [
        ("reservations", "INSERT ON reservations", "true"),
        ("settled reservations", "UPDATE ON reservations", "true"),
        ("purchases", "INSERT ON purchases", "true"),
        ("variants", "UPDATE ON drop_variants", "true"),
        ("new variants", "INSERT ON drop_variants", "true"),
        ("drops", "UPDATE ON drops", "NEW.revision > OLD.revision"),
        ("drops", "UPDATE ON drops", "NEW.name <> OLD.name"),
        ("changes", "INSERT ON drop_changes", "true"),
    ] {
        let id = store.create_drop(&sized).await.unwrap().id;
        let held = hold(&store, id, "ann").await.id();
        let before = snapshot(&store, id).await;
        outside.execute(AssertSqlSafe(losing(written, when))).await.unwrap();
        let commands = match (what, when) {
            ("purchases", _) => vec![purchase(held, "ann")],
            ("settled reservations", _) => vec![release(held, "ann"), reserve("bob")],
            ("new variants", _) => vec![Command::Amend(larger.clone())],
            (_, "NEW.name <> OLD.name") => vec![Command::Amend(named.clone())],
            _ => vec![reserve("bob")],
        };
        let error = store.apply(&batch(id, commands)).await.unwrap_err();
        assert_found(what, &error);
        let table = written.rsplit(' ').next().unwrap();
        let undo = format!("DROP TRIGGER lose ON {table}");
        outside.execute(AssertSqlSafe(undo)).await.unwrap();
        let after = snapshot(&store, id).await;
        assert_eq!((after.revision, after.stock()), (before.revision, before.stock()), "{what}");
        assert_sound(&store, id).await;
    }
}

#[tokio::test]
async fn rows_that_vanish_on_their_way_undo_a_creation() {
    let (database, store) = store().await;
    let mut outside = database.connection().await.unwrap();
    for (what, table) in
        [("drops", "drops"), ("new variants", "drop_variants"), ("changes", "drop_changes")]
    {
        let insert = format!("INSERT ON {table}");
        outside.execute(AssertSqlSafe(losing(&insert, "true"))).await.unwrap();
        let error = store.create_drop(&plain(1)).await.unwrap_err();
        assert_found(what, &error);
        let undo = format!("DROP TRIGGER lose ON {table}");
        outside.execute(AssertSqlSafe(undo)).await.unwrap();
        assert!(store.heads(None, 10).await.unwrap().is_empty());
    }
    store.create_drop(&plain(1)).await.unwrap();
}
