//! A disk that is soon full, and can be made larger under a running program.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use std::io::{BufRead, BufReader};

/// A small file system in memory. It goes when this value goes, or with the test process: a
/// shell beside it waits for either.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    directory: PathBuf,
    shell: Child,
    input: Option<ChildStdin>,
}

/// Mounts, says so, waits for the end of its input, and unmounts. What is still in use there
/// is freed with its last user.
const SHELL: &str = r#"trap '' INT TERM HUP
mount -t tmpfs -o "size=$1" drop-test "$0" && chown --reference="$2" "$0" && echo mounted || exit 1
read -r _
umount -l "$0"
rmdir "$0""#;

impl SmallDisk {
    /// One of so many KiB, which belongs to whom `like` belongs; `None` where this process may
    /// not mount.
    pub(crate) fn mount(kib: u64, like: &Path) -> Option<Self> {
        let directory = tempfile::Builder::new().prefix("drop-disk-").tempdir().expect("a folder");
        let directory = directory.keep();
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL]).arg(&directory).arg(format!("{kib}k")).arg(like);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().expect("sh");
        let mut said = String::new();
        let output = shell.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut said).expect("a line");
        let input = shell.stdin.take();
        let disk = Self { directory, shell, input };
        (said == "mounted\n").then_some(disk)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// Makes it of so many KiB, whoever uses it.
    pub(crate) fn resize(&self, kib: u64) {
        let size = format!("remount,size={kib}k");
        let resized = Command::new("mount").args(["-o", &size]).arg(&self.directory).status();
        assert!(resized.expect("mount").success(), "the disk cannot be made of {kib} KiB");
    }

    /// How many KiB are in use.
    pub(crate) fn used(&self) -> u64 {
        let output = Command::new("df").args(["-k", "--output=used"]).arg(&self.directory).output();
        let table = String::from_utf8(output.expect("df").stdout).expect("text");
        table.lines().last().and_then(|line| line.trim().parse().ok()).expect("a count")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.input = None;
        // It has nothing more to say.
        let _ = self.shell.wait();
        if self.directory.exists() && !is_mount(&self.directory) {
            let _ = std::fs::remove_dir(&self.directory);
        }
    }
}

fn is_mount(directory: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    device(directory) != directory.parent().and_then(device)
}
