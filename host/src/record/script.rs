//! What a recording holds, as it is played.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::format::{How, Line, VERSION, Why, code_named};

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) lookups: Vec<Lookup>,
    /// What each instance drew, and which dates it was told.
    pub(super) drawn: HashMap<u64, Drawn>,
    /// Is the end of what happened missing?
    pub(super) cut_off: bool,
}

/// What an instance got from chance and the calendar.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) random: Vec<Vec<u8>>,
    pub(super) dates: Vec<(u64, u32)>,
}

#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) name: String,
    /// `None`: the recording ends before the lookup did.
    pub(super) outcome: Option<Result<Vec<IpAddr>, ErrorCode>>,
    pub(super) looks: u64,
}

/// Who a connection was to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Address(SocketAddr),
    Authority(String),
}

/// One recorded connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    /// How it was established, or was not; `None`: neither is known. And the looks before.
    pub(super) opening: Option<Result<Addresses, ErrorCode>>,
    pub(super) opening_looks: u64,
    /// All octets that the component wrote.
    pub(super) written: Vec<u8>,
    /// What the component read.
    pub(super) reads: Vec<Incoming>,
    pub(super) output_end: Option<OutputEnd>,
    /// The component closed it: nothing is missing at its end.
    pub(super) closed: bool,
}

/// The addresses of an established connection: local and remote.
pub(super) type Addresses = (Option<SocketAddr>, Option<SocketAddr>);

/// Something that a read gave, once so much had been written and so many reads had given nothing.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) written: u64,
    pub(super) looks: u64,
    pub(super) since_last: Duration,
    time_ns: u64,
    pub(super) what: Result<Bytes, How>,
}

/// The end of the sending direction.
#[derive(Debug)]
pub(super) struct OutputEnd {
    pub(super) written: u64,
    pub(super) reads: u64,
    pub(super) how: How,
}

impl Script {
    /// The error is a clause.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // A line without its end is one that a crash cut off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines().enumerate();
        check_first(lines.next().map(|(_, line)| line))?;
        let mut script = Self { cut_off: true, ..Self::default() };
        for (index, line) in lines {
            let at = |reason: &dyn fmt::Display| format!("line {} is not one of a recording: {reason}", index + 1);
            if !script.cut_off {
                return Err(at(&"it stands behind the end"));
            }
            let line = serde_json::from_str(line).map_err(|error| at(&error))?;
            script.add(line).map_err(|reason| at(&reason))?;
        }
        Ok(script)
    }

    fn add(&mut self, line: Line) -> Result<(), &'static str> {
        match line {
            Line::SandpiperRecording { .. } => return Err("it stands at the beginning only"),
            Line::Lookup { lookup, name } => {
                in_order(lookup, self.lookups.len())?;
                self.lookups.push(Lookup { name, outcome: None, looks: 0 });
            }
            Line::Answers { lookup, looks, addresses, error, .. } => {
                let place = index_of(lookup).and_then(|index| self.lookups.get_mut(index)).ok_or("no such lookup")?;
                let code = error.map(|name| code_named(&name).ok_or("no such error code")).transpose()?;
                (place.outcome, place.looks) = (Some(code.map_or(Ok(addresses), Err)), looks);
            }
            Line::Random { instance, octets } => self.drawn.entry(instance).or_default().random.push(octets.0),
            Line::Date { instance, seconds, nanoseconds } => {
                self.drawn.entry(instance).or_default().dates.push((seconds, nanoseconds));
            }
            Line::Connect { connection, address } => self.begin(connection, Peer::Address(address), None)?,
            Line::Handshake { connection, authority } => {
                self.begin(connection, Peer::Authority(authority), Some(Ok((None, None))))?;
            }
            // The rest of a full recording is missing as well.
            Line::End { why } => self.cut_off = why == Why::Limit,
            other => self.add_to_connection(other)?,
        }
        Ok(())
    }

    fn begin(&mut self, number: u64, peer: Peer, opening: Option<Result<Addresses, ErrorCode>>) -> Result<(), &'static str> {
        in_order(number, self.connections.len())?;
        self.connections.push(Arc::new(Connection { opening, ..Connection::new(peer) }));
        Ok(())
    }

    fn connection(&mut self, number: u64) -> Result<&mut Connection, &'static str> {
        let place = index_of(number).and_then(|index| self.connections.get_mut(index));
        place.and_then(Arc::get_mut).ok_or("no such connection")
    }

    fn add_to_connection(&mut self, line: Line) -> Result<(), &'static str> {
        match line {
            Line::Connected { connection, looks, local, remote, .. } => {
                let place = self.connection(connection)?;
                (place.opening, place.opening_looks) = (Some(Ok((local, remote))), looks);
            }
            Line::NotConnected { connection, looks, error, .. } => {
                let code = code_named(&error).ok_or("no such error code")?;
                let place = self.connection(connection)?;
                (place.opening, place.opening_looks) = (Some(Err(code)), looks);
            }
            Line::Write { connection, octets, .. } => self.connection(connection)?.written.extend(octets.0),
            Line::Read { connection, time_ns, written, looks, octets } => {
                self.connection(connection)?.read(time_ns, written, looks, Ok(octets.0.into()))?;
            }
            Line::InputEnd { connection, time_ns, written, looks, how } => {
                self.connection(connection)?.read(time_ns, written, looks, Err(how))?;
            }
            Line::OutputEnd { connection, written, reads, how, .. } => {
                self.connection(connection)?.output_end = Some(OutputEnd { written, reads, how });
            }
            Line::Close { connection, .. } => self.connection(connection)?.closed = true,
            _ => return Err("it is not about a connection"),
        }
        Ok(())
    }
}

fn check_first(line: Option<&str>) -> Result<(), String> {
    match line.map(serde_json::from_str) {
        Some(Ok(Line::SandpiperRecording { version: VERSION })) => Ok(()),
        Some(Ok(Line::SandpiperRecording { version })) => {
            Err(format!("it is a recording of version {version}, and version {VERSION} is what can be read"))
        }
        _ => Err("it is not a recording of sandpiper".to_owned()),
    }
}

fn index_of(number: u64) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

fn in_order(number: u64, before: usize) -> Result<(), &'static str> {
    if index_of(number) == Some(before) { Ok(()) } else { Err("its number is not the next one") }
}

impl Connection {
    fn new(peer: Peer) -> Self {
        let (written, reads) = (Vec::new(), Vec::new());
        Self { peer, opening: None, opening_looks: 0, written, reads, output_end: None, closed: false }
    }

    /// One that is not in the recording: it fails.
    pub(super) fn refused(peer: Peer) -> Self {
        Self { opening: Some(Err(ErrorCode::AccessDenied)), ..Self::new(peer) }
    }

    fn read(&mut self, time_ns: u64, written: u64, looks: u64, what: Result<Bytes, How>) -> Result<(), &'static str> {
        let last = self.reads.last();
        if written != self.written.len() as u64 || last.is_some_and(|last| last.what.is_err()) {
            return Err("it does not fit to what the connection has written and read before");
        }
        let since_last = Duration::from_nanos(time_ns.saturating_sub(last.map_or(0, |last| last.time_ns)));
        self.reads.push(Incoming { written, looks, since_last, time_ns, what });
        Ok(())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Authority(authority) => authority.fmt(f),
        }
    }
}
