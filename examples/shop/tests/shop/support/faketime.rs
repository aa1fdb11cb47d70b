//! A wrong clock for one program (Debian's package `libfaketime`).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

/// The time of the programs that run under it, which can be set while they run. How long they
/// sleep stays right.
#[derive(Debug)]
pub(crate) struct FakeTime {
    folder: TempDir,
    library: String,
}

impl FakeTime {
    /// Begins right.
    pub(crate) fn new() -> Self {
        let library = library().expect("libfaketime is not installed (Debian's libfaketime)");
        let folder = tempfile::tempdir().expect("a folder");
        let readable = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), readable).expect("a mode");
        let time = Self { folder, library };
        time.ahead(0);
        time
    }

    /// What has to be in a program's environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let file = self.folder.path().join("time").display().to_string();
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Sets it: so many seconds ahead of the machine's, or behind.
    pub(crate) fn ahead(&self, seconds: i64) {
        let (draft, file) = (self.folder.path().join("draft"), self.folder.path().join("time"));
        std::fs::write(&draft, format!("{seconds:+}\n")).expect("a file");
        // At once, for who reads it in between.
        std::fs::rename(draft, file).expect("renamed");
    }
}

/// Debian keeps it under the folder of the machine's architecture.
fn library() -> Option<String> {
    const PATH: &str = "faketime/libfaketime.so.1";
    let mut folders =
        vec![Path::new("/usr/lib").to_owned(), Path::new("/usr/local/lib").to_owned()];
    let inside = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.extend(inside.map(|folder| folder.path()));
    let found = folders.into_iter().map(|folder| folder.join(PATH)).find(|path| path.exists());
    found.map(|path| path.display().to_string())
}
