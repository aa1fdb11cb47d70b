//! Faults of the server, told apart by SQLSTATE and never by their text.

use std::sync::Arc;

use drop_core::{Cause, StoreError};

/// How far a transaction had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its first message: nothing was asked of this connection before.
    Opening,
    /// Before COMMIT was sent: nothing is written.
    Working,
    /// COMMIT was sent: what the server did not refuse may have happened.
    Committing,
}

/// What went wrong, and with it whether the same transaction may be run again.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server undid the transaction because of others.
    Conflict(Cause),
    /// The connection had died in the pool, or lacks what every connection has prepared.
    Stale(Cause),
    /// A user of the batch was deleted meanwhile.
    UserGone(Cause),
    /// Somebody reserves who was not made a user, and can get a unit by now.
    Unmet(Cause),
    /// Somebody kept a lock for longer than it is waited for.
    Locked(Cause),
    /// Running it again would not help.
    Final(StoreError),
}

impl Fault {
    pub(crate) fn new(error: sqlx::Error, phase: Phase) -> Self {
        let kind = Kind::of(&error);
        let cause: Cause = match (kind, phase) {
            (Kind::Unprepared, Phase::Opening) => Arc::new(Unprepared(error)),
            _ => Arc::new(error),
        };
        match (kind, phase) {
            (Kind::Conflict, _) => Self::Conflict(cause),
            (Kind::UserGone, _) => Self::UserGone(cause),
            (Kind::Contradiction, _) => Self::Final(StoreError::Corrupt(cause)),
            (_, Phase::Committing) => Self::Final(StoreError::Unknown(cause)),
            (Kind::Lost | Kind::Unprepared, Phase::Opening) => Self::Stale(cause),
            (Kind::Lost | Kind::NoRoom, _) => Self::Final(StoreError::Unavailable(cause)),
            (Kind::Locked, _) => Self::Locked(cause),
            (Kind::Unprepared | Kind::Other, _) => Self::Final(StoreError::Backend(cause)),
        }
    }

    /// The server did not answer in time.
    pub(crate) fn silent(phase: Phase) -> Self {
        Self::Final(match phase {
            Phase::Committing => StoreError::Unknown(Arc::new(Silence)),
            Phase::Opening | Phase::Working => StoreError::Unavailable(Arc::new(Silence)),
        })
    }

    /// Whether the connection is still good for a ROLLBACK and for others.
    pub(crate) const fn spares_connection(&self) -> bool {
        matches!(
            self,
            Self::Conflict(_)
                | Self::UserGone(_)
                | Self::Unmet(_)
                | Self::Locked(_)
                | Self::Final(StoreError::Corrupt(_))
        )
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<Fault> for StoreError {
    /// What the fault is once nobody tries again.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict(cause) | Fault::UserGone(cause) | Fault::Unmet(cause) => {
                Self::Contended(cause)
            }
            Fault::Stale(cause) | Fault::Locked(cause) => Self::Unavailable(cause),
            Fault::Final(error) => error,
        }
    }
}

/// The server did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the server did not answer in time")]
struct Silence;

/// A connection lacks what was prepared on it when it was opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database lacks the schema, or somebody changes it, or a pooler hands connections on \
     between messages and needs a statement cache capacity of 0"
)]
struct Unprepared(#[source] sqlx::Error);

/// The kinds of errors that are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Conflict,
    Locked,
    UserGone,
    Contradiction,
    Lost,
    NoRoom,
    Unprepared,
    Other,
}

impl Kind {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                Self::of_sqlstate(&code, error.constraint())
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed => Self::Lost,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::NoRoom,
            _ => Self::Other,
        }
    }

    fn of_sqlstate(code: &str, constraint: Option<&str>) -> Self {
        // A sharded server appends the shard's number to the name of a constraint.
        let of_user = |name: &str| {
            name.starts_with("reservations_user") || name.starts_with("purchases_user")
        };
        match code {
            "40001" | "40P01" => Self::Conflict,
            "55P03" => Self::Locked,
            "23503" if constraint.is_some_and(of_user) => Self::UserGone,
            // Integrity constraints, data_corrupted, index_corrupted.
            "XX001" | "XX002" => Self::Contradiction,
            code if code.starts_with("23") => Self::Contradiction,
            // Shut down, crashed, or timed out by the server: this connection is gone. 25P02 is
            // a transaction that somebody left broken on it.
            "57P01" | "57P02" | "57P05" | "25P02" | "25P03" => Self::Lost,
            code if code.starts_with("08") => Self::Lost,
            "26000" => Self::Unprepared,
            // Cancelled or starting up, no memory, disk or connection left, read-only, IO.
            "25006" => Self::NoRoom,
            code if ["57", "53", "58"].iter().any(|class| code.starts_with(class)) => Self::NoRoom,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use drop_core::StoreError;

    use super::{Fault, Kind, Phase};

    #[test]
    fn sqlstates_by_kind() {
        let kind = |code| Kind::of_sqlstate(code, None);
        assert_eq!(kind("40001"), Kind::Conflict);
        assert_eq!(kind("40P01"), Kind::Conflict);
        assert_eq!(kind("55P03"), Kind::Locked);
        assert_eq!(kind("23514"), Kind::Contradiction);
        assert_eq!(kind("23503"), Kind::Contradiction);
        assert_eq!(Kind::of_sqlstate("23503", Some("reservations_user")), Kind::UserGone);
        for code in ["XX001", "XX002"] {
            assert_eq!(kind(code), Kind::Contradiction, "{code}");
        }
        for code in ["57P01", "57P02", "57P05", "25P02", "25P03", "08006"] {
            assert_eq!(kind(code), Kind::Lost, "{code}");
        }
        for code in ["57P03", "57014", "53300", "53100", "25006", "58030"] {
            assert_eq!(kind(code), Kind::NoRoom, "{code}");
        }
        assert_eq!(kind("26000"), Kind::Unprepared);
        assert_eq!(kind("42P01"), Kind::Other);
    }

    #[test]
    fn a_silent_server_is_unknown_only_once_commit_was_sent() {
        for phase in [Phase::Opening, Phase::Working] {
            let fault = Fault::silent(phase);
            assert!(matches!(fault, Fault::Final(StoreError::Unavailable(_))), "{phase:?}");
        }
        let fault = Fault::silent(Phase::Committing);
        assert!(matches!(fault, Fault::Final(StoreError::Unknown(_))));
    }

    #[test]
    fn a_cut_connection_is_unknown_only_once_commit_was_sent() {
        let cut = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(matches!(Fault::new(cut(), Phase::Opening), Fault::Stale(_)));
        assert!(matches!(
            Fault::new(cut(), Phase::Working),
            Fault::Final(StoreError::Unavailable(_))
        ));
        assert!(matches!(
            Fault::new(cut(), Phase::Committing),
            Fault::Final(StoreError::Unknown(_))
        ));
    }
}
