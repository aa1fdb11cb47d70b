//! One proxied connection: a step, its verdict, its answer, and the next step.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::board::{Board, LinkState};
use super::message::{self, Message};
use super::step::{Step, StepKind};
use super::verdict::Verdict;
use super::wire::Wire;

/// A connection and what is known of it.
#[derive(Debug)]
pub(super) struct Link {
    client: Wire,
    server: Wire,
    board: Arc<Board>,
    connection: u64,
    backend: Option<i32>,
    /// Prepared statements by name.
    statements: HashMap<String, Arc<str>>,
    /// The last answer's word on the transaction: `I`, `T` or `E`.
    status: u8,
    /// The client believes its transaction broken; the server has it undone already. Set where
    /// the proxy refuses a step of one, and reset by [`Link::forward`] once the client ends it:
    /// its ROLLBACK is passed on, its COMMIT becomes one.
    failed: bool,
}

/// What becomes of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Drip,
    Drop,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.board.remove_link(self.connection);
    }
}

impl Link {
    pub(super) fn new(client: Wire, server: Wire, board: Arc<Board>, connection: u64) -> Self {
        Self {
            client,
            server,
            board,
            connection,
            backend: None,
            statements: HashMap::new(),
            status: b'I',
            failed: false,
        }
    }

    /// Serves the connection until one side closes it or a verdict does.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let Some(startup) = self.startup().await? else { return Ok(()) };
        if !self.carry(startup, StepKind::Startup, "".into()).await? {
            return Ok(());
        }
        loop {
            if let Some(length) = message::step(self.client.peek()) {
                let bytes = self.client.take(length);
                let (kind, sql) = self.read(&bytes);
                if !self.carry(bytes, kind, sql).await? {
                    return Ok(());
                }
            } else if let Some(message) = message::first(self.server.peek()) {
                // Told unasked: a notification, or why the session ends.
                let message = self.server.take(message.length);
                self.client.send(&message, false).await?;
            } else {
                tokio::select! {
                    filled = self.client.fill() => filled?,
                    filled = self.server.fill() => filled?,
                }
            }
        }
    }

    /// The startup message, behind whatever was asked before it.
    async fn startup(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some((length, asked)) = message::startup(self.client.peek()) else {
                self.client.fill().await?;
                continue;
            };
            let bytes = self.client.take(length);
            match asked {
                // No encryption: a proxy could not read it.
                message::TLS | message::GSS => self.client.send(b"N", false).await?,
                message::CANCEL => {
                    self.server.send(&bytes, false).await?;
                    return Ok(None);
                }
                _ => return Ok(Some(bytes)),
            }
        }
    }

    /// What kind of step it is, and which statement it concerns.
    fn read(&mut self, bytes: &[u8]) -> (StepKind, Arc<str>) {
        let mut kind = StepKind::Ping;
        let mut sql: Arc<str> = "".into();
        for Message { tag, body, .. } in message::all(bytes) {
            match tag {
                message::QUERY => {
                    kind = StepKind::Script;
                    sql = message::text(body).map_or_else(|| "".into(), |(text, _)| text.into());
                }
                message::PARSE => {
                    kind = StepKind::Prepare;
                    let named = message::text(body);
                    let read = named.and_then(|(name, rest)| Some((name, message::text(rest)?.0)));
                    if let Some((name, text)) = read {
                        sql = text.into();
                        self.statements.insert(name, sql.clone());
                    }
                }
                message::BIND => {
                    let named = message::text(body).and_then(|(_, rest)| message::text(rest));
                    let known = named.and_then(|(name, _)| self.statements.get(&name).cloned());
                    sql = known.unwrap_or(sql);
                }
                message::EXECUTE => kind = StepKind::Execute,
                message::TERMINATE => kind = StepKind::End,
                _ => {}
            }
        }
        (kind, sql)
    }

    /// Judges a step and does what the verdict says; `false` where the connection ends by it.
    async fn carry(&mut self, bytes: Vec<u8>, kind: StepKind, sql: Arc<str>) -> io::Result<bool> {
        self.note(true);
        let step =
            Step { connection: self.connection, number: 0, backend: self.backend, kind, sql };
        let (mut verdict, waiting) = self.board.judge(step.clone());
        if let Some(waiting) = waiting {
            verdict = waiting.await.unwrap_or(Verdict::Pass);
        }
        let goes_on = match verdict {
            Verdict::Pass | Verdict::Hold => self.forward(&bytes, &step, Fate::Pass).await?,
            Verdict::Drip => self.forward(&bytes, &step, Fate::Drip).await?,
            Verdict::CutBefore => false,
            Verdict::CutAfter => {
                self.forward(&bytes, &step, Fate::Drop).await?;
                false
            }
            Verdict::BlackHoleBefore => self.vanish().await,
            Verdict::BlackHoleAfter => {
                self.forward(&bytes, &step, Fate::Drop).await?;
                self.vanish().await
            }
            Verdict::Refuse(sqlstate) => self.refuse(&step, sqlstate).await?,
            Verdict::RefuseAfter(sqlstate) => {
                self.forward(&bytes, &step, Fate::Drop).await?;
                self.client.send(&message::error("FATAL", sqlstate), false).await?;
                false
            }
        };
        self.note(false);
        Ok(goes_on)
    }

    /// Sends a step on and sees to its answer.
    async fn forward(&mut self, bytes: &[u8], step: &Step, fate: Fate) -> io::Result<bool> {
        if self.failed && !step.is_rollback() {
            // As the server has it in a broken transaction, which here it has undone already.
            let commits = step.is_commit();
            let rollback = message::query("ROLLBACK");
            if commits {
                self.failed = false;
                self.server.send(&rollback, false).await?;
                return self.answer(step.kind, fate).await;
            }
            self.client.send(&message::error("ERROR", "25P02"), false).await?;
            self.client.send(&message::ready(b'E'), false).await?;
            return Ok(true);
        }
        self.failed = false;
        self.server.send(bytes, fate == Fate::Drip).await?;
        if step.kind == StepKind::End {
            return Ok(false);
        }
        self.answer(step.kind, fate).await
    }

    /// Passes the answer on until it is complete.
    async fn answer(&mut self, kind: StepKind, fate: Fate) -> io::Result<bool> {
        loop {
            while let Some(message) = message::first(self.server.peek()) {
                let ended = message.tag == message::READY;
                if let (true, Some(status)) = (ended, message.body.first()) {
                    self.status = *status;
                }
                match message.tag {
                    message::KEY_DATA => self.backend = message::process(message.body),
                    message::ERROR => self.board.note_error(message::sqlstate(message.body)),
                    _ => {}
                }
                let bytes = self.server.take(message.length);
                if fate != Fate::Drop {
                    if ended {
                        // Before the client knows and asks the next.
                        self.note(false);
                    }
                    self.client.send(&bytes, fate == Fate::Drip).await?;
                }
                if ended {
                    return Ok(true);
                }
            }
            if kind == StepKind::Startup && !self.client.peek().is_empty() {
                // A password, or what else the server asks for before it is ready.
                let bytes = self.client.take(usize::MAX);
                self.server.send(&bytes, false).await?;
            }
            tokio::select! {
                filled = self.server.fill() => filled?,
                // A client that has gone takes its connection along.
                filled = self.client.fill() => filled?,
            }
        }
    }

    /// Keeps both sides open, and nothing between them, until the proxy goes.
    async fn vanish(&self) -> bool {
        self.board.remove_link(self.connection);
        std::future::pending().await
    }

    /// Answers a step in the server's place.
    async fn refuse(&mut self, step: &Step, sqlstate: &str) -> io::Result<bool> {
        if step.kind == StepKind::End {
            return Ok(false);
        }
        let ends = sqlstate == "53300" || sqlstate.starts_with("57P0");
        if ends || step.kind == StepKind::Startup {
            self.client.send(&message::error("FATAL", sqlstate), false).await?;
            return Ok(false);
        }
        let open = self.status != b'I';
        if open {
            self.server.send(&message::query("ROLLBACK"), false).await?;
            self.answer(step.kind, Fate::Drop).await?;
        }
        // A commit that fails ends its transaction; anything else in it breaks it, and so does
        // the rest of a message that has begun one.
        let breaks = (open && !step.is_commit() && !step.is_rollback()) || step.is_begin();
        self.failed = breaks;
        self.status = if breaks { b'E' } else { b'I' };
        self.note(false);
        self.client.send(&message::error("ERROR", sqlstate), false).await?;
        self.client.send(&message::ready(self.status), false).await?;
        Ok(true)
    }

    fn note(&self, busy: bool) {
        self.board.set_link(self.connection, LinkState { busy, open: self.status != b'I' });
    }
}
