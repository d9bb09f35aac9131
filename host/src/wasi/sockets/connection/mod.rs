//! An established connection, and the output that the kernel has not taken yet.

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv, shutdown};
use tokio::io::Interest;
use tokio::task::AbortHandle;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::code_of;
use super::transport::Transport;
use super::usage::Descriptor;

/// Octets that one read returns at most: the host holds the octets once, and the component another time.
const READ_OCTETS_MAX: usize = 256 * 1024;
/// Octets that one write takes at most. The kernel gets the octets in one call, straight from the component's memory; the host holds
/// the rest that the kernel does not take. 1 MiB: in pieces of 256 KiB, which wake the peer in between, an upload needs a third
/// longer.
pub(super) const WRITE_OCTETS_MAX: usize = 1 << 20;
/// Octets of output that the host holds for every connection, however much the host holds for other connections.
const OWN_OCTETS_MAX: usize = 4 << 10;

/// Shared by a socket, the streams, and the tasks of both.
pub(crate) struct Connection {
    transport: Transport,
    input_ended: AtomicBool,
    output: Mutex<Output>,
    descriptor: Arc<Descriptor>,
    /// Have the directions asked anew in the next wait.
    pub(super) input_waker: OnceLock<Waker>,
    pub(super) output_waker: OnceLock<Waker>,
}

#[derive(Default)]
struct Output {
    way: Way,
    /// Octets that `check-write` has admitted.
    permit: usize,
    /// Octets that are reserved for the permit, or for unsent output, beyond the connection's own octets.
    borrowed: usize,
    /// Output that has not left, from `sent` on.
    unsent: Vec<u8>,
    sent: usize,
    /// The task that sends the output.
    sender: Option<AbortHandle>,
    /// Woken when the output has left.
    waiting: Option<Waker>,
}

/// The state of the outgoing direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Open,
    /// The direction ends when all output has left.
    Ending,
    Ended,
    Failed(ErrorCode),
}

impl Connection {
    pub(super) fn new(transport: Transport, descriptor: Arc<Descriptor>) -> Self {
        Self {
            transport,
            input_ended: AtomicBool::new(false),
            output: Mutex::default(),
            descriptor,
            input_waker: OnceLock::new(),
            output_waker: OnceLock::new(),
        }
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.transport.local_address()
    }

    pub(super) fn remote_address(&self) -> io::Result<SocketAddr> {
        self.transport.remote_address()
    }

    /// Octets that have come, at most so many; none: nothing yet.
    pub(super) fn read(&self, octets_max: u64) -> Result<Vec<u8>, StreamError> {
        if self.input_ended.load(Ordering::Relaxed) {
            return Err(StreamError::Closed);
        }
        let octets_max = usize::try_from(octets_max).unwrap_or(usize::MAX).min(READ_OCTETS_MAX);
        if octets_max == 0 {
            return Ok(Vec::new());
        }
        let mut octets = Vec::with_capacity(octets_max);
        match self.receive(&mut octets) {
            Ok(0) => {
                self.input_ended.store(true, Ordering::Relaxed);
                Err(StreamError::Closed)
            }
            Ok(_) => Ok(octets),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(octets),
            Err(error) => {
                self.input_ended.store(true, Ordering::Relaxed);
                Err(StreamError::LastOperationFailed(code_of(error).into()))
            }
        }
    }

    /// Asks the kernel, even if the runtime knows of nothing: the component checks for unsolicited octets before writing a request,
    /// and the runtime may not know of the octets yet.
    fn receive(&self, octets: &mut Vec<u8>) -> io::Result<usize> {
        let room = octets.capacity();
        let mut receive = || -> io::Result<usize> { Ok(recv(&self.transport, spare_capacity(octets), RecvFlags::empty())?.1) };
        let mut received = None;
        // The runtime forgets the readiness when a read reports that nothing is there. A read that was not filled has taken
        // everything.
        let _ = self.transport.try_io(Interest::READABLE, || {
            let outcome = received.insert(receive());
            match outcome {
                Ok(taken) if *taken == 0 || *taken == room => Ok(()),
                Ok(_) => Err(ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.kind().into()),
            }
        });
        received.unwrap_or_else(receive)
    }

    /// How many octets may be written; 0: none until room returns. The host reserves the room until the octets are written or the
    /// question is repeated. So an instance that asks for many connections and does not write leaves little at once for other
    /// connections, but never nothing: each connection has octets of its own, and is ready for those octets as soon as the kernel is.
    pub(super) fn check_write(&self) -> Result<usize, StreamError> {
        let mut output = self.output();
        output.way.error()?;
        if !output.unsent.is_empty() {
            return Ok(0);
        }
        self.take_permit_back(&mut output);
        if output.way == Way::Open && self.has_room() {
            output.borrowed = self.descriptor.usage.borrow(WRITE_OCTETS_MAX - OWN_OCTETS_MAX);
            output.permit = OWN_OCTETS_MAX + output.borrowed;
        }
        Ok(output.permit)
    }

    fn take_permit_back(&self, output: &mut Output) {
        output.permit = 0;
        self.lower_borrowed(output, 0);
    }

    /// Returns the room beyond so many octets.
    fn lower_borrowed(&self, output: &mut Output, octets: usize) {
        let needed = octets.saturating_sub(OWN_OCTETS_MAX);
        self.descriptor.usage.give_back(output.borrowed - needed);
        output.borrowed = needed;
    }

    /// Does nothing: output leaves as soon as possible.
    pub(super) fn flush(&self) -> Result<(), StreamError> {
        self.output().way.error()
    }

    /// As far as the runtime knows.
    fn has_room(&self) -> bool {
        self.transport.try_io(Interest::WRITABLE, || Ok(())).is_ok()
    }

    /// Hands octets to the kernel, and holds the octets that the kernel does not take.
    pub(super) fn write(self: &Arc<Self>, octets: &[u8]) -> Result<(), StreamError> {
        let mut output = self.output();
        output.way.error()?;
        if octets.len() > output.permit {
            return Err(StreamError::Trap(not_permitted(octets.len())));
        }
        if octets.is_empty() {
            return Ok(());
        }
        output.permit = 0;
        let sent = match self.send(octets) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.lower_borrowed(&mut output, 0);
                output.way = Way::failed(error);
                return output.way.error();
            }
        };
        self.lower_borrowed(&mut output, octets.len() - sent);
        if sent < octets.len() {
            (output.unsent, output.sent) = (octets[sent..].to_vec(), 0);
            output.sender = Some(tokio::spawn(Arc::clone(self).send_unsent()).abort_handle());
        }
        Ok(())
    }

    fn send(&self, octets: &[u8]) -> io::Result<usize> {
        let mut sent = Err(ErrorKind::WouldBlock.into());
        // As in `receive`: a write that was not taken whole has left no room.
        let _ = self.transport.try_io(Interest::WRITABLE, || {
            sent = self.transport.try_write(octets);
            match &sent {
                Ok(taken) if *taken < octets.len() => Err(ErrorKind::WouldBlock.into()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.kind().into()),
            }
        });
        sent
    }

    /// Sends the octets that the kernel did not take at once, also while the component does something else.
    async fn send_unsent(self: Arc<Self>) {
        while !self.send_some() {
            if self.transport.writable().await.is_err() {
                // The runtime ends.
                return;
            }
        }
    }

    /// True: nothing is left to send.
    fn send_some(&self) -> bool {
        let mut output = self.output();
        if output.unsent.is_empty() {
            // The output was given up.
            return true;
        }
        match self.send(&output.unsent[output.sent..]) {
            Ok(sent) => output.sent += sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                output.way = Way::failed(error);
                output.sent = output.unsent.len();
            }
        }
        if output.sent < output.unsent.len() {
            return false;
        }
        self.forget_unsent(&mut output);
        if output.way == Way::Ending {
            self.end_output(&mut output);
        }
        let waiting = output.waiting.take();
        drop(output);
        if let Some(waker) = waiting {
            waker.wake();
        }
        true
    }

    fn forget_unsent(&self, output: &mut Output) {
        (output.unsent, output.sent, output.sender) = (Vec::new(), 0, None);
        self.take_permit_back(output);
    }

    fn end_output(&self, output: &mut Output) {
        output.way = Way::Ended;
        self.take_permit_back(output);
        // A connection that is gone is as good as shut down.
        let _ = shutdown(&self.transport, rustix::net::Shutdown::Write);
    }

    /// Ends directions; the outgoing direction when all output has left.
    pub(super) fn shut_down(&self, how: Shutdown) {
        if matches!(how, Shutdown::Read | Shutdown::Both) && !self.input_ended.swap(true, Ordering::Relaxed) {
            let _ = shutdown(&self.transport, rustix::net::Shutdown::Read);
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            let mut output = self.output();
            match output.way {
                Way::Open if output.unsent.is_empty() => self.end_output(&mut output),
                Way::Open => output.way = Way::Ending,
                Way::Ending | Way::Ended | Way::Failed(_) => {}
            }
        }
        self.ask_anew();
    }

    /// Has both directions asked in the next wait: the change did not come from the runtime, or the runtime has lost the waker.
    pub(super) fn ask_anew(&self) {
        for waker in [&self.input_waker, &self.output_waker].into_iter().filter_map(OnceLock::get) {
            waker.wake_by_ref();
        }
    }

    /// Discards the output that has not left. The output was reported as sent: so the connection is reset when the connection closes,
    /// since an orderly end would say that all has come. A Unix socket has no resets.
    pub(super) fn stop_sending(&self) {
        let mut output = self.output();
        if let Some(sender) = output.sender.take() {
            sender.abort();
            let _ = set_socket_linger(&self.transport, Some(Duration::ZERO));
            output.way = Way::Ended;
        }
        self.forget_unsent(&mut output);
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.input_ended.load(Ordering::Relaxed) {
            true => Poll::Ready(()),
            false => self.transport.poll_read_ready(context).map(drop),
        }
    }

    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.poll_sent(context) {
            Poll::Ready(Way::Open) => self.transport.poll_write_ready(context).map(drop),
            sent => sent.map(drop),
        }
    }

    /// Waits until all has left.
    pub(super) fn poll_all_sent(&self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_sent(context).map(drop)
    }

    fn poll_sent(&self, context: &mut Context<'_>) -> Poll<Way> {
        let mut output = self.output();
        if output.unsent.is_empty() {
            return Poll::Ready(output.way);
        }
        output.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// A panic while the lock was held cannot have left the state half-changed.
    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn not_permitted(octets: usize) -> wasmtime::Error {
    wasmtime::format_err!("not permitted to write {octets} octets")
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.take_permit_back(&mut self.output());
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

impl Way {
    fn failed(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Ended,
            _ => Self::Failed(code_of(error)),
        }
    }

    fn error(self) -> Result<(), StreamError> {
        match self {
            Self::Open | Self::Ending => Ok(()),
            Self::Ended => Err(StreamError::Closed),
            Self::Failed(code) => Err(StreamError::LastOperationFailed(code.into())),
        }
    }
}

/// The right to send. When the last holder drops the right, the peer is informed, although other holders may still read.
pub(crate) struct SendHalf(pub(super) Arc<Connection>);

impl Drop for SendHalf {
    fn drop(&mut self) {
        let mut output = self.0.output();
        if output.way == Way::Open {
            self.0.end_output(&mut output);
        }
    }
}
