//! An established transport, and what to wait for.

use super::socket::Socket;
use crate::driver::Interest;
use crate::stream::{End, Read, Stream};
use crate::wit::wasi::io::poll::Pollable;

#[cfg(feature = "tls")]
use {
    super::{clock, handshakes},
    crate::dial::Negotiated,
    crate::tls::session::{Session, Shaken},
    crate::types::Error,
    alloc::boxed::Box,
};

/// The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Transport {
    input_ready: Option<Pollable>,
    output_ready: Option<Pollable>,
    layers: Layers,
}

/// The layers between the connection and the socket.
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
        Transport { input_ready: None, output_ready: None, layers }
    }

    /// Makes sure that there is something to wait for.
    pub(super) fn prepare_wait(&mut self, interest: Interest) {
        if interest.input && self.input_ready.is_none() {
            self.input_ready = Some(self.layers.socket().input_ready());
        }
        if interest.output && self.output_ready.is_none() {
            self.output_ready = Some(self.layers.socket().output_ready());
        }
    }

    /// The pollables to wait for, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables(&self, interest: Interest) -> impl Iterator<Item = &Pollable> {
        let input = self.input_ready.as_ref().filter(|_| interest.input);
        let output = self.output_ready.as_ref().filter(|_| interest.output);
        input.into_iter().chain(output)
    }

    /// Fresh pollables for somebody else, who must drop them before this is dropped.
    pub(super) fn lend_pollables(&self, interest: Interest) -> impl Iterator<Item = Pollable> {
        let input = interest.input.then(|| self.layers.socket().input_ready());
        let output = interest.output.then(|| self.layers.socket().output_ready());
        input.into_iter().chain(output)
    }

    /// Goes on with the handshake of TLS.
    ///
    /// Errors: it has failed.
    #[cfg(feature = "tls")]
    pub(super) fn handshake(&mut self) -> Result<Shaken, Error> {
        let Layers::Tls(session) = &mut self.layers else { return Ok(Shaken::Done(Negotiated::Nothing)) };
        let shaken = session.handshake(clock::now);
        if matches!(shaken, Ok(Shaken::Done(_)) | Err(_)) {
            self.remember_handshake();
        }
        shaken
    }

    /// Has the interface `tls` know of the handshake.
    #[cfg(feature = "tls")]
    pub(super) fn remember_handshake(&mut self) {
        if let Layers::Tls(session) = &mut self.layers {
            handshakes::remember(session.take_info());
        }
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

impl Stream for Transport {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        match &mut self.layers {
            Layers::Plain(socket) => socket.read(octets_max),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => noted(session, |session| session.read(octets_max)),
        }
    }

    fn has_ended(&self) -> bool {
        match &self.layers {
            Layers::Plain(socket) => socket.has_ended(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.has_ended(),
        }
    }

    fn was_answered(&mut self) -> bool {
        match &mut self.layers {
            Layers::Plain(socket) => socket.was_answered(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.was_answered(),
        }
    }

    fn room(&mut self) -> Result<usize, End> {
        match &mut self.layers {
            Layers::Plain(socket) => socket.room(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.room(),
        }
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        match &mut self.layers {
            Layers::Plain(socket) => socket.write(octets),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => noted(session, |session| session.write(octets)),
        }
    }

    fn flush(&mut self) -> Result<bool, End> {
        match &mut self.layers {
            Layers::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.flush(),
        }
    }

    fn half_close(&mut self) {
        match &mut self.layers {
            Layers::Plain(socket) => socket.half_close(),
            #[cfg(feature = "tls")]
            Layers::Tls(session) => session.half_close(),
        }
    }
}

/// Has the interface `tls` know what a session complains of while it moves octets.
#[cfg(feature = "tls")]
fn noted<T>(session: &mut Session<Socket>, moved: impl FnOnce(&mut Session<Socket>) -> T) -> T {
    let moved = moved(session);
    if let Some(complaint) = session.take_complaint() {
        handshakes::amend(complaint);
    }
    moved
}
