//! [`TcpProxy`]: bytes of any protocol.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::super::ClusterError;
use super::serve::serve;
use super::wire::Wire;

/// How the line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// Bytes pass as they come.
    #[default]
    Clear,
    /// Bytes pass one at a time, in both directions.
    Drip,
    /// A black hole: connections are taken, and nothing passes.
    BlackHole,
    /// Connections are cut, those that are open at once and later ones as they come.
    Down,
    /// Each connection is cut once so many bytes have come from its client.
    CutAfterSent(u64),
    /// Each connection is cut before more than so many bytes have gone to its client.
    CutAfterReceived(u64),
}

/// A proxy before any TCP server, on a free port of 127.0.0.1. It goes, with every connection
/// through it, when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    cuts: watch::Sender<u64>,
    serving: AbortHandle,
}

impl TcpProxy {
    /// A proxy before `target`, which is `host:port`.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    ///
    /// # Cancel safety
    /// There is no proxy then.
    pub async fn before(target: impl ToString) -> Result<Self, ClusterError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (line, cuts) = (watch::Sender::new(Line::Clear), watch::Sender::new(0));
        let (target, seen, cut) = (target.to_string(), line.subscribe(), cuts.subscribe());
        let serving = serve(listener, move |client| {
            let (target, line, mut cut) = (target.clone(), seen.clone(), cut.clone());
            cut.mark_unchanged();
            async move {
                tokio::select! {
                    ended = carry(client, target, line) => ended,
                    _ = cut.changed() => Ok(()),
                }
            }
        });
        let serving = tokio::spawn(serving).abort_handle();
        Ok(Self { address, line, cuts, serving })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the line, for connections that are open as well.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Cuts every connection that is open.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Carries bytes both ways until one side closes or the line cuts.
async fn carry(
    client: TcpStream,
    target: String,
    mut line: watch::Receiver<Line>,
) -> io::Result<()> {
    let mut server = Wire::over(TcpStream::connect(target).await?)?;
    let mut client = Wire::over(client)?;
    let (mut sent, mut received) = (0, 0);
    loop {
        let now = *line.borrow_and_update();
        let cut = match now {
            Line::BlackHole => {
                // A sender that is gone changes nothing any more, and its proxy is ending.
                line.changed().await.map_err(io::Error::other)?;
                continue;
            }
            Line::Down => return Ok(()),
            Line::CutAfterSent(bytes) => bytes <= sent,
            Line::CutAfterReceived(bytes) => bytes <= received,
            Line::Clear | Line::Drip => false,
        };
        if cut {
            return Ok(());
        }
        let mut up = client.take(usize::MAX);
        let mut down = server.take(usize::MAX);
        if up.is_empty() && down.is_empty() {
            tokio::select! {
                filled = client.fill() => filled?,
                filled = server.fill() => filled?,
                changed = line.changed() => changed.map_err(io::Error::other)?,
            }
            continue;
        }
        match now {
            Line::CutAfterSent(bytes) => shorten(&mut up, bytes - sent),
            Line::CutAfterReceived(bytes) => shorten(&mut down, bytes - received),
            _ => {}
        }
        server.send(&up, now == Line::Drip).await?;
        client.send(&down, now == Line::Drip).await?;
        sent += length(&up);
        received += length(&down);
    }
}

fn shorten(bytes: &mut Vec<u8>, left: u64) {
    bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
