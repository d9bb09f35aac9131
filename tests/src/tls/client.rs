//! What a client is told and what becomes of it: implement [`TlsClient`], and the matrix runs through yours.

use super::authority::{Identity, NAME, authority};
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What a client has its TLS from: what is known of one, holds for all its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// rustls, with whichever cryptography.
    Rustls,
    /// OpenSSL, as curl uses it.
    OpenSsl,
    /// Another.
    Other,
}

/// A client that the matrix is run through.
pub trait TlsClient {
    /// For the table.
    fn name(&self) -> String;

    /// What it is built on.
    fn library(&self) -> Library;

    /// Requests `/` once for each of these: as one client (one pool, so that sessions may be resumed, and what must not be mixed could
    /// be), each on a new connection, one after the other; the first that is not answered ends it. One outcome for each that was tried.
    ///
    /// # Errors
    /// Why this client cannot do what it is told.
    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String>;

    /// Whether it tells one problem from another; else only whether it answered is compared.
    fn tells_problems(&self) -> bool {
        true
    }

    /// Whether it does so also when the handshake was done.
    fn tells_what_broke(&self) -> bool {
        self.tells_problems()
    }

    /// Whether it tells which protocol the server has selected.
    fn tells_protocol(&self) -> bool {
        self.tells_problems()
    }
}

/// The two versions that there are for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Where the server is.
    pub address: SocketAddr,
    /// The server name, or address: what is sent as SNI and what the certificate must be for.
    pub name: String,
    /// The trust roots.
    pub roots: Vec<CertificateDer<'static>>,
    /// SHA-256 digests of public keys of which the leaf must have one; empty: any.
    pub pins: Vec<[u8; 32]>,
    /// What is offered; empty: no such extension.
    pub alpn: Vec<String>,
    /// The lowest version that is accepted.
    pub minimum: Version,
    /// The highest that is offered.
    pub maximum: Version,
    /// The client's own certificate.
    pub identity: Option<Identity>,
    /// No check of the certificate at all.
    pub accepts_anything: bool,
    /// How long the handshake may take, and then the response.
    pub patience: Duration,
}

impl Told {
    /// Whether only the name differs, so that one pool of connections that do not mix would tell them apart by the name alone.
    pub fn is_as_but_for_the_name(&self, other: &Told) -> bool {
        Told { name: other.name.clone(), ..self.clone() } == *other
    }

    /// What a client is told when a case says nothing else.
    pub fn new(address: SocketAddr) -> Told {
        Told {
            address,
            name: NAME.to_owned(),
            roots: vec![authority().root.certificate.clone()],
            pins: Vec::new(),
            alpn: vec!["http/1.1".to_owned()],
            minimum: Version::Tls12,
            maximum: Version::Tls13,
            identity: None,
            accepts_anything: false,
            patience: Duration::from_secs(20),
        }
    }
}

/// Why there is no response: the names of the WIT package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// What came is no record of TLS.
    NotTls,
    /// No version, suite, group or signature algorithm in common; also alerts 40, 70 and 71 in place of a ServerHello.
    NoAgreement,
    /// Too late for it.
    CertificateExpired,
    /// Too early for it.
    CertificateNotYetValid,
    /// It is for others.
    CertificateName,
    /// No way from it to a root.
    CertificateIssuer,
    /// It is for something else, or demands what is not understood.
    CertificateUse,
    /// Its key or its signature is too weak, or of an algorithm that is not supported.
    CertificateKey,
    /// It cannot be read, or its signature is wrong.
    CertificateMalformed,
    /// None of the pins.
    Pin,
    /// The server said so.
    Alert(u8),
    /// The server broke a rule.
    Protocol,
    /// No application protocol in common, or one that was not offered; also alert 120.
    Alpn,
    /// The connection ended before what was promised.
    Truncated,
    /// Too slow.
    TimedOut,
    /// Something else, which no case expects.
    Other(String),
}

impl Problem {
    /// Whether it lies in the certificate, so that a client can say which it was.
    pub fn is_of_certificate(&self) -> bool {
        use Problem::{
            CertificateExpired, CertificateIssuer, CertificateKey, CertificateName, CertificateNotYetValid, CertificateUse,
        };
        matches!(
            self,
            CertificateExpired
                | CertificateIssuer
                | CertificateKey
                | CertificateName
                | CertificateNotYetValid
                | CertificateUse
                | Problem::Pin
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Problem::NotTls => "not-tls",
            Problem::NoAgreement => "no-agreement",
            Problem::CertificateExpired => "certificate-time (expired)",
            Problem::CertificateNotYetValid => "certificate-time (not yet valid)",
            Problem::CertificateName => "certificate-name",
            Problem::CertificateIssuer => "certificate-issuer",
            Problem::CertificateUse => "certificate-use",
            Problem::CertificateKey => "certificate-key",
            Problem::CertificateMalformed => "certificate-malformed",
            Problem::Pin => "pin",
            Problem::Alert(code) => return write!(formatter, "alert({code})"),
            Problem::Protocol => "protocol",
            Problem::Alpn => "alpn",
            Problem::Truncated => "truncated",
            Problem::TimedOut => "timed-out",
            Problem::Other(what) => return write!(formatter, "other: {what}"),
        })
    }
}

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the status line.
    pub status: u16,
    /// The content.
    pub content: Vec<u8>,
    /// What the server selected; `None` also where a client does not tell.
    pub alpn: Option<String>,
}

/// What became of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response is whole.
    Answered(Answer),
    /// The handshake was done, and the response is not whole.
    Broken(Problem),
    /// The handshake was not done: why, and what the client says of it.
    Refused(Problem, String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Answered(answer) => write!(formatter, "answered {}", answer.status),
            Outcome::Broken(problem) => write!(formatter, "broken: {problem}"),
            Outcome::Refused(problem, _) => write!(formatter, "refused: {problem}"),
        }
    }
}
