//! Where responses go, and what is said about them.

use std::path::PathBuf;

use clap::Args;

use super::super::help::JSON_HELP;
use super::ordered::{in_order, in_order_of};
use super::{OUTPUT, octets};

#[derive(Args, Debug)]
pub(crate) struct Output {
    #[command(flatten)]
    pub(crate) names: Names,

    /// Holds no output back: accepted, since none ever is
    #[arg(short = 'N', long, help_heading = OUTPUT)]
    no_buffer: bool,

    /// Has -O for each URL that has no -o
    #[arg(long, conflicts_with = "json", help_heading = OUTPUT)]
    pub(crate) remote_name_all: bool,

    /// With -O, the file has the name that the server says (Content-Disposition), if it says one.
    ///
    /// Directories are cut off that name, and a dot at its beginning becomes `_`. A file of that name is never overwritten: a dot
    /// and a number, 1 to 100, are added to the name. `-w '%{filename_effective}'` shows it.
    #[arg(short = 'J', long, conflicts_with_all = ["include", "continue_at", "in_place"], help_heading = OUTPUT)]
    pub(crate) remote_header_name: bool,

    /// The directory of the files of -o and -O; a FILE that begins with `/` stays where it is
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) output_dir: Option<PathBuf>,

    /// Makes the directories that the files of -o, -O and -D need, before anything is sent
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) create_dirs: bool,

    /// Overwrites no file: a dot and a number, 1 to 100, are added to the name of one that exists
    #[arg(long, conflicts_with_all = ["continue_at", "in_place"], help_heading = OUTPUT)]
    pub(crate) no_clobber: bool,

    /// Writes to FILE itself as the response comes, not to a temporary file: so `tail -f FILE` follows it.
    ///
    /// Content that has come stays in FILE when the request fails, or the program is interrupted.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) in_place: bool,

    /// With --in-place, removes a FILE that is not whole, as it is without that option
    #[arg(long, conflicts_with = "continue_at", help_heading = OUTPUT)]
    pub(crate) remove_on_error: bool,

    /// Goes on with a download: `-` takes up where FILE ends; OFFSET leaves out so many octets, and adds the others to FILE.
    ///
    /// FILE is written as with --in-place, so that a download which was broken off can go on, also after -C - itself. The URL,
    /// a strong ETag or Last-Modified and the size of the content are kept in `.FILE.resume` beside FILE until FILE is
    /// whole. So the server is asked for the rest of the same content (If-Range); if there is other content now, FILE is
    /// written anew. For GET alone; a response that is neither the rest nor the whole is not written.
    #[arg(short = 'C', long, value_name = "OFFSET|-", value_parser = continue_at, conflicts_with_all = ["include", "head", "data", "upload", "json"], help_heading = OUTPUT)]
    pub(crate) continue_at: Option<ContinueAt>,

    /// Writes the heads of responses too, interim ones included, before the content
    #[arg(short = 'i', long = "include", conflicts_with = "json", help_heading = OUTPUT)]
    pub(crate) include: bool,

    /// Requests with HEAD, and writes the head
    #[arg(short = 'I', long = "head", help_heading = OUTPUT)]
    pub(crate) head: bool,

    /// Writes the heads of responses, interim ones included, to FILE, or with `-` to standard output
    #[arg(short = 'D', long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) dump_header: Option<PathBuf>,

    /// Writes FORMAT after each exchange: text with `%{variable}`, as curl has it; `@FILE` and `@-` read it.
    ///
    /// `\n`, `\r`, `\t` and `%%` stand for line ends, a tab and `%`; `%header{Name}` for a field of the response; `%{stderr}` and
    /// `%{stdout}` say where the rest goes; what follows `%{onerror}` is for failed exchanges alone. Variables: content_type,
    /// conn_id, errormsg, exitcode, filename_effective, header_json, http_code, http_version, json (all of them), local_ip,
    /// local_port, method, num_certs, num_connects, num_headers, num_retries, redirect_url, referer, remote_ip, remote_port,
    /// response_code, scheme, size_download, size_header, size_upload, speed_download, speed_upload, time_appconnect,
    /// time_connect, time_namelookup, time_pretransfer, time_starttransfer, time_total, url, url_effective, urlnum, xfer_id.
    /// Times count from the moment at which a connection has the request; names and connecting are those of its first.
    #[arg(short = 'w', long, value_name = "FORMAT|@FILE", conflicts_with = "json", help_heading = OUTPUT)]
    pub(crate) write_out: Option<String>,

    /// Writes one JSON object per line and exchange, in the order of completion, instead of contents
    #[arg(long, long_help = JSON_HELP, help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// With --json, the most octets of content per exchange; more fails it [suffixes: K, M, G]
    #[arg(long, value_name = "OCTETS", default_value = "64M", value_parser = octets, requires = "json", help_heading = OUTPUT)]
    pub(crate) max_content: u64,

    /// Shows on standard error what happens on the wire: `>` sent, `<` received, `*` what else
    #[arg(short = 'v', long, help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    /// Writes the log of every connection to FILE, one JSON object per line
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) log: Option<PathBuf>,

    /// Records every connection to FILE, for --replay; it holds all octets that are sent and received, credentials too.
    ///
    /// FILE is written while octets move: after a crash or Ctrl-C it can be replayed as far as it goes. Its limit is 256 MiB.
    #[arg(long, value_name = "FILE", conflicts_with = "replay", help_heading = OUTPUT)]
    pub(crate) record: Option<PathBuf>,

    /// Says at the end, on standard error, what came of each origin; with --json as a last object on standard output.
    ///
    /// requests: URLs. ok: whole responses. repeated: requests that --retry sent again. opened: connections. reused: requests
    /// that a connection carried after another one. octets: of content that was received. time: from the first request to
    /// the end of the last. failed: how many of each class of error; `status` counts those of --fail, `local` files of this
    /// machine.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) summary: bool,

    /// Counts a status of 400 or more as a failure, and does not write its content
    #[arg(short = 'f', long, help_heading = OUTPUT)]
    pub(crate) fail: bool,

    /// Counts a status of 400 or more as a failure, and writes its content
    #[arg(long, conflicts_with = "fail", help_heading = OUTPUT)]
    pub(crate) fail_with_body: bool,

    /// No progress bar, and no live counts of several exchanges
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) no_progress: bool,
}

/// `-C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContinueAt {
    /// `-`: where the file ends.
    End,
    Offset(u64),
}

fn continue_at(text: &str) -> Result<ContinueAt, String> {
    match text {
        "-" => Ok(ContinueAt::End),
        _ => text.parse().map(ContinueAt::Offset).map_err(|_| "not a number of octets, and not `-`".to_owned()),
    }
}

/// `-o` and `-O`, in their order: the first is for the first URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<Name>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `-o FILE`.
    File(String),
    /// `-O`.
    Remote,
}

const FILES_HELP: &str = "\
Writes to FILE instead of standard output; one per URL, or one with `{}`, which stands for the URL's index.

The first -o is for the first URL, and so on; `-` is standard output, to which then also a terminal's control characters go as they come. \
FILE appears when the response is whole, not before. Where a file that is there cannot be replaced (another owner, other links to it, \
a directory that takes no file), it is written in place.";

#[derive(Args, Debug)]
struct NameOptions {
    /// Writes to FILE instead of standard output; one per URL, or one with `{}`, which stands for the URL's index
    #[arg(short = 'o', long, value_name = "FILE", long_help = FILES_HELP, conflicts_with = "json", help_heading = OUTPUT)]
    output: Vec<String>,

    /// Writes to a file with the last name of the URL's path; one per URL, as -o, or --remote-name-all
    #[arg(short = 'O', long, num_args = 0, default_missing_value = "", conflicts_with = "json", help_heading = OUTPUT)]
    remote_name: Vec<String>,
}

in_order_of!(Names, NameOptions, |matches, options| {
    let files = options.output.into_iter().map(Name::File).collect();
    let remote = options.remote_name.into_iter().map(|_| Name::Remote).collect();
    Names(in_order(matches, [("output", files), ("remote_name", remote)]))
});

#[cfg(test)]
mod tests {
    use super::super::tests::fetch;
    use super::*;

    fn names(arguments: &[&str]) -> Result<String, clap::Error> {
        let show = |name| match name {
            Name::File(file) => file,
            Name::Remote => "O".to_owned(),
        };
        Ok(fetch(arguments)?.output.names.0.into_iter().map(show).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn files_and_remote_names_keep_their_order() {
        let url = "http://h/";
        assert_eq!(names(&[url]).unwrap(), "");
        assert_eq!(names(&["-o", "a", url, "-O", url, "-o", "b", url]).unwrap(), "a O b");
        assert_eq!(names(&["-OO", url, url, "-o", "a", url]).unwrap(), "O O a");
        assert_eq!(names(&["-NOJ", url]).unwrap(), "O");
        assert_eq!(names(&["-O", url, "-o", "a", url, "-O", url]).unwrap(), "O a O");
        assert_eq!(names(&[&["-O"; 300][..], &[url]].concat()).unwrap(), ["O"; 300].join(" "));
        assert!(names(&["-O", "--json", url]).is_err());
    }

    #[test]
    fn a_download_goes_on_somewhere() {
        let at = |text: &str| fetch(&["-C", text, "http://h/"]).map(|fetch| fetch.output.continue_at.unwrap());
        assert_eq!((at("-").unwrap(), at("17").unwrap()), (ContinueAt::End, ContinueAt::Offset(17)));
        assert!(at("x").is_err() && at("-1").is_err());
    }
}
