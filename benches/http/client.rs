//! A client that costs as little as it can: what is measured is the server.
//!
//! Connections are kept, a request is written from one buffer, and of an answer only its status
//! and length are looked at. The same client asks everybody who is measured.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Writes the request with this number, in place of what stood in the buffer.
pub(crate) type Write = fn(&Asked, u64, &mut Vec<u8>);

/// What everybody asks, over and over.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Who is asked.
    pub(crate) address: SocketAddr,
    /// The drop, the tag: what the request names.
    pub(crate) named: String,
    /// The request.
    pub(crate) write: Write,
    /// The status of every answer.
    pub(crate) status: u16,
}

impl Asked {
    /// `count` requests over `connections` at a time, numbered from `first`: how long it took, and
    /// what each waited.
    ///
    /// # Panics
    /// Where an answer is not as expected.
    pub(crate) async fn by(
        &self,
        connections: u64,
        first: &AtomicU64,
        count: u64,
    ) -> (Duration, Vec<Duration>) {
        let begin = first.fetch_add(count, Ordering::Relaxed);
        let next = Arc::new(AtomicU64::new(begin));
        let end = begin + count;
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(self.address).await.expect("a connection"));
        }
        let began = Instant::now();
        let clients: Vec<_> = open
            .into_iter()
            .map(|mut connection| {
                let (asked, next) = (self.clone(), next.clone());
                tokio::spawn(async move {
                    let mut waits = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= end {
                            return waits;
                        }
                        let sent = Instant::now();
                        let status = connection.ask(&asked, number).await.expect("an answer");
                        waits.push(sent.elapsed());
                        assert_eq!(status, asked.status, "{}", connection.answer());
                    }
                })
            })
            .collect();
        let mut waits = Vec::new();
        for client in clients {
            waits.extend(client.await.expect("a client"));
        }
        (began.elapsed(), waits)
    }

    /// One answer, whole.
    pub(crate) async fn once(&self, number: u64) -> String {
        let mut connection = Connection::open(self.address).await.expect("a connection");
        let status = connection.ask(self, number).await.expect("an answer");
        assert_eq!(status, self.status, "{}", connection.answer());
        connection.answer().into_owned()
    }
}

/// One connection, kept alive.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), answer: Vec::with_capacity(32 * 1024) })
    }

    fn answer(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.answer)
    }

    /// Asks, and takes the whole answer; its status.
    async fn ask(&mut self, asked: &Asked, number: u64) -> Result<u16> {
        self.request.clear();
        (asked.write)(asked, number, &mut self.request);
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, length)) = read(&self.answer)? {
                if self.answer.len() < length {
                    continue;
                }
                return Ok(status);
            }
        }
    }
}

/// The status and the whole length, once the head is there.
fn read(answer: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).map_err(Error::other)? else {
        return Ok(None);
    };
    let length =
        response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|length| std::str::from_utf8(length.value).ok()?.parse().ok());
    Ok(Some((response.code.unwrap_or_default(), head + length.unwrap_or(0))))
}
