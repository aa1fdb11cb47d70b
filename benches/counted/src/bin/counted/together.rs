//! [`Together`]: callers who come at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// One caller's request, until it is answered.
pub(crate) type Ask = Option<Pin<Box<dyn Future<Output = ()>>>>;

/// All of them, asked in their order before any is answered. It allocates nothing, as the
/// futures of a library would for each caller.
pub(crate) struct Together<'a>(pub(crate) &'a mut [Ask]);

impl Future for Together<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut all_answered = true;
        for ask in &mut *self.0 {
            if let Some(asking) = ask {
                match asking.as_mut().poll(context) {
                    Poll::Ready(()) => *ask = None,
                    Poll::Pending => all_answered = false,
                }
            }
        }
        if all_answered { Poll::Ready(()) } else { Poll::Pending }
    }
}
