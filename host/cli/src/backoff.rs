//! When a request is sent again: how often, after what time, and because of which status.

use std::time::{Duration, SystemTime};

use sandpiper_host::types::ResponseHead;

use super::args::Connection;

/// The first wait after a response that says "not now"; it doubles each time, as with curl.
const STATUS_DELAY: Duration = Duration::from_secs(1);
/// 10 minutes at most, with the last doubling.
const STATUS_DELAY_MAX: Duration = Duration::from_secs(600);
const STATUS_DOUBLINGS_MAX: u32 = 10;
/// A server that asks for more than this is not asked again, as little as curl waits for longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

/// Why a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No connection could be made; with the time that the pool waits before the next one.
    Connect(Duration),
    /// A connection failed.
    Failure,
    /// A response says so; with its `Retry-After`.
    Status(Option<Duration>),
}

/// `--retry` and its kin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    pub(crate) repeats_max: u32,
    pub(crate) all_errors: bool,
    delay: Option<Duration>,
    time_max: Option<Duration>,
}

impl Backoff {
    pub(crate) fn new(options: &Connection) -> Self {
        let given = |span: Option<Duration>| span.filter(|span| !span.is_zero());
        Self {
            repeats_max: options.retry,
            all_errors: options.retry_all_errors,
            delay: given(options.retry_delay),
            time_max: given(options.retry_max_time),
        }
    }

    /// How long to wait before the next repeat, of which there were `repeats`, the first try having begun so long ago. `None`: it is too late.
    pub(crate) fn wait(&self, cause: Cause, repeats: u32, since_first: Duration) -> Option<Duration> {
        let wait = match cause {
            Cause::Status(Some(after)) if after > RETRY_AFTER_MAX => return None,
            Cause::Status(Some(after)) => after,
            _ if self.delay.is_some() => self.delay?,
            Cause::Connect(after) => after,
            Cause::Failure => Duration::ZERO,
            Cause::Status(None) => (STATUS_DELAY * 2_u32.pow(repeats.min(STATUS_DOUBLINGS_MAX))).min(STATUS_DELAY_MAX),
        };
        let in_time = self.time_max.is_none_or(|most| since_first.checked_add(wait).is_some_and(|end| end <= most));
        in_time.then_some(wait)
    }

    /// Does this response ask for another try? Then with the time that its `Retry-After` names (RFC 9110 §10.2.3).
    pub(crate) fn asks(&self, head: &ResponseHead, idempotent: bool, refused: bool) -> Option<Cause> {
        let asks = match head.status {
            // The server declares that it has done nothing.
            408 | 429 | 503 => true,
            500 | 502 | 504 => idempotent || self.all_errors,
            _ => refused && self.all_errors,
        };
        asks.then(|| Cause::Status(retry_after(head, SystemTime::now())))
    }
}

/// In seconds or as a date; a date that has passed is no time.
fn retry_after(head: &ResponseHead, now: SystemTime) -> Option<Duration> {
    let value = std::str::from_utf8(head.field("retry-after").next()?).ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) if !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) => Some(Duration::MAX),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::HttpVersion;

    use super::*;

    fn head(status: u16, retry_after: &str) -> ResponseHead {
        let fields = vec![("Retry-After".to_owned(), retry_after.as_bytes().to_vec())];
        ResponseHead { version: HttpVersion::Http11, status, reason: Vec::new(), fields }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn retry_after_has_two_forms() {
        let now = SystemTime::UNIX_EPOCH + seconds(784_111_777);
        let of = |value: &str| retry_after(&head(503, value), now);
        assert_eq!([of("120"), of("0"), of(" 7 ")], [120, 0, 7].map(|wait| Some(seconds(wait))));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:47 GMT"), Some(seconds(10)));
        assert_eq!(of("Sunday, 06-Nov-94 08:49:40 GMT"), Some(seconds(3)));
        assert_eq!(of("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("99999999999999999999"), Some(Duration::MAX));
        assert_eq!([of("soon"), of(""), of("-1"), of("1.5")], [None; 4]);
    }

    #[test]
    fn statuses_that_ask_for_another_try() {
        let plain = Backoff { repeats_max: 1, ..Backoff::default() };
        let asking = |backoff: &Backoff, idempotent, refused| -> Vec<u16> {
            (400..600).filter(|&status| backoff.asks(&head(status, "1"), idempotent, refused).is_some()).collect()
        };
        assert_eq!(asking(&plain, true, true), [408, 429, 500, 502, 503, 504]);
        assert_eq!(asking(&plain, false, true), [408, 429, 503]);
        let all = Backoff { all_errors: true, ..plain };
        assert_eq!(asking(&all, false, false), [408, 429, 500, 502, 503, 504]);
        assert_eq!(asking(&all, false, true).len(), 200);
    }

    #[test]
    fn waits_grow_within_their_bounds() {
        let plain = Backoff { repeats_max: 9, ..Backoff::default() };
        let waits = |backoff: &Backoff, cause| [0, 1, 40].map(|repeats| backoff.wait(cause, repeats, Duration::ZERO).unwrap());
        assert_eq!(waits(&plain, Cause::Connect(seconds(2))), [seconds(2); 3]);
        assert_eq!(waits(&plain, Cause::Failure), [Duration::ZERO; 3]);
        assert_eq!(waits(&plain, Cause::Status(None)), [1, 2, 600].map(seconds));
        assert_eq!(waits(&plain, Cause::Status(Some(seconds(3)))), [seconds(3); 3]);
        assert_eq!(plain.wait(Cause::Status(Some(seconds(21_601))), 0, Duration::ZERO), None);
        let given = Backoff { delay: Some(seconds(5)), ..plain };
        assert_eq!(waits(&given, Cause::Failure), [seconds(5); 3]);
        assert_eq!(waits(&given, Cause::Connect(seconds(2))), [seconds(5); 3]);
        assert_eq!(waits(&given, Cause::Status(Some(seconds(3)))), [seconds(3); 3]);
    }

    #[test]
    fn the_time_for_repeats_ends() {
        let backoff = Backoff { time_max: Some(seconds(10)), delay: Some(seconds(4)), ..Backoff::default() };
        assert_eq!(backoff.wait(Cause::Failure, 0, seconds(6)), Some(seconds(4)));
        assert_eq!(backoff.wait(Cause::Failure, 0, seconds(7)), None);
        assert_eq!(backoff.wait(Cause::Status(Some(seconds(11))), 0, seconds(0)), None);
    }
}
