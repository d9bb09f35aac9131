//! The interface `streams`: transports brought along, taken back, or waited on by somebody else.

use super::network;
use super::socket::Socket;
use super::wire::Shared;
use super::{Component, client_conn, clock, poll};
use crate::settings::Settings;
use crate::types::{ConnOptions, ConnState, Error, Limit, Misuse};
use crate::wit::client;
use crate::wit::streams::{self, Guest, GuestSubscription, Parts};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};

/// Subscriptions that have not been given back, in all.
const SUBSCRIPTIONS_MAX: u32 = 65_536;

static SUBSCRIPTIONS: AtomicU32 = AtomicU32::new(0);

/// The handle of a subscription.
pub(crate) struct Handle {
    /// The connections; those that lend nothing are left out once the pollables are taken.
    connections: RefCell<Vec<Shared>>,
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
        let shared = network::handshake(input, output, authority, settings);
        Ok(client::ClientConn::new(client_conn::Handle { shared }))
    }

    fn into_parts(conn: client::ClientConnBorrow<'_>) -> Result<Parts, Error> {
        let driver = &mut *conn.get::<client_conn::Handle>().shared.borrow_mut();
        let wire = &mut driver.link;
        if wire.lends() {
            return Err(Error::LimitExceeded(Limit::Subscriptions));
        }
        driver.conn.check_parts()?;
        let Socket { input, output, socket, .. } = wire.take_socket()?;
        let unread = driver.conn.take_parts(clock::now());
        driver.heed_wish();
        Ok(Parts { socket, input, output, unread })
    }

    fn subscribe(conn: client::ClientConnBorrow<'_>) -> Result<streams::Subscription, Error> {
        let shared = &conn.get::<client_conn::Handle>().shared;
        let driver = shared.borrow();
        if driver.conn.state() == ConnState::Closed {
            return Err(driver.conn.ended_by().unwrap_or(Error::Internal));
        }
        subscription(vec![Rc::clone(shared)])
    }

    fn subscribe_poll(poll: client::PollBorrow<'_>) -> Result<streams::Subscription, Error> {
        subscription(poll::connections(poll.get::<poll::Handle>()))
    }

    fn wake_on(poll: client::PollBorrow<'_>, waker: Option<Pollable>) {
        poll.get::<poll::Handle>().wake_on(waker);
    }
}

fn subscription(connections: Vec<Shared>) -> Result<streams::Subscription, Error> {
    if SUBSCRIPTIONS.load(Ordering::Relaxed) >= SUBSCRIPTIONS_MAX {
        return Err(Error::LimitExceeded(Limit::Subscriptions));
    }
    SUBSCRIPTIONS.fetch_add(1, Ordering::Relaxed);
    Ok(streams::Subscription::new(Handle { connections: RefCell::new(connections), taken: Cell::new(None) }))
}

impl GuestSubscription for Handle {
    fn take_pollables(&self) -> Vec<Pollable> {
        let mut pollables = Vec::new();
        if self.taken.get().is_some() {
            return pollables;
        }
        self.connections.borrow_mut().retain(|shared| {
            let driver = &mut *shared.borrow_mut();
            let before = pollables.len();
            let interest = driver.interest();
            let wire = &mut driver.link;
            wire.lend(interest, &mut pollables);
            let lends = pollables.len() > before;
            if !lends {
                wire.give_back();
            }
            lends
        });
        self.taken.set(Some(pollables.len()));
        pollables
    }

    fn give_back(&self, pollables: Vec<Pollable>) -> Result<(), Error> {
        let given = pollables.len();
        drop(pollables);
        if given != self.taken.get().unwrap_or(0) {
            return Err(Error::ApiMisuse(Misuse::UnknownToken));
        }
        let taken = self.taken.replace(Some(0));
        let connections = core::mem::take(&mut *self.connections.borrow_mut());
        for shared in connections.iter().filter(|_| taken.is_some()) {
            shared.borrow_mut().link.give_back();
        }
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.taken.get().is_none_or(|taken| taken == 0) {
            SUBSCRIPTIONS.fetch_sub(1, Ordering::Relaxed);
        } else {
            // Somebody may still hold a pollable: what it belongs to is never freed.
            core::mem::forget(core::mem::take(&mut *self.connections.borrow_mut()));
        }
    }
}
