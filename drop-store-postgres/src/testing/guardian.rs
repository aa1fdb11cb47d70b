//! The process that owns the server, so that it is never left behind.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::ClusterError;

/// What it does, as a script for `sh`.
const SCRIPT: &str = include_str!("guardian.sh");

/// A shell that starts and stops the server by command, and that ends it, with its directory,
/// when this process goes: also by SIGKILL, because then its end of the pipe is closed too.
#[derive(Debug)]
pub(super) struct Guardian {
    pipes: Mutex<Pipes>,
}

#[derive(Debug)]
struct Pipes {
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    shell: Child,
}

impl Guardian {
    /// `server` is the command that runs the server in `directory`, without its port.
    pub(super) fn start(directory: &Path, server: &[String]) -> Result<Self, ClusterError> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "guardian"])
            .arg(directory)
            .args(server)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: what is sent to the test's group is not for the server.
            .process_group(0)
            .spawn()?;
        let lost = || ClusterError::Failed { program: "sh", output: "no pipe".to_owned() };
        let commands = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().ok_or_else(lost)?);
        Ok(Self { pipes: Mutex::new(Pipes { commands, answers, shell }) })
    }

    /// Gives a command and says whether the server runs after it.
    pub(super) fn tell(&self, command: &str) -> Result<bool, ClusterError> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(commands) = &mut pipes.commands {
            commands.write_all(format!("{command}\n").as_bytes())?;
            commands.flush()?;
        }
        let mut answer = String::new();
        pipes.answers.read_line(&mut answer)?;
        Ok(answer.trim() == "running")
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let pipes = self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner);
        pipes.commands = None;
        // The shell ends once it has cleaned up; what it says then is nobody's business.
        let _ = pipes.shell.wait();
    }
}
