//! A child process that does not outlive the test, however that ends.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running program. It is killed when this value goes, and by a watchdog of its own when the
/// whole test process is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    _watchdog: (Child, Option<ChildStdin>),
}

impl Process {
    /// Starts `command` with its output kept for [`Process::line`].
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let pid = child.id().expect("a child that was just started has a pid");
        // Reads until this process is gone, whatever ended it.
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", "read -r _; kill -9 \"$0\" 2>/dev/null", &pid.to_string()]);
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        let mut watchdog = watchdog.spawn().expect("sh");
        let stdin = watchdog.stdin.take();
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        Self { child, lines, _watchdog: (watchdog, stdin) }
    }

    /// The next line that it prints; `None` at its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.lines.as_mut()?.next_line().await.expect("output is text")
    }

    /// Sends a signal by name: TERM, KILL, STOP, CONT.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("still running").to_string();
        let sent = Command::new("sh").args(["-c", "kill -$0 $1", name, &pid]).status().await;
        assert!(sent.expect("sh").success(), "kill -{name} {pid}");
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("still running")
    }

    /// Kills it at once and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("kill");
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().await.expect("wait")
    }
}
