//! Connections with a peer that does as it is told.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Peer};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::super::usage::{BORROWED_OCTETS_MAX, Usage};
use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection whose peer's system takes little that the peer does not read.
async fn pair() -> (Arc<Connection>, Peer) {
    pair_of(&Arc::default()).await
}

/// The same, of an instance.
async fn pair_of(usage: &Arc<Usage>) -> (Arc<Connection>, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_socket_recv_buffer_size(&listener, 8_192).unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().unwrap();
    (Arc::new(Connection::new(Transport::tcp(tcp), Arc::new(Descriptor::new(usage)))), peer)
}

/// Octets of which each tells its place.
fn octets(from: usize, count: usize) -> Vec<u8> {
    (0..251).cycle().skip(from % 251).take(count).collect()
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

fn read_all(mut peer: Peer, count: usize) -> JoinHandle<(Vec<u8>, usize)> {
    spawn_blocking(move || {
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
    let held = connection.output().unsent.len();
    assert!(0 < held && held <= WRITE_OCTETS_MAX, "{held}");
    assert_eq!(connection.descriptor.usage.borrowed(), held - OWN_OCTETS_MAX);
    assert!(is_pending(|context| connection.poll_writable(context)));
    assert!(matches!(connection.write(b"more"), Err(StreamError::Trap(_))));
    let reader = read_all(peer, written + 4);
    assert!(writable(&connection).await);
    assert_eq!((connection.output().unsent.capacity(), connection.descriptor.usage.borrowed()), (0, 0));
    assert_eq!(connection.check_write().unwrap(), WRITE_OCTETS_MAX);
    connection.write(&octets(written, 4)).unwrap();
    connection.shut_down(Shutdown::Write);
    assert_eq!(reader.await.unwrap(), (octets(0, written + 4), 0));
}

/// Whoever asks for all before it writes gets no more in total than who writes in between, and nobody gets nothing.
#[tokio::test]
async fn what_is_held_is_bounded_for_all_connections_together() {
    const CONNECTIONS: usize = 20;
    let usage = Arc::<Usage>::default();
    let mut pairs = Vec::new();
    for _ in 0..CONNECTIONS {
        pairs.push(pair_of(&usage).await);
    }
    let permits: Vec<usize> = pairs.iter().map(|(connection, _)| connection.check_write().unwrap()).collect();
    assert_eq!(permits.iter().sum::<usize>(), BORROWED_OCTETS_MAX + CONNECTIONS * OWN_OCTETS_MAX);
    assert_eq!((permits[0], permits[CONNECTIONS - 1]), (WRITE_OCTETS_MAX, OWN_OCTETS_MAX));
    for ((connection, _), permit) in pairs.iter().zip(permits) {
        assert!(matches!(connection.write(&octets(0, permit + 1)), Err(StreamError::Trap(_))));
        connection.write(&octets(0, permit)).unwrap();
        fill(connection);
    }
    assert!(usage.borrowed() <= BORROWED_OCTETS_MAX);
    let unsent: Vec<usize> = pairs.iter().map(|(connection, _)| connection.output().unsent.len()).collect();
    assert!(unsent.iter().all(|octets| *octets > 0));
    assert_eq!(usage.borrowed(), unsent.iter().map(|octets| octets.saturating_sub(OWN_OCTETS_MAX)).sum::<usize>());
    for (connection, _) in &pairs {
        connection.stop_sending();
    }
    assert_eq!(usage.borrowed(), 0);
}

#[tokio::test]
async fn what_was_asked_for_and_not_written_is_given_back() {
    let usage = Arc::<Usage>::default();
    let (one, _peer) = pair_of(&usage).await;
    for _ in 0..3 {
        assert_eq!(one.check_write().unwrap(), WRITE_OCTETS_MAX);
        assert_eq!(usage.borrowed(), WRITE_OCTETS_MAX - OWN_OCTETS_MAX);
    }
    one.write(b"little").unwrap();
    assert_eq!(usage.borrowed(), 0);
    one.check_write().unwrap();
    one.shut_down(Shutdown::Write);
    assert_eq!(usage.borrowed(), 0);
    let (two, _peer) = pair_of(&usage).await;
    two.check_write().unwrap();
    drop(two);
    assert_eq!(usage.borrowed(), 0);
}

/// While silent ones have asked for all there is.
#[tokio::test]
async fn a_connection_with_its_own_octets_alone_goes_on() {
    let usage = Arc::<Usage>::default();
    usage.borrow(BORROWED_OCTETS_MAX);
    let (connection, peer) = pair_of(&usage).await;
    let count = 100 * OWN_OCTETS_MAX;
    let reader = read_all(peer, count);
    for written in (0..count).step_by(OWN_OCTETS_MAX) {
        assert!(writable(&connection).await);
        assert_eq!(connection.check_write().unwrap(), OWN_OCTETS_MAX, "a connection that is ready may write");
        connection.write(&octets(written, OWN_OCTETS_MAX)).unwrap();
    }
    assert!(writable(&connection).await);
    connection.shut_down(Shutdown::Write);
    assert_eq!(reader.await.unwrap(), (octets(0, count), 0));
    assert_eq!(usage.borrowed(), BORROWED_OCTETS_MAX);
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
    assert_eq!(reader.await.unwrap(), (octets(0, written), 0));
    answers.write_all(b"still").unwrap();
    assert!(readable(&connection).await);
    assert_eq!(connection.read(100).unwrap(), b"still");
}

#[tokio::test]
async fn what_has_not_left_goes_with_the_stream_and_the_peer_is_told() {
    let (connection, peer) = pair().await;
    let half = Arc::new(SendHalf(Arc::clone(&connection)));
    let written = fill(&connection);
    connection.stop_sending();
    drop((half, connection));
    let reader = spawn_blocking(move || {
        let mut arrived = Vec::new();
        ((&peer).read_to_end(&mut arrived).unwrap_err().kind(), arrived.len())
    });
    let (error, arrived) = reader.await.unwrap();
    assert_eq!(error, ErrorKind::ConnectionReset, "it must not look complete");
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
