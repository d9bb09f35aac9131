//! One connection: the handshake, then records.
//!
//! The caller's octets are encrypted only when the stream underneath has room, and leave at once. So an octet that has not left has not been
//! encrypted either, and can still be taken back.

use super::TlsInfo;
use super::config::{Config, HTTP11};
use super::verifier::Refused;
use super::{info, problem};
use crate::dial::Negotiated;
use crate::stream::{End, Read, Stream};
use crate::timer::Instant;
use crate::types::{ConnectProblem, Ending, Error, TlsProblem};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::net::IpAddr;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

/// Octets that are read from underneath at once: four records.
const READ_OCTETS_MAX: usize = 65_536;

/// Reads in a row that give nothing to take.
const READS_MAX: usize = 16;

/// Octets that wait for the rest of a record or of a handshake message. Certificates are the longest, which rustls bounds at 64 KiB.
const INCOMING_OCTETS_MAX: usize = 3 * READ_OCTETS_MAX;

/// Octets of a record's content (RFC 8446 §5.1), and what TLS adds to them at most: header, type, nonce and tag of either version.
const RECORD_OCTETS: usize = 16_384;
const RECORD_OVERHEAD: usize = 32;

/// Octets that are encrypted at once.
const WRITE_OCTETS_MAX: usize = 4 * RECORD_OCTETS;

/// Octets that are encrypted where there is room for less than a record of that length. The rest of the record waits.
const WRITE_OCTETS_MIN: usize = 1024;

/// TLS over a stream.
pub struct Session<S> {
    under: S,
    tls: UnbufferedClientConnection,
    config: Arc<Config>,
    /// Records that have come, the last of them perhaps in part.
    incoming: Vec<u8>,
    /// Records that are to leave, from `left` on.
    outgoing: Vec<u8>,
    left: usize,
    /// Octets that were decrypted and not taken.
    plaintext: Vec<u8>,
    /// The peer has spoken TLS.
    heard: bool,
    /// The peer has ended its direction in order.
    ended: bool,
    failed: Option<Error>,
    /// Nothing more can leave, whatever becomes of the stream underneath.
    cut_off: Option<End>,
    /// Why the peer's certificate was refused.
    refused: Option<Refused>,
    farewell: Farewell,
    began: Instant,
    info: TlsInfo,
}

/// How far the end of the own direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    /// Nothing was said.
    Unsaid,
    /// close_notify waits to leave; then the direction underneath ends.
    Said,
    /// All has been done.
    Done,
}

/// How far a handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shaken {
    /// Octets are awaited.
    AwaitsOctets,
    /// Octets wait for room.
    AwaitsRoom,
    /// The handshake is over; both sides speak this protocol.
    Done(Negotiated),
}

/// The act after a state of rustls.
enum Step {
    Again,
    /// The octets that were asked for have been written.
    Written,
    Stop,
    Fail(rustls::Error),
}

impl<S: Stream> Session<S> {
    /// Begins: nothing has been said. `connection`: its number, for `info`.
    ///
    /// Errors: `internal`.
    pub fn new(
        under: S,
        config: Arc<Config>,
        name: ServerName<'static>,
        connection: u64,
        now: Instant,
    ) -> Result<Session<S>, Error> {
        let server_name = match &name {
            ServerName::DnsName(name) => String::from(name.as_ref()),
            ServerName::IpAddress(rustls::pki_types::IpAddr::V4(address)) => IpAddr::from(*address.as_ref()).to_string(),
            ServerName::IpAddress(rustls::pki_types::IpAddr::V6(address)) => IpAddr::from(*address.as_ref()).to_string(),
            _ => return Err(Error::Internal),
        };
        let tls = UnbufferedClientConnection::new(Arc::clone(&config.client), name).map_err(|_| Error::Internal)?;
        Ok(Session {
            under,
            tls,
            config,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            left: 0,
            plaintext: Vec::new(),
            heard: false,
            ended: false,
            failed: None,
            cut_off: None,
            refused: None,
            farewell: Farewell::Unsaid,
            began: now,
            info: TlsInfo::begun(connection, server_name),
        })
    }

    /// The stream under the session.
    pub fn under(&self) -> &S {
        &self.under
    }

    /// The errors of rustls since `take_info`.
    pub fn take_complaint(&mut self) -> Option<TlsInfo> {
        self.info.detail.is_some().then(|| self.take_info())
    }

    /// Takes the record of the handshake.
    pub fn take_info(&mut self) -> TlsInfo {
        let nothing = TlsInfo::begun(self.info.connection, String::new());
        mem::replace(&mut self.info, nothing)
    }

    /// Goes on with the handshake as far as possible without waiting. `clock` is asked when it is over: it takes some computing.
    ///
    /// Errors: `tls`, `connect(reset)`. The session has failed; an alert has left, if there was room.
    pub fn handshake(&mut self, clock: impl FnOnce() -> Instant) -> Result<Shaken, Error> {
        let mut reads = 0;
        loop {
            self.process()?;
            if !self.tls.is_handshaking() {
                // The last message leaves with the first request: sockets here hold back a second small write until the first is
                // acknowledged.
                return Ok(Shaken::Done(self.agreed(clock())?));
            }
            if !self.flush_records().map_err(|end| self.ended_early(end))? {
                return Ok(Shaken::AwaitsRoom);
            }
            // Nothing that was read waits to be looked at: nobody would be told of it again.
            if reads == READS_MAX {
                return Ok(Shaken::AwaitsOctets);
            }
            reads += 1;
            match self.under.read(READ_OCTETS_MAX) {
                Ok(Read::Octets(octets)) => self.take_in(octets)?,
                Ok(Read::Nothing | Read::Partly) => return Ok(Shaken::AwaitsOctets),
                Err(end) => return Err(self.ended_early(end)),
            }
        }
    }

    fn ended_early(&mut self, end: End) -> Error {
        match end {
            End::Layer(error) => error,
            End::Transport(Ending::Reset) if !self.heard => Error::Connect(ConnectProblem::Reset),
            End::Transport(_) => Error::Tls(TlsProblem::HandshakeEnded),
        }
    }

    /// The handshake is over.
    ///
    /// Errors: `tls(protocol-not-spoken)`.
    fn agreed(&mut self, now: Instant) -> Result<Negotiated, Error> {
        self.info.duration = Some(now.since(self.began));
        info::note(&mut self.info, &self.tls);
        match self.info.protocol.as_deref() {
            None => Ok(Negotiated::Nothing),
            Some(HTTP11) => Ok(Negotiated::Http11),
            Some(_) => {
                self.close();
                Err(self.fail(Error::Tls(TlsProblem::ProtocolNotSpoken)))
            }
        }
    }

    /// Has rustls do what can be done with what has come.
    ///
    /// Errors: `tls`. The session has failed.
    fn process(&mut self) -> Result<(), Error> {
        loop {
            let step = self.step(Purpose::Receive);
            // At once: the next chain that is seen may be another connection's.
            if let Some(seen) = self.config.verifier.take_seen() {
                self.info.certificates = seen.certificates;
                self.refused = seen.refused;
            }
            match step {
                Step::Again => {}
                Step::Written | Step::Stop => return Ok(()),
                Step::Fail(error) => return Err(self.explain(&error)),
            }
        }
    }

    /// Has rustls write.
    fn ask(&mut self, purpose: Purpose<'_>) -> Step {
        loop {
            match self.step(purpose) {
                Step::Again => {}
                step => return step,
            }
        }
    }

    fn step(&mut self, purpose: Purpose<'_>) -> Step {
        let UnbufferedStatus { mut discard, state, .. } = self.tls.process_tls_records(&mut self.incoming);
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    None => break Step::Again,
                    Some(Err(error)) => break Step::Fail(error),
                    Some(Ok(record)) => {
                        discard += record.discard;
                        self.plaintext.extend_from_slice(record.payload);
                    }
                }
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                let encoded = append(&mut self.outgoing, 0, |room| match data.encode(room) {
                    Err(EncodeError::InsufficientSize(size)) => Err(size.required_size),
                    Err(EncodeError::AlreadyEncoded) => Ok(0),
                    Ok(octets) => Ok(octets),
                });
                if matches!(encoded, Step::Written) { Step::Again } else { encoded }
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Step::Again
            }
            Ok(ConnectionState::PeerClosed) => {
                self.ended = true;
                Step::Again
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => match purpose {
                Purpose::Receive => Step::Stop,
                Purpose::Transmit(octets) => {
                    let size = octets.len() + RECORD_OVERHEAD * (octets.len() / RECORD_OCTETS + 1);
                    append(&mut self.outgoing, size, |room| traffic.encrypt(octets, room).map_err(lacking))
                }
                Purpose::End => {
                    append(&mut self.outgoing, 2 * RECORD_OVERHEAD, |room| traffic.queue_close_notify(room).map_err(lacking))
                }
            },
            Ok(_) => Step::Stop,
            Err(error) => Step::Fail(error),
        };
        self.heard |= discard > 0;
        self.incoming.drain(..discard.min(self.incoming.len()));
        step
    }

    fn take_in(&mut self, octets: Vec<u8>) -> Result<(), Error> {
        if self.incoming.is_empty() {
            self.incoming = octets;
        } else if self.incoming.len() + octets.len() > INCOMING_OCTETS_MAX {
            return Err(self.fail(Error::Tls(TlsProblem::RecordTooLong)));
        } else {
            self.incoming.extend_from_slice(&octets);
        }
        Ok(())
    }

    /// Moves on records that are to leave. False: the room is too small for all records.
    fn flush_records(&mut self) -> Result<bool, End> {
        if let Some(end) = self.cut_off {
            return Err(end);
        }
        while self.is_behind() {
            match self.flush_some() {
                Ok(0) => return Ok(false),
                Ok(octets) => self.left += octets,
                Err(end) => {
                    self.cut_off = Some(end);
                    self.outgoing.clear();
                    return Err(end);
                }
            }
        }
        self.outgoing.clear();
        self.left = 0;
        Ok(true)
    }

    /// How many octets were moved on; 0: there is no room.
    fn flush_some(&mut self) -> Result<usize, End> {
        let room = self.under.room()?;
        let octets = self.outgoing.get(self.left..).unwrap_or_default();
        let octets = octets.get(..room).unwrap_or(octets);
        if !octets.is_empty() {
            self.under.write(octets)?;
        }
        Ok(octets.len())
    }

    /// Says in the words of the WIT package what rustls complains of, and has the peer hear of it.
    fn explain(&mut self, error: &rustls::Error) -> Error {
        let first = self.incoming.first().copied();
        let mut problem = problem::of(error, self.tls.is_handshaking(), self.heard, first);
        self.info.alert = problem::alert(error);
        self.info.detail = Some(error.to_string());
        if let Some(refused) = self.refused.take() {
            problem = refused.problem;
            self.info.refusal = Some(refused.refusal);
        }
        self.fail(if problem::is_own(error) { Error::Internal } else { Error::Tls(problem) })
    }

    /// The session has failed. The alert of rustls leaves, if there is room; octets that came behind are not read.
    fn fail(&mut self, error: Error) -> Error {
        while self.tls.wants_write() && matches!(self.step(Purpose::Receive), Step::Again) {}
        let _ = self.flush_records();
        *self.failed.get_or_insert(error)
    }

    /// Sends close_notify, if there is room; then the transport may be closed.
    pub fn close(&mut self) {
        if self.failed.is_none() && !self.tls.is_handshaking() && self.farewell == Farewell::Unsaid {
            self.say_farewell();
            let _ = self.flush_records();
        }
    }

    /// Whether records wait for room.
    pub fn is_behind(&self) -> bool {
        self.left < self.outgoing.len()
    }

    fn say_farewell(&mut self) {
        self.farewell = Farewell::Said;
        self.ask(Purpose::End);
    }
}

/// The request to rustls when rustls can write.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// Nothing: what has come is processed.
    Receive,
    /// To encrypt these octets.
    Transmit(&'a [u8]),
    /// To say that no more come.
    End,
}

/// Appends what `write` writes into `size` octets, or into as many as it says that it needs: new keys are announced along with other
/// records.
fn append(out: &mut Vec<u8>, size: usize, mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>) -> Step {
    let end = out.len();
    let mut written = Err(size);
    for _ in 0..2 {
        let Err(size) = written else { break };
        out.resize(end + size, 0);
        written = write(out.get_mut(end..).unwrap_or_default());
    }
    out.truncate(end + written.unwrap_or(0));
    match written {
        Ok(_) => Step::Written,
        Err(_) => Step::Fail(rustls::Error::EncryptError),
    }
}

/// The octets that it takes to encrypt.
fn lacking(error: EncryptError) -> usize {
    match error {
        EncryptError::InsufficientSize(size) => size.required_size,
        EncryptError::EncryptExhausted => 0,
    }
}

impl<S: Stream> Stream for Session<S> {
    /// Decrypted octets are returned as a whole: a record more than `octets_max` at most.
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        let mut reads = 0;
        loop {
            if !self.plaintext.is_empty() {
                return Ok(Read::Octets(mem::take(&mut self.plaintext)));
            }
            if let Some(error) = self.failed {
                return Err(End::Layer(error));
            }
            if self.ended {
                return Err(End::Transport(Ending::Ended));
            }
            if reads == READS_MAX {
                return Ok(Read::Partly);
            }
            reads += 1;
            match self.under.read(octets_max.min(READ_OCTETS_MAX)) {
                // The rest of a record may be anything; while it lacks, nobody knows whether something has come.
                Ok(Read::Nothing) if !self.incoming.is_empty() => return Ok(Read::Partly),
                Ok(Read::Octets(octets)) => {
                    // Octets that came before the failure are taken first.
                    let _ = self.take_in(octets).and_then(|()| self.process());
                }
                // Octets that TLS did not end may have been cut off (RFC 8446 §6.1).
                Err(End::Transport(Ending::Ended)) => return Err(End::Transport(Ending::Truncated)),
                other => return other,
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.failed.is_some() || self.ended
    }

    fn was_answered(&mut self) -> bool {
        self.under.was_answered()
    }

    fn room(&mut self) -> Result<usize, End> {
        if let Some(error) = self.failed {
            return Err(End::Layer(error));
        }
        let mut room = self.under.room()?;
        // Waiting octets leave with the octets that are written, if there is room for both.
        if self.left > 0 || room < self.outgoing.len() + WRITE_OCTETS_MIN + RECORD_OVERHEAD {
            if !self.flush_records()? {
                return Ok(0);
            }
            room = self.under.room()?;
        }
        let room = room.saturating_sub(self.outgoing.len());
        let records = room / (RECORD_OCTETS + RECORD_OVERHEAD) + 1;
        let octets = room.saturating_sub(records * RECORD_OVERHEAD);
        Ok(if room == 0 { 0 } else { octets.clamp(WRITE_OCTETS_MIN, WRITE_OCTETS_MAX) })
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        match self.ask(Purpose::Transmit(octets)) {
            Step::Again | Step::Written => {}
            Step::Stop => return Err(End::Layer(self.fail(Error::Internal))),
            Step::Fail(error) => return Err(End::Layer(self.explain(&error))),
        }
        match self.flush_records() {
            // Some of it may have arrived: that the rest cannot leave is found with the next octets.
            Err(_) if self.left > 0 => Ok(()),
            flushed => flushed.map(|_| ()),
        }
    }

    fn flush(&mut self) -> Result<bool, End> {
        let flushed = self.flush_records()?;
        if flushed && self.farewell == Farewell::Said {
            self.farewell = Farewell::Done;
            self.under.half_close();
        }
        Ok(flushed)
    }

    fn half_close(&mut self) {
        if self.failed.is_none() && self.farewell == Farewell::Unsaid {
            self.say_farewell();
            // The stream underneath reports its failure with the next read or write.
            let _ = self.flush();
        }
    }
}
