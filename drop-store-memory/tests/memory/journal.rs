//! What a file store keeps over a restart, and what it says of a file that is not whole.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drop_core::model::{DropTerms, NewDrop, Revision, Timestamp, Units};
use drop_core::rules::{Batch, Command, Effect, Outcome};
use drop_core::store::{DropPage, Page, Scope};
use drop_core::{DropService, ManualClock, Reserve, Store};
use drop_store_memory::{FileStore, OpenError};

const DATABASE: &str = "drop.redb";

/// Two drops with everything that can be in one; returns the store's description of it.
async fn fill(directory: &Path, clock: &Arc<ManualClock>) -> String {
    let store = FileStore::open_with_clock(directory, clock.clone()).unwrap();
    let (service, _workers) = DropService::builder(store.clone()).build();
    for name in ["Air One", "Air Two"] {
        let terms = DropTerms::new(name, "149.99", Default::default()).unwrap();
        let new = NewDrop::plain(terms, Units::new(50).unwrap()).unwrap();
        let id = service.create_drop(new).await.unwrap().id;
        for shopper in 0..20 {
            let name = format!("shopper_{shopper}");
            let hold = service.reserve(id, Reserve::one(name.as_str())).await.unwrap();
            match shopper % 4 {
                0 => drop(service.purchase(hold.id(), &name).await.unwrap()),
                1 => drop(service.release(hold.id(), &name).await.unwrap()),
                _ => {}
            }
        }
    }
    service.delete_user("shopper_4", true).await.unwrap();
    dump(&store).await
}

/// Everything that a reader can see, in words.
async fn dump(store: &dyn Store) -> String {
    let mut dump = String::new();
    let page = Page { before: None, limit: 1000 };
    let drops = DropPage { status: None, after: None, limit: 100 };
    for snapshot in store.snapshots(&drops).await.unwrap() {
        let scope = Scope::Drop(snapshot.id);
        let holds = store.holds(&scope, page).await.unwrap();
        let sales = store.purchases(&scope, page).await.unwrap();
        let changes = store.changes(snapshot.id, Revision::ZERO, 10_000).await.unwrap();
        let audit = store.audit(snapshot.id).await.unwrap().unwrap();
        assert!(audit.is_sound(), "{audit:?}");
        dump += &format!("{snapshot:?}\n{holds:?}\n{sales:?}\n{changes:?}\n");
    }
    dump
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap()))
}

#[tokio::test]
async fn reopening_restores_everything() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let before = fill(directory.path(), &clock).await;
    let store = FileStore::open_with_clock(directory.path(), clock.clone()).unwrap();
    assert_eq!(dump(&store).await, before);
    let whose = |name: &str| Scope::Customer(name.parse().unwrap());
    let page = Page { before: None, limit: 10 };
    assert_eq!(store.purchases(&whose("shopper_0"), page).await.unwrap().len(), 2);
    assert_eq!(store.purchases(&whose("shopper_4"), page).await.unwrap(), []);
    // Ids go on where they were: nothing is given twice.
    let terms = DropTerms::new("Air Three", "1", Default::default()).unwrap();
    let third = store.create_drop(&NewDrop::plain(terms, Units::ONE).unwrap()).await.unwrap();
    assert_eq!(third.id.get(), 3);
}

/// Also where no row of his is left: his id was told.
#[tokio::test]
async fn who_reserved_and_was_forgotten_at_once_keeps_his_id_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    let reserve = |name: &str| Command::Reserve {
        customer: name.parse().unwrap(),
        variant: None,
        quantity: Units::ONE,
    };
    let forget = |name: &str| Command::Forget { customer: name.parse().unwrap() };
    let user = |outcome: &Outcome| match outcome {
        Outcome::Done(Effect::Reserved { reservation, .. }) => reservation.claim().user_id,
        other => panic!("{other:?}"),
    };
    let open = || FileStore::open_with_clock(directory.path(), clock.clone()).unwrap();
    let (id, bob) = {
        let store = open();
        let new = NewDrop::plain(terms, Units::ONE).unwrap();
        let id = store.create_drop(&new).await.unwrap().id;
        let batch = Batch::new(id, vec![reserve("bob"), forget("bob")]).unwrap();
        (id, user(&store.apply(&batch).await.unwrap().outcomes()[0]))
    };
    let batch = Batch::new(id, vec![reserve("amy"), forget("amy"), reserve("bob")]).unwrap();
    let applied = open().apply(&batch).await.unwrap();
    assert_ne!(user(&applied.outcomes()[0]), bob);
    assert_eq!(user(&applied.outcomes()[2]), bob);
}

#[tokio::test]
async fn holds_expire_on_time_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let terms = DropTerms::new("Air One", "149.99", Default::default()).unwrap();
    let id = {
        let store = FileStore::open_with_clock(directory.path(), clock.clone()).unwrap();
        let (service, _workers) = DropService::builder(store).build();
        let new = NewDrop::plain(terms, Units::ONE).unwrap();
        let id = service.create_drop(new).await.unwrap().id;
        service.reserve(id, Reserve::one("ann")).await.unwrap();
        id
    };
    clock.advance(Duration::from_micros(59_999_999)).await;
    let store = FileStore::open_with_clock(directory.path(), clock.clone()).unwrap();
    let (service, _workers) = DropService::builder(store).build();
    service.reserve(id, Reserve::one("bob")).await.unwrap_err();
    clock.advance(Duration::from_micros(1)).await;
    service.reserve(id, Reserve::one("bob")).await.unwrap();
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _open = FileStore::open(directory.path()).unwrap();
    let second = FileStore::open(directory.path()).unwrap_err();
    assert!(matches!(second, OpenError::AlreadyOpen { .. }), "{second}");
    assert!(second.to_string().contains("already open in another process"), "{second}");
}

#[tokio::test]
async fn a_torn_file_is_reported() {
    let source = tempfile::tempdir().unwrap();
    fill(source.path(), &clock()).await;
    let whole = std::fs::read(source.path().join(DATABASE)).unwrap();
    for length in [0, 1, 100, 4096, whole.len() / 3, whole.len() / 2, whole.len() - 4096] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(DATABASE), &whole[..length]).unwrap();
        let opened = FileStore::open(directory.path());
        let damaged = matches!(opened, Err(OpenError::Damaged { .. }));
        assert!(damaged, "torn at {length} of {}: {opened:?}", whole.len());
    }
}

/// The engine takes an empty file for a new database: it must not come to it.
#[test]
fn an_empty_file_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATABASE);
    std::fs::write(&path, "").unwrap();
    for _ in 0..2 {
        let error = FileStore::open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("the file is empty"), "{error}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_flipped_bit_is_reported_or_harmless() {
    let source = tempfile::tempdir().unwrap();
    let clock = clock();
    let before = fill(source.path(), &clock).await;
    let whole = std::fs::read(source.path().join(DATABASE)).unwrap();
    let mut reported = 0;
    let steps = 150;
    for step in 0..steps {
        // A stride that is prime to the page size, so that all parts of pages are hit.
        let offset = (step * 40_993 + step * step * 61) % whole.len();
        let mut damaged = whole.clone();
        damaged[offset] ^= 0x10;
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(DATABASE), &damaged).unwrap();
        match FileStore::open_with_clock(directory.path(), clock.clone()) {
            Ok(store) => assert_eq!(dump(&store).await, before, "flipped at {offset}"),
            Err(OpenError::Damaged { .. }) => reported += 1,
            Err(other) => panic!("flipped at {offset}: {other}"),
        }
    }
    assert!(reported > 0, "none of {steps} flips hit anything");
}

#[test]
fn another_format_and_no_database_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(DATABASE), "this is no database").unwrap();
    let error = FileStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    let blocked = tempfile::NamedTempFile::new().unwrap();
    let error = FileStore::open(blocked.path()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}
