//! The command line's grammar, and the text of `--help`.

mod accepted;
mod connection;
pub(crate) mod data;
pub(crate) mod field;
mod limits;
mod ordered;
mod output;
mod request;
mod silence;
mod unix;
mod urls;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use sandpiper_host::{Build, Rule};

use super::family::Family;
use super::help::{EXIT_STATUS, FETCH_AFTER};
use super::tls::Tls;
use accepted::Accepted;
use request::Request;
use silence::Silence;
use unix::Unix;
use urls::Urls;

pub(crate) use connection::{Connection, Persistence};
pub(crate) use limits::PeerLimits;

pub(crate) use output::{ContinueAt, Name, Output};

/// HTTP client connections as a WebAssembly component, from the shell.
#[derive(Parser, Debug)]
#[command(name = "sandpiper", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Requests URLs: one connection per origin, pipelined where allowed, or several with --max-host-conns or -Z.
    #[command(args_override_self = true, after_help = EXIT_STATUS, after_long_help = format!("{FETCH_AFTER}\n\n{EXIT_STATUS}"))]
    Fetch(Box<Fetch>),
    /// Shows on one screen what pipelining and the sandbox do, with a server of its own on this machine.
    ///
    /// Starts a small HTTP server on a loopback port, and fetches a page with its resources from it through the component,
    /// three times: a new connection for each request, one connection with one request at a time, and one connection
    /// pipelined. Every number on the screen was measured in that run.
    Demo(Demo),
    /// Prints what a component may reach (its imports), what it offers (its exports), and its size.
    Inspect(Inspect),
}

#[derive(Args, Debug)]
pub(crate) struct Fetch {
    #[command(flatten)]
    pub(crate) urls: Urls,

    /// Reads URLs from FILE, or with `-` from standard input, one per line; they follow those of the command line.
    ///
    /// Blank lines and lines that begin with `#` are left out. Of curl's configuration files two lines are understood:
    /// `url = URL` and `output = FILE`; the first `output` of FILE is for its first URL, and so on. All lines are checked
    /// before anything is sent: a wrong one ends the program with its number. At most 1000000 URLs. May be given several
    /// times.
    #[arg(short = 'K', long = "config", value_name = "FILE", help_heading = REQUEST)]
    pub(crate) config: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) request: Request,

    #[command(flatten)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) silence: Silence,

    #[command(flatten)]
    pub(crate) unix: Unix,

    /// Connects to IPv4 addresses alone
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = CONNECTION)]
    pub(crate) ipv4: bool,

    /// Connects to IPv6 addresses alone
    #[arg(short = '6', long, help_heading = CONNECTION)]
    pub(crate) ipv6: bool,

    #[command(flatten)]
    pub(crate) limits: PeerLimits,

    /// Allows the component to reach RULE, and what else is allowed this way, but nothing else.
    ///
    /// A rule is a name, `*.name`, an address or a network (10.0.0.0/8), with or without a port; or `unix:PATH`. Without this
    /// option: the hosts and ports of the URLs, or what --connect-to or --unix-socket names. May be given several times; for lists of URLs that somebody
    /// else wrote.
    #[arg(long, value_name = "RULE", help_heading = SANDBOX)]
    pub(crate) allow: Vec<Rule>,

    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(flatten)]
    pub(crate) tls: Tls,

    #[command(flatten)]
    pub(crate) component: Component,

    #[command(flatten)]
    pub(crate) accepted: Accepted,
}

impl Fetch {
    /// `-4` and `-6`.
    pub(crate) fn family(&self) -> Option<Family> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(Family::V4),
            (_, true) => Some(Family::V6),
            _ => None,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Resources of the page, 1 to 1000
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) resources: u32,

    /// Simulated time of one round trip to the server, in milliseconds, 0 to 1000; 0 simulates none
    #[arg(long, value_name = "MS", default_value = "10", value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub(crate) latency: u64,

    /// Writes the measurements as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// The component to run: plain, tls (TLS inside), host-tls (TLS of this program), or the FILE of another one [default: plain]
    #[arg(long, value_name = "BUILD|FILE", value_parser = given())]
    component: Option<Given>,
}

impl Demo {
    pub(crate) fn component(&self) -> Component {
        Component { given: self.component.clone() }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// The component: plain, tls (TLS inside), host-tls (TLS of its host), or the FILE of another one [default: plain].
    ///
    /// Write ./tls for a file of such a name.
    #[arg(value_name = "BUILD|FILE", value_parser = given(), conflicts_with = "component")]
    file: Option<Given>,

    /// The same as BUILD or FILE alone
    #[arg(long, value_name = "BUILD|FILE", value_parser = given())]
    component: Option<Given>,
}

impl Inspect {
    pub(crate) fn component(&self) -> Component {
        Component { given: self.file.clone().or_else(|| self.component.clone()) }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Component {
    /// The component to run: plain, tls (TLS inside), host-tls (TLS of this program), or the FILE of another one.
    ///
    /// Default: tls for https URLs, else plain, which is smaller and can reach less. Write ./tls for a file of such a name.
    #[arg(long = "component", value_name = "BUILD|FILE", value_parser = given(), help_heading = SANDBOX)]
    pub(crate) given: Option<Given>,
}

/// `--component`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Build(Build),
    File(PathBuf),
}

impl From<OsString> for Given {
    fn from(text: OsString) -> Self {
        match text.to_str().and_then(|text| text.parse().ok()) {
            Some(build) => Self::Build(build),
            None => Self::File(text.into()),
        }
    }
}

fn given() -> impl TypedValueParser<Value = Given> {
    OsStringValueParser::new().map(Given::from)
}

const REQUEST: &str = "Request";
const OUTPUT: &str = "Output";
const CONNECTION: &str = "Connection";
const SANDBOX: &str = "Sandbox";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && seconds <= SECONDS_MAX => Ok(duration),
        _ => Err("more than 0 and at most 1e9 seconds".to_owned()),
    }
}

/// About thirty years; in nanoseconds well below the 2^63 that mean "none".
const SECONDS_MAX: f64 = 1e9;

fn octets(text: &str) -> Result<u64, String> {
    suffixed(text).and_then(|octets| if octets > CONTENT_OCTETS_MAX { Err("at most 1G".to_owned()) } else { Ok(octets) })
}

/// A number, with K, M or G behind it for powers of 1024.
fn suffixed(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let count: u64 = digits.parse().map_err(|_| "not a number of octets, such as 500K or 64M".to_owned())?;
    count.checked_mul(1 << shift).ok_or_else(|| "not a number of octets that there can be".to_owned())
}

/// `--max-content`: a component's whole memory is 4 GiB at most.
const CONTENT_OCTETS_MAX: u64 = 1 << 30;

/// In the FILE of `-o` it stands for the index of the URL.
pub(crate) const INDEX_PLACEHOLDER: &str = "{}";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn fetch(arguments: &[&str]) -> Result<Box<Fetch>, clap::Error> {
        let all = ["sandpiper", "fetch"].iter().chain(arguments);
        match Arguments::try_parse_from(all)?.command {
            Command::Fetch(fetch) => Ok(fetch),
            other => panic!("not fetch: {other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_and_sizes() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        for wrong in ["0", "-1", "nan", "inf", "1e10", "", "2s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(octets("64M"), Ok(64 << 20));
        assert_eq!(octets("17"), Ok(17));
        for wrong in ["", "M", "-1", "2G", "99999999999999999999", "1.5M"] {
            assert!(octets(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_repeat_and_exclude_each_other() {
        let both = fetch(&["-H", "A: 1", "-H", "B: 2", "-o", "x", "-o", "-", "http://h/1", "http://h/2"]).unwrap();
        assert_eq!((both.request.headers.len(), both.output.names.0.len(), both.urls.0.len()), (2, 2, 2));
        let Connection { depth, persistence, retry, .. } = both.connection;
        assert_eq!((depth, persistence, retry), (None, Persistence::Learn, 0));
        for wrong in [
            &["http://h/", "--json", "-o", "x"][..],
            &["http://h/", "--json", "-i"],
            &["http://h/", "--depth", "0"],
            &["http://h/", "--depth", "1025"],
            &["http://h/", "--persistence", "maybe"],
            &["http://h/", "-d", "x", "-T", "y"],
            &["http://h/", "--trailer", "A: b"],
            &["http://h/", "-X", "two words"],
            &["http://h/", "--max-content", "1M"],
            &["http://h/", "--max-conns", "0"],
            &["http://h/", "--max-host-conns", "1001"],
            &["http://h/", "--parallel-max", "5"],
            &["http://h/", "-Z", "--parallel-max", "0"],
            &["http://h/", "--resolve", "h:80"],
            &["http://h/", "-F", "a=b", "-T", "y"],
            &["http://h/", "-4", "-6"],
            &["http://h/", "-G", "-F", "a=b"],
            &["http://h/", "-r", "x"],
            &["http://h/", "--limit", "heads=1"],
            &["http://h/", "--lenient", "bare-lf,nothing"],
            &["http://h/", "-u", "a:b", "--oauth2-bearer", "c"],
            &["http://h/", "--unix-socket", "s", "--abstract-unix-socket", "s"],
            &["http://h/", "--unix-socket", "s", "--connect-to", "h:1"],
            &["http://h/", "--abstract-unix-socket", "s", "--resolve", "h:80:::1"],
            &["http://h/", "--limit-rate", "0"],
            &["http://h/", "--retry-delay", "-1"],
            &[],
        ] {
            assert!(fetch(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_last_one_counts_where_one_counts() {
        let last = fetch(&["-m", "1", "-m", "2", "-s", "-s", "-X", "PUT", "-X", "GET", "http://h/"]).unwrap();
        assert_eq!((last.connection.max_time, last.request.method.as_deref()), (Some(Duration::from_secs(2)), Some("GET")));
    }

    #[test]
    fn urls_and_data_keep_their_order() {
        let given =
            ["--url", "http://h/1", "http://h/2", "-d", "a", "--data-raw", "@b", "--url=http://h/3", "-d", "-c", "-F", "f=g"];
        let fetch = fetch(&given).unwrap();
        assert_eq!(fetch.urls.0, ["http://h/1", "http://h/2", "http://h/3"]);
        let data: Vec<(&str, &[u8])> =
            fetch.request.data.parts.iter().map(|part| (part.option(), part.value.as_slice())).collect();
        assert_eq!(data, [("-d", &b"a"[..]), ("--data-raw", b"@b"), ("-d", b"-c")]);
        assert_eq!(fetch.request.data.form.len(), 1);
    }

    #[test]
    fn what_curl_users_write_out_of_habit_is_accepted() {
        let habits = ["-s", "-S", "-g", "-q", "-#", "--http1.1", "--basic", "--tcp-nodelay", "--proto", "=https", "--tlsv1.2"];
        let fetch = fetch(&[&habits[..], &["https://h/"]].concat()).unwrap();
        assert!(!fetch.silence.of_failures() && fetch.silence.of_progress());
    }

    /// `dev` builds nothing for what is no command.
    #[test]
    fn the_commands_that_dev_knows_are_these() {
        use clap::CommandFactory;
        let mut command = Arguments::command();
        command.build();
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let dev = include_str!("../../../../dev");
        let known = dev.lines().find_map(|line| line.strip_prefix("program_commands=(")?.strip_suffix(')')).unwrap();
        assert_eq!(known.split(' ').collect::<Vec<_>>(), names);
    }
}
