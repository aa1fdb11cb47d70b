//! The programs of the server, and as whom to run them.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ClusterError;

/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The programs, and the user to run them as where this process is root's.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    runner: Option<Runner>,
}

#[derive(Clone, Copy, Debug)]
struct Runner {
    uid: u32,
    gid: u32,
}

impl Programs {
    /// Finds them; `directory` is one that this process has just made.
    pub(super) fn find(directory: &Path) -> Result<Self, ClusterError> {
        let (initdb, postgres) = folders()
            .into_iter()
            .map(|folder| (folder.join("initdb"), folder.join("postgres")))
            .map(|(initdb, postgres)| (resolve(initdb), resolve(postgres)))
            .find(|(initdb, postgres)| initdb.is_file() && postgres.is_file())
            .ok_or(ClusterError::NotInstalled)?;
        // Whose new directory it is says who we are, without a call that is not safe.
        let root = fs::metadata(directory)?.uid() == 0;
        let runner = if root { Some(runner().ok_or(ClusterError::OnlyRoot)?) } else { None };
        Ok(Self { initdb, postgres, runner })
    }

    /// Gives the directory to whom the server runs as.
    pub(super) fn hand_over(&self, directory: &Path) -> Result<(), ClusterError> {
        if let Some(Runner { uid, gid }) = self.runner {
            chown(directory, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// Makes a cluster.
    pub(super) fn initdb(&self, data: &Path) -> Result<(), ClusterError> {
        let mut command = self.command(&self.initdb);
        let (program, arguments) = command.split_first().ok_or(ClusterError::NotInstalled)?;
        let output = Command::new(program)
            .args(arguments)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"])
            .args(["--no-sync", "--pgdata"])
            .arg(data)
            .current_dir("/")
            .output()?;
        command.clear();
        if output.status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ClusterError::Failed { program: "initdb", output })
    }

    /// The command that runs the server, without its port.
    pub(super) fn server(
        &self,
        data: &Path,
        settings: &[(&str, &str)],
        environment: &[String],
    ) -> Vec<String> {
        let mut command = self.command(&self.postgres);
        if !environment.is_empty() {
            // For the server alone, and as whom it runs: not for who changes to its user.
            let program = command.pop();
            command.push("env".to_owned());
            command.extend(environment.iter().cloned().chain(program));
        }
        command.extend(["-D".to_owned(), data.display().to_string()]);
        for (name, value) in settings {
            command.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        command
    }

    fn command(&self, program: &Path) -> Vec<String> {
        let mut command = Vec::new();
        if let Some(Runner { uid, gid }) = self.runner {
            let runner = [format!("--reuid={uid}"), format!("--regid={gid}")];
            command.push("setpriv".to_owned());
            command.extend(runner);
            command.push("--clear-groups".to_owned());
        }
        command.push(program.display().to_string());
        command
    }
}

/// `PATH` first, then the versions from the newest.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.extend(versions.into_iter().map(|(_, folder)| folder));
    folders
}

/// A program in `PATH` may be a link into a folder that has both.
fn resolve(program: PathBuf) -> PathBuf {
    fs::canonicalize(&program).unwrap_or(program)
}

fn runner() -> Option<Runner> {
    let id = |flag: &str, name: &str| {
        let output = Command::new("id").args([flag, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    Command::new("setpriv").arg("--version").output().ok()?;
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some(Runner { uid: id("-u", name)?, gid: id("-g", name)? }))
}
