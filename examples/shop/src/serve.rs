//! Accepting connections, and letting go of them in good order.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::counted::Counted;
use crate::taken::Taken;

/// A request's headers must be here in so long after its connection is open or idle, or the
/// connection is closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that takes nothing of what it is sent for so long is cut, and frees its seat: it may be
/// reading events. WebSockets have the same bound of their own.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// At the end, connections get so long to finish what they began.
const GRACE: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptor left, usually) there is a pause.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` by HTTP/1.1 until `stop`, then stops accepting and waits for what was
/// accepted.
///
/// At most `connections` at a time, sockets included; further ones wait in the kernel's backlog.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    stop: CancellationToken,
) {
    // HTTP/1.1 only: a server that first looks which version it is spoken to in has no timeout
    // for that. And without a timer hyper has no header timeout, and slow headers are free.
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let room = Arc::new(Semaphore::new(connections));
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let router = router.clone();
        let service = tower::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request.map(Body::new))
        });
        let service = TowerToHyperService::new(service);
        let io = TokioIo::new(Taken::new(stream, TAKEN_WITHIN));
        let connection = builder.serve_connection(io, service).with_upgrades();
        let stop = stop.clone();
        open.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "connection broke");
            }
        });
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(GRACE, open.wait()).await.is_err() {
        tracing::warn!("connections still open after {GRACE:?} are cut");
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(Counted, SocketAddr)> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((Counted::new(stream, permit), peer))
}
