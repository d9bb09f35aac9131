//! The options about what a request is made of.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::super::condition::{Condition, ranges};
use super::super::credentials::User;
use super::super::protocols::Protocols;
use super::REQUEST;
use super::data::Data;
use super::field::{FieldArgument, FieldValue, HeaderArgument, method};

/// Names of the options that make a content, for conflicts with others.
pub(super) const CONTENTS: [&str; 7] = ["data", "data_raw", "data_binary", "data_urlencode", "data_json", "form", "form_string"];

#[derive(Args, Debug)]
pub(crate) struct Request {
    /// Request method [default: GET; HEAD with -I, POST with -d or -F, PUT with -T]
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = method, help_heading = REQUEST)]
    pub(crate) method: Option<String>,

    /// Adds a field line; `-H 'Name:'` leaves out one that is added by default, `-H 'Name;'` sends it empty.
    ///
    /// `-H @FILE` adds the lines of FILE, `-H @-` those of standard input. Added by default: `User-Agent: sandpiper/…`,
    /// `Accept: */*`, and what other options need; a line of the same name replaces it. The component adds what the
    /// framing needs: Host, Content-Length or Transfer-Encoding, Connection. `-H 'Content-Length: N'` declares the length of a content
    /// that is not known otherwise (-T -). May be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE|@FILE", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(HeaderArgument::parse_argument), help_heading = REQUEST)]
    pub(crate) headers: Vec<HeaderArgument>,

    /// Sends `User-Agent: NAME`; an empty NAME leaves the field out
    #[arg(short = 'A', long, value_name = "NAME", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(FieldValue::parse_argument), help_heading = REQUEST)]
    pub(crate) user_agent: Option<FieldValue>,

    /// Sends `Referer: URL`
    #[arg(short = 'e', long, value_name = "URL", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(referer), help_heading = REQUEST)]
    pub(crate) referer: Option<FieldValue>,

    /// Sends these credentials (Basic, RFC 7617) with every request; without `:PASSWORD` it is asked for on the terminal.
    ///
    /// They can be read by whoever sees the connection, unless it is https, and by users of this machine in its list of
    /// processes.
    #[arg(short = 'u', long, value_name = "NAME:PASSWORD", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(User::parse), help_heading = REQUEST)]
    pub(crate) user: Option<User>,

    /// Sends TOKEN (Bearer, RFC 6750) with every request
    #[arg(long, value_name = "TOKEN", conflicts_with = "user", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(FieldValue::parse_argument), help_heading = REQUEST)]
    pub(crate) oauth2_bearer: Option<FieldValue>,

    /// Shows credentials with -v and in --log, instead of `***`
    #[arg(long, help_heading = REQUEST)]
    pub(crate) show_credentials: bool,

    #[command(flatten)]
    pub(crate) data: Data,

    /// Puts the data of -d and its kin into the query of the URLs, and requests with GET
    #[arg(short = 'G', long, conflicts_with_all = ["form", "form_string", "data_json", "request_target"], help_heading = REQUEST)]
    pub(crate) get: bool,

    /// Uploads FILE, or with `-` standard input, without holding it in memory.
    ///
    /// A file is sent with Content-Length; standard input, a pipe, and a file with --trailer are sent chunked. With
    /// `-H 'Content-Length: N'` standard input is sent with that length, and fails if it has another one.
    #[arg(short = 'T', long = "upload-file", value_name = "FILE", conflicts_with = "head", conflicts_with_all = CONTENTS, help_heading = REQUEST)]
    pub(crate) upload: Option<PathBuf>,

    /// Adds a trailer line to a chunked upload (-T). May be given several times
    #[arg(long = "trailer", value_name = "NAME: VALUE", requires = "upload",
          value_parser = OsStringValueParser::new().try_map(FieldArgument::parse_argument), help_heading = REQUEST)]
    pub(crate) trailers: Vec<FieldArgument>,

    /// Asks for a part: the octets FIRST-LAST, FIRST- or, counted from the end, -LAST; several with commas between them.
    ///
    /// Sends `Range: bytes=…`. A server may answer with the whole, with status 200.
    #[arg(short = 'r', long, value_name = "RANGE", value_parser = ranges, allow_hyphen_values = true, help_heading = REQUEST)]
    pub(crate) range: Option<String>,

    /// Asks for the content only if it has changed since DATE, or since FILE was changed.
    ///
    /// With `-` before it: only if it has not. DATE is as in `Last-Modified`, or as in `2026-11-30` or `2026-11-30T12:00:00Z`.
    /// The status of a content that has not changed is 304, and its -o FILE is left as it is. A FILE that is not there asks for
    /// nothing.
    #[arg(short = 'z', long = "time-cond", value_name = "DATE|FILE", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(Condition::parse), help_heading = REQUEST)]
    pub(crate) condition: Option<Condition>,

    /// The requests may be repeated and pipelined although their method is not idempotent
    #[arg(long, help_heading = REQUEST)]
    pub(crate) idempotent: bool,

    /// Asks first: sends `Expect: 100-continue`, and the content after `100 (Continue)`, or after one second
    #[arg(long, help_heading = REQUEST)]
    pub(crate) expect_continue: bool,

    /// Asks to switch to PROTO (`Upgrade: PROTO`); after 101 standard input goes to the server and its octets to the output.
    ///
    /// With -d or -T FILE the request has a content, as `docker exec` needs it.
    #[arg(long, value_name = "PROTO", conflicts_with = "json", help_heading = REQUEST)]
    pub(crate) upgrade: Option<String>,

    /// Request target instead of the URL's path and query, such as `*` with -X OPTIONS, or `host:port` with -X CONNECT
    #[arg(long, value_name = "TARGET", help_heading = REQUEST)]
    pub(crate) request_target: Option<String>,

    /// Sends path and query as they stand in the URL: `/../` and `%2e` are not resolved, `\` is not made `/`
    #[arg(long, conflicts_with = "request_target", help_heading = REQUEST)]
    pub(crate) path_as_is: bool,

    /// Refuses URLs of other schemes: `=https` allows https alone, as curl writes it
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, help_heading = REQUEST)]
    pub(crate) proto: Option<Protocols>,
}

fn referer(text: OsString) -> Result<FieldValue, String> {
    let value = FieldValue::parse_argument(text)?;
    match value.0.ends_with(b";auto") {
        true => Err("`;auto` is for redirects, which are not followed; leave it out".to_owned()),
        false => Ok(value),
    }
}
