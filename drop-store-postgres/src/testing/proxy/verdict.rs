//! [`Verdict`]: what becomes of a step.

/// What becomes of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes through, and so does its answer.
    #[default]
    Pass,
    /// It waits at the [`Gate`](super::Gate) until the test lets it go. Without a gate it passes.
    Hold,
    /// It goes through byte by byte, and so does its answer.
    Drip,
    /// The connection is cut before it reaches the server.
    CutBefore,
    /// The server does it; the connection is cut before its answer reaches the client.
    CutAfter,
    /// A black hole: neither it nor anything later reaches the other side, nor does either
    /// side hear that the other has closed.
    BlackHoleBefore,
    /// The server does it; then a black hole.
    BlackHoleAfter,
    /// The proxy answers it with an error of this SQLSTATE, and the server is left as it would
    /// be had it answered so: a transaction is broken, a commit is undone. The end of a session
    /// (57P01 to 57P05, 53300) closes the connection after it.
    Refuse(&'static str),
    /// The server does it, and the client is told that its session has ended with this
    /// SQLSTATE.
    RefuseAfter(&'static str),
}
