//! An established TCP connection, and what of its output the kernel has not taken yet.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::{RecvFlags, recv, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::code_of;

/// Octets that one read gives at most: the host holds them once, and the component another time.
const READ_OCTETS_MAX: usize = 256 * 1024;
/// Octets that one write takes at most. The kernel gets them in one call, straight from the component's memory; what it does not take, the
/// host keeps, so this is also what the host holds for one stream. 256 KiB: a mebibyte leaves in four calls, and more at once brings nothing.
pub(super) const WRITE_OCTETS_MAX: usize = 256 * 1024;

/// Shared by a socket, its streams, and what is under way for them.
pub(super) struct Connection {
    tcp: TcpStream,
    input_ended: AtomicBool,
    output: Mutex<Output>,
    /// Have the directions asked anew in the next wait.
    pub(super) input_waker: OnceLock<Waker>,
    pub(super) output_waker: OnceLock<Waker>,
}

#[derive(Default)]
struct Output {
    way: Way,
    /// What `check-write` has admitted.
    permit: usize,
    /// What was written and has not left, from `sent` on.
    unsent: Vec<u8>,
    sent: usize,
    /// The task that sends it.
    sender: Option<AbortHandle>,
    /// Woken when it has left.
    waiting: Option<Waker>,
}

/// The state of the outgoing direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Open,
    /// It ends when all has left.
    Ending,
    Ended,
    Failed(ErrorCode),
}

impl Connection {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            input_ended: AtomicBool::new(false),
            output: Mutex::default(),
            input_waker: OnceLock::new(),
            output_waker: OnceLock::new(),
        }
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    pub(super) fn remote_address(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }

    /// What has come, at most so many octets; none: nothing yet.
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

    /// Asks the kernel, also where the runtime knows of nothing: the component looks for what is unsolicited before it writes a request, and
    /// the runtime may not have been told yet.
    fn receive(&self, octets: &mut Vec<u8>) -> io::Result<usize> {
        let room = octets.capacity();
        let mut receive = || -> io::Result<usize> { Ok(recv(&self.tcp, spare_capacity(octets), RecvFlags::empty())?.1) };
        let mut received = None;
        // The runtime forgets that there was something when it is told that there is nothing. A read that was not filled has taken all.
        let _ = self.tcp.try_io(Interest::READABLE, || {
            let outcome = received.insert(receive());
            match outcome {
                Ok(taken) if *taken == 0 || *taken == room => Ok(()),
                Ok(_) => Err(ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.kind().into()),
            }
        });
        received.unwrap_or_else(receive)
    }

    /// How many octets may be written; 0: none until there is room again.
    pub(super) fn check_write(&self) -> Result<usize, StreamError> {
        let mut output = self.output();
        output.way.error()?;
        let room = output.way == Way::Open && output.unsent.is_empty() && self.has_room();
        output.permit = if room { WRITE_OCTETS_MAX } else { 0 };
        Ok(output.permit)
    }

    /// Nothing has to be done: what was written leaves as soon as it can.
    pub(super) fn flush(&self) -> Result<(), StreamError> {
        self.output().way.error()
    }

    /// As far as the runtime knows.
    fn has_room(&self) -> bool {
        self.tcp.try_io(Interest::WRITABLE, || Ok(())).is_ok()
    }

    /// Hands octets to the kernel, and keeps what it does not take.
    pub(super) fn write(self: &Arc<Self>, octets: &[u8]) -> Result<(), StreamError> {
        let mut output = self.output();
        output.way.error()?;
        if octets.len() > output.permit {
            return Err(StreamError::Trap(wasmtime::format_err!("not permitted to write {} octets", octets.len())));
        }
        if octets.is_empty() {
            return Ok(());
        }
        output.permit = 0;
        let sent = match self.send(octets) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => {
                output.way = Way::failed(error);
                return output.way.error();
            }
        };
        if sent < octets.len() {
            (output.unsent, output.sent) = (octets[sent..].to_vec(), 0);
            output.sender = Some(tokio::spawn(Arc::clone(self).send_unsent()).abort_handle());
        }
        Ok(())
    }

    fn send(&self, octets: &[u8]) -> io::Result<usize> {
        let mut sent = Err(ErrorKind::WouldBlock.into());
        // As in `receive`: where not all was taken, there is no room.
        let _ = self.tcp.try_io(Interest::WRITABLE, || {
            sent = self.tcp.try_write(octets);
            match &sent {
                Ok(taken) if *taken < octets.len() => Err(ErrorKind::WouldBlock.into()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.kind().into()),
            }
        });
        sent
    }

    /// Sends what the kernel did not take at once, also while the component does something else.
    async fn send_unsent(self: Arc<Self>) {
        while !self.send_some() {
            if self.tcp.writable().await.is_err() {
                // The runtime ends.
                return;
            }
        }
    }

    /// True: nothing is left to send.
    fn send_some(&self) -> bool {
        let mut output = self.output();
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
        (output.unsent, output.sent, output.sender) = (Vec::new(), 0, None);
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

    fn end_output(&self, output: &mut Output) {
        output.way = Way::Ended;
        // A connection that is gone already is as good as shut down.
        let _ = shutdown(&self.tcp, rustix::net::Shutdown::Write);
    }

    /// Ends directions; the outgoing one when all has left that was written.
    pub(super) fn shut_down(&self, how: Shutdown) {
        if matches!(how, Shutdown::Read | Shutdown::Both) && !self.input_ended.swap(true, Ordering::Relaxed) {
            let _ = shutdown(&self.tcp, rustix::net::Shutdown::Read);
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

    /// Has both directions asked in the next wait: something else than the runtime has changed them, or has taken its waker's place.
    pub(super) fn ask_anew(&self) {
        for waker in [&self.input_waker, &self.output_waker].into_iter().filter_map(OnceLock::get) {
            waker.wake_by_ref();
        }
    }

    /// Gives up what has not left.
    pub(super) fn stop_sending(&self) {
        if let Some(sender) = self.output().sender.take() {
            sender.abort();
        }
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.input_ended.load(Ordering::Relaxed) {
            true => Poll::Ready(()),
            false => self.tcp.poll_read_ready(context).map(drop),
        }
    }

    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.poll_sent(context) {
            Poll::Ready(Way::Open) => self.tcp.poll_write_ready(context).map(drop),
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

    /// A panic while the lock was held cannot have left it half-changed.
    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
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

/// The right to send. When nobody has it any more, the peer is told, although others may still read.
pub(super) struct SendHalf(pub(super) Arc<Connection>);

impl Drop for SendHalf {
    fn drop(&mut self) {
        let mut output = self.0.output();
        if output.way == Way::Open {
            self.0.end_output(&mut output);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream as Peer};
    use std::time::Duration;

    use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};
    use tokio::time::timeout;

    use super::*;

    /// Far longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A connection whose peer's system takes little that the peer does not read.
    async fn pair() -> (Arc<Connection>, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_socket_recv_buffer_size(&listener, 8_192).unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (peer, _) = listener.accept().unwrap();
        (Arc::new(Connection::new(tcp)), peer)
    }

    /// Octets of which each tells its place.
    fn octets(from: usize, count: usize) -> Vec<u8> {
        (from..from + count).map(|place| (place % 251) as u8).collect()
    }

    /// Writes until the host holds something; gives how much.
    fn fill(connection: &Arc<Connection>) -> usize {
        let mut written = 0;
        loop {
            let room = connection.check_write().unwrap();
            if room == 0 {
                return written;
            }
            connection.write(&octets(written, room)).unwrap();
            written += room;
            assert!(written < 1 << 28, "nothing holds it up");
        }
    }

    fn read_all(mut peer: Peer, count: usize) -> std::thread::JoinHandle<(Vec<u8>, usize)> {
        std::thread::spawn(move || {
            let mut received = vec![0; count];
            peer.read_exact(&mut received).unwrap();
            let rest = peer.read(&mut [0]).unwrap();
            (received, rest)
        })
    }

    async fn readable(connection: &Connection) -> bool {
        timeout(PATIENCE, poll_fn(|context| connection.poll_readable(context))).await.is_ok()
    }

    async fn writable(connection: &Connection) -> bool {
        timeout(PATIENCE, poll_fn(|context| connection.poll_writable(context))).await.is_ok()
    }

    fn is_pending(mut poll: impl FnMut(&mut Context<'_>) -> Poll<()>) -> bool {
        poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn little_is_held_for_a_peer_that_does_not_read_and_it_leaves_later_in_order() {
        let (connection, peer) = pair().await;
        let written = fill(&connection);
        let held = connection.output().unsent.len() - connection.output().sent;
        assert!(0 < held && held <= WRITE_OCTETS_MAX, "{held}");
        assert!(is_pending(|context| connection.poll_writable(context)));
        assert!(matches!(connection.write(b"more"), Err(StreamError::Trap(_))));
        let reader = read_all(peer, written + 4);
        assert!(writable(&connection).await);
        assert_eq!(connection.output().unsent.capacity(), 0);
        assert_eq!(connection.check_write().unwrap(), WRITE_OCTETS_MAX);
        connection.write(&octets(written, 4)).unwrap();
        connection.shut_down(Shutdown::Write);
        assert_eq!(reader.join().unwrap(), (octets(0, written + 4), 0));
    }

    #[tokio::test]
    async fn a_half_close_waits_for_what_has_not_left() {
        let (connection, peer) = pair().await;
        let written = fill(&connection);
        connection.shut_down(Shutdown::Write);
        assert_eq!(connection.check_write().unwrap(), 0);
        let mut answers = peer.try_clone().unwrap();
        let reader = read_all(peer, written);
        assert!(writable(&connection).await);
        assert!(matches!(connection.check_write(), Err(StreamError::Closed)));
        assert_eq!(reader.join().unwrap(), (octets(0, written), 0));
        answers.write_all(b"still").unwrap();
        assert!(readable(&connection).await);
        assert_eq!(connection.read(100).unwrap(), b"still");
    }

    #[tokio::test]
    async fn what_has_not_left_goes_with_the_stream() {
        let (connection, peer) = pair().await;
        let half = Arc::new(SendHalf(Arc::clone(&connection)));
        let written = fill(&connection);
        connection.stop_sending();
        drop(half);
        let reader = std::thread::spawn(move || (&peer).read_to_end(&mut Vec::new()).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let arrived = reader.join().unwrap();
        assert!(arrived < written, "{arrived} of {written}");
    }

    #[tokio::test]
    async fn a_reset_during_a_write_is_told_and_repeated() {
        let (connection, peer) = pair().await;
        fill(&connection);
        set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
        drop(peer);
        assert!(writable(&connection).await);
        for _ in 0..2 {
            assert!(matches!(connection.check_write(), Err(StreamError::LastOperationFailed(_) | StreamError::Closed)));
        }
        assert!(connection.write(b"more").is_err());
        assert!(readable(&connection).await);
        assert!(connection.read(100).is_err());
        assert!(matches!(connection.read(100), Err(StreamError::Closed)));
        assert!(!is_pending(|context| connection.poll_readable(context)));
    }

    #[tokio::test]
    async fn readiness_ends_with_what_there_was_to_read_and_comes_back() {
        let (connection, mut peer) = pair().await;
        for round in 0..3 {
            assert!(is_pending(|context| connection.poll_readable(context)), "{round}");
            peer.write_all(b"0123456789").unwrap();
            assert!(readable(&connection).await);
            // Filled: there may be more.
            assert_eq!(connection.read(4).unwrap(), b"0123");
            assert!(!is_pending(|context| connection.poll_readable(context)));
            assert_eq!(connection.read(100).unwrap(), b"456789");
            assert!(is_pending(|context| connection.poll_readable(context)), "nothing had to be asked of the kernel again");
            assert_eq!(connection.read(100).unwrap(), b"");
        }
        drop(peer);
        assert!(readable(&connection).await);
        assert!(matches!(connection.read(100), Err(StreamError::Closed)));
    }

    #[tokio::test]
    async fn a_read_finds_what_the_runtime_has_not_been_told_of() {
        let (connection, mut peer) = pair().await;
        assert_eq!(connection.read(100).unwrap(), b"");
        peer.write_all(b"unasked").unwrap();
        // Nothing is awaited here: the runtime cannot know.
        assert_eq!(connection.read(100).unwrap(), b"unasked");
    }

    #[tokio::test]
    async fn the_peer_is_told_when_nobody_can_send_any_more() {
        let (connection, mut peer) = pair().await;
        let half = Arc::new(SendHalf(Arc::clone(&connection)));
        let other = Arc::clone(&half);
        drop(half);
        peer.set_nonblocking(true).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(other);
        peer.set_nonblocking(false).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
}
