//! Taking connections.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long to wait where no connection can be taken, as when there are too many files open:
/// asked again at once, the system would say so again and again.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves every client that comes, each in a task of its own, which ends with this.
pub(super) async fn serve<F>(listener: TcpListener, mut client: impl FnMut(TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // How a connection ends is its client's to see.
            Some(_) = open.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => drop(open.spawn(client(stream))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
