//! From an endpoint to an established transport: the name is looked up, the addresses are tried one after the other.

use super::transport::{self, Transport};
use crate::conn::ClientConn;
use crate::h1::encode::is_authority;
use crate::timer::Instant;
use crate::types::{ConnectProblem, Denial, DnsProblem, Endpoint, Error, LogEvent, Misuse, TlsProblem};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::sockets::instance_network::instance_network;
use crate::wit::wasi::sockets::ip_name_lookup::{ResolveAddressStream, resolve_addresses};
use crate::wit::wasi::sockets::network::{ErrorCode, IpAddress, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, Network};
use crate::wit::wasi::sockets::tcp::TcpSocket;
use crate::wit::wasi::sockets::tcp_create_socket::create_tcp_socket;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::IpAddr;

/// Addresses of one name that are tried; a name with more is tried with its first.
const ADDRESSES_MAX: usize = 32;

/// An endpoint whose transport is being established.
pub(super) struct Dial {
    network: Network,
    port: u16,
    step: Step,
    addresses: VecDeque<IpAddress>,
    /// What the last address that was tried failed with.
    failed: Option<Error>,
}

enum Step {
    /// The name is to be looked up.
    Name(String),
    /// The addresses are arriving. Children first.
    Resolving(Pollable, ResolveAddressStream),
    /// The next address is to be tried.
    Next,
    /// An address is being tried. Children first.
    Connecting(Pollable, TcpSocket),
}

/// What came of moving on.
pub(super) enum Dialled {
    /// Something has to be waited for.
    Waiting,
    /// The transport.
    Established(Transport),
    /// No address is left, or the name has none.
    Failed(Error),
}

/// Checks an endpoint; gives the addresses that it names itself.
///
/// Errors: `api-misuse(invalid-endpoint)`, `tls(unavailable)`.
pub(super) fn check(endpoint: &Endpoint) -> Result<VecDeque<IpAddress>, Error> {
    let invalid = Error::ApiMisuse(Misuse::InvalidEndpoint);
    if endpoint.tls.is_some() {
        return Err(Error::Tls(TlsProblem::Unavailable));
    }
    if endpoint.port == 0 || !is_authority(&authority(endpoint), false) || endpoint.addresses.len() > ADDRESSES_MAX {
        return Err(invalid);
    }
    let given: Result<VecDeque<_>, _> = endpoint.addresses.iter().map(|text| parse_address(text).ok_or(invalid)).collect();
    let mut addresses = given?;
    if addresses.is_empty() {
        addresses.extend(parse_address(&endpoint.host));
    }
    Ok(addresses)
}

impl Dial {
    /// Begins with an endpoint. Errors: those of [`check`].
    pub(super) fn new(endpoint: Endpoint) -> Result<Dial, Error> {
        let addresses = check(&endpoint)?;
        let step = if addresses.is_empty() { Step::Name(endpoint.host) } else { Step::Next };
        Ok(Dial { network: instance_network(), port: endpoint.port, step, addresses, failed: None })
    }

    /// Goes on as far as possible without waiting.
    pub(super) fn advance(&mut self, conn: &mut ClientConn, now: Instant) -> Dialled {
        loop {
            let step = core::mem::replace(&mut self.step, Step::Next);
            let next = match step {
                Step::Name(name) => self.look_up(&name),
                Step::Resolving(pollable, stream) => self.resolve(pollable, stream, conn, now),
                Step::Next => self.try_next(conn, now),
                Step::Connecting(pollable, socket) => self.finish(pollable, socket, conn, now),
            };
            match next {
                Ok(Some(dialled)) => return dialled,
                Ok(None) => {}
                Err(error) => return Dialled::Failed(error),
            }
        }
    }

    fn look_up(&mut self, name: &str) -> Result<Option<Dialled>, Error> {
        let stream = resolve_addresses(&self.network, name).map_err(lookup_error)?;
        self.step = Step::Resolving(stream.subscribe(), stream);
        Ok(None)
    }

    fn resolve(
        &mut self,
        pollable: Pollable,
        stream: ResolveAddressStream,
        conn: &mut ClientConn,
        now: Instant,
    ) -> Result<Option<Dialled>, Error> {
        loop {
            match stream.resolve_next_address() {
                Ok(Some(address)) if self.addresses.len() < ADDRESSES_MAX => self.addresses.push_back(address),
                Ok(Some(_)) | Ok(None) => break,
                Err(ErrorCode::WouldBlock) => {
                    self.step = Step::Resolving(pollable, stream);
                    return Ok(Some(Dialled::Waiting));
                }
                Err(code) => {
                    // Children first, here too: parameters are dropped the other way round.
                    drop(pollable);
                    return Err(lookup_error(code));
                }
            }
        }
        drop((pollable, stream));
        conn.resolved(self.addresses.len(), now);
        if self.addresses.is_empty() {
            return Err(Error::Dns(DnsProblem::NotFound));
        }
        Ok(None)
    }

    fn try_next(&mut self, conn: &mut ClientConn, now: Instant) -> Result<Option<Dialled>, Error> {
        let Some(address) = self.addresses.pop_front() else {
            return Err(self.failed.unwrap_or(Error::Internal));
        };
        let address = with_port(address, self.port);
        conn.note(now, || LogEvent::Connecting(transport::text(address)));
        let started = create_tcp_socket(transport::family(&address)).and_then(|socket| {
            socket.start_connect(&self.network, address)?;
            Ok(socket)
        });
        match started {
            Ok(socket) => self.step = Step::Connecting(socket.subscribe(), socket),
            Err(code) => self.note_failure(connect_error(code), conn, now),
        }
        Ok(None)
    }

    fn finish(
        &mut self,
        pollable: Pollable,
        socket: TcpSocket,
        conn: &mut ClientConn,
        now: Instant,
    ) -> Result<Option<Dialled>, Error> {
        match socket.finish_connect() {
            Ok((input, output)) => {
                drop(pollable);
                Ok(Some(Dialled::Established(Transport::new(input, output, Some(socket)))))
            }
            Err(ErrorCode::WouldBlock) => {
                self.step = Step::Connecting(pollable, socket);
                Ok(Some(Dialled::Waiting))
            }
            Err(code) => {
                drop(pollable);
                drop(socket);
                self.note_failure(connect_error(code), conn, now);
                Ok(None)
            }
        }
    }

    fn note_failure(&mut self, error: Error, conn: &mut ClientConn, now: Instant) {
        self.failed = Some(error);
        conn.note(now, || LogEvent::ConnectFailed(error));
    }

    /// What to wait for.
    pub(super) fn pollable(&self) -> Option<&Pollable> {
        match &self.step {
            Step::Resolving(pollable, _) | Step::Connecting(pollable, _) => Some(pollable),
            Step::Name(_) | Step::Next => None,
        }
    }
}

/// The authority of an endpoint: the `Host` of its requests (RFC 9110 §7.2). An IPv6 address stands in brackets; the default port is left
/// out.
pub(super) fn authority(endpoint: &Endpoint) -> String {
    let host = bare(&endpoint.host);
    let default_port = if endpoint.tls.is_some() { 443 } else { 80 };
    match (host.contains(':'), endpoint.port == default_port) {
        (true, true) => alloc::format!("[{host}]"),
        (true, false) => alloc::format!("[{host}]:{}", endpoint.port),
        (false, true) => String::from(host),
        (false, false) => alloc::format!("{host}:{}", endpoint.port),
    }
}

/// A host without the brackets that an IPv6 address may have.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn parse_address(text: &str) -> Option<IpAddress> {
    Some(match bare(text).parse().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            IpAddress::Ipv4((a, b, c, d))
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments();
            IpAddress::Ipv6((a, b, c, d, e, f, g, h))
        }
    })
}

fn with_port(address: IpAddress, port: u16) -> IpSocketAddress {
    match address {
        IpAddress::Ipv4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }),
        IpAddress::Ipv6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 }),
    }
}

fn lookup_error(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => Error::Denied(Denial::NameLookup),
        ErrorCode::TemporaryResolverFailure | ErrorCode::Timeout => Error::Dns(DnsProblem::TemporaryFailure),
        ErrorCode::NameUnresolvable | ErrorCode::InvalidArgument => Error::Dns(DnsProblem::NotFound),
        _ => Error::Dns(DnsProblem::PermanentFailure),
    }
}

fn connect_error(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => Error::Denied(Denial::Connect),
        ErrorCode::ConnectionRefused => Error::Connect(ConnectProblem::Refused),
        ErrorCode::RemoteUnreachable => Error::Connect(ConnectProblem::Unreachable),
        ErrorCode::Timeout => Error::Connect(ConnectProblem::TimedOut),
        ErrorCode::ConnectionReset | ErrorCode::ConnectionAborted => Error::Connect(ConnectProblem::Reset),
        ErrorCode::OutOfMemory | ErrorCode::NewSocketLimit => Error::Connect(ConnectProblem::Exhausted),
        _ => Error::Connect(ConnectProblem::Other),
    }
}
