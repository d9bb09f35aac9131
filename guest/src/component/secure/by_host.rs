//! The host's TLS: from a socket to streams that the host secures.

use super::Secured;
use crate::component::handshakes;
use crate::component::socket::Socket;
use crate::component::transport::{Layers, Transport};
use crate::dial::Negotiated;
use crate::endpoint::{bare, is_host, without_zone};
use crate::timer::Instant;
use crate::types::{Endpoint, Error, Misuse, TlsOptions, TlsProblem};
use crate::wit::tls::TlsInfo;
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::sockets::tcp::TcpSocket;
use crate::wit::wasi::tls::types::{ClientHandshake, FutureClientStreams};
use alloc::string::String;
use alloc::vec::Vec;

/// The way to secure a transport.
pub(crate) struct Plan {
    name: String,
}

impl Plan {
    /// The plan that an endpoint asks for; `None`: no TLS.
    ///
    /// Errors: `api-misuse(invalid-server-name | unsupported-tls-option)`.
    pub(crate) fn of(endpoint: &Endpoint) -> Result<Option<Plan>, Error> {
        let Some(options) = &endpoint.tls else { return Ok(None) };
        let name = without_zone(bare(options.server_name.as_ref().unwrap_or(&endpoint.host)));
        if !is_host(name) {
            return Err(Error::ApiMisuse(Misuse::InvalidServerName));
        }
        match options {
            TlsOptions {
                server_name: _,
                roots_pem: None,
                with_builtin_roots: None,
                identity_pem: None,
                alpn: None,
                version_min: None,
                spki_pins: None,
                resumption: None,
                key_log: None,
                accept_any_certificate: None,
            } => Ok(Some(Plan { name: String::from(name) })),
            _ => Err(Error::ApiMisuse(Misuse::UnsupportedTlsOption)),
        }
    }

    /// Begins the handshake.
    pub(crate) fn begin(self, socket: Socket, connection: u64, now: Instant) -> Securing {
        let Socket { input, output, secured, socket } = socket;
        drop(secured);
        let streams = ClientHandshake::finish(ClientHandshake::new(&self.name, input, output));
        let ready = streams.subscribe();
        Securing { ready, streams, socket, info: TlsInfo::begun(connection, self.name), began: now }
    }
}

/// A transport that is being secured. The order of the fields is the order in which they must be dropped: children first.
pub(crate) struct Securing {
    ready: Pollable,
    streams: FutureClientStreams,
    socket: Option<TcpSocket>,
    info: TlsInfo,
    began: Instant,
}

impl Securing {
    /// Goes on as far as possible without waiting.
    pub(crate) fn advance(&mut self, now: Instant) -> Secured {
        let streams = match self.streams.get() {
            None => return Secured::Waiting,
            Some(Ok(Ok(streams))) => streams,
            Some(Ok(Err(error))) => {
                let detail = error.to_debug_string();
                let problem = problem(&detail);
                self.info.detail = Some(detail);
                handshakes::remember(self.info.clone());
                return Secured::Failed(Error::Tls(problem));
            }
            Some(Err(())) => return Secured::Failed(Error::Internal),
        };
        self.info.duration = Some(now.since(self.began));
        handshakes::remember(self.info.clone());
        let (connection, input, output) = streams;
        let socket = Socket { input, output, secured: Some(connection), socket: self.socket.take() };
        // `wasi:tls` does not say which protocol was agreed on.
        Secured::Established(Transport::new(Layers::Plain(socket)), Negotiated::Nothing)
    }

    /// Abandons the handshake and keeps its record for `tls.info`.
    pub(crate) fn give_up(&mut self) {
        handshakes::remember(self.info.clone());
    }

    /// Nothing to do: what is waited for is there from the start.
    pub(crate) fn prepare_wait(&mut self) {}

    /// Adds what to wait for.
    pub(crate) fn pollables<'a>(&'a self, pollables: &mut Vec<&'a Pollable>) {
        pollables.push(&self.ready);
    }

    /// Adds the same for somebody else, who must drop them before this is dropped.
    pub(crate) fn lend_pollables(&self, pollables: &mut Vec<Pollable>) {
        pollables.push(self.streams.subscribe());
    }
}

/// The problem that the host's words name as this package does, such as `tls(certificate-name)`. `wasi:tls` has no codes.
fn problem(detail: &str) -> TlsProblem {
    let name = detail.split_once("tls(").and_then(|(_, rest)| rest.split_once(')'));
    match name.map_or("", |(name, _)| name) {
        "not-tls" => TlsProblem::NotTls,
        "no-agreement" => TlsProblem::NoAgreement,
        "protocol-not-spoken" => TlsProblem::ProtocolNotSpoken,
        "certificate-expired" => TlsProblem::CertificateExpired,
        "certificate-not-yet-valid" => TlsProblem::CertificateNotYetValid,
        "certificate-name" => TlsProblem::CertificateName,
        "certificate-issuer" => TlsProblem::CertificateIssuer,
        "certificate-self-signed" => TlsProblem::CertificateSelfSigned,
        "certificate-key" => TlsProblem::CertificateKey,
        "certificate-use" => TlsProblem::CertificateUse,
        "certificate-malformed" => TlsProblem::CertificateMalformed,
        "pin" => TlsProblem::Pin,
        "alert" => TlsProblem::Alert,
        "handshake-ended" => TlsProblem::HandshakeEnded,
        "renegotiation" => TlsProblem::Renegotiation,
        "record-too-long" => TlsProblem::RecordTooLong,
        "record-corrupt" => TlsProblem::RecordCorrupt,
        "protocol" => TlsProblem::Protocol,
        _ => TlsProblem::Host,
    }
}
