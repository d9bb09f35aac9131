//! What the requests of one `fetch` have in common.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sandpiper_host::types::{Deadlines, FieldLine, Request, RequestContent, RequestOptions};

use super::args::{Fetch, FieldArgument};
use super::outgoing::WHOLE_OCTETS_MAX;

#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) method: String,
    request_target: Option<String>,
    fields: Vec<FieldLine>,
    pub(crate) trailers: Vec<FieldLine>,
    pub(crate) content: Content,
    options: RequestOptions,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    #[default]
    None,
    Whole(Vec<u8>),
    /// `-T FILE`, a regular file; with trailers it is chunked.
    File {
        path: PathBuf,
        octets: u64,
    },
    /// `-T -`, or what is not a regular file: it can be read only once.
    Stream(PathBuf),
}

/// `-` for a file name.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Template {
    pub(crate) fn new(fetch: &Fetch, urls: usize) -> Result<Self, String> {
        let content = content(fetch, urls)?;
        let method = fetch.method.clone().unwrap_or_else(|| default_method(fetch).to_owned());
        if fetch.expect_continue && content == Content::None {
            return Err("--expect-continue needs content: -d or -T (RFC 9110 §10.1.1)".to_owned());
        }
        if method == "CONNECT" && (fetch.output.json || fetch.request_target.is_none()) {
            return Err("-X CONNECT needs --request-target host:port, and cannot be used with --json".to_owned());
        }
        let switches = |field: &FieldArgument| field.name.eq_ignore_ascii_case("upgrade") && field.value.is_some();
        if fetch.upgrade.is_none() && fetch.fields.iter().any(switches) {
            return Err("-H 'Upgrade: …' asks for a tunnel: use --upgrade PROTO (RFC 9110 §7.8)".to_owned());
        }
        if let Some(trailer) = fetch.trailers.iter().find(|trailer| is_forbidden_trailer(&trailer.name)) {
            let name = &trailer.name;
            return Err(format!("--trailer {name}: this field may not be a trailer (RFC 9110 §6.5.1); send it with -H"));
        }
        if urls > 1 && (method == "CONNECT" || fetch.upgrade.is_some()) {
            return Err("a tunnel (--upgrade, -X CONNECT) takes one URL: there is one standard input".to_owned());
        }
        Ok(Self {
            method,
            request_target: fetch.request_target.clone(),
            fields: fields(fetch),
            trailers: fetch.trailers.iter().map(|trailer| line(&trailer.name, trailer.value.as_deref().unwrap_or(""))).collect(),
            content,
            options: request_options(fetch),
        })
    }

    pub(crate) fn request(&self, authority: &str, request_target: &str) -> Request {
        let request_target = self.request_target.as_deref().unwrap_or(request_target);
        // A tunnel's `Host` is the tunnel's end (RFC 9112 §3.2.3).
        let authority = if self.method == "CONNECT" { request_target } else { authority };
        Request {
            method: self.method.clone(),
            request_target: request_target.to_owned(),
            authority: Some(authority.to_owned()),
            fields: self.fields.clone(),
            content: self.request_content(),
            options: Some(self.options),
        }
    }

    /// Octets of content that each request is handed over with.
    pub(crate) fn whole_octets(&self) -> usize {
        match &self.content {
            Content::Whole(octets) if octets.len() <= WHOLE_OCTETS_MAX => octets.len(),
            _ => 0,
        }
    }

    fn request_content(&self) -> RequestContent {
        match &self.content {
            Content::None => RequestContent::None,
            Content::Whole(octets) if octets.len() <= WHOLE_OCTETS_MAX => RequestContent::Whole(octets.clone()),
            Content::Whole(octets) => RequestContent::Length(octets.len() as u64),
            Content::File { octets, .. } if self.trailers.is_empty() => RequestContent::Length(*octets),
            Content::File { .. } | Content::Stream(_) => RequestContent::UnknownLength,
        }
    }

    /// The value of a field that each request has.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// By `--idempotent`, or its method (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.options.idempotent == Some(true)
            || matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }
}

fn request_options(fetch: &Fetch) -> RequestOptions {
    // Whoever allows more time for all of it allows it for each part. The whole is measured by the program: here it would begin when the
    // request is handed over, behind others.
    let parts = fetch.connection.max_time.map(|_| NO_DEADLINE);
    RequestOptions {
        idempotent: fetch.idempotent.then_some(true),
        expect_continue: fetch.expect_continue.then_some(true),
        content_octets_max: fetch.output.json.then_some(fetch.output.max_content),
        deadlines: parts.map(|none| Deadlines { first_octet: Some(none), between_octets: Some(none), ..Deadlines::default() }),
        ..RequestOptions::default()
    }
}

/// Fields that frame, route, authenticate or control a message: the component refuses them too, but only when the content has left.
const NOT_IN_TRAILERS: [&str; 30] = include!("../../../guest/src/h1/encode/not_in_trailers.in");

fn is_forbidden_trailer(name: &str) -> bool {
    NOT_IN_TRAILERS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// See `nanoseconds` in `wit/types.wit`.
const NO_DEADLINE: u64 = 1 << 63;

fn default_method(fetch: &Fetch) -> &'static str {
    match () {
        () if fetch.output.head => "HEAD",
        () if fetch.upload.is_some() => "PUT",
        () if !fetch.data.is_empty() => "POST",
        () => "GET",
    }
}

fn line(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// The caller's field lines, behind those that they neither replace nor take away.
fn fields(fetch: &Fetch) -> Vec<(String, Vec<u8>)> {
    let user_agent = concat!("sandpiper/", env!("CARGO_PKG_VERSION"));
    let mut defaults = vec![("User-Agent", user_agent), ("Accept", "*/*")];
    if !fetch.data.is_empty() {
        defaults.push(("Content-Type", "application/x-www-form-urlencoded"));
    }
    if let Some(protocol) = &fetch.upgrade {
        defaults.extend([("Connection", "upgrade"), ("Upgrade", protocol.as_str())]);
    }
    let given = |name: &str| fetch.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let defaults = defaults.into_iter().filter(|(name, _)| !given(name)).map(|(name, value)| line(name, value));
    let own = fetch.fields.iter().filter_map(|FieldArgument { name, value }| value.as_ref().map(|value| line(name, value)));
    defaults.chain(own).collect()
}

fn content(fetch: &Fetch, urls: usize) -> Result<Content, String> {
    if let Some(path) = &fetch.upload {
        return upload(path, urls);
    }
    if fetch.data.is_empty() {
        return Ok(Content::None);
    }
    let parts = fetch.data.iter().map(|data| data_octets(data)).collect::<Result<Vec<_>, _>>()?;
    Ok(Content::Whole(parts.join(&b'&')))
}

fn data_octets(data: &str) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("-d {data}: {error}");
    match data.strip_prefix('@') {
        None => Ok(data.as_bytes().to_vec()),
        Some("-") => {
            let mut octets = Vec::new();
            io::stdin().read_to_end(&mut octets).map_err(unreadable)?;
            Ok(octets)
        }
        Some(file) => std::fs::read(file).map_err(unreadable),
    }
}

fn upload(path: &Path, urls: usize) -> Result<Content, String> {
    let unreadable = |error| format!("-T {}: {error}", path.display());
    let metadata = if is_stdin(path) { None } else { Some(std::fs::metadata(path).map_err(unreadable)?) };
    match metadata {
        Some(metadata) if metadata.is_dir() => Err(format!("-T {}: this is a directory", path.display())),
        Some(metadata) if metadata.is_file() => {
            File::open(path).map_err(unreadable)?;
            Ok(Content::File { path: path.to_owned(), octets: metadata.len() })
        }
        _ if urls > 1 => Err(format!("-T {}: it can be read only once, and there are {urls} URLs", path.display())),
        _ => Ok(Content::Stream(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;

    fn template(arguments: &[&str]) -> Template {
        let all = ["sandpiper", "fetch"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Fetch(fetch) => Template::new(&fetch, 1).unwrap(),
            other => panic!("not fetch: {other:?}"),
        }
    }

    fn fields_of(arguments: &[&str]) -> Vec<String> {
        let fields = template(arguments).fields;
        fields.into_iter().map(|(name, value)| format!("{name}: {}", String::from_utf8(value).unwrap())).collect()
    }

    #[test]
    fn fields_replace_and_remove_defaults() {
        let agent = concat!("User-Agent: sandpiper/", env!("CARGO_PKG_VERSION"));
        assert_eq!(fields_of(&["http://h/"]), [agent, "Accept: */*"]);
        assert_eq!(fields_of(&["http://h/", "-H", "accept: text/html", "-H", "User-Agent:"]), ["accept: text/html"]);
        let form = "Content-Type: application/x-www-form-urlencoded";
        assert_eq!(fields_of(&["http://h/", "-d", "x"]), [agent, "Accept: */*", form]);
        assert_eq!(fields_of(&["http://h/", "-H", "A: 1", "-H", "A: 2"]), [agent, "Accept: */*", "A: 1", "A: 2"]);
    }

    #[test]
    fn content_chooses_the_method() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "octets\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(template(&["http://h/"]).method, "GET");
        assert_eq!(template(&["http://h/", "-I"]).method, "HEAD");
        let data = template(&["http://h/", "-d", "a=1", "-d", &format!("@{path}")]);
        assert_eq!((data.method.as_str(), data.content), ("POST", Content::Whole(b"a=1&octets\n".to_vec())));
        let upload = template(&["http://h/", "-T", path]);
        assert_eq!((upload.method.as_str(), upload.content), ("PUT", Content::File { path: path.into(), octets: 7 }));
        assert_eq!(template(&["http://h/", "-T", "-"]).content, Content::Stream("-".into()));
    }

    #[test]
    fn contents_are_framed_by_what_is_known_of_them() {
        let framed = |content, trailers| Template { content, trailers, ..template(&["http://h/"]) }.request("h", "/").content;
        let file = || Content::File { path: "f".into(), octets: 7 };
        assert!(matches!(framed(Content::None, vec![]), RequestContent::None));
        assert!(matches!(framed(Content::Whole(vec![0; WHOLE_OCTETS_MAX]), vec![]), RequestContent::Whole(_)));
        assert!(matches!(framed(Content::Whole(vec![0; WHOLE_OCTETS_MAX + 1]), vec![]), RequestContent::Length(65_537)));
        assert!(matches!(framed(file(), vec![]), RequestContent::Length(7)));
        assert!(matches!(framed(file(), vec![line("T", "t")]), RequestContent::UnknownLength));
        assert!(matches!(framed(Content::Stream("-".into()), vec![]), RequestContent::UnknownLength));
    }

    #[test]
    fn a_tunnel_is_asked_for_by_its_end() {
        let connect = template(&["http://proxy/", "-X", "CONNECT", "--request-target", "h:1"]).request("proxy", "/");
        assert_eq!((connect.request_target.as_str(), connect.authority.as_deref()), ("h:1", Some("h:1")));
    }
}
