//! The interface `streams`: transports brought along, taken back, or waited on by somebody else.

use super::driver::{Driver, Shared};
use super::{Component, client_conn, clock};
use crate::settings::Settings;
use crate::types::{ConnOptions, Error, Limit, Misuse};
use crate::wit::client;
use crate::wit::streams::{Guest, Parts, Subscription};
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Subscriptions that have not been given back, in all.
const SUBSCRIPTIONS_MAX: usize = 65_536;

std::thread_local! {
    static SUBSCRIPTIONS: RefCell<Subscriptions> = const { RefCell::new(Subscriptions { last: 0, lent: Vec::new() }) };
}

struct Subscriptions {
    last: u64,
    /// By id, ascending.
    lent: Vec<(u64, Shared)>,
}

impl Guest for Component {
    fn handshake(
        input: InputStream,
        output: OutputStream,
        authority: String,
        options: Option<ConnOptions>,
    ) -> Result<client::ClientConn, Error> {
        if !crate::h1::encode::is_authority(&authority, false) {
            return Err(Error::ApiMisuse(Misuse::InvalidAuthority));
        }
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

    fn subscribe(conn: client::ClientConnBorrow<'_>) -> Result<Subscription, Error> {
        let shared = &conn.get::<client_conn::Handle>().shared;
        let mut driver = shared.borrow_mut();
        if driver.conn.state() == crate::types::ConnState::Closed {
            return Err(driver.conn.ended_by().unwrap_or(Error::Internal));
        }
        SUBSCRIPTIONS.with_borrow_mut(|subscriptions| {
            if subscriptions.lent.len() >= SUBSCRIPTIONS_MAX {
                return Err(Error::LimitExceeded(Limit::Subscriptions));
            }
            subscriptions.last += 1;
            subscriptions.lent.push((subscriptions.last, Rc::clone(shared)));
            driver.lent += 1;
            Ok(Subscription { id: subscriptions.last, pollables: driver.lend_pollables() })
        })
    }

    fn unsubscribe(subscription: Subscription) -> Result<(), Error> {
        drop(subscription.pollables);
        let (_, shared) = SUBSCRIPTIONS.with_borrow_mut(|subscriptions| {
            let place = subscriptions.lent.binary_search_by_key(&subscription.id, |(id, _)| *id);
            place.map(|place| subscriptions.lent.remove(place)).map_err(|_| Error::ApiMisuse(Misuse::UnknownToken))
        })?;
        let mut driver = shared.borrow_mut();
        driver.lent = driver.lent.saturating_sub(1);
        if driver.lent == 0 {
            driver.heed_wish();
        }
        Ok(())
    }
}
