//! When a file is written again, and what that leaves.

use redb::{Database, StorageBackend};

use super::disk::{Disk, Done, Plan};
use super::{open, prepared};
use crate::journal::medium::Medium;
use crate::journal::resync::{Resync, Syncs};

/// What opening writes before the engine reads anything, in a process that knows `syncs`.
fn written(disk: &Disk, syncs: &Syncs) -> u64 {
    disk.plan(None);
    let backend = Resync::new(disk.open().unwrap(), syncs);
    backend.len().unwrap();
    backend.close().unwrap();
    disk.operations()
}

#[test]
fn only_a_file_that_was_not_closed_in_order_is_written_again() {
    let disk = prepared();
    assert_eq!(written(&disk.after_exit(), &Syncs::default()), 0, "closed in order");
    let store = open(&disk, "again");
    let killed = disk.after_exit();
    assert!(written(&killed, &Syncs::default()) > 0, "killed");
    drop(store);
    assert_eq!(written(&disk.after_exit(), &Syncs::default()), 0, "closed in order again");
}

/// The engine takes its mark away with the next sync: what is written again must not be on its
/// way together with that.
#[test]
fn what_was_written_again_is_synced_before_it_is_read() {
    let disk = prepared();
    let syncs = Syncs::default();
    assert_eq!(written(&disk, &syncs), 0);
    let failing = Resync::new(disk.open().unwrap(), &syncs);
    failing.write(8192, &[7; 4096]).unwrap();
    disk.plan(Some(Plan { first: 0, count: 1, done: Done::Nothing }));
    failing.sync_data().unwrap_err();
    // The next sync passes and makes nothing good.
    failing.sync_data().unwrap();
    failing.close().unwrap();
    assert_ne!(disk.kept(8192..12_288), [7; 4096]);
    assert!(written(&disk, &syncs) > 0);
    assert_eq!(disk.kept(8192..12_288), [7; 4096]);
    assert_eq!(written(&disk, &syncs), 0, "once is enough");
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    for bytes in [&b"redb"[..], &[0xff; 9000], b"this is no database"] {
        let disk = Disk::new(bytes.to_vec());
        assert_eq!(written(&disk, &Syncs::default()), 0);
        assert!(Database::builder().create_with_backend(disk).is_err());
    }
}
