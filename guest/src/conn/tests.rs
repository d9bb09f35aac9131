//! A connection on the core alone, whose transport takes and delivers what a test says.

use super::{ClientConn, ExchangeId};
use crate::dial::Progress;
use crate::exchange::ResponseHalf;
use crate::request::tests::request;
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{
    ConnState, Delivery, Ending, Error, Failure, Incompatibility, Limit, LogEvent, Persistence, Phase, RequestContent, Timer,
};
use alloc::string::String;
use alloc::vec::Vec;

const NOW: Instant = Instant(1);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";

/// An answer that leaves the connection open, of a server that has no chunks.
const OF_HTTP10: &[u8] = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1";

fn settings() -> Settings {
    Settings::checked(None).expect("the defaults")
}

fn conn() -> ClientConn {
    with(settings())
}

fn with(settings: Settings) -> ClientConn {
    let mut conn = ClientConn::new(1, String::from("h"), settings, NOW);
    conn.progress(Progress::ESTABLISHED, NOW);
    conn
}

fn send(conn: &mut ClientConn, method: &str, content: RequestContent) -> ExchangeId {
    conn.send(request(method, content), 1, NOW).expect("room")
}

/// The transport has nothing to deliver, and takes all there is.
fn leave(conn: &mut ClientConn) {
    conn.nothing_to_receive(NOW);
    while !conn.to_transmit().is_empty() {
        conn.transmitted(conn.to_transmit().len(), NOW);
    }
}

fn refused(failure: Failure) -> (Error, Delivery) {
    (failure.error, failure.delivery)
}

#[test]
fn a_request_whose_turn_comes_in_vain_fails_although_the_connection_ends_with_it() {
    for retires in [false, true] {
        let mut conn = conn();
        let first = send(&mut conn, "GET", RequestContent::None);
        leave(&mut conn);
        let last = send(&mut conn, "PUT", RequestContent::UnknownLength);
        if retires {
            conn.shutdown(NOW);
        }
        conn.receive(OF_HTTP10.to_vec(), NOW);
        leave(&mut conn);
        assert!(conn.head(first).is_ok());
        let http10 = Error::PeerIncompatible(Incompatibility::Http10Peer);
        assert_eq!(conn.head(last).map_err(refused), Err((http10, Delivery::NotSent)), "{retires}");
        assert_eq!(conn.state(), if retires { ConnState::Closed } else { ConnState::Open });
    }
}

#[test]
fn a_request_that_cannot_be_written_fails_with_its_connection() {
    let mut conn = conn();
    let id = send(&mut conn, "GET", RequestContent::None);
    conn.book.exchanges.get_mut(id).expect("it waits").sending.request = None;
    leave(&mut conn);
    assert_eq!((conn.head(id).map_err(refused), conn.state()), (Err((Error::Internal, Delivery::NotSent)), ConnState::Closed));
}

#[test]
fn a_request_that_becomes_the_first_before_any_other_has_left_cannot_stall_behind_one() {
    let mut settings = settings();
    (settings.persistence, settings.deadlines.pipeline_stall) = (Persistence::Assume, Some(5));
    for given_up in [false, true] {
        let mut conn = with(settings.clone());
        let [first, second] = [(); 2].map(|()| send(&mut conn, "GET", RequestContent::None));
        conn.nothing_to_receive(NOW);
        if given_up {
            conn.cancel(first, NOW);
        }
        leave(&mut conn);
        let next = if given_up { second } else { first };
        assert_eq!((conn.turn(next), conn.deadline().map(|next| next.1)), (Some(NOW), Some(Timer::FirstOctet)));
    }
}

#[test]
fn a_request_that_returns_to_a_line_counts_there_as_what_it_is() {
    for left in [false, true] {
        let mut conn = conn();
        conn.join_pool(None);
        let first = send(&mut conn, "GET", RequestContent::None);
        leave(&mut conn);
        conn.receive(ANSWER.to_vec(), NOW);
        assert!(conn.head(first).is_ok());
        send(&mut conn, "PUT", RequestContent::Whole(alloc::vec![0; 9]));
        conn.nothing_to_receive(NOW);
        assert_eq!(conn.book.queued_octets, 0, "it is written");
        if left {
            leave(&mut conn);
        }
        conn.receive_end(Ending::Reset, NOW);
        assert_eq!(conn.book.queued_octets, 9);
        let exchange = conn.take_unsent().expect("it may be sent again");
        assert_eq!((exchange.sending.queued_octets, exchange.sending.octets, conn.book.queued_octets), (9, 0, 0), "{left}");
    }
}

#[test]
fn a_response_that_is_whole_and_too_long_to_be_collected_fails_as_any_other() {
    let mut conn = conn();
    let id = send(&mut conn, "GET", RequestContent::None);
    leave(&mut conn);
    conn.receive(ANSWER.to_vec(), NOW);
    let failure = conn.begin_collect(id, 0, NOW).expect_err("too long");
    assert_eq!((failure.error, failure.phase), (Error::LimitExceeded(Limit::CollectOctets), Phase::Ended));
    let exchange = conn.book.exchanges.get(id).expect("it is held");
    assert_eq!((exchange.receiving.half, exchange.failure), (ResponseHalf::Failed, Some(failure)));
    assert_eq!((conn.head(id), conn.state()), (Err(failure), ConnState::Open));
}

#[test]
fn wrong_octets_end_a_connection_once_and_its_requests_with_it() {
    let mut conn = with(Settings { log_entries_max: 99, ..settings() });
    send(&mut conn, "GET", RequestContent::None);
    leave(&mut conn);
    conn.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n".to_vec(), NOW);
    let log = conn.take_log(99);
    let ends = log.iter().map(|entry| &entry.what).filter_map(|event| match event {
        LogEvent::Closing(_) => Some("closing"),
        LogEvent::Failed(_) => Some("failed"),
        LogEvent::Closed(_) => Some("closed"),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), ["closing", "failed", "closed"]);
}
