//! [`Step`]: what a client asks in one go.

use std::sync::Arc;

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// The first message of a connection.
    Startup,
    /// A simple query: one or many statements in one message.
    Script,
    /// A statement is prepared and not run.
    Prepare,
    /// A prepared statement is run.
    Execute,
    /// Nothing but a Sync: what a pool asks to see whether a connection lives.
    Ping,
    /// The client says that it goes.
    End,
}

/// Everything that a client sends before it waits for an answer.
#[derive(Clone, Debug)]
pub struct Step {
    /// The connection, counted by the proxy from 1.
    pub connection: u64,
    /// The step, counted by the proxy over all connections from 1.
    pub number: u64,
    /// The process of the server behind the connection, once it has told.
    pub backend: Option<i32>,
    /// What kind of step.
    pub kind: StepKind,
    /// The statement; empty where there is none.
    pub sql: Arc<str>,
}

impl Step {
    /// Whether it asks for work: no startup, ping, preparation or farewell.
    #[must_use]
    pub const fn is_work(&self) -> bool {
        matches!(self.kind, StepKind::Script | StepKind::Execute)
    }

    /// Whether it belongs to the connection, whatever that is used for: it comes and goes when the
    /// pool likes.
    #[must_use]
    pub fn is_of_connection(&self) -> bool {
        matches!(self.kind, StepKind::Startup | StepKind::End)
            || (self.kind == StepKind::Script && self.sql.contains("\nPREPARE "))
    }

    /// Whether it begins a transaction.
    #[must_use]
    pub fn is_begin(&self) -> bool {
        self.is_work() && self.sql.starts_with("BEGIN")
    }

    /// Whether it commits one.
    #[must_use]
    pub fn is_commit(&self) -> bool {
        self.is_work() && self.sql.starts_with("COMMIT")
    }

    /// Whether it ends one that is not to be committed.
    #[must_use]
    pub fn is_rollback(&self) -> bool {
        self.is_work() && self.sql.starts_with("ROLLBACK")
    }

    /// A few words for a log of steps.
    #[must_use]
    pub fn label(&self) -> String {
        let words: Vec<&str> = self.sql.split_whitespace().take(4).collect();
        match self.kind {
            StepKind::Script | StepKind::Execute => words.join(" "),
            StepKind::Prepare => format!("prepare {}", words.join(" ")),
            kind => format!("{kind:?}").to_lowercase(),
        }
    }
}
