//! One side of a proxied connection: bytes as they come, messages as they are complete.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A socket with what was read from it and is not taken yet.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(super) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// Waits for more bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` once the other end has closed.
    ///
    /// # Cancel safety
    /// What is not awaited to its end has read nothing.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// What was read and is not taken.
    pub(super) fn peek(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes the first `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Sends bytes together, or, to `drip`, each in a packet of its own.
    pub(super) async fn send(&mut self, bytes: &[u8], drip: bool) -> io::Result<()> {
        if !drip {
            return self.stream.write_all(bytes).await;
        }
        for byte in bytes {
            self.stream.write_all(std::slice::from_ref(byte)).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
