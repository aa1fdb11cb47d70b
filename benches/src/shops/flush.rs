//! [`BareFlush`]: what one flush costs, of a file that only grows.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::shop::Shop;

/// A line for each request at the end of a file, and `fdatasync`: durable, and nothing else.
#[derive(Clone, Debug)]
pub struct BareFlush {
    file: Arc<Mutex<File>>,
    next: Arc<AtomicI64>,
    directory: Arc<TempDir>,
}

impl BareFlush {
    /// Its name.
    pub const SERIES: &str = "append, fdatasync";
    const FILE: &str = "lines";

    /// On a file of its own, where the file store has its own.
    ///
    /// # Panics
    /// Where there is no room.
    #[must_use]
    pub fn begin() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = File::create(directory.path().join(Self::FILE)).expect("a file");
        Self {
            file: Arc::new(Mutex::new(file)),
            next: Arc::new(AtomicI64::new(1)),
            directory: Arc::new(directory),
        }
    }
}

impl Shop for BareFlush {
    fn series(&self) -> &'static str {
        Self::SERIES
    }

    async fn open(&self, _stock: u32) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits in place: nobody else is served meanwhile, and nobody is woken.
    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{drop_id} {username}").expect("a line");
        file.sync_data().expect("a flush");
        Some(self.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn held(&self, drop_id: i64) -> u64 {
        let file = File::open(self.directory.path().join(Self::FILE)).expect("the file");
        let of_drop = format!("{drop_id} ");
        let lines = BufReader::new(file).lines().map(|line| line.expect("a line"));
        lines.filter(|line| line.starts_with(&of_drop)).fold(0, |count, _| count + 1)
    }
}
