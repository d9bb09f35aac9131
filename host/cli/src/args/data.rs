//! The options of a content, and of what goes into a query.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::super::form::FormPart;
use super::REQUEST;
use super::ordered::{in_order, in_order_of};

/// The parts of a content, in the order of the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    pub(crate) parts: Vec<DataPart>,
    pub(crate) form: Vec<FormPart>,
}

/// One `-d`, or one of its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataPart {
    pub(crate) kind: Kind,
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `-d`
    Ascii,
    /// `--data-raw`
    Raw,
    /// `--data-binary`
    Binary,
    /// `--data-urlencode`
    UrlEncode,
    /// `--data-json`
    Json,
}

impl Data {
    pub(crate) fn is_json(&self) -> bool {
        self.parts.iter().any(|part| part.kind == Kind::Json)
    }

    /// Is there a content?
    pub(crate) fn is_given(&self) -> bool {
        !self.parts.is_empty() || !self.form.is_empty()
    }
}

impl DataPart {
    /// The option, as error messages name it.
    pub(crate) fn option(&self) -> &'static str {
        match self.kind {
            Kind::Ascii => "-d",
            Kind::Raw => "--data-raw",
            Kind::Binary => "--data-binary",
            Kind::UrlEncode => "--data-urlencode",
            Kind::Json => "--data-json",
        }
    }

    /// The file that it names.
    pub(crate) fn file(&self) -> Option<&OsStr> {
        let file = match self.kind {
            Kind::Raw => None,
            Kind::Ascii | Kind::Binary | Kind::Json => self.value.strip_prefix(b"@"),
            // With an `=` in it, an `@` is content.
            Kind::UrlEncode if self.value.contains(&b'=') => None,
            Kind::UrlEncode => self.value.iter().position(|&octet| octet == b'@').map(|at| &self.value[at + 1..]),
        };
        file.map(OsStr::from_bytes)
    }
}

#[derive(Args, Debug)]
struct DataOptions {
    /// Sends DATA, or the octets of FILE (`@-`: of standard input) without their line ends and NULs, as curl does.
    ///
    /// The method is POST, and the field `Content-Type: application/x-www-form-urlencoded`. Several of -d, --data-raw,
    /// --data-binary and --data-urlencode are joined with `&`. The content is held in memory: -T streams.
    #[arg(short = 'd', long = "data", visible_alias = "data-ascii", value_name = "DATA|@FILE|@-", allow_hyphen_values = true, help_heading = REQUEST)]
    data: Vec<OsString>,

    /// Sends DATA as -d does; an `@` at its beginning is content
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, help_heading = REQUEST)]
    data_raw: Vec<OsString>,

    /// Sends DATA, or the octets of FILE as they are, line ends included
    #[arg(long, value_name = "DATA|@FILE|@-", allow_hyphen_values = true, help_heading = REQUEST)]
    data_binary: Vec<OsString>,

    /// Sends what is percent-encoded first: CONTENT, =CONTENT, NAME=CONTENT, @FILE or NAME@FILE.
    ///
    /// NAME is sent as it is. A space becomes `+`, as in forms.
    #[arg(long, value_name = "NAME=CONTENT", allow_hyphen_values = true, help_heading = REQUEST)]
    data_urlencode: Vec<OsString>,

    /// Sends JSON: what curl calls --json. Adds `Content-Type: application/json` and `Accept: application/json`.
    ///
    /// `@FILE` and `@-` as for --data-binary. Given several times, DATA is joined without anything between.
    #[arg(long, value_name = "DATA|@FILE|@-", allow_hyphen_values = true, help_heading = REQUEST)]
    data_json: Vec<OsString>,

    /// Sends a form with this field (multipart/form-data, RFC 7578): NAME=VALUE, NAME=@FILE or NAME=<FILE.
    ///
    /// `@FILE` is an upload with a file name, `<FILE` a value that is read from a file; `-` is standard input. Behind it may stand
    /// `;type=TYPE`, `;filename=NAME` and `;headers=LINE`; what holds `;` or `,` stands in quotation marks. Files are streamed; the
    /// form has a Content-Length when the size of each is known. May be given several times.
    #[arg(short = 'F', long, value_name = "NAME=VALUE", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(|text| FormPart::parse(text.as_bytes())), help_heading = REQUEST)]
    form: Vec<FormPart>,

    /// As -F; `@`, `<` and `;` in VALUE are content
    #[arg(long, value_name = "NAME=VALUE", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(|text| FormPart::literal(text.as_bytes())), help_heading = REQUEST)]
    form_string: Vec<FormPart>,
}

fn of(kind: Kind, values: Vec<OsString>) -> Vec<DataPart> {
    values.into_iter().map(|value| DataPart { kind, value: value.into_vec() }).collect()
}

in_order_of!(Data, DataOptions, |matches, options| {
    let parts = [
        ("data", of(Kind::Ascii, options.data)),
        ("data_raw", of(Kind::Raw, options.data_raw)),
        ("data_binary", of(Kind::Binary, options.data_binary)),
        ("data_urlencode", of(Kind::UrlEncode, options.data_urlencode)),
        ("data_json", of(Kind::Json, options.data_json)),
    ];
    let form = [("form", options.form), ("form_string", options.form_string)];
    Data { parts: in_order(matches, parts), form: in_order(matches, form) }
});
