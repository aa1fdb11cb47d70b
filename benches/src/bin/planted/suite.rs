//! The suites that bugs are shown to.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::patch::Patch;

/// Tests that are run together.
#[derive(Debug)]
pub(crate) struct Suite {
    /// What patches call it.
    pub(crate) name: &'static str,
    /// What is in it, in the words of `cargo test`.
    pub(crate) tests: &'static [&'static str],
    /// What follows `--`.
    filter: &'static [&'static str],
    /// The folders of the crates that it runs.
    crates: &'static [&'static str],
    /// The explorer that it is built for.
    explorer: Option<&'static str>,
    /// The one package that is built, with optimisation, where not all are and without.
    optimised: Option<&'static str>,
}

const CORE: &str = "drop-core";
const MEMORY: &str = "drop-store-memory";
const POSTGRES: &str = "drop-store-postgres";
const HTTP: &str = "drop-http";
const SHOP: &str = "examples/shop";

/// All of them, the cheapest first.
pub(crate) const SUITES: &[Suite] = &[
    Suite::new("rules", &["--test", "core"], &[CORE, MEMORY]),
    Suite::new("unit", &["--lib"], &[CORE, MEMORY, POSTGRES, HTTP]),
    Suite {
        filter: &["--skip", "simulation"],
        ..Suite::new("memory", &["--test", "memory"], &[CORE, MEMORY])
    },
    Suite {
        explorer: Some("loom"),
        filter: &["models"],
        ..Suite::new("loom", &["--lib"], &[CORE, MEMORY])
    },
    Suite {
        explorer: Some("shuttle"),
        filter: &["models"],
        ..Suite::new("shuttle", &["--lib"], &[CORE, MEMORY])
    },
    Suite {
        filter: &["--skip", "proof::"],
        ..Suite::new("http", &["--test", "http"], &[CORE, MEMORY, HTTP])
    },
    Suite {
        filter: &["simulation"],
        ..Suite::new("simulation", &["--test", "memory"], &[CORE, MEMORY])
    },
    Suite {
        filter: &["--skip", "interleavings", "--skip", "network::", "--skip", "injected::"],
        ..Suite::new("postgres", &["--test", "postgres"], &[CORE, POSTGRES])
    },
    Suite {
        filter: &["interleavings"],
        ..Suite::new("interleavings", &["--test", "postgres"], &[CORE, POSTGRES])
    },
    Suite {
        optimised: Some("drop-counted"),
        ..Suite::new("counts", &["--test", "counts"], &[CORE, MEMORY])
    },
    Suite::new("wire", &["--test", "wire"], &[CORE, POSTGRES]),
    Suite {
        filter: &["herd::one_unit", "lifecycle"],
        ..Suite::new("shop", &["--test", "shop"], &[CORE, MEMORY, POSTGRES, HTTP, SHOP])
    },
    Suite {
        filter: &["proof::kills", "--test-threads=1"],
        ..Suite::new("shop-kills", &["--test", "shop"], &[CORE, MEMORY, POSTGRES, HTTP, SHOP])
    },
];

/// What a suite said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every test passed.
    Passed,
    /// This test failed, or this happened.
    Convicted(String),
    /// It had not ended in this time: a bug that stops everything does that, and so does a slow
    /// machine.
    Hung(Duration),
}

/// Where suites are built and run.
#[derive(Debug)]
pub(crate) struct Workshop {
    /// The tree.
    pub(crate) copy: PathBuf,
    /// The build directory of the work tree, where what is from the registry is built already.
    pub(crate) builds: PathBuf,
    /// Where programs go, and what suites print.
    pub(crate) own: PathBuf,
    /// How long a suite may run.
    pub(crate) limit: Duration,
}

impl Suite {
    const fn new(
        name: &'static str,
        tests: &'static [&'static str],
        crates: &'static [&'static str],
    ) -> Self {
        Self { name, tests, filter: &[], crates, explorer: None, optimised: None }
    }

    /// Whether it runs anything of what a patch changes.
    pub(crate) fn sees(&self, patch: &Patch) -> bool {
        patch.touches.iter().any(|file| self.crates.iter().any(|name| file.starts_with(name)))
    }

    /// Builds and runs it, or of it only the tests of that name, up to the first failure.
    ///
    /// # Errors
    /// When it does not build: that is no conviction.
    pub(crate) fn run(
        &self,
        workshop: &Workshop,
        label: &str,
        only: Option<&str>,
    ) -> Result<Verdict, String> {
        let log = workshop.own.join(format!("{label}--{}.log", self.name));
        let mut log = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let told = |error: std::io::Error| format!("{}: {error}", self.name);
        let built = self.cargo(workshop).arg("--no-run").output().map_err(told)?;
        if !built.status.success() {
            let why = String::from_utf8_lossy(&built.stderr).into_owned();
            return Err(format!("{label}: {} does not build\n{why}", self.name));
        }
        let mut command = self.cargo(workshop);
        command.arg("--");
        match only {
            Some(test) => command.arg(test),
            None => command.args(self.filter),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(log.try_clone().map_err(told)?);
        // A group of its own, so that all of it can be ended.
        let mut child = command.process_group(0).spawn().map_err(told)?;
        let verdict = watch(&mut child, &mut log, workshop.limit);
        Ok(verdict)
    }

    fn cargo(&self, workshop: &Workshop) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(["test", "--locked", "--color", "never"]);
        let mut builds = workshop.builds.clone();
        if let Some(explorer) = self.explorer {
            command.args(["--release", "-p", CORE, "-p", MEMORY]);
            command.env("RUSTFLAGS", format!("--cfg drop_{explorer}"));
            // As the tests of every run build it.
            command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
            builds.push(explorer);
        } else if let Some(package) = self.optimised {
            command.args(["--release", "-p", package]);
        } else {
            command.args(["--workspace", "--all-features"]);
        }
        command
            .args(self.tests)
            .current_dir(&workshop.copy)
            .env("CARGO_BUILD_BUILD_DIR", builds)
            .env("CARGO_TARGET_DIR", workshop.own.join("target"))
            // One small change after the other.
            .env("CARGO_INCREMENTAL", "1")
            // A suite's share of every run, and no evidence of a broken tree.
            .env_remove("DROP_LONG")
            .env_remove("DROP_EVIDENCE");
        command
    }
}

/// Reads what the tests print until the first that fails, the end, or the limit.
fn watch(child: &mut Child, log: &mut File, limit: Duration) -> Verdict {
    let (sender, lines) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let until = Instant::now() + limit;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let _ = writeln!(log, "{line}");
                if let Some(test) = failed(&line) {
                    end(child);
                    return Verdict::Convicted(test.to_owned());
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                end(child);
                return Verdict::Hung(limit);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Verdict::Passed,
        Ok(status) => Verdict::Convicted(status.to_string()),
        Err(error) => Verdict::Convicted(error.to_string()),
    }
}

/// The test that failed, if the line says so.
fn failed(line: &str) -> Option<&str> {
    let test = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(test.strip_suffix(" - should panic").unwrap_or(test))
}

/// Ends a suite with every process of its group. Servers are in groups of their own, whose
/// guardians see that the tests have gone.
fn end(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    let _ = child.wait();
}

/// The suite of that name.
pub(crate) fn named(name: &str) -> Result<&'static Suite, String> {
    SUITES.iter().find(|suite| suite.name == name).ok_or_else(|| format!("no suite {name}"))
}

/// Makes the folder for what suites print.
pub(crate) fn prepare(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::{CommandExt, Verdict, failed, watch};

    fn verdict(script: &str, limit: Duration) -> Verdict {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).process_group(0);
        let mut log = File::options().write(true).open("/dev/null").unwrap();
        watch(&mut command.spawn().unwrap(), &mut log, limit)
    }

    #[test]
    fn a_failure_and_an_abort_convict_and_a_hang_is_told_apart() {
        let long = Duration::from_secs(60);
        assert_eq!(verdict("echo 'test a::b ... ok'", long), Verdict::Passed);
        let failure = "echo 'test a::b ... FAILED'; sleep 1000";
        assert_eq!(verdict(failure, long), Verdict::Convicted("a::b".to_owned()));
        assert!(matches!(verdict("kill -ABRT $$", long), Verdict::Convicted(_)));
        let short = Duration::from_millis(50);
        assert_eq!(verdict("sleep 1000", short), Verdict::Hung(short));
    }

    #[test]
    fn what_the_harness_prints_is_understood() {
        assert_eq!(failed("test a::b ... FAILED"), Some("a::b"));
        assert_eq!(failed("test a::b - should panic ... FAILED"), Some("a::b"));
        assert_eq!(failed("test a::b ... ok"), None);
        assert_eq!(failed("test result: FAILED. 1 passed"), None);
    }
}
