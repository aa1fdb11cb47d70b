//! Somebody at the database who is not the shop.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A psql session. It ends when this value goes, or with the test process: its input ends then.
#[derive(Debug)]
pub(crate) struct Session {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Session {
    /// Opens one at `url`.
    pub(crate) fn open(url: &str) -> Self {
        let mut command = Command::new("psql");
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().expect("psql (postgresql-client)");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { input, output, _child: child }
    }

    /// Runs a script and returns what it answers; `None` where the session has ended.
    pub(crate) async fn run(&mut self, script: &str) -> Option<Vec<String>> {
        const END: &str = "-- the end --";
        let script = format!("{script}\n\\echo {END}\n");
        self.input.write_all(script.as_bytes()).await.ok()?;
        self.input.flush().await.ok()?;
        let mut answers = Vec::new();
        loop {
            match self.output.next_line().await.ok()?? {
                line if line == END => return Some(answers),
                line => answers.push(line),
            }
        }
    }
}
