//! The log of a pool, through the component.

use super::placing::{Pool, content};
use sandpiper_host::Request;
use sandpiper_host::types::{ConnOptions, Limit, LogEntry, LogEvent, PollOptions};
use sandpiper_tests::peer::loopback::{Gate, answer, endpoint, serve, target};
use sandpiper_tests::scenario::sandboxed::runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that answers each request with its target once the gate is open; its port, and how many requests it has read.
fn gated(gate: &Arc<Gate>) -> (u16, Arc<AtomicUsize>) {
    let (gate, read) = (Arc::clone(gate), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&read);
    let (port, _) = serve(move |_, mut stream| {
        let (gate, count) = (Arc::clone(&gate), Arc::clone(&count));
        std::thread::spawn(move || {
            while let Some(target) = target(&mut stream) {
                count.fetch_add(1, Ordering::SeqCst);
                gate.pass();
                answer(&mut stream, &target);
            }
        });
    });
    (port, read)
}

fn logging(entries_max: u64) -> PollOptions {
    PollOptions::default().limit(Limit::ConnectionsPerOrigin, 1).limit(Limit::LogEntries, entries_max)
}

async fn take(pool: &mut Pool, entries_max: u32) -> Vec<LogEntry> {
    pool.poll.take_log(&mut pool.client, entries_max).await.expect("alive")
}

/// The names of the steps of one request.
fn steps(log: &[LogEntry], token: u64) -> Vec<&'static str> {
    let of_it = log.iter().filter(|entry| entry.token == Some(token));
    let name = |entry: &LogEntry| match entry.what {
        LogEvent::Queued(_) => "queued",
        LogEvent::RequestHead(_) => "request-head",
        LogEvent::RequestEnd => "request-end",
        LogEvent::Head(_) => "head",
        LogEvent::Content(_) => "content",
        LogEvent::End(_) => "end",
        _ => "another",
    };
    of_it.map(name).collect()
}

#[test]
fn the_log_of_a_pool_has_all_its_connections_and_no_request_before_a_connection_has_the_request() {
    let gate = Arc::new(Gate::default());
    let ((one, read), (other, _)) = (gated(&gate), gated(&gate));
    runtime().block_on(async {
        let mut pool = Pool::new(logging(1_000), ConnOptions::default().limit(Limit::Outstanding, 1), one).await;
        let second = pool.client.origin(endpoint(other), ConnOptions::default()).await.expect("an origin");
        pool.submit(&["/1", "/2", "/3"].map(Request::get), 1).await;
        while read.load(Ordering::SeqCst) == 0 {
            pool.wait(5).await;
        }
        pool.poll.cancel(&mut pool.client, 3).await.expect("it waits");
        pool.ends(1).await;
        let mut log = take(&mut pool, 1_000).await;
        assert_eq!((steps(&log, 1), steps(&log, 2)), (vec!["queued", "request-head", "request-end"], vec![]));
        pool.poll.fetch_all(&mut pool.client, &second, &[Request::get("/4")], 4, 1 << 20).await.expect("alive");
        gate.open();
        let ended = pool.ends(3).await;
        // In pieces, nothing is lost.
        loop {
            let some = take(&mut pool, 3).await;
            assert!(some.len() <= 3);
            if some.is_empty() {
                break;
            }
            log.extend(some);
        }
        for completion in &ended {
            let whole = ["queued", "request-head", "request-end", "head", "content", "end"];
            assert_eq!(steps(&log, completion.token), whole, "{}", content(completion));
            let of_it = log.iter().filter(|entry| entry.token == Some(completion.token));
            assert!(of_it.into_iter().all(|entry| entry.connection == completion.connection));
        }
        assert!(steps(&log, 3).is_empty(), "a request that no connection had is not in the log");
        assert!(log.iter().zip(0..).all(|(entry, sequence)| entry.sequence == sequence), "{log:?}");
        assert!(log.is_sorted_by_key(|entry| entry.time), "{log:?}");
        let established = log.iter().filter(|entry| matches!(entry.what, LogEvent::Connected(_)));
        assert_eq!(established.map(|entry| entry.connection).collect::<Vec<_>>(), [1, 2]);
    });
}

#[test]
fn the_log_of_a_pool_holds_its_newest_entries_and_none_while_it_is_off() {
    let gate = Arc::new(Gate::default());
    gate.open();
    let (port, _) = gated(&gate);
    runtime().block_on(async {
        for entries_max in [0, 4] {
            let mut pool = Pool::new(logging(entries_max), ConnOptions::default(), port).await;
            pool.submit(&["/1", "/2"].map(Request::get), 1).await;
            pool.ends(2).await;
            let log = take(&mut pool, 1_000).await;
            assert_eq!(log.len() as u64, entries_max);
            let made_room = log.first().is_none_or(|entry| entry.sequence > 0);
            assert!(made_room && log.is_sorted_by_key(|entry| entry.sequence), "{log:?}");
        }
    });
}
