//! Waiting outside of the component, for what it lends.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::coop::consume_budget;
use wasmtime::component::{Resource, ResourceAny};

use super::Client;
use super::conn::ClientConn;
use super::poll::Poll;
use crate::error::{ConnError, HostError, flatten, text};
use crate::instance::{Instance, Lent, within};
use crate::limits::TICK;
use crate::wasi::state::State;

impl Client {
    /// Waits until one of the connections may be able to move octets, without calling into the component meanwhile:
    /// unlike that of any other call, its future may be dropped at any time. Then it is the turn of [`Poll::wait`] with
    /// a timeout of zero, or of what else drives the connection.
    ///
    /// Knows nothing of deadlines: wait no longer than [`Poll::next_deadline`]. While one of the connections has
    /// nothing that can be waited for, such as before it is established, this returns after [`TICK`] at the latest.
    /// With no connection at all it waits for ever.
    ///
    /// # Errors
    /// What a connection was closed with, if one of them is; `limit-exceeded(subscriptions)`.
    pub async fn ready(&mut self, conns: &[&ClientConn]) -> Result<(), ConnError> {
        self.instance.yields = false;
        self.instance.release_pending().await?;
        for conn in conns {
            let conn = conn.handle().of(self)?;
            let subscription = flatten(self.instance.call_keeping_lent(self.exports.streams().func_subscribe(), (conn,)).await)?;
            self.instance.borrow_pollables(subscription).await?;
        }
        let some_lend_nothing = self.instance.lent.iter().any(|lent| lent.pollables.is_empty());
        self.instance.wait_for_lent(some_lend_nothing.then_some(TICK)).await?;
        Ok(self.instance.release_pending().await?)
    }

    /// The same for all connections of a poll, those of its pool with them. Without any that could be waited for, this waits for ever: wait
    /// no longer than [`Poll::next_deadline`].
    ///
    /// # Errors
    /// `limit-exceeded(subscriptions)`.
    pub async fn ready_poll(&mut self, poll: &Poll) -> Result<(), ConnError> {
        self.instance.yields = false;
        self.instance.release_pending().await?;
        let poll = poll.handle().of(self)?;
        let subscription = flatten(self.instance.call_keeping_lent(self.exports.streams().func_subscribe_poll(), (poll,)).await)?;
        self.instance.borrow_pollables(subscription).await?;
        self.instance.wait_for_lent(None).await?;
        Ok(self.instance.release_pending().await?)
    }
}

impl Instance {
    /// Has a subscription lend what there is to wait for.
    async fn borrow_pollables(&mut self, subscription: ResourceAny) -> Result<(), HostError> {
        let exports = Arc::clone(&self.exports);
        let pollables = self.call_keeping_lent(exports.subscription().func_take_pollables(), (subscription,)).await?;
        self.lent.push(Lent { subscription, pollables });
        Ok(())
    }

    /// Waits until something of what was lent is ready, at most this long.
    async fn wait_for_lent(&mut self, time_max: Option<Duration>) -> Result<(), HostError> {
        let handles = self.lent.iter().flat_map(|lent| &lent.pollables);
        let pollables: Vec<_> = handles.map(|pollable| Resource::new_borrow(pollable.rep())).collect();
        let State { table, watch, .. } = self.store()?.data_mut();
        let ready = async {
            match pollables.is_empty() {
                true => std::future::pending().await,
                false => {
                    consume_budget().await;
                    watch.poll(table, &pollables).await
                }
            }
        };
        match within(time_max, ready).await {
            Ok(Err(error)) => Err(HostError::Engine(text(&error))),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}
