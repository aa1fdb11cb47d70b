//! Sockets that cost as little as they can, in a process of their own: what is measured is the
//! server.

use std::io::{BufRead, Error, ErrorKind, Result, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The word by which this program knows that it is to be the crowd.
pub(crate) const ROLE: &str = "crowd-of-sockets";
/// Connections that are begun at once.
const AT_ONCE: usize = 64;

/// Another process that holds sockets open and counts what they get.
pub(crate) struct Crowd {
    child: Child,
    asks: ChildStdin,
    says: std::io::BufReader<ChildStdout>,
}

impl Crowd {
    /// Waits until all of them are connected.
    pub(crate) fn gather(address: SocketAddr, sockets: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([ROLE, &address.to_string(), &sockets.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let asks = child.stdin.take().expect("a pipe");
        let says = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        let mut crowd = Self { child, asks, says };
        assert_eq!(crowd.line(), "connected");
        crowd
    }

    /// The frames that they got so far.
    pub(crate) fn frames(&mut self) -> u64 {
        self.asks.write_all(b"frames\n").expect("the crowd listens");
        self.line().parse().expect("a number")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).expect("the crowd answers");
        line.trim().to_owned()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the other process does: `ADDRESS SOCKETS`.
pub(crate) async fn run(arguments: &[String]) {
    let address: SocketAddr = arguments[0].parse().expect("an address");
    let sockets: usize = arguments[1].parse().expect("a number");
    let frames = Arc::new(AtomicU64::new(0));
    let mut opened = 0;
    while opened < sockets {
        let batch = AT_ONCE.min(sockets - opened);
        let opening = (0..batch).map(|_| Socket::open(address));
        for socket in futures::future::join_all(opening).await {
            let (mut socket, frames) = (socket.expect("a socket"), frames.clone());
            tokio::spawn(async move {
                while let Ok(frame) = socket.next().await {
                    frames.fetch_add(u64::from(frame.is_text), Ordering::Relaxed);
                }
            });
        }
        opened += batch;
    }
    println!("connected");
    // Until the one who asks is gone.
    let asked = tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() {
                break;
            }
            println!("{}", frames.load(Ordering::Relaxed));
        }
    });
    asked.await.expect("nobody panics");
}

/// One WebSocket, as much of it as a reader needs.
pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    read: usize,
}

/// What came.
pub(crate) struct Frame {
    pub(crate) is_text: bool,
    pub(crate) payload: std::ops::Range<usize>,
}

impl Socket {
    const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

    /// Connects to `/ws`.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let ask = "GET /ws HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(ask.as_bytes()).await?;
        let mut buffer = Vec::with_capacity(2048);
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(head) =
                response.parse(&buffer).map_err(Error::other)?
            {
                if response.code != Some(101) {
                    return Err(Error::other(String::from_utf8_lossy(&buffer).into_owned()));
                }
                return Ok(Self { stream, buffer, read: head });
            }
        }
    }

    /// The bytes of a frame, until the next is asked for.
    pub(crate) fn payload(&self, frame: &Frame) -> &[u8] {
        &self.buffer[frame.payload.clone()]
    }

    /// The next frame; pings are answered.
    pub(crate) async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some((opcode, payload)) = head(&self.buffer[self.read..]) {
                let payload = self.read + payload.start..self.read + payload.end;
                if payload.end <= self.buffer.len() {
                    self.read = payload.end;
                    if opcode == 9 {
                        self.stream.write_all(&Self::PONG).await?;
                    }
                    return Ok(Frame { is_text: opcode == 1, payload });
                }
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The opcode, and where the payload stands: a server does not mask.
fn head(bytes: &[u8]) -> Option<(u8, std::ops::Range<usize>)> {
    let opcode = bytes.first()? & 0x0f;
    let (begin, length) = match *bytes.get(1)? {
        126 => {
            let length = bytes.get(2..4)?.try_into().expect("two");
            (4, usize::from(u16::from_be_bytes(length)))
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().expect("eight");
            (10, usize::try_from(u64::from_be_bytes(length)).expect("it fits"))
        }
        short => (2, usize::from(short)),
    };
    Some((opcode, begin..begin + length))
}
