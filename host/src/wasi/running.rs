//! Futures that were started.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::outside::Started;

/// A future, or its outcome until that is taken.
pub(crate) enum Running<T> {
    UnderWay(Pin<Box<dyn Future<Output = Result<T, ErrorCode>> + Send>>),
    Ended(Option<Result<T, ErrorCode>>),
}

impl<T> Running<T> {
    pub(crate) fn new(future: impl Future<Output = Result<T, ErrorCode>> + Send + 'static) -> Self {
        Self::UnderWay(Box::pin(future))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::UnderWay(future) = self {
            *self = Self::Ended(Some(ready!(future.as_mut().poll(context))));
        }
        Poll::Ready(())
    }
}

#[async_trait]
impl<T: Send + 'static> Pollable for Running<T> {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }
}

impl<T: Send + 'static> Started<T> for Running<T> {
    fn finish(&mut self) -> Result<T, ErrorCode> {
        // Whatever has happened is seen now; nobody has to be woken.
        let _ = self.poll(&mut Context::from_waker(Waker::noop()));
        match self {
            Self::UnderWay(_) => Err(ErrorCode::WouldBlock),
            Self::Ended(outcome) => outcome.take().unwrap_or(Err(ErrorCode::NotInProgress)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_outcome_is_there_once_and_not_before_its_time() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut running = Running::new(async { receiver.await.map_err(|_| ErrorCode::Unknown) });
        assert_eq!(running.finish(), Err(ErrorCode::WouldBlock));
        sender.send(7).unwrap();
        running.ready().await;
        assert_eq!(running.finish(), Ok(7));
        assert_eq!(running.finish(), Err(ErrorCode::NotInProgress));
        running.ready().await;
    }
}
