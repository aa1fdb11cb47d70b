//! A proxy that cuts connections where it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// So many bytes of the request pass, and both ends are cut.
    Request(usize),
    /// The request passes; so many bytes of its answer do, and both ends are cut.
    Answer(usize),
    /// Byte by byte, both ways.
    Drip,
    /// Nothing passes, and nobody is told.
    BlackHole,
}

/// Between a client and a server, for as long as this value lives. A connection that nothing is
/// planned for passes whole.
#[derive(Debug)]
pub(crate) struct Cutter {
    address: SocketAddr,
    plans: Arc<Mutex<VecDeque<Cut>>>,
    passed: Arc<Mutex<(usize, usize)>>,
    accepting: JoinHandle<()>,
}

impl Cutter {
    /// In front of `server`, on a free port.
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let plans = Arc::new(Mutex::new(VecDeque::new()));
        let passed = Arc::new(Mutex::new((0, 0)));
        let (planned, counted) = (plans.clone(), passed.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = planned.lock().unwrap().pop_front();
                let counted = counted.clone();
                tokio::spawn(async move {
                    let bytes = relay(client, server, cut).await;
                    *counted.lock().unwrap() = bytes;
                });
            }
        });
        Self { address, plans, passed, accepting }
    }

    /// Where clients connect.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same for a socket.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Decides on the next connection that has no plan yet.
    pub(crate) fn plan(&self, cut: Cut) {
        self.plans.lock().unwrap().push_back(cut);
    }

    /// Forgets what has passed so far.
    pub(crate) fn forget(&self) {
        *self.passed.lock().unwrap() = (0, 0);
    }

    /// Bytes of the request and of the answer in the connection that ended last.
    pub(crate) fn passed(&self) -> (usize, usize) {
        *self.passed.lock().unwrap()
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, server: SocketAddr, cut: Option<Cut>) -> (usize, usize) {
    if cut == Some(Cut::BlackHole) {
        let mut client = client;
        // Until the client has had enough.
        let _ = drain(&mut client).await;
        return (0, 0);
    }
    let Ok(server) = TcpStream::connect(server).await else { return (0, 0) };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (up, down, drip) = match cut {
        Some(Cut::Request(bytes)) => (bytes, usize::MAX, false),
        Some(Cut::Answer(bytes)) => (usize::MAX, bytes, false),
        Some(Cut::Drip) => (usize::MAX, usize::MAX, true),
        Some(Cut::BlackHole) | None => (usize::MAX, usize::MAX, false),
    };
    let (mut sent, mut answered) = (0, 0);
    {
        let request = pass(&mut from_client, &mut to_server, up, drip, &mut sent);
        let answer = pass(&mut from_server, &mut to_client, down, drip, &mut answered);
        tokio::pin!(request, answer);
        tokio::select! {
            // At the limit, or at the end of its sender.
            () = &mut request => {}
            () = &mut answer => {}
        }
    }
    // Both ends go with their halves, here: a cut is a cut for both.
    (sent, answered)
}

/// Copies until the sender ends or `limit` bytes have passed. For a limit of 0 it waits for the
/// first byte, so that what comes before it has certainly happened.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    limit: usize,
    drip: bool,
    passed: &mut usize,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let part = read.min(limit - *passed);
        let step = if drip { 1 } else { part.max(1) };
        for bytes in buffer[..part].chunks(step) {
            if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
                return;
            }
            if drip {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
        *passed += part;
        if *passed == limit {
            return;
        }
    }
}

async fn drain(from: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    while from.read(&mut buffer).await? > 0 {}
    Ok(())
}
