//! A connection whose other side has to take what it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A stream that fails where what is written to it is not taken, not a byte of it, for a while.
///
/// An HTTP server asks a body for more only while the socket takes what there is, so a body that
/// nobody reads cannot end its own connection, nor free what it keeps.
#[derive(Debug)]
pub(crate) struct Taken<S> {
    stream: S,
    within: Duration,
    /// Runs while something waits to be taken.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Taken<S> {
    /// Something of what is written has to be taken `within` so long.
    pub(crate) const fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, waiting: None }
    }

    /// What becomes of `written`: something that waits for too long is an error.
    fn in_time<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let within = self.within;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::ErrorKind;
    use std::sync::Arc;

    use axum::body::{Body, Bytes};
    use axum::response::Response;
    use hyper::server::conn::http1::Builder;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::{Duration, Taken};

    const WITHIN: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_is_an_error_in_time() {
        let (_silent, stream) = duplex(16);
        let mut taken = Taken::new(stream, WITHIN);
        let began = Instant::now();
        let error = taken.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let took = began.elapsed();
        assert!((WITHIN..WITHIN + SECOND).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_byte_now_and_then_is_served() {
        let (mut slow, stream) = duplex(16);
        let mut taken = Taken::new(stream, WITHIN);
        let taking = tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(WITHIN - SECOND).await;
                slow.read_u8().await.unwrap();
            }
            slow
        });
        // All of it but what the stream has room for.
        taken.write_all(&[0; 16 + 20]).await.unwrap();
        let _slow = taking.await.unwrap();
        // And nothing is counted while nothing waits.
        tokio::time::sleep(2 * WITHIN).await;
        taken.flush().await.unwrap();
    }

    /// As server-sent events are sent: one piece after the other, without end.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_reads_is_dropped_with_its_connection() {
        let (mut silent, stream) = duplex(1024);
        let seat = Arc::new(());
        let taken_seat = seat.clone();
        let service = hyper::service::service_fn(move |_| {
            let seat = taken_seat.clone();
            let events = futures::stream::unfold(seat, |seat| async {
                tokio::time::sleep(SECOND).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 512])), seat))
            });
            async { Ok::<_, Infallible>(Response::new(Body::from_stream(events))) }
        });
        let io = TokioIo::new(Taken::new(stream, WITHIN));
        let connection = tokio::spawn(Builder::new().serve_connection(io, service));
        silent.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let error = tokio::time::timeout(100 * WITHIN, connection).await.expect("it ends");
        assert!(error.unwrap().is_err(), "as if it had been taken");
        assert_eq!(Arc::strong_count(&seat), 1, "somebody keeps the seat");
    }
}
