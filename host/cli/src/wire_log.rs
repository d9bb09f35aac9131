//! What happens on the wire: for a person with `-v`, as JSON lines with `--log`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use sandpiper_host::types::{Error, FieldLine, LogEntry, LogEvent, ResponseHead, TlsInfo};
use sandpiper_host::{Client, HostError, Poll, UnixSocket};
use serde::Serialize;

use super::credentials::masked_head;
use super::incoming::on_the_wire;
use super::json::{fields, latin1};
use super::output::create_aside;
use super::report::Report;
use super::secured::{self, Secured};
use super::{escape, tell};

/// Entries that the component holds. The program takes the entries after every call that may make many.
const LOG_ENTRIES_MAX: u32 = 16_384;
/// Entries of one call.
const TAKEN_AT_ONCE: u32 = 1024;

/// Where the logs of all connections go.
#[derive(Debug, Default)]
pub(crate) struct WireLog {
    told: Option<Teller>,
    file: Option<BufWriter<File>>,
    /// `--show-credentials`
    shows_credentials: bool,
    /// The sequence number that the next entry should have.
    expected: u64,
}

impl WireLog {
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn new(
        verbose: bool,
        file: Option<&Path>,
        unix_socket: Option<UnixSocket>,
        shows_credentials: bool,
    ) -> io::Result<Self> {
        let file = file.map(create_aside).transpose()?.map(BufWriter::new);
        let told = verbose.then(|| Teller { unix_socket, ..Teller::default() });
        Ok(Self { told, file, shows_credentials, expected: 0 })
    }

    pub(crate) fn is_on(&self) -> bool {
        self.told.is_some() || self.file.is_some()
    }

    /// Entries that the poll is to hold.
    pub(crate) fn entries(&self) -> u32 {
        if self.is_on() { LOG_ENTRIES_MAX } else { 0 }
    }

    /// Takes all entries. `tokens` says which exchange a token belongs to.
    pub(crate) async fn take(
        &mut self,
        client: &mut Client,
        poll: &Poll,
        tokens: &[usize],
        report: &Report,
    ) -> Result<(), HostError> {
        if !self.is_on() {
            return Ok(());
        }
        loop {
            let mut entries = poll.take_log(client, TAKEN_AT_ONCE).await?;
            for entry in &mut entries {
                self.mask(entry);
                let index = entry.token.and_then(|token| tokens.get(usize::try_from(token).ok()?).copied());
                let tls = match entry.what {
                    LogEvent::Secured => client.tls_info(entry.connection).await?,
                    _ => None,
                };
                self.note(index, entry, tls.as_ref(), &report.urls);
            }
            if entries.len() < TAKEN_AT_ONCE as usize {
                break;
            }
        }
        if let Some(file) = &mut self.file {
            // A full disk does not end the fetch; nor does it below.
            _ = file.flush();
        }
        let Some(teller) = &mut self.told else {
            return Ok(());
        };
        let lines = std::mem::take(&mut teller.lines);
        if !lines.is_empty() {
            report.progress.suspend(|| tell(&lines));
        }
        Ok(())
    }

    fn mask(&self, entry: &mut LogEntry) {
        if let LogEvent::RequestHead(head) = &mut entry.what
            && !self.shows_credentials
        {
            *head = masked_head(head);
        }
    }

    fn note(&mut self, index: Option<usize>, entry: &LogEntry, tls: Option<&TlsInfo>, urls: &[String]) {
        let expected = std::mem::replace(&mut self.expected, entry.sequence + 1);
        if entry.sequence > expected {
            self.note_lost(expected, entry.sequence - expected);
        }
        if let Some(teller) = &mut self.told
            && !teller.sum_up(&entry.what)
        {
            teller.place(entry.connection, index, urls);
            match tls {
                Some(tls) => teller.secured(tls),
                None => teller.event(&entry.what),
            }
        }
        if self.file.is_some() {
            self.write(&LogLine { tls: tls.map(Secured::new), ..LogLine::new(index, entry) });
        }
    }

    /// So many entries, from this number on, had to make room before they were taken.
    fn note_lost(&mut self, sequence: u64, entries: u64) {
        if let Some(teller) = &mut self.told {
            teller.line('*', &format!("{entries} entries had to make room"));
        }
        self.write(&LostLine { sequence, event: "lost", entries });
    }

    fn write(&mut self, line: &impl Serialize) {
        if let Some(file) = &mut self.file {
            _ = serde_json::to_writer(&mut *file, line).map_err(io::Error::from).and_then(|()| file.write_all(b"\n"));
        }
    }
}

/// Lines for a person.
#[derive(Debug, Default)]
struct Teller {
    /// What is connected to in the place of addresses.
    unix_socket: Option<UnixSocket>,
    lines: String,
    connection: u64,
    index: Option<usize>,
    /// Octets since the last line that said how many.
    wrote: u64,
    read: u64,
    sent: u64,
    received: u64,
}

impl Teller {
    fn line(&mut self, direction: char, text: &str) {
        self.lines.push(direction);
        if !text.is_empty() {
            self.lines.push(' ');
        }
        self.lines.push_str(&escape(text));
        self.lines.push('\n');
    }

    /// Says which connection and request the next lines are about, when that changes and there is a choice.
    fn place(&mut self, connection: u64, index: Option<usize>, urls: &[String]) {
        let moved = std::mem::replace(&mut self.connection, connection) != connection;
        if moved && (connection > 1 || urls.len() > 1) {
            self.tell_sums();
            self.line('*', &format!("connection {connection}:"));
            self.index = None;
        }
        if index.is_some() && index != self.index {
            self.index = index;
            if let Some((index, url)) = index.and_then(|index| Some((index, urls.get(index)?))).filter(|_| urls.len() > 1) {
                self.tell_sums();
                self.line('*', &format!("[{index}] {url}"));
            }
        }
    }

    fn tell_sums(&mut self) {
        for (verb, octets) in [("wrote", std::mem::take(&mut self.wrote)), ("read", std::mem::take(&mut self.read))] {
            if octets > 0 {
                self.line('*', &format!("{verb} {octets} octets"));
            }
        }
    }

    fn tell_content(&mut self, direction: char, octets: u64) {
        if octets > 0 {
            self.line(direction, &format!("[{octets} octets of content]"));
        }
    }

    fn head(&mut self, direction: char, head: &[u8]) {
        let text = String::from_utf8_lossy(head);
        let lines = text.strip_suffix("\r\n").unwrap_or(&text);
        lines.split("\r\n").for_each(|line| self.line(direction, line));
    }

    /// What comes many times in a row, and becomes a part of a later line.
    fn sum_up(&mut self, event: &LogEvent) -> bool {
        match event {
            LogEvent::Wrote(octets) => self.wrote += octets,
            LogEvent::Read(octets) => self.read += octets,
            LogEvent::Content(octets) => self.received += octets,
            LogEvent::RequestContent(octets) => self.sent += octets,
            // Not yet on the wire.
            LogEvent::Queued(_) => {}
            _ => return false,
        }
        true
    }

    fn event(&mut self, event: &LogEvent) {
        self.tell_sums();
        match event {
            LogEvent::RequestHead(head) => self.head('>', head),
            LogEvent::RequestEnd => {
                let octets = std::mem::take(&mut self.sent);
                self.tell_content('>', octets);
            }
            LogEvent::Interim(head) | LogEvent::Head(head) => self.head('<', &on_the_wire(head)),
            LogEvent::End(trailers) => self.end(trailers),
            other => {
                let text = match (other, &self.unix_socket) {
                    (LogEvent::Connecting(_), Some(socket)) => format!("connecting to the Unix socket {socket}"),
                    (LogEvent::Connected(_), Some(socket)) => format!("connected to the Unix socket {socket}"),
                    _ => describe(other),
                };
                self.line('*', &text);
            }
        }
    }

    fn secured(&mut self, tls: &TlsInfo) {
        self.tell_sums();
        secured::agreed(tls).iter().for_each(|line| self.line('*', line));
    }

    fn end(&mut self, trailers: &[FieldLine]) {
        let octets = std::mem::take(&mut self.received);
        self.tell_content('<', octets);
        for (name, value) in trailers {
            self.line('<', &format!("{name}: {}", String::from_utf8_lossy(value)));
        }
    }
}

/// What is neither sent nor received.
fn describe(event: &LogEvent) -> String {
    match event {
        LogEvent::Resolved(1) => "the name has one address".to_owned(),
        LogEvent::Resolved(addresses) => format!("the name has {addresses} addresses"),
        LogEvent::Connecting(address) => format!("connecting to {address}"),
        LogEvent::ConnectFailed(error) => format!("not connected: {}", error.sentence()),
        LogEvent::Connected(address) => format!("connected to {address}"),
        LogEvent::Secured => "secured by TLS".to_owned(),
        LogEvent::Learnt(persistence) => format!("persistence: {}", persistence.name()),
        LogEvent::Tunnel => "the connection is a tunnel".to_owned(),
        LogEvent::Cancelled => "cancelled".to_owned(),
        LogEvent::Failed(failure) => format!("failed: {}", failure.sentence()),
        LogEvent::Closing(error) => format!("no more requests: {}", error.sentence()),
        LogEvent::Closed(error) => format!("closed: {}", error.sentence()),
        other => other.name().to_owned(),
    }
}

/// One entry for a program. Keys that an event has nothing for are left out.
#[derive(Default, Serialize)]
struct LogLine<'a> {
    connection: u64,
    index: Option<usize>,
    sequence: u64,
    time_ns: u64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<(&'a str, String)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trailers: Option<Vec<(&'a str, String)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    persistence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Secured>,
}

/// In the place of entries that had to make room.
#[derive(Debug, Serialize)]
struct LostLine {
    /// The number of the first of the entries.
    sequence: u64,
    event: &'static str,
    entries: u64,
}

impl<'a> LogLine<'a> {
    fn new(index: Option<usize>, entry: &'a LogEntry) -> Self {
        let line = Self {
            connection: entry.connection,
            index,
            sequence: entry.sequence,
            time_ns: entry.time,
            event: entry.what.name(),
            ..Self::default()
        };
        match &entry.what {
            LogEvent::Resolved(addresses) => Self { addresses: Some(*addresses), ..line },
            LogEvent::Connecting(address) | LogEvent::Connected(address) => Self { address: Some(address), ..line },
            LogEvent::Queued((method, request_target)) => {
                Self { method: Some(method), request_target: Some(request_target), ..line }
            }
            LogEvent::RequestHead(head) => Self { head: Some(latin1(head)), ..line },
            LogEvent::RequestContent(octets) | LogEvent::Wrote(octets) | LogEvent::Read(octets) | LogEvent::Content(octets) => {
                Self { octets: Some(*octets), ..line }
            }
            LogEvent::Interim(head) | LogEvent::Head(head) => line.with_head(head),
            LogEvent::End(trailers) => Self { trailers: Some(fields(trailers)), ..line },
            LogEvent::Learnt(persistence) => Self { persistence: Some(persistence.name()), ..line },
            LogEvent::Failed(failure) => Self { delivery: Some(failure.delivery.name()), ..line.with_error(&failure.error) },
            LogEvent::ConnectFailed(error) | LogEvent::Closing(error) | LogEvent::Closed(error) => line.with_error(error),
            LogEvent::Secured | LogEvent::RequestEnd | LogEvent::Tunnel | LogEvent::Cancelled => line,
        }
    }

    fn with_head(self, head: &'a ResponseHead) -> Self {
        let ResponseHead { version, status, reason, fields: lines } = head;
        Self {
            status: Some(*status),
            reason: Some(latin1(reason)),
            version: Some(version.text()),
            fields: Some(fields(lines)),
            ..self
        }
    }

    fn with_error(self, error: &Error) -> Self {
        Self { error: Some(error.name()), detail: error.detail(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::{CloseReason, HttpVersion};

    use super::*;

    #[test]
    fn a_person_sees_both_directions_and_no_control_characters() {
        let mut teller = Teller::default();
        let urls = ["http://h/a".to_owned(), "http://h/b".to_owned()];
        let head = ResponseHead { version: HttpVersion::Http11, status: 200, reason: b"O\x1bK".to_vec(), fields: vec![] };
        let mut tell = |index, event| {
            if !teller.sum_up(&event) {
                teller.place(1, index, &urls);
                teller.event(&event);
            }
        };
        tell(None, LogEvent::Connected("127.0.0.1:80".to_owned()));
        tell(Some(0), LogEvent::Queued(("GET".to_owned(), "/a".to_owned())));
        tell(Some(1), LogEvent::RequestHead(b"GET /b HTTP/1.1\r\nA: b\r\n\r\n".to_vec()));
        for event in [LogEvent::Wrote(9), LogEvent::Read(10), LogEvent::Read(20), LogEvent::Head(head)] {
            tell(Some(1), event);
        }
        for event in [LogEvent::Content(5), LogEvent::Content(6), LogEvent::End(vec![("T".to_owned(), b"t".to_vec())])] {
            tell(Some(1), event);
        }
        tell(None, LogEvent::Closed(Error::Closed(CloseReason::Idle)));
        let expected = "* connection 1:\n* connected to 127.0.0.1:80\n* [1] http://h/b\n> GET /b HTTP/1.1\n> A: b\n>\n\
                        * wrote 9 octets\n* read 30 octets\n< HTTP/1.1 200 O\\u{1b}K\n<\n< [11 octets of content]\n< T: t\n";
        assert!(teller.lines.starts_with(expected), "{}", teller.lines);
        assert!(teller.lines.ends_with("[closed(idle)]\n"), "{}", teller.lines);
    }

    #[test]
    fn entries_that_had_to_make_room_are_named() {
        let line = LostLine { sequence: 7, event: "lost", entries: 3 };
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"sequence":7,"event":"lost","entries":3}"#);
        let mut log = WireLog { told: Some(Teller::default()), expected: 7, ..WireLog::default() };
        let entry = LogEntry { time: 5, sequence: 10, connection: 1, token: None, what: LogEvent::RequestEnd };
        log.note(None, &entry, None, &[]);
        log.note(None, &LogEntry { sequence: 11, ..entry }, None, &[]);
        assert_eq!(log.told.unwrap().lines.matches("* 3 entries had to make room\n").count(), 1);
        assert_eq!(log.expected, 12);
    }

    #[test]
    fn a_program_gets_what_the_event_has() {
        let entry = LogEntry { time: 5, sequence: 9, connection: 1, token: Some(0), what: LogEvent::Wrote(70) };
        let line = serde_json::to_string(&LogLine::new(Some(4), &entry)).unwrap();
        assert_eq!(line, r#"{"connection":1,"index":4,"sequence":9,"time_ns":5,"event":"wrote","octets":70}"#);
        let entry = LogEntry {
            time: 5,
            sequence: 9,
            connection: 1,
            token: None,
            what: LogEvent::Closed(Error::Closed(CloseReason::Idle)),
        };
        let line = serde_json::to_string(&LogLine::new(None, &entry)).unwrap();
        assert_eq!(
            line,
            r#"{"connection":1,"index":null,"sequence":9,"time_ns":5,"event":"closed","error":"closed","detail":"idle"}"#
        );
    }
}
