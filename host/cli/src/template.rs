//! The common parts of the requests of one `fetch`.

use std::io::Read;
use std::path::Path;

use sandpiper_host::types::{FieldLine, Limit, Request, RequestContent, RequestOptions, Timer};

use super::args::Fetch;
use super::args::field::{FieldArgument, HeaderArgument};
use super::condition::Condition;
use super::content::{Content, query};
use super::outgoing::WHOLE_OCTETS_MAX;
use super::standard;

#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) method: String,
    request_target: Option<String>,
    fields: Vec<FieldLine>,
    pub(crate) trailers: Vec<FieldLine>,
    pub(crate) content: Content,
    /// `-H 'Content-Length: N'`, of a content whose length is not known otherwise.
    declared: Option<u64>,
    /// `-G`: what is added to the query of each URL.
    query: Option<String>,
    options: RequestOptions,
}

impl Template {
    pub(crate) fn new(fetch: &Fetch, urls: usize) -> Result<Self, String> {
        let asked = &fetch.request;
        let given = given_fields(&asked.headers)?;
        let (content, media_type) = Content::of(fetch, urls)?;
        let chunked = is_chunked(&given)? || !asked.trailers.is_empty();
        let content = if chunked { content.chunked() } else { content };
        let declared = declared(&given, &content)?;
        let method = asked.method.clone().unwrap_or_else(|| default_method(fetch).to_owned());
        check(fetch, &method, urls, &given, &content)?;
        Ok(Self {
            method,
            request_target: asked.request_target.clone(),
            fields: fields(fetch, given, media_type.as_deref())?,
            trailers: asked
                .trailers
                .iter()
                .map(|trailer| line(&trailer.name, trailer.value.clone().unwrap_or_default()))
                .collect(),
            content,
            declared,
            query: if asked.get { query(&asked.data.parts)? } else { None },
            options: request_options(fetch),
        })
    }

    pub(crate) fn request(&self, authority: &str, request_target: &str) -> Request {
        let request_target = self.request_target.as_deref().unwrap_or(request_target);
        // A tunnel's `Host` is the tunnel's end (RFC 9112 §3.2.3).
        let authority = if self.method == "CONNECT" { request_target } else { authority };
        Request {
            method: self.method.clone(),
            request_target: self.with_query(request_target),
            authority: Some(authority.to_owned()),
            fields: self.fields.clone(),
            content: self.request_content(),
            options: Some(self.options.clone()),
        }
    }

    /// With what `-G` adds.
    pub(crate) fn with_query(&self, request_target: &str) -> String {
        let Some(query) = &self.query else {
            return request_target.to_owned();
        };
        let separator = match request_target.split_once('?') {
            None => "?",
            Some((_, before)) if before.is_empty() || before.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{request_target}{separator}{query}")
    }

    /// Octets of content that each request is handed over with.
    pub(crate) fn whole_octets(&self) -> usize {
        match &self.content {
            Content::Whole(octets) if octets.len() <= WHOLE_OCTETS_MAX => octets.len(),
            _ => 0,
        }
    }

    fn request_content(&self) -> RequestContent {
        let length = match &self.content {
            Content::None => return RequestContent::None,
            Content::Whole(octets) if octets.len() <= WHOLE_OCTETS_MAX => return RequestContent::Whole(octets.clone()),
            content => content.octets().or(self.declared),
        };
        length.map_or(RequestContent::UnknownLength, RequestContent::Length)
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
    let mut options = RequestOptions {
        idempotent: fetch.request.idempotent.then_some(true),
        expect_continue: fetch.request.expect_continue,
        ..RequestOptions::default()
    };
    if fetch.output.json {
        options = options.limit(Limit::ContentOctets, fetch.output.max_content);
    }
    if fetch.connection.max_time.is_some() {
        options = options.without_deadline(Timer::FirstOctet).without_deadline(Timer::BetweenOctets);
    }
    options
}

/// Fields that frame, route, authenticate or control a message: the component refuses them too, but only when the content has left.
const NOT_IN_TRAILERS: [&str; 30] = include!("../../../guest/src/not_in_trailers.in");

fn is_forbidden_trailer(name: &str) -> bool {
    NOT_IN_TRAILERS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn default_method(fetch: &Fetch) -> &'static str {
    let asked = &fetch.request;
    match () {
        () if fetch.output.head => "HEAD",
        () if asked.upload.is_some() => "PUT",
        () if asked.data.is_given() && !asked.get => "POST",
        () => "GET",
    }
}

/// Options that would fail only after a connection was made, or would do something else than was meant.
fn check(fetch: &Fetch, method: &str, urls: usize, given: &[FieldArgument], content: &Content) -> Result<(), String> {
    let asked = &fetch.request;
    let has = |name: &str| given.iter().find(|field| field.is(name));
    if asked.expect_continue && *content == Content::None {
        return Err("--expect-continue needs content: -d or -T (RFC 9110 §10.1.1)".to_owned());
    }
    if method == "CONNECT" && (fetch.output.json || asked.request_target.is_none()) {
        return Err("-X CONNECT needs --request-target host:port, and cannot be used with --json".to_owned());
    }
    if asked.upgrade.is_none() && has("upgrade").is_some_and(|field| field.value.is_some()) {
        return Err("-H 'Upgrade: …' asks for a tunnel: use --upgrade PROTO (RFC 9110 §7.8)".to_owned());
    }
    if has("host").is_some_and(|field| field.value.is_none()) {
        return Err(
            "-H 'Host:' would leave Host out, which every request of HTTP/1.1 has (RFC 9112 §3.2); -H 'Host;' sends it empty"
                .to_owned(),
        );
    }
    if let Some(trailer) = asked.trailers.iter().find(|trailer| is_forbidden_trailer(&trailer.name)) {
        let name = &trailer.name;
        return Err(format!("--trailer {name}: this field may not be a trailer (RFC 9110 §6.5.1); send it with -H"));
    }
    if !asked.trailers.is_empty() && has("content-length").is_some() {
        return Err("--trailer needs chunked content (RFC 9112 §7.1.2): leave Content-Length out".to_owned());
    }
    if urls > 1 && (method == "CONNECT" || asked.upgrade.is_some()) {
        return Err("a tunnel (--upgrade, -X CONNECT) takes one URL: there is one standard input".to_owned());
    }
    Ok(())
}

/// A file of field lines (`-H @FILE`): more are no head that a server takes.
const FIELDS_OCTETS_MAX: u64 = 1 << 20;

/// The lines of all `-H`.
fn given_fields(headers: &[HeaderArgument]) -> Result<Vec<FieldArgument>, String> {
    let mut fields = Vec::with_capacity(headers.len());
    for header in headers {
        match header {
            HeaderArgument::Line(field) => fields.push(field.clone()),
            HeaderArgument::File(file) => fields.extend(fields_of_file(file)?),
        }
    }
    Ok(fields)
}

/// A field line on each line; blank lines and those that begin with `#` are left out, as curl does.
fn fields_of_file(file: &Path) -> Result<Vec<FieldArgument>, String> {
    let named = |problem: &dyn std::fmt::Display| format!("-H @{}: {problem}", file.display());
    let mut octets = Vec::new();
    let read = standard::open(file).and_then(|open| open.take(FIELDS_OCTETS_MAX + 1).read_to_end(&mut octets));
    if read.map_err(|error| named(&error))? as u64 > FIELDS_OCTETS_MAX {
        return Err(named(&format!("it has more than {FIELDS_OCTETS_MAX} octets")));
    }
    let lines = (1..).zip(octets.split(|&octet| octet == b'\n')).map(|(number, line)| (number, line.trim_ascii_end()));
    let fields = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
    let parse =
        |(number, line): (usize, &[u8])| FieldArgument::parse(line).map_err(|why| named(&format!("line {number}: {why}")));
    fields.map(parse).collect()
}

/// `-H 'Transfer-Encoding: chunked'`.
fn is_chunked(given: &[FieldArgument]) -> Result<bool, String> {
    match given.iter().find(|field| field.is("transfer-encoding")).map(|field| field.value.as_deref()) {
        None => Ok(false),
        Some(Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(true),
        Some(Some(_)) => {
            Err("-H 'Transfer-Encoding: …': chunked is the only transfer coding that is sent (RFC 9112 §7)".to_owned())
        }
        Some(None) => Err(framing("Transfer-Encoding")),
    }
}

fn framing(name: &str) -> String {
    format!("-H '{name}:' would leave out what frames the content (RFC 9112 §6); -H 'Content-Length: N' declares a length")
}

/// `-H 'Content-Length: N'`, for a content whose length is not known otherwise; one that is known must be it.
fn declared(given: &[FieldArgument], content: &Content) -> Result<Option<u64>, String> {
    let mut lines = given.iter().filter(|field| field.is("content-length"));
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let value = line.value.as_deref().ok_or_else(|| framing("Content-Length"))?;
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
    let declared: Option<u64> = digits.and_then(|digits| digits.parse().ok()).filter(|&length| i64::try_from(length).is_ok());
    let Some(declared) = declared.filter(|_| lines.next().is_none()) else {
        return Err("-H 'Content-Length: N': N is one number up to 2^63-1, and is given once (RFC 9110 §8.6)".to_owned());
    };
    match content.octets() {
        _ if is_chunked(given)? => Err("Content-Length and Transfer-Encoding exclude each other (RFC 9112 §6.2)".to_owned()),
        Some(octets) if octets != declared => Err(format!(
            "-H 'Content-Length: {declared}': the content has {octets} octets; leave the line out, and the length is added"
        )),
        _ => Ok(Some(declared)),
    }
}

fn line(name: &str, value: impl Into<Vec<u8>>) -> FieldLine {
    (name.to_owned(), value.into())
}

/// The caller's field lines, behind those that they neither replace nor take away.
fn fields(fetch: &Fetch, given: Vec<FieldArgument>, media_type: Option<&str>) -> Result<Vec<FieldLine>, String> {
    let mut defaults = defaults(fetch)?;
    defaults.extend(media_type.map(|media_type| line("Content-Type", media_type)));
    if let Some(protocol) = &fetch.request.upgrade {
        defaults.extend([line("Connection", "upgrade"), line("Upgrade", protocol.as_str())]);
    }
    defaults.retain(|(name, _)| !given.iter().any(|field| field.is(name)));
    let form = media_type.and_then(|media_type| media_type.strip_prefix("multipart/form-data"));
    for FieldArgument { name, value } in given {
        let Some(mut value) = value else { continue };
        // A form of another type still has its boundary.
        if let Some(boundary) = form.filter(|_| name.eq_ignore_ascii_case("content-type")) {
            value.extend(boundary.as_bytes());
        }
        defaults.push((name, value));
    }
    Ok(defaults)
}

/// The field lines that the options add to a head. An empty value leaves the line out.
fn defaults(fetch: &Fetch) -> Result<Vec<FieldLine>, String> {
    let asked = &fetch.request;
    let user_agent = concat!("sandpiper/", env!("CARGO_PKG_VERSION")).as_bytes();
    let accept = if asked.data.is_json() { "application/json" } else { "*/*" };
    let mut lines =
        vec![line("User-Agent", asked.user_agent.as_ref().map_or(user_agent, |value| &value.0)), line("Accept", accept)];
    if let Some(user) = &asked.user {
        lines.push(line("Authorization", user.authorization()?));
    }
    lines.extend(asked.oauth2_bearer.as_ref().map(|token| line("Authorization", [b"Bearer ", token.0.as_slice()].concat())));
    lines.extend(asked.range.as_ref().map(|ranges| line("Range", format!("bytes={ranges}"))));
    let condition = asked.condition.as_ref().and_then(Condition::line);
    lines.extend(condition.map(|(name, date)| line(name, date)));
    lines.extend(asked.referer.as_ref().map(|referer| line("Referer", referer.0.as_slice())));
    lines.retain(|(_, value)| !value.is_empty());
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::super::pieces::{Piece, Pieces};
    use super::*;

    fn template_of(arguments: &[&str]) -> Result<Template, String> {
        let all = ["sandpiper", "fetch"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Fetch(fetch) => Template::new(&fetch, 1),
            other => panic!("not fetch: {other:?}"),
        }
    }

    fn template(arguments: &[&str]) -> Template {
        template_of(arguments).unwrap()
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
        let json = ["Accept: application/json", "Content-Type: application/json"];
        assert_eq!(fields_of(&["http://h/", "-A", "", "--data-json", "{}"]), json);
        let all = ["-A", "x", "-e", "http://r/", "-u", "a:b", "-r", "0-1", "-z", "2024-02-29", "-H", "accept:", "http://h/"];
        assert_eq!(
            fields_of(&all),
            [
                "User-Agent: x",
                "Authorization: Basic YTpi",
                "Range: bytes=0-1",
                "If-Modified-Since: Thu, 29 Feb 2024 00:00:00 GMT",
                "Referer: http://r/"
            ]
        );
        assert_eq!(fields_of(&["-A", "", "-H", "Accept:", "--oauth2-bearer", "t", "http://h/"]), ["Authorization: Bearer t"]);
    }

    #[test]
    fn fields_come_from_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "A: 1\r\n\n# no\nAccept:\nB: \u{e4}").unwrap();
        let argument = format!("@{}", file.path().display());
        assert_eq!(fields_of(&["-A", "", "-H", &argument, "-H", "C: 3", "http://h/"]), ["A: 1", "B: \u{e4}", "C: 3"]);
        std::fs::write(&file, "A: 1\nnone\n").unwrap();
        assert!(template_of(&["-H", &argument, "http://h/"]).unwrap_err().contains("line 2: a colon is missing"));
        assert!(template_of(&["-H", "@/no/such", "http://h/"]).unwrap_err().contains("-H @/no/such: No such file"));
        std::fs::write(&file, vec![b'x'; 2 << 20]).unwrap();
        assert!(template_of(&["-H", &argument, "http://h/"]).unwrap_err().contains("more than 1048576 octets"));
    }

    #[test]
    fn a_form_names_its_boundary() {
        let of = |arguments: &[&str]| fields_of(&[&["-A", "", "-H", "Accept:", "-F", "a=b", "http://h/"], arguments].concat());
        assert!(of(&[])[0].starts_with("Content-Type: multipart/form-data; boundary=----"));
        assert!(of(&["-H", "Content-Type: multipart/x"])[0].starts_with("Content-Type: multipart/x; boundary=----"));
        assert_eq!(template(&["-F", "a=b", "http://h/"]).method, "POST");
    }

    #[test]
    fn data_goes_into_the_query() {
        let of = |target: &str, data: &[&str]| {
            let template = template(&[&["-G", "http://h/"], data].concat());
            let request = template.request("h", target);
            assert!(matches!(request.content, RequestContent::None));
            format!("{} {}", request.method, request.request_target)
        };
        assert_eq!(of("/", &["-d", "a=1", "--data-urlencode", "b=2 3"]), "GET /?a=1&b=2+3");
        assert_eq!(of("/p?x=1", &["-d", "q"]), "GET /p?x=1&q");
        assert_eq!(of("/p?", &["-d", "q", "-I"]), "HEAD /p?q");
        assert_eq!(of("/p?x&", &["-d", "q"]), "GET /p?x&q");
        assert_eq!(of("/p", &[]), "GET /p");
    }

    #[test]
    fn a_length_can_be_declared() {
        let content = |arguments: &[&str]| {
            let template = template_of(&[arguments, &["http://h/"]].concat())?;
            Ok::<_, String>(template.request("h", "/").content)
        };
        let declared = ["-H", "Content-Length: 5"];
        assert!(matches!(content(&[&declared[..], &["-T", "-"]].concat()), Ok(RequestContent::Length(5))));
        assert!(matches!(content(&[&declared[..], &["-d", "12345"]].concat()), Ok(RequestContent::Whole(_))));
        assert!(matches!(content(&["-d", "1", "-H", "transfer-encoding: Chunked"]), Ok(RequestContent::UnknownLength)));
        for (wrong, why) in [
            (&["-H", "Content-Length: 5", "-d", "1"][..], "has 1 octets"),
            (&["-H", "Content-Length: 5"], "has 0 octets"),
            (&["-H", "Content-Length: x", "-T", "-"], "is one number"),
            (&["-H", "Content-Length: 9223372036854775808", "-T", "-"], "is one number"),
            (&["-H", "Content-Length: 5", "-H", "Content-Length: 5", "-T", "-"], "given once"),
            (&["-H", "Content-Length:", "-d", "1"], "frames the content"),
            (&["-H", "Transfer-Encoding:", "-T", "-"], "frames the content"),
            (&["-H", "Transfer-Encoding: gzip", "-T", "-"], "only transfer coding"),
            (&["-H", "Content-Length: 5", "-H", "Transfer-Encoding: chunked", "-T", "-"], "exclude each other"),
            (&["-H", "Content-Length: 5", "-T", "-", "--trailer", "A: b"], "leave Content-Length out"),
            (&["-H", "host:"], "-H 'Host;' sends it empty"),
            (&["-I", "-d", "x"], "-G puts"),
            (&["-d", "x", "-F", "a=b"], "two contents"),
        ] {
            let message = content(wrong).unwrap_err();
            assert!(message.contains(why), "{wrong:?}: {message}");
        }
    }

    fn upload_of(path: &str) -> Content {
        Content::Pieces(Pieces::new(vec![Piece::File { path: path.into(), octets: 7 }]))
    }

    #[test]
    fn content_chooses_the_method() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "octets\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(template(&["http://h/"]).method, "GET");
        assert_eq!(template(&["http://h/", "-I"]).method, "HEAD");
        let data = template(&["http://h/", "-d", "a=1", "-d", &format!("@{path}")]);
        assert_eq!((data.method.as_str(), data.content), ("POST", Content::Whole(b"a=1&octets".to_vec())));
        let upload = template(&["http://h/", "-T", path]);
        assert_eq!((upload.method.as_str(), upload.content), ("PUT", upload_of(path)));
        assert_eq!(template(&["http://h/", "-T", "-"]).content, Content::Stream("-".into()));
    }

    #[test]
    fn contents_are_framed_by_what_is_known_of_them() {
        let framed = |content, trailers| Template { content, trailers, ..template(&["http://h/"]) }.request("h", "/").content;
        assert!(matches!(framed(Content::None, vec![]), RequestContent::None));
        assert!(matches!(framed(Content::Whole(vec![0; WHOLE_OCTETS_MAX]), vec![]), RequestContent::Whole(_)));
        assert!(matches!(framed(Content::Whole(vec![0; WHOLE_OCTETS_MAX + 1]), vec![]), RequestContent::Length(65_537)));
        assert!(matches!(framed(upload_of("f"), vec![]), RequestContent::Length(7)));
        assert!(matches!(framed(upload_of("f").chunked(), vec![]), RequestContent::UnknownLength));
        assert!(matches!(framed(Content::Stream("-".into()), vec![]), RequestContent::UnknownLength));
    }

    #[test]
    fn a_tunnel_is_asked_for_by_its_end() {
        let connect = template(&["http://proxy/", "-X", "CONNECT", "--request-target", "h:1"]).request("proxy", "/");
        assert_eq!((connect.request_target.as_str(), connect.authority.as_deref()), ("h:1", Some("h:1")));
    }
}
