//! An established transport, and what to wait for.

use super::socket::Socket;
use crate::conn::ClientConn;
use crate::stream::{self, Stream};
use crate::timer::Instant;
use crate::wit::wasi::io::poll::Pollable;

#[cfg(feature = "tls")]
use {
    super::{clock, handshakes},
    crate::tls::session::{Session, Shaken},
    crate::types::Error,
    alloc::boxed::Box,
};

/// The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Transport {
    input_ready: Option<Pollable>,
    output_ready: Option<Pollable>,
    layers: Layers,
    /// The last write found no room.
    output_full: bool,
}

/// What lies between the connection and the socket.
pub(super) enum Layers {
    /// Nothing.
    Plain(Socket),
    /// TLS.
    #[cfg(feature = "tls")]
    Tls(Box<Session<Socket>>),
}

impl Layers {
    fn socket(&self) -> &Socket {
        match self {
            Layers::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.under(),
        }
    }
}

impl Transport {
    pub(super) fn new(layers: Layers) -> Transport {
        Transport { input_ready: None, output_ready: None, layers, output_full: false }
    }

    /// Moves what can be moved without waiting, in both directions.
    pub(super) fn move_octets(&mut self, conn: &mut ClientConn, now: Instant) {
        let has_room = match &mut self.layers {
            Layers::Plain(socket) => stream::move_octets(socket, conn, now),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => {
                let has_room = stream::move_octets(&mut **session, conn, now);
                if let Some(complaint) = session.take_complaint() {
                    handshakes::amend(complaint);
                }
                has_room
            }
        };
        self.output_full = !has_room;
    }

    /// Whether octets can be moved without anything having to happen first: calls have moved the connection on.
    pub(super) fn is_behind(&self, conn: &ClientConn) -> bool {
        let reads = conn.wants_look() || (conn.wants_octets() > 0 && self.has_ended());
        reads || (!self.output_full && !conn.to_transmit().is_empty())
    }

    fn has_ended(&self) -> bool {
        match &self.layers {
            Layers::Plain(socket) => socket.has_ended(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.has_ended(),
        }
    }

    /// Makes sure that there is something to wait for.
    pub(super) fn prepare_wait(&mut self, wants_input: bool) {
        if wants_input && self.input_ready.is_none() {
            self.input_ready = Some(self.layers.socket().input_ready());
        }
        if self.output_full && self.output_ready.is_none() {
            self.output_ready = Some(self.layers.socket().output_ready());
        }
    }

    /// What to wait for, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables(&self, wants_input: bool) -> impl Iterator<Item = &Pollable> {
        let input = self.input_ready.as_ref().filter(|_| wants_input);
        let output = self.output_ready.as_ref().filter(|_| self.output_full);
        input.into_iter().chain(output)
    }

    /// Fresh pollables for somebody else, who must drop them before this is dropped.
    pub(super) fn lend_pollables(&self, wants_input: bool) -> impl Iterator<Item = Pollable> {
        let input = wants_input.then(|| self.layers.socket().input_ready());
        let output = self.output_full.then(|| self.layers.socket().output_ready());
        input.into_iter().chain(output)
    }

    /// Ends the sending direction.
    pub(super) fn half_close(&mut self) {
        match &mut self.layers {
            Layers::Plain(socket) => socket.half_close(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => {
                session.half_close();
                self.output_full |= session.is_behind();
            }
        }
    }

    /// Goes on with the handshake of TLS. True: it is done.
    ///
    /// Errors: it has failed.
    #[cfg(feature = "tls")]
    pub(super) fn handshake(&mut self) -> Result<bool, Error> {
        let Layers::Tls(session) = &mut self.layers else { return Ok(true) };
        let shaken = session.handshake(clock::now);
        if !matches!(shaken, Ok(Shaken { done: false, .. })) {
            self.remember_handshake();
        }
        let Shaken { done, output_full } = shaken?;
        self.output_full = output_full;
        Ok(done)
    }

    /// Has the interface `tls` know of the handshake.
    #[cfg(feature = "tls")]
    pub(super) fn remember_handshake(&mut self) {
        if let Layers::Tls(session) = &mut self.layers {
            handshakes::remember(session.take_info());
        }
    }

    /// Whether there was room for all that was to leave.
    #[cfg(feature = "tls")]
    pub(super) fn has_room(&self) -> bool {
        !self.output_full
    }

    /// Says that it ends, where TLS has a word for it.
    pub(super) fn say_goodbye(&mut self) {
        match &mut self.layers {
            #[cfg(feature = "host-tls")]
            Layers::Plain(socket) if socket.secured.is_some() => socket.half_close(),
            Layers::Plain(_) => {}
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.close(),
        }
    }

    /// Ends both directions, without freeing anything.
    pub(super) fn shut_down(&mut self) {
        self.input_ready = None;
        self.output_ready = None;
        self.layers.socket().shut();
    }

    /// Whether TLS secures it.
    pub(super) fn is_secured(&self) -> bool {
        match &self.layers {
            #[cfg(feature = "host-tls")]
            Layers::Plain(socket) => socket.secured.is_some(),
            #[cfg(not(feature = "host-tls"))]
            Layers::Plain(_) => false,
            #[cfg(feature = "tls")]
            Layers::Tls(_) => true,
        }
    }

    /// The streams, if nothing lies between.
    pub(super) fn into_socket(self) -> Option<Socket> {
        let Transport { layers, input_ready, output_ready, .. } = self;
        drop((input_ready, output_ready));
        match layers {
            Layers::Plain(socket) => Some(socket),
            #[cfg(feature = "tls")]
            Layers::Tls(_) => None,
        }
    }
}
