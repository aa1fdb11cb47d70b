//! [`BareFlush`]: what one flush costs, of a file that only grows.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::shop::Shop;

/// A line for each request at the end of a file, and `fdatasync`: durable, and nothing else.
#[derive(Clone, Debug)]
pub struct BareFlush {
    file: Arc<Mutex<File>>,
    lines: Arc<AtomicI64>,
    next_drop: Arc<AtomicI64>,
    _directory: Arc<TempDir>,
}

impl BareFlush {
    /// Its name.
    pub const SERIES: &str = "append, fdatasync";

    /// On a file of its own, where the file store has its own.
    ///
    /// # Panics
    /// Where there is no room.
    #[must_use]
    pub fn begin() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = File::create(directory.path().join("lines")).expect("a file");
        Self {
            file: Arc::new(Mutex::new(file)),
            lines: Arc::default(),
            next_drop: Arc::new(AtomicI64::new(1)),
            _directory: Arc::new(directory),
        }
    }
}

impl Shop for BareFlush {
    fn series(&self) -> &'static str {
        Self::SERIES
    }

    async fn open(&self, _stock: u32) -> i64 {
        self.lines.store(0, Ordering::Relaxed);
        self.next_drop.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits in place: nobody else is served meanwhile, and nobody is woken.
    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{drop_id} {username}").expect("a line");
        file.sync_data().expect("a flush");
        Some(self.lines.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn held(&self, _drop_id: i64) -> u64 {
        self.lines.load(Ordering::Relaxed).unsigned_abs()
    }
}
