//! Certificates that are made as the tests run, and servers with TLS on the loopback interface. Both test programs use it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

/// How long a test waits for a handshake that has to come: no measure of speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The years of a certificate that is valid while the tests run.
pub(crate) const ALWAYS: (i32, i32) = (2000, 4000);

static AUTHORITIES: AtomicUsize = AtomicUsize::new(1);

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
    /// SHA-256 of the public key.
    pub(crate) pin: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of two authorities with one name, the other one's signature would be wrong, instead of its issuer unknown.
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        parameters.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its own certificate, which is for these names, as a server's.
    pub(crate) fn of_its_own(names: &[&str], (from, until): (i32, i32)) -> (Self, Identity) {
        let mut parameters = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let (key_pem, pin) = (key.serialize_pem(), pin(&key));
        let own = Self(CertifiedIssuer::self_signed(parameters, key).unwrap());
        let identity = Identity { chain_pem: own.pem(), key_pem, pin };
        (own, identity)
    }

    /// A certificate for these names, valid from the first of January of one year to that of another.
    pub(crate) fn issue(&self, names: &[&str], (from, until): (i32, i32)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Identity { chain_pem: certificate.pem(), key_pem: key.serialize_pem(), pin: pin(&key) }
    }
}

fn pin(key: &KeyPair) -> Vec<u8> {
    ::ring::digest::digest(&::ring::digest::SHA256, &key.subject_public_key_info()).as_ref().to_vec()
}

/// A server that answers each request with its target. It ends with the test's process.
pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What a server saw of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Why there was no handshake.
    pub(crate) error: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) client_certificates: usize,
    pub(crate) version: Option<String>,
    pub(crate) protocol: Option<Vec<u8>>,
}

/// How a server is.
pub(crate) struct Settings<'a> {
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
    /// Clients must have a certificate of it.
    pub(crate) clients: Option<&'a Authority>,
    pub(crate) alpn: &'a [&'a str],
    /// It reads nothing after the handshake.
    pub(crate) deaf: bool,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { versions: rustls::ALL_VERSIONS, clients: None, alpn: &[], deaf: false }
    }
}

impl TlsServer {
    pub(crate) fn start(identity: &Identity, settings: &Settings<'_>) -> Self {
        let (config, deaf) = (Arc::new(config(identity, settings)), settings.deaf);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, notes) = (Arc::clone(&config), Arc::clone(&notes));
                std::thread::spawn(move || serve(config, stream.unwrap(), &notes, deaf));
            }
        });
        Self { address, seen }
    }

    /// Waits until as many handshakes have ended.
    pub(crate) fn seen(&self, handshakes: usize) -> Vec<Seen> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let seen = self.seen.lock().unwrap();
            if seen.len() >= handshakes {
                return seen.clone();
            }
            drop(seen);
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{handshakes} handshakes were to come: {:?}", self.seen.lock().unwrap());
    }
}

fn config(identity: &Identity, settings: &Settings<'_>) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(settings.versions).unwrap();
    let config = match settings.clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            config.with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = settings.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

fn serve(config: Arc<ServerConfig>, mut socket: TcpStream, notes: &Mutex<Vec<Seen>>, deaf: bool) {
    socket.set_nodelay(true).unwrap();
    let mut connection = ServerConnection::new(config).unwrap();
    let error = loop {
        if !connection.is_handshaking() {
            break None;
        }
        if let Err(error) = connection.complete_io(&mut socket) {
            break Some(error.to_string());
        }
    };
    notes.lock().unwrap().push(Seen {
        server_name: connection.server_name().map(str::to_owned),
        client_certificates: connection.peer_certificates().map_or(0, <[_]>::len),
        version: connection.protocol_version().map(|version| format!("{version:?}")),
        protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
        error,
    });
    if deaf {
        loop {
            std::thread::park();
        }
    }
    answer(&mut StreamOwned::new(connection, socket));
}

/// Until the client ends the connection.
fn answer(stream: &mut (impl Read + Write)) {
    let mut received = Vec::new();
    let mut block = [0; 4096];
    loop {
        match stream.read(&mut block) {
            Ok(0) | Err(_) => return,
            Ok(octets) => received.extend_from_slice(&block[..octets]),
        }
        while let Some(end) = received.windows(4).position(|octets| octets == b"\r\n\r\n") {
            let head = String::from_utf8(received.drain(..end + 4).collect()).unwrap();
            let target = head.split(' ').nth(1).unwrap();
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    }
}
