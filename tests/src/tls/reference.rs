//! rustls with ring, natively, as a client: what the matrix is checked with, and what other clients are compared with.

use super::authority::pin;
use super::client::{Answer, Library, Outcome, Problem, TlsClient, Told, Version};
use super::response::{Progress, progress};
use super::serving::end;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, InvalidMessage};
use rustls::{PeerMisbehaved, RootCertStore, SignatureScheme};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The length of the public key info of an RSA key of 2048 bits; that of a shorter key is shorter.
const RSA_2048_OCTETS: usize = 294;
/// How long a server may take to end what the client has ended.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// rsaEncryption (RFC 8017 appendix A.1).
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// The client.
pub struct Reference;

impl TlsClient for Reference {
    fn name(&self) -> String {
        "rustls, natively".to_owned()
    }

    fn library(&self) -> Library {
        Library::Rustls
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        let mut pools: Vec<Pool> = Vec::new();
        let mut outcomes = Vec::new();
        for told in told {
            let known = pools.iter().position(|pool| pool.told.is_as_but_for_the_name(told));
            if known.is_none() {
                pools.push(Pool::new(told)?);
            }
            let pool = &pools[known.unwrap_or(pools.len() - 1)];
            let outcome = visit(told, &pool.config, &pool.verifier, &told.name)?;
            let goes_on = matches!(outcome, Outcome::Answered(_));
            outcomes.push(outcome);
            if !goes_on {
                break;
            }
        }
        Ok(outcomes)
    }
}

/// What is shared by connections that are told the same: they may resume each other's sessions.
struct Pool {
    told: Told,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Pool {
    fn new(told: &Told) -> Result<Pool, String> {
        let verifier = Arc::new(Verifier::new(told)?);
        let config = Arc::new(config(told, Arc::clone(&verifier))?);
        Ok(Pool { told: told.clone(), config, verifier })
    }
}

/// The checks of rustls, and those that it leaves to others. It remembers what rustls' own errors do not tell apart.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    pins: Vec<[u8; 32]>,
    accepts_anything: bool,
    found: Mutex<Option<Problem>>,
}

impl Verifier {
    fn new(told: &Told) -> Result<Verifier, String> {
        let mut roots = RootCertStore::empty();
        for root in &told.roots {
            roots.add(root.clone()).map_err(|error| error.to_string())?;
        }
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let inner = inner.map_err(|error| error.to_string())?;
        Ok(Verifier { inner, pins: told.pins.clone(), accepts_anything: told.accepts_anything, found: Mutex::new(None) })
    }

    fn refuse(&self, problem: Problem) -> Error {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
    }

    fn signature(&self, checked: Result<HandshakeSignatureValid, Error>) -> Result<HandshakeSignatureValid, Error> {
        checked.map_err(|error| match error {
            // Not the certificate: the server does not show that it has the key.
            Error::InvalidCertificate(_) => self.refuse(Problem::Protocol),
            other => other,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.accepts_anything {
            self.inner.verify_server_cert(leaf, between, name, ocsp, now)?;
            let key = ParsedCertificate::try_from(leaf)?.subject_public_key_info();
            if key.len() < RSA_2048_OCTETS && key.windows(RSA.len()).any(|octets| octets == RSA) {
                return Err(self.refuse(Problem::CertificateKey));
            }
        }
        if !self.pins.is_empty() {
            let key = ParsedCertificate::try_from(leaf)?.subject_public_key_info();
            if !self.pins.contains(&pin(&key)) {
                return Err(self.refuse(Problem::Pin));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(self.inner.verify_tls12_signature(message, leaf, signature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(self.inner.verify_tls13_signature(message, leaf, signature))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config(told: &Told, verifier: Arc<Verifier>) -> Result<ClientConfig, String> {
    let versions = [(Version::Tls12, &rustls::version::TLS12), (Version::Tls13, &rustls::version::TLS13)];
    let versions: Vec<_> = versions
        .into_iter()
        .filter(|(version, _)| (told.minimum..=told.maximum).contains(version))
        .map(|(_, version)| version)
        .collect();
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&versions);
    let builder = builder.map_err(|error| error.to_string())?.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &told.identity {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key()).map_err(|error| error.to_string())?,
    };
    config.alpn_protocols = told.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    config.resumption = Resumption::in_memory_sessions(16);
    Ok(config)
}

struct Visit {
    stream: TcpStream,
    tls: ClientConnection,
    deadline: Instant,
    /// The first octets that came.
    first: Vec<u8>,
    /// What rustls said of its last error.
    words: String,
}

fn visit(told: &Told, config: &Arc<ClientConfig>, verifier: &Verifier, name: &str) -> Result<Outcome, String> {
    let server_name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let tls = ClientConnection::new(Arc::clone(config), server_name).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect(told.address).map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut visit = Visit { stream, tls, deadline: Instant::now() + told.patience, first: Vec::new(), words: String::new() };
    let found = |problem| verifier.found.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(problem);
    if let Err(problem) = visit.shake_hands() {
        return Ok(Outcome::Refused(found(problem), format!("{name}: {}", visit.words)));
    }
    visit.deadline = Instant::now() + told.patience;
    Ok(visit.exchange(name).map_or_else(Outcome::Broken, Outcome::Answered))
}

impl Visit {
    fn shake_hands(&mut self) -> Result<(), Problem> {
        while self.tls.is_handshaking() {
            self.flush()?;
            if self.turn()? == 0 && self.tls.is_handshaking() {
                return Err(Problem::Truncated);
            }
        }
        self.flush()
    }

    fn exchange(&mut self, name: &str) -> Result<Answer, Problem> {
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        self.tls.writer().write_all(request.as_bytes()).map_err(|error| Problem::Other(error.to_string()))?;
        // What cannot be written any more, need not be: the server may have said why.
        let _ = self.flush();
        let mut octets = Vec::new();
        loop {
            let turned = self.turn();
            let ended = match self.tls.reader().read_to_end(&mut octets) {
                Ok(_) => Some(true),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(_) => Some(false),
            };
            let progress = progress(&octets).map_err(Problem::Other)?;
            if let Progress::Whole(status, content) = progress {
                return Ok(self.finish(status, content));
            }
            turned?;
            match (ended, progress) {
                (None, _) => {}
                (Some(true), Progress::UntilClose(status, content)) => return Ok(self.finish(status, content)),
                (Some(_), _) => return Err(Problem::Truncated),
            }
        }
    }

    fn finish(&mut self, status: u16, content: Vec<u8>) -> Answer {
        self.tls.send_close_notify();
        let _ = self.flush();
        // What is left unread when a socket is closed makes a reset of it, which takes our last words with it.
        let _ = self.stream.set_read_timeout(Some(END_PATIENCE));
        end(&self.stream);
        let alpn = self.tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        Answer { status, content, alpn }
    }

    fn flush(&mut self) -> Result<(), Problem> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream).map_err(|error| io_problem(&error))?;
        }
        Ok(())
    }

    /// Reads once.
    fn turn(&mut self) -> Result<usize, Problem> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).map_err(|error| io_problem(&error))?;
        let mut tee = Tee(&self.stream, &mut self.first);
        let read = self.tls.read_tls(&mut tee).map_err(|error| io_problem(&error))?;
        if let Err(error) = self.tls.process_new_packets() {
            let _ = self.flush();
            self.words = error.to_string();
            return Err(if is_tls(&self.first) { problem(&error) } else { Problem::NotTls });
        }
        let _ = self.flush();
        if left.is_zero() { Err(Problem::TimedOut) } else { Ok(read) }
    }
}

/// Reads, and keeps the start.
struct Tee<'a>(&'a TcpStream, &'a mut Vec<u8>);

impl Read for Tee<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(into)?;
        let room = 5_usize.saturating_sub(self.1.len());
        self.1.extend_from_slice(&into[..read.min(room)]);
        Ok(read)
    }
}

/// Whether these may be the first octets of a server with TLS: a record of the handshake, an alert, or one that is in the wrong place.
fn is_tls(first: &[u8]) -> bool {
    matches!(first, [] | [20..=22] | [20..=22, 3, ..])
}

fn io_problem(error: &std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Problem::TimedOut,
        _ => Problem::Truncated,
    }
}

fn problem(error: &Error) -> Problem {
    match error {
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => Problem::Alpn,
        Error::AlertReceived(alert) => match u8::from(*alert) {
            40 | 70 | 71 => Problem::NoAgreement,
            code => Problem::Alert(code),
        },
        Error::PeerIncompatible(_) => Problem::NoAgreement,
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => Problem::Alpn,
        Error::InvalidCertificate(error) => certificate_problem(error),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) | Error::PeerMisbehaved(_) | Error::InvalidMessage(_) => {
            Problem::Protocol
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => Problem::Protocol,
        Error::DecryptError | Error::PeerSentOversizedRecord | Error::NoCertificatesPresented => Problem::Protocol,
        other => Problem::Other(other.to_string()),
    }
}

fn certificate_problem(error: &CertificateError) -> Problem {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => Problem::CertificateExpired,
        E::NotValidYet | E::NotValidYetContext { .. } => Problem::CertificateNotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => Problem::CertificateName,
        E::UnknownIssuer => Problem::CertificateIssuer,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } | E::UnhandledCriticalExtension => Problem::CertificateUse,
        E::UnsupportedSignatureAlgorithmContext { .. } | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            Problem::CertificateKey
        }
        E::BadEncoding | E::BadSignature => Problem::CertificateMalformed,
        // webpki's own words, where rustls has no name for them.
        E::Other(other) => match other.0.to_string().as_str() {
            "MaximumSignatureChecksExceeded" | "MaximumPathBuildCallsExceeded" | "MaximumPathDepthExceeded" => {
                Problem::CertificateIssuer
            }
            "CaUsedAsEndEntity"
            | "PathLenConstraintViolated"
            | "UnsupportedCriticalExtension"
            | "EndEntityUsedAsCa"
            | "NameConstraintViolation" => Problem::CertificateUse,
            words => Problem::Other(words.to_owned()),
        },
        other => Problem::Other(format!("{other:?}")),
    }
}
