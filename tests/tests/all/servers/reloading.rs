//! The pool against a real nginx that is reloaded again and again: every request ends once, and what fails says the truth.
//!
//! `SANDPIPER_SOAK_SECONDS` sets for how long; `just soak SECONDS`.

use super::nginx;
use sandpiper_host::types::{Completion, Delivery, PollOptions};
use sandpiper_host::{Limit, Request, Sandbox};
use sandpiper_tests::peer::loopback::{PATIENCE, endpoint};
use sandpiper_tests::random::Random;
use sandpiper_tests::scenario::sandboxed::runtime;
use sandpiper_tests::servers::content::{FILES, file};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SECONDS: u64 = 6;
/// The server is reloaded after this time, and behind so many answers.
const RELOAD_AFTER: Duration = Duration::from_millis(400);
const RELOAD_BEHIND: u64 = 60;
/// The test goes on until more than so many requests are answered.
const ANSWERED_MIN: u64 = 600;
/// Requests that have not ended at once.
const UNDER_WAY: usize = 64;
const RETRIES_MAX: u32 = 2;

/// How often requests ended in which way.
#[derive(Debug, Default)]
struct Count {
    answered: u64,
    again: u64,
    failed: BTreeMap<&'static str, u64>,
}

/// A request ends: as its own response, or as something that may happen while a server is reloaded.
fn end(under_way: &mut BTreeMap<u64, (usize, bool)>, completion: Completion, count: &mut Count) {
    let (number, idempotent) = under_way.remove(&completion.token).expect("ends once");
    assert!(completion.retries <= RETRIES_MAX);
    count.again += u64::from(completion.retries);
    match completion.outcome {
        Ok(response) => {
            let whole = response.head.status == 200 && response.content == file(number);
            assert!(whole || !idempotent, "the content of {number}: {}", response.head.status);
            count.answered += 1;
        }
        Err(failure) => {
            let repeatable = failure.delivery == Delivery::Unanswered && idempotent;
            assert!(!repeatable || completion.retries == RETRIES_MAX, "may be sent again, and was not: {failure:?}");
            assert_eq!(failure.delivery == Delivery::NotSent, failure.octets_sent == 0, "{failure:?}");
            *count.failed.entry(failure.delivery.name()).or_default() += 1;
        }
    }
}

#[test]
fn while_a_real_server_is_reloaded_every_request_ends_once_and_truthfully() {
    let Some(mut nginx) = nginx::start() else { return };
    let seconds = std::env::var("SANDPIPER_SOAK_SECONDS").map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let (mut count, mut reloads) = (Count::default(), 0);
    runtime().block_on(async {
        let sandbox = Sandbox::builder().allow("127.0.0.1").and_then(|builder| builder.build()).expect("a component that runs");
        let mut client = sandbox.instantiate().await.expect("an instance");
        let options = PollOptions::default().limit(Limit::Retries, RETRIES_MAX.into());
        let poll = client.poll(options).await.expect("a poll");
        let origin = client.origin(endpoint(nginx.plain), None).await.expect("an origin");
        let (mut random, mut under_way, mut token) = (Random::new(1), BTreeMap::new(), 0);
        let (began, mut reload_at, mut reload_behind, mut last) = (Instant::now(), RELOAD_AFTER, RELOAD_BEHIND, Instant::now());
        loop {
            let ending = began.elapsed() >= Duration::from_secs(seconds) && count.answered > ANSWERED_MIN;
            if ending && under_way.is_empty() {
                break;
            }
            assert!(last.elapsed() < PATIENCE, "never end: {under_way:?}");
            if !ending && began.elapsed() > reload_at && count.answered >= reload_behind {
                nginx.restart().expect("a server that is told to restart");
                reloads += 1;
                (reload_at, reload_behind) = (began.elapsed() + RELOAD_AFTER, count.answered + RELOAD_BEHIND);
            }
            while !ending && under_way.len() < UNDER_WAY {
                let (number, idempotent) = (random.below(FILES), !random.chance(1, 20));
                let target = format!("/files/{number}");
                let request = if idempotent { Request::get(target) } else { Request::post(target, "x") };
                token += 1;
                under_way.insert(token, (number, idempotent));
                poll.fetch_all(&mut client, &origin, &[request], token, 1 << 20).await.expect("alive");
            }
            poll.wait(&mut client, Some(Duration::from_millis(20)), 64).await.expect("alive");
            for completion in poll.take_completions(&mut client, 1_000).await.expect("alive") {
                end(&mut under_way, completion, &mut count);
                last = Instant::now();
            }
        }
        let info = poll.info(&mut client).await.expect("alive");
        assert_eq!((info.counts.outstanding, info.counts.queued, info.completions), (0, 0, 0));
        assert_eq!(info.counts.retried, count.again);
    });
    println!("{reloads} reloads: {count:?}");
    let failed: u64 = count.failed.values().sum();
    assert!(failed < count.answered / 20, "{count:?}");
}
