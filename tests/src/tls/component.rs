//! The component as a client, with TLS inside or the host's.

use super::client::{Answer, Library, Outcome, Problem, TlsClient, Told, Version};
use crate::scenario::sandboxed::runtime;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sandpiper_host::types::{ConnectProblem, Ending, Error, Timer, TlsInfo, TlsOptions, TlsProblem, TlsVersion};
use sandpiper_host::{Build, CallError, Client, ClientConn, ConnOptions, Endpoint, HostTls, Request, Response, Sandbox};
use std::time::Duration;

const CONTENT_OCTETS_MAX: u64 = 1 << 24;

/// How long the host may take to say that a connection ends.
const FAREWELL: Duration = Duration::from_millis(20);

/// One of the builds with TLS.
pub struct Component {
    build: Build,
}

impl Component {
    /// A client that is this build.
    pub fn new(build: Build) -> Component {
        Component { build }
    }

    /// The host's TLS has options, and sessions, of its own in each.
    fn sandbox(&self, told: &Told) -> Result<Sandbox, String> {
        let builder = Sandbox::builder().component(self.build).allow("127.0.0.1").map_err(|error| error.to_string())?;
        let builder = match self.build {
            Build::HostTls => {
                let options = TlsOptions { server_name: None, ..options(told) };
                builder.host_tls(HostTls::new(&options).map_err(|error| format!("{error:?}"))?)
            }
            Build::Plain | Build::Tls => builder.dangerous_allow_any_certificate(),
        };
        builder.build().map_err(|error| error.to_string())
    }

    fn endpoint(&self, told: &Told) -> Endpoint {
        let tls = match self.build {
            Build::HostTls => TlsOptions { server_name: Some(told.name.clone()), ..TlsOptions::default() },
            Build::Plain | Build::Tls => options(told),
        };
        let addresses = vec![told.address.ip().to_string()];
        Endpoint { host: "server.test".to_owned(), port: told.address.port(), addresses, tls: Some(tls) }
    }

    fn refuse(&self, told: &Told) -> Result<(), String> {
        let by_host = self.build == Build::HostTls;
        match told {
            Told { maximum: Version::Tls12, .. } => Err("it has no option for the highest version".to_owned()),
            Told { accepts_anything: true, .. } if by_host => Err("the host's TLS accepts no certificate unchecked".to_owned()),
            Told { pins, .. } if by_host && !pins.is_empty() => Err("the host's TLS has no pins".to_owned()),
            _ => Ok(()),
        }
    }
}

impl TlsClient for Component {
    fn name(&self) -> String {
        match self.build {
            Build::HostTls => "the component, TLS of the host".to_owned(),
            Build::Plain | Build::Tls => "the component, TLS inside".to_owned(),
        }
    }

    fn library(&self) -> Library {
        Library::Rustls
    }

    /// `wasi:tls` does not.
    fn tells_protocol(&self) -> bool {
        self.build == Build::Tls
    }

    /// A stream of `wasi:tls` has an error and no reason.
    fn tells_what_broke(&self) -> bool {
        self.build == Build::Tls
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        told.iter().try_for_each(|told| self.refuse(told))?;
        let Some(first) = told.first() else { return Ok(Vec::new()) };
        if self.build == Build::HostTls && !told.iter().all(|other| other.is_as_but_for_the_name(first)) {
            return Err("one sandbox has one set of options for the host's TLS".to_owned());
        }
        let sandbox = self.sandbox(first)?;
        runtime().block_on(async {
            let mut client = sandbox.instantiate().await.map_err(|error| error.to_string())?;
            let mut outcomes = Vec::new();
            for told in told {
                let outcome = visit(&mut client, &self.endpoint(told), told).await?;
                let goes_on = matches!(outcome, Outcome::Answered(_));
                outcomes.push(outcome);
                if !goes_on {
                    break;
                }
            }
            Ok(outcomes)
        })
    }
}

async fn visit(client: &mut Client, endpoint: &Endpoint, told: &Told) -> Result<Outcome, String> {
    let timers = [Timer::Connect, Timer::BetweenOctets, Timer::Total];
    let options = timers.into_iter().fold(ConnOptions::default(), |options, timer| options.deadline(timer, told.patience));
    let conn = match client.connect(endpoint, options).await {
        Ok(conn) => conn,
        Err(CallError::Http(error)) => return Ok(Outcome::Refused(Problem::Other(format!("{error:?}")), String::new())),
        Err(CallError::Host(error)) => return Err(error.to_string()),
    };
    let connected = conn.wait_connected(client).await;
    let id = conn.info(client).await.map_err(|error| error.to_string())?.id;
    let info = client.tls_info(id).await.map_err(|error| error.to_string())?;
    let outcome = match connected {
        Ok(()) => exchange(client, &conn, told, info.as_ref()).await?,
        // What came with the end of the handshake has ended the connection before anybody asked.
        Err(CallError::Http(error)) if info.as_ref().is_some_and(|info| info.duration.is_some()) => {
            Outcome::Broken(problem(&error, info.as_ref()))
        }
        Err(CallError::Http(error)) => Outcome::Refused(problem(&error, info.as_ref()), words(&error, info.as_ref())),
        Err(CallError::Host(error)) => return Err(error.to_string()),
    };
    conn.release(client).await.map_err(|error| error.to_string())?;
    // The host's TLS says its last words behind the component.
    tokio::time::sleep(FAREWELL).await;
    Ok(outcome)
}

async fn exchange(client: &mut Client, conn: &ClientConn, told: &Told, info: Option<&TlsInfo>) -> Result<Outcome, String> {
    let request = Request::get("/").with_authority(told.name.as_str()).with_field("connection", "close");
    let response = match conn.send(client, &request, 1).await {
        Ok(exchange) => exchange.collect(client, CONTENT_OCTETS_MAX).await,
        Err(error) => Err(error),
    };
    match response {
        Ok(Response { head, content, .. }) => {
            let alpn = info.and_then(|info| info.protocol.clone());
            Ok(Outcome::Answered(Answer { status: head.status, content, alpn }))
        }
        Err(CallError::Http(failure)) => {
            // An alert may have come since.
            let info = client.tls_info(failure.connection).await.map_err(|error| error.to_string())?;
            Ok(Outcome::Broken(problem(&failure.error, info.as_ref())))
        }
        Err(CallError::Host(error)) => Err(error.to_string()),
    }
}

fn options(told: &Told) -> TlsOptions {
    let pins = told.pins.iter().map(|pin| pin.to_vec()).collect();
    TlsOptions {
        server_name: Some(told.name.clone()),
        roots_pem: Some(pem("CERTIFICATE", told.roots.iter().map(AsRef::as_ref))),
        identity_pem: identity(told),
        alpn: Some(told.alpn.clone()),
        version_min: Some(match told.minimum {
            Version::Tls12 => TlsVersion::Tls12,
            Version::Tls13 => TlsVersion::Tls13,
        }),
        spki_pins: (!told.pins.is_empty()).then_some(pins),
        accept_any_certificate: told.accepts_anything.then_some(true),
        ..TlsOptions::default()
    }
}

fn identity(told: &Told) -> Option<(Vec<u8>, Vec<u8>)> {
    let own = told.identity.as_ref()?;
    Some((pem("CERTIFICATE", own.chain.iter().map(AsRef::as_ref)), pem("PRIVATE KEY", [own.key.secret_der()])))
}

/// PEM (RFC 7468) of these.
pub fn pem<'a>(label: &str, ders: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for der in ders {
        out.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
        for line in BASE64_STANDARD.encode(der).as_bytes().chunks(64) {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
    }
    out
}

/// What it says of a refusal: all that it tells a caller.
fn words(error: &Error, info: Option<&TlsInfo>) -> String {
    let Some(info) = info else { return error.what().to_owned() };
    let refusal = info.refusal.as_ref().map(|refusal| format!("{refusal:?}")).unwrap_or_default();
    let detail = info.detail.as_deref().unwrap_or_default();
    format!("{}: {}; {refusal}; {detail}", info.server_name, error.what())
}

/// The problem in the words of the matrix.
fn problem(error: &Error, info: Option<&TlsInfo>) -> Problem {
    use TlsProblem as P;
    match error {
        Error::Tls(P::NotTls) => Problem::NotTls,
        Error::Tls(P::NoAgreement) => Problem::NoAgreement,
        Error::Tls(P::ProtocolNotSpoken) => Problem::Alpn,
        Error::Tls(P::CertificateExpired) => Problem::CertificateExpired,
        Error::Tls(P::CertificateNotYetValid) => Problem::CertificateNotYetValid,
        Error::Tls(P::CertificateName) => Problem::CertificateName,
        Error::Tls(P::CertificateIssuer | P::CertificateSelfSigned) => Problem::CertificateIssuer,
        Error::Tls(P::CertificateKey) => Problem::CertificateKey,
        Error::Tls(P::CertificateUse) => Problem::CertificateUse,
        Error::Tls(P::CertificateMalformed) => Problem::CertificateMalformed,
        Error::Tls(P::Pin) => Problem::Pin,
        Error::Tls(P::Alert) => Problem::Alert(info.and_then(alert).unwrap_or_default()),
        Error::Tls(P::HandshakeEnded) | Error::Connect(ConnectProblem::Reset) => Problem::Truncated,
        Error::Incomplete(Ending::Ended | Ending::Reset | Ending::Truncated) => Problem::Truncated,
        Error::Tls(P::Renegotiation | P::RecordTooLong | P::RecordCorrupt | P::Protocol) => Problem::Protocol,
        Error::TimedOut(Timer::Connect | Timer::FirstOctet | Timer::BetweenOctets | Timer::Total) => Problem::TimedOut,
        other => Problem::Other(format!("{other:?}")),
    }
}

/// The number of the alert; from the host's TLS in its words alone.
fn alert(info: &TlsInfo) -> Option<u8> {
    let words = || info.detail.as_deref()?.rsplit_once("number ")?.1.trim().parse().ok();
    info.alert.or_else(words)
}
