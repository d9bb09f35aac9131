//! The command line's grammar, and the text of `--help`.

mod connection;
mod output;
mod unix;

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use sandpiper_host::{Build, Rule};

use super::help::{EXIT_STATUS, FETCH_AFTER};
use super::tls::Tls;
use unix::Unix;

pub(crate) use connection::{Connection, Persistence};

pub(crate) use output::{ContinueAt, Name, Output};

/// HTTP client connections as a WebAssembly component, from the shell.
#[derive(Parser, Debug)]
#[command(name = "sandpiper", version, disable_help_subcommand = true, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Requests URLs: one connection per origin, pipelined where allowed, or several with --max-host-conns or -Z.
    #[command(after_help = EXIT_STATUS, after_long_help = format!("{FETCH_AFTER}\n\n{EXIT_STATUS}"))]
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
    /// What to request, such as `http://localhost:8000/path`
    #[arg(required_unless_present = "config", value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// Reads URLs from FILE, or with `-` from standard input, one per line; they follow those of the command line.
    ///
    /// Blank lines and lines that begin with `#` are left out. Of curl's configuration files two lines are understood:
    /// `url = URL` and `output = FILE`; the first `output` of FILE is for its first URL, and so on. All lines are checked
    /// before anything is sent: a wrong one ends the program with its number. At most 1000000 URLs. May be given several
    /// times.
    #[arg(short = 'K', long = "config", value_name = "FILE", help_heading = REQUEST)]
    pub(crate) config: Vec<PathBuf>,

    /// Request method [default: GET; HEAD with -I, POST with -d, PUT with -T]
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = method, help_heading = REQUEST)]
    pub(crate) method: Option<String>,

    /// Adds a field line; `-H 'Name:'` leaves out one that is added by default, `-H 'Name;'` sends it empty.
    ///
    /// Added by default: `User-Agent: sandpiper/…`, `Accept: */*`, with -d also
    /// `Content-Type: application/x-www-form-urlencoded`; a line of the same name replaces it. The component adds what the
    /// framing needs: Host, Content-Length or Transfer-Encoding, Connection. May be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", help_heading = REQUEST)]
    pub(crate) fields: Vec<FieldArgument>,

    /// Sends DATA, the octets of FILE, or with `@-` those of standard input.
    ///
    /// Octets are sent as they are, and held in memory: -T streams. Given several times, they are joined with `&`.
    #[arg(short = 'd', long = "data", value_name = "DATA|@FILE|@-", conflicts_with_all = ["upload", "head"], help_heading = REQUEST)]
    pub(crate) data: Vec<String>,

    /// Uploads FILE, or with `-` standard input, without holding it in memory.
    ///
    /// A file is sent with Content-Length; standard input, a pipe, and a file with --trailer are sent chunked.
    #[arg(short = 'T', long = "upload-file", value_name = "FILE", conflicts_with = "head", help_heading = REQUEST)]
    pub(crate) upload: Option<PathBuf>,

    /// Adds a trailer line to a chunked upload (-T). May be given several times
    #[arg(long = "trailer", value_name = "NAME: VALUE", requires = "upload", help_heading = REQUEST)]
    pub(crate) trailers: Vec<FieldArgument>,

    /// The requests may be repeated and pipelined although their method is not idempotent
    #[arg(long, help_heading = REQUEST)]
    pub(crate) idempotent: bool,

    /// Asks first: sends `Expect: 100-continue`, and the content after `100 (Continue)`, or after one second
    #[arg(long, help_heading = REQUEST)]
    pub(crate) expect_continue: bool,

    /// Asks to switch to PROTO (`Upgrade: PROTO`); after 101 standard input goes to the server and its octets to the output
    #[arg(long, value_name = "PROTO", conflicts_with_all = ["data", "upload", "json"], help_heading = REQUEST)]
    pub(crate) upgrade: Option<String>,

    /// Request target instead of the URL's path and query, such as `*` with -X OPTIONS, or `host:port` with -X CONNECT
    #[arg(long, value_name = "TARGET", help_heading = REQUEST)]
    pub(crate) request_target: Option<String>,

    #[command(flatten)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) unix: Unix,

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

    #[command(flatten)]
    pub(crate) component: Component,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) component: Component,
}

#[derive(Args, Debug)]
pub(crate) struct Component {
    /// The component to run: plain, tls (TLS inside), host-tls (TLS of this program), or the FILE of another one.
    ///
    /// Default: tls for https URLs, else plain, which is smaller and can reach less. Write ./tls for a file of such a name.
    #[arg(long = "component", value_name = "BUILD|FILE", help_heading = SANDBOX)]
    pub(crate) given: Option<Given>,
}

/// `--component`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Build(Build),
    File(PathBuf),
}

impl FromStr for Given {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Build))
    }
}

const REQUEST: &str = "Request";
const OUTPUT: &str = "Output";
const SANDBOX: &str = "Sandbox";

/// What one `-H` or `--trailer` says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldArgument {
    pub(crate) name: String,
    /// `None`: the line that is added by default is left out.
    pub(crate) value: Option<String>,
}

impl FromStr for FieldArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => {
                let value = value.trim_matches([' ', '\t']);
                (name, (!value.is_empty()).then_some(value))
            }
            None => match text.strip_suffix(';') {
                Some(name) => (name, Some("")),
                None => return Err("a colon is missing: write 'Name: value'".to_owned()),
            },
        };
        if !is_token(name) {
            return Err(format!("{name:?} is not a field name: letters, digits and !#$%&'*+-.^_`|~ make one (RFC 9110 §5.1)"));
        }
        if value.is_some_and(|value| value.chars().any(|character| character.is_ascii_control() && character != '\t')) {
            return Err("the value holds a control character (RFC 9110 §5.5)".to_owned());
        }
        Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

fn method(text: &str) -> Result<String, String> {
    if is_token(text) { Ok(text.to_owned()) } else { Err("not a method: a token is needed (RFC 9110 §9.1)".to_owned()) }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet))
}

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
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let count: u64 = digits.parse().map_err(|_| "not a number of octets, such as 500K or 64M".to_owned())?;
    count.checked_mul(1 << shift).filter(|&octets| octets <= CONTENT_OCTETS_MAX).ok_or_else(|| "at most 1G".to_owned())
}

/// `--max-content`: a component's whole memory is 4 GiB at most.
const CONTENT_OCTETS_MAX: u64 = 1 << 30;

/// In the FILE of `-o` it stands for the index of the URL.
pub(crate) const INDEX_PLACEHOLDER: &str = "{}";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli) fn fetch(arguments: &[&str]) -> Result<Box<Fetch>, clap::Error> {
        let all = ["sandpiper", "fetch"].iter().chain(arguments);
        match Arguments::try_parse_from(all)?.command {
            Command::Fetch(fetch) => Ok(fetch),
            other => panic!("not fetch: {other:?}"),
        }
    }

    fn field(text: &str) -> Result<(String, Option<String>), String> {
        text.parse::<FieldArgument>().map(|field| (field.name, field.value))
    }

    #[test]
    fn the_grammar_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn field_arguments() {
        assert_eq!(field("A: b"), Ok(("A".into(), Some("b".into()))));
        assert_eq!(field("A:b:c \t"), Ok(("A".into(), Some("b:c".into()))));
        assert_eq!(field("User-Agent:"), Ok(("User-Agent".into(), None)));
        assert_eq!(field("X-Empty;"), Ok(("X-Empty".into(), Some("".into()))));
        assert!(field("no colon").is_err());
        assert!(field("two words: x").is_err());
        assert!(field(": x").is_err());
        assert!(field("A: b\r\nC: d").is_err());
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
        assert_eq!((both.fields.len(), both.output.names.0.len(), both.urls.len()), (2, 2, 2));
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
}
