//! The shop's own binary, as a child.

use std::time::Duration;

use tokio::process::Command;

use super::{Api, Process};

/// The admin key of every shop here.
const KEY: &str = "test-admin-key";
/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// How to start a shop.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) arguments: Vec<String>,
    /// As many file descriptors, where not as many as the system gives.
    pub(crate) file_limit: Option<u32>,
    /// The command that runs the shop's command, if any: `faketime`, `unshare`.
    pub(crate) prefix: Vec<String>,
    /// What is set in its environment.
    pub(crate) environment: Vec<(String, String)>,
}

impl Start {
    /// On `store`, without rate limit and demo drops, on a free port.
    pub(crate) fn on(store: &str) -> Self {
        let arguments = ["--store", store, "--rate-limit", "off", "--demo", "off"];
        let arguments = arguments.into_iter().chain(["--admin-key", KEY, "--bind", "127.0.0.1:0"]);
        Self {
            arguments: arguments.map(str::to_owned).collect(),
            file_limit: None,
            prefix: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// With these arguments too.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// With this in its environment too.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a line in its log for each of the faults that a test makes, unless `RUST_LOG`
    /// asks for them.
    pub(crate) fn quiet(self) -> Self {
        match std::env::var_os("RUST_LOG") {
            Some(_) => self,
            None => self.set("RUST_LOG", "off"),
        }
    }

    /// Starts it and waits until it says where it listens.
    pub(crate) async fn run(&self) -> Shop {
        let mut process = Process::start(self.command());
        let line = tokio::time::timeout(PATIENCE, process.line()).await.expect("a first line");
        let line = line.unwrap_or_else(|| panic!("{:?} ended at once", self.arguments));
        let origin = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap_or_else(|| panic!("no address in {line:?}"))
            .trim_end_matches([',', '/'])
            .to_owned();
        Shop { process, api: Api::new(&origin, KEY), origin, first_line: line }
    }

    /// The command line, without the tests' own environment.
    pub(crate) fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_drop-shop");
        let mut command = match self.file_limit {
            Some(files) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), program]);
                shell
            }
            None => match self.prefix.split_first() {
                Some((first, rest)) => {
                    let mut command = Command::new(first);
                    command.args(rest).arg(program);
                    command
                }
                None => Command::new(program),
            },
        };
        command.args(&self.arguments);
        for (name, _) in std::env::vars() {
            let settings = ["PORT", "DATABASE_URL", "ADMIN_API_KEY", "CORS_ORIGIN"];
            if name.starts_with("DROP_") || settings.contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// A running shop.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) process: Process,
    pub(crate) api: Api,
    pub(crate) origin: String,
    pub(crate) first_line: String,
}

impl Shop {
    /// The key of its admin routes.
    pub(crate) const KEY: &str = KEY;

    /// Where its WebSocket is.
    pub(crate) fn socket(&self) -> String {
        format!("{}/ws", self.origin.replacen("http", "ws", 1))
    }
}
