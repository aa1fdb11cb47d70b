//! [`SqlProxy`]: PostgreSQL's protocol, step by step.

use std::net::Ipv4Addr;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::super::ClusterError;
use super::super::address::url;
use super::board::Board;
use super::gate::Gate;
use super::link::Link;
use super::serve::serve;
use super::step::Step;
use super::verdict::Verdict;
use super::wire::Wire;

/// A proxy before a PostgreSQL server, on a free port of 127.0.0.1. Its judge decides on each
/// step; without one all pass. It goes, with every connection through it, when it is dropped.
///
/// It speaks to clients that wait for an answer before they ask the next thing, as sqlx does.
#[derive(Debug)]
pub struct SqlProxy {
    options: PgConnectOptions,
    board: Arc<Board>,
    serving: AbortHandle,
}

impl SqlProxy {
    /// A proxy before the server of `options`.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    ///
    /// # Cancel safety
    /// There is no proxy then.
    pub async fn before(options: &PgConnectOptions) -> Result<Self, ClusterError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let board = Arc::new(Board::default());
        let target = (options.get_host().to_owned(), options.get_port());
        let (shared, mut connection) = (board.clone(), 0);
        let serving = serve(listener, move |client| {
            connection += 1;
            let (target, board) = (target.clone(), shared.clone());
            async move {
                // Without a server there is nobody behind the proxy either.
                let server = TcpStream::connect(target).await?;
                Link::new(Wire::over(client)?, Wire::over(server)?, board, connection).run().await
            }
        });
        let serving = tokio::spawn(serving).abort_handle();
        let options = options.clone().host("127.0.0.1").port(port);
        Ok(Self { options, board, serving })
    }

    /// The way through the proxy.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// The same as an address, for another process.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.options)
    }

    /// Has every step from now on judged by `judge`.
    pub fn set_judge(&self, judge: impl FnMut(&Step) -> Verdict + Send + 'static) {
        self.board.set_judge(Box::new(judge));
    }

    /// Lets every step pass from now on. What was swallowed stays so.
    pub fn pass(&self) {
        self.set_judge(|_| Verdict::Pass);
    }

    /// Where the steps wait that are judged [`Verdict::Hold`]; in the place of an earlier one.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.board.open_gate()
    }

    /// The steps since this was asked last, in the order of their coming.
    pub fn take_steps(&self) -> Vec<Step> {
        self.board.take_steps()
    }

    /// The SQLSTATEs of the errors that the server itself has answered since this was asked last.
    #[must_use]
    pub fn take_errors(&self) -> Vec<String> {
        self.board.take_errors()
    }

    /// Returns once no step is under way and no transaction is open on any connection.
    ///
    /// # Cancel safety
    /// It only looks.
    pub async fn quiet(&self) {
        self.board.quiet().await;
    }
}

impl Drop for SqlProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
