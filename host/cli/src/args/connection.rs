//! The options about connections, time and repeats.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use sandpiper_host::types::Endpoint;

use super::super::resolve::Resolve;
use super::super::target::parse_host_port;
use super::{CONNECTION, SECONDS_MAX, seconds, suffixed};

/// `--max-conns`, `--max-host-conns`, `--parallel-max`.
const CONNECTIONS_MAX: i64 = 1000;
/// `--limit-rate`, `--speed-limit`: octets per second.
const RATE_MAX: u64 = 1 << 40;
/// `--speed-time` without a number, as curl has it.
const SPEED_TIME_DEFAULT: Duration = Duration::from_secs(30);
/// `--speed-limit` without a number, as curl has it.
const SPEED_LIMIT_DEFAULT: u64 = 1;

#[derive(Args, Debug)]
pub(crate) struct Connection {
    /// Plays the connections of FILE, which --record wrote with the same arguments, instead of using the network.
    ///
    /// Responses and failures come out as they did, without the waits of the server. A request that is not the recorded one is
    /// reported with the octet that differs, and fails; the exit status is then 1.
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) replay: Option<PathBuf>,

    /// The most time for each transfer, in seconds such as 2.5, as with curl.
    ///
    /// The time of a transfer begins when its request is the first on a connection, and the time to connect belongs to it. Waiting
    /// behind other requests does not count, nor does a response that waits for its turn on standard output. Each repeat has the
    /// whole time. Without this option, a transfer ends after 60 seconds in which no octet moved.
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    pub(crate) max_time: Option<Duration>,

    /// The most time for the whole run, in seconds: every transfer that has not ended then fails
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    pub(crate) max_time_all: Option<Duration>,

    /// The most time to resolve a name and connect, in seconds [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    pub(crate) connect_timeout: Option<Duration>,

    /// The most octets per second of each transfer, in each direction [suffixes: K, M, G].
    ///
    /// Heads, and contents of requests up to 64 KiB, are sent at once.
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = CONNECTION)]
    pub(crate) limit_rate: Option<u64>,

    /// Fails a transfer that moves fewer octets per second than SPEED for --speed-time [default with --speed-time: 1]
    #[arg(short = 'Y', long, value_name = "SPEED", value_parser = rate, help_heading = CONNECTION)]
    speed_limit: Option<u64>,

    /// How long a transfer may be slower than --speed-limit, in seconds [default with --speed-limit: 30]
    #[arg(short = 'y', long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    speed_time: Option<Duration>,

    /// The most requests on one connection without a response, 1 to 1024; 1 turns pipelining off [default: 64; 1 with -Z].
    ///
    /// A server that loses pipelined requests is sent one request at a time without this option, too: after it has left one without
    /// an answer for 3 seconds, or after two connections that it ended with requests unanswered.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), help_heading = CONNECTION)]
    pub(crate) depth: Option<u32>,

    /// The most connections at once, 1 to 1000 [default: 64; with -Z --parallel-max].
    ///
    /// One that has nothing to do is closed for one to another origin. While the addresses of a name are being tried, up to 16
    /// of them at once, they count as one connection.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=CONNECTIONS_MAX), help_heading = CONNECTION)]
    pub(crate) max_conns: Option<u32>,

    /// The most connections to one origin, 1 to 1000 [default: 1; with -Z --parallel-max]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=CONNECTIONS_MAX), help_heading = CONNECTION)]
    pub(crate) max_host_conns: Option<u32>,

    /// Has each request on the wire alone on a connection, with many connections at once, as curl has it.
    ///
    /// The same as --depth 1 --max-conns M --max-host-conns M, where M is that of --parallel-max; each of them may be given
    /// besides. Connections are used again. Connections to one origin are opened 4 at a time, and faster as it takes them, so that
    /// a server with a short queue loses none. Other than with curl, contents on standard output stay whole and in the order of
    /// the URLs.
    #[arg(short = 'Z', long, help_heading = CONNECTION)]
    pub(crate) parallel: bool,

    /// With -Z, the most requests at once, 1 to 1000
    #[arg(long, value_name = "M", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=CONNECTIONS_MAX), requires = "parallel", help_heading = CONNECTION)]
    pub(crate) parallel_max: u32,

    /// How many requests a connection carries
    #[arg(long, value_name = "HOW", value_enum, default_value = "learn", help_heading = CONNECTION)]
    pub(crate) persistence: Persistence,

    /// Repeats a request up to N times (0 to 1000) when it failed, as far as its delivery allows, or when the server has trouble.
    ///
    /// not-sent and unprocessed: any method. unanswered: idempotent methods. response-started, and standard input of which a
    /// connection has taken something: never.
    ///
    /// A status of 408, 429 or 503 is repeated with any method, 500, 502 or 504 with idempotent methods: after the time that
    /// Retry-After asks for, or after 1 second, then twice as long each time. A response that is repeated is not written to the output.
    ///
    /// A connection that could not be made is tried again after 0.1 seconds, then after twice as long, up to 10 seconds.
    ///
    /// Not counted, with or without this option: requests that had not left, or that the server has declared unprocessed, move to the
    /// next connection; idempotent requests that a used connection lost go once more.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=1000), help_heading = CONNECTION)]
    pub(crate) retry: u32,

    /// Waits this long before each repeat, in seconds, instead of longer each time; 0: the default. A Retry-After counts before it
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_zero, help_heading = CONNECTION)]
    pub(crate) retry_delay: Option<Duration>,

    /// Begins no repeat of a transfer when this time since its first try would have passed, in seconds; 0: no such limit
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_zero, help_heading = CONNECTION)]
    pub(crate) retry_max_time: Option<Duration>,

    /// With --retry, repeats whatever failed, also what the server can have acted on, and with --fail a status of 400 or more.
    ///
    /// Not what is on standard output in part, and not standard input of which a connection has taken something.
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) retry_all_errors: bool,

    /// Accepted as curl has it: --retry repeats a refused connection anyway
    #[arg(long, help_heading = CONNECTION)]
    retry_connrefused: bool,

    /// Connects to HOST:PORT instead of the host and port of the URLs; the requests stay the same
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_host_port, help_heading = CONNECTION)]
    pub(crate) connect_to: Option<Endpoint>,

    /// Connects to ADDR instead of looking HOST up, for URLs of this HOST and PORT, as curl does; HOST `*` is any host.
    ///
    /// ADDR is an IPv4 address, or an IPv6 address, with a zone perhaps (fe80::1%eth0). Of several the first is tried first, and the next ones join while it does not answer.
    /// The requests stay the same. With --connect-to, HOST:PORT is what that names. With --allow, the addresses must be
    /// allowed too. May be given several times; of two for the same HOST:PORT the last one counts.
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]...", help_heading = CONNECTION)]
    pub(crate) resolve: Vec<Resolve>,
}

impl Connection {
    /// `--speed-limit` in octets per second, and `--speed-time`; one implies the other.
    pub(crate) fn speed(&self) -> Option<(u64, Duration)> {
        match (self.speed_limit, self.speed_time) {
            (None, None) => None,
            (limit, time) => Some((limit.unwrap_or(SPEED_LIMIT_DEFAULT), time.unwrap_or(SPEED_TIME_DEFAULT))),
        }
    }
}

/// `--persistence`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// One: each is sent with `Connection: close`, on a connection of its own
    Close,
    /// Many, pipelined from the first on, without knowing that the server can
    Assume,
    /// Many; pipelined once a response has shown that the server keeps the connection
    Learn,
}

fn seconds_or_zero(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(Duration::ZERO),
        Ok(number) if number <= SECONDS_MAX => seconds(text),
        _ => Err("0 to 1e9 seconds".to_owned()),
    }
}

/// Octets per second, such as `100K`.
fn rate(text: &str) -> Result<u64, String> {
    let rate = suffixed(text)?;
    match (1..=RATE_MAX).contains(&rate) {
        true => Ok(rate),
        false => Err("1 to 1024G octets per second".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_waits() {
        assert_eq!([rate("100K"), rate("7"), rate("1024G")], [Ok(100 << 10), Ok(7), Ok(1 << 40)]);
        for wrong in ["", "0", "K", "-1", "1.5M", "1025G"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!([seconds_or_zero("0"), seconds_or_zero("0.5")], [Ok(Duration::ZERO), Ok(Duration::from_millis(500))]);
        for wrong in ["-1", "nan", "inf", "x", "1e10"] {
            assert!(seconds_or_zero(wrong).is_err(), "{wrong}");
        }
    }
}
