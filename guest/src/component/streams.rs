//! The interface `streams`: transports brought along, taken back, or waited on by somebody else.

use super::driver::{Driver, Shared};
use super::{Component, client_conn, clock};
use crate::settings::Settings;
use crate::types::{ConnOptions, ConnState, Error, Limit, Misuse};
use crate::wit::client;
use crate::wit::streams::{self, Guest, GuestSubscription, Parts};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

/// Subscriptions that have not been given back, in all.
const SUBSCRIPTIONS_MAX: u32 = 65_536;

static SUBSCRIPTIONS: AtomicU32 = AtomicU32::new(0);

/// The handle of a subscription.
pub(crate) struct Handle {
    shared: Shared,
    /// `None`: they have not been taken. 0: nothing is to be given back.
    taken: Cell<Option<usize>>,
}

impl Guest for Component {
    type Subscription = Handle;

    fn handshake(
        input: InputStream,
        output: OutputStream,
        authority: String,
        options: Option<ConnOptions>,
    ) -> Result<client::ClientConn, Error> {
        let settings = Settings::checked(options.as_ref())?;
        let shared = Driver::handshake(input, output, authority, settings);
        Ok(client::ClientConn::new(client_conn::Handle { shared }))
    }

    fn into_parts(conn: client::ClientConnBorrow<'_>) -> Result<Parts, Error> {
        let mut driver = conn.get::<client_conn::Handle>().shared.borrow_mut();
        if driver.lent > 0 {
            return Err(Error::LimitExceeded(Limit::Subscriptions));
        }
        driver.conn.check_parts()?;
        let streams = driver.take_streams().ok_or(Error::Internal)?;
        let unread = driver.conn.take_parts(clock::now());
        Ok(Parts { socket: streams.socket, input: streams.input, output: streams.output, unread })
    }

    fn subscribe(conn: client::ClientConnBorrow<'_>) -> Result<streams::Subscription, Error> {
        let shared = &conn.get::<client_conn::Handle>().shared;
        let driver = shared.borrow();
        if driver.conn.state() == ConnState::Closed {
            return Err(driver.conn.ended_by().unwrap_or(Error::Internal));
        }
        if SUBSCRIPTIONS.load(Ordering::Relaxed) >= SUBSCRIPTIONS_MAX {
            return Err(Error::LimitExceeded(Limit::Subscriptions));
        }
        SUBSCRIPTIONS.fetch_add(1, Ordering::Relaxed);
        Ok(streams::Subscription::new(Handle { shared: Rc::clone(shared), taken: Cell::new(None) }))
    }
}

impl GuestSubscription for Handle {
    fn take_pollables(&self) -> Vec<Pollable> {
        if self.taken.get().is_some() {
            return Vec::new();
        }
        let mut driver = self.shared.borrow_mut();
        let pollables = driver.lend_pollables();
        driver.lent += usize::from(!pollables.is_empty());
        self.taken.set(Some(pollables.len()));
        pollables
    }

    fn give_back(&self, pollables: Vec<Pollable>) -> Result<(), Error> {
        let given = pollables.len();
        drop(pollables);
        if given != self.taken.get().unwrap_or(0) {
            return Err(Error::ApiMisuse(Misuse::UnknownToken));
        }
        self.taken.set(Some(0));
        let mut driver = self.shared.borrow_mut();
        driver.lent = driver.lent.saturating_sub(usize::from(given > 0));
        driver.heed_wish();
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.taken.get().is_none_or(|taken| taken == 0) {
            SUBSCRIPTIONS.fetch_sub(1, Ordering::Relaxed);
        } else {
            // Somebody may still hold a pollable: what it belongs to is never freed.
            core::mem::forget(Rc::clone(&self.shared));
        }
    }
}
