//! Options, checked: what connections with equal options have in common.

use super::key_log::KeyLines;
use super::provider;
use super::resumption::Sessions;
use super::verifier::Verifier;
use crate::endpoint::{bare, is_host, without_zone};
use crate::types::{Endpoint, Error, Misuse, TlsOptions, TlsVersion};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use rustls::client::{ClientConfig, ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, TrustAnchor};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{SupportedProtocolVersion, version};
use spin::Mutex;

/// The protocol that is spoken here (RFC 7301 §6).
pub const HTTP11: &str = "http/1.1";

/// Sets of options that are remembered with their sessions; then the oldest makes way.
const CONFIGS_MAX: usize = 16;

/// Certificates of one set of trust anchors. The system's own have some hundreds.
const ANCHORS_MAX: usize = 4096;

/// The shared state of connections with equal options.
#[derive(Debug)]
pub struct Config {
    pub(super) client: Arc<ClientConfig>,
    pub(super) verifier: Arc<Verifier>,
}

/// The sets of options of an instance, so that connections of equal ones can resume each other's sessions, and no others'.
#[derive(Debug)]
pub struct Configs {
    known: Mutex<Vec<(TlsOptions, Arc<Config>)>>,
    clock: fn() -> Arc<dyn TimeProvider>,
    key_lines: &'static KeyLines,
}

impl Configs {
    /// None yet. `clock`: what the validity of certificates is compared with.
    pub const fn new(clock: fn() -> Arc<dyn TimeProvider>, key_lines: &'static KeyLines) -> Configs {
        Configs { known: Mutex::new(Vec::new()), clock, key_lines }
    }

    /// The configuration for these options; made on first use.
    ///
    /// Errors: `api-misuse(invalid-trust-anchors | invalid-identity | invalid-tls-option)`.
    pub fn of(&self, options: &TlsOptions) -> Result<Arc<Config>, Error> {
        let mut known = self.known.lock();
        if let Some((_, config)) = known.iter().find(|(of, _)| is_same(of, options)) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(Config::new(options, (self.clock)(), self.key_lines)?);
        if known.len() >= CONFIGS_MAX {
            known.remove(0);
        }
        // The name belongs to a connection.
        known.push((TlsOptions { server_name: None, ..options.clone() }, Arc::clone(&config)));
        Ok(config)
    }
}

/// Equal but for the name, which belongs to a connection.
fn is_same(one: &TlsOptions, other: &TlsOptions) -> bool {
    let TlsOptions {
        server_name: _,
        roots_pem,
        with_builtin_roots,
        identity_pem,
        alpn,
        version_min,
        spki_pins,
        resumption,
        key_log,
        accept_any_certificate,
    } = one;
    (roots_pem, with_builtin_roots, identity_pem, alpn)
        == (&other.roots_pem, &other.with_builtin_roots, &other.identity_pem, &other.alpn)
        && (version_min, spki_pins, resumption) == (&other.version_min, &other.spki_pins, &other.resumption)
        && (key_log, accept_any_certificate) == (&other.key_log, &other.accept_any_certificate)
}

impl Config {
    /// Checks options.
    ///
    /// Errors: those of [`Configs::of`].
    pub fn new(options: &TlsOptions, clock: Arc<dyn TimeProvider>, key_lines: &'static KeyLines) -> Result<Config, Error> {
        let provider = Arc::new(provider::provider());
        let (anchors, trusted) = anchors(options)?;
        let verifier = Arc::new(Verifier {
            anchors,
            trusted,
            pins: pins(options)?,
            any: options.accept_any_certificate == Some(true),
            algorithms: provider.signature_verification_algorithms,
            seen: Mutex::new(None),
        });
        let builder = ClientConfig::builder_with_details(Arc::clone(&provider), clock)
            .with_protocol_versions(versions(options.version_min))
            .map_err(|_| Error::Internal)?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut client = match &options.identity_pem {
            None => builder.with_no_client_auth(),
            Some(pem) => builder.with_client_cert_resolver(identity(pem, &provider)?),
        };
        client.alpn_protocols = alpn(options)?;
        client.resumption = match options.resumption {
            Some(false) => Resumption::disabled(),
            Some(true) | None => Resumption::store(Arc::new(Sessions::default())),
        };
        if options.key_log == Some(true) {
            client.key_log = Arc::new(key_lines);
        }
        Ok(Config { client: Arc::new(client), verifier })
    }
}

/// The name that is sent and verified.
///
/// Errors: `api-misuse(invalid-server-name)`.
pub fn server_name(endpoint: &Endpoint, options: &TlsOptions) -> Result<ServerName<'static>, Error> {
    let name = without_zone(bare(options.server_name.as_deref().unwrap_or(&endpoint.host)));
    let made = if is_host(name) { sandpiper_server_name::server_name(name) } else { None };
    made.ok_or(Error::ApiMisuse(Misuse::InvalidServerName))
}

static TLS13: [&SupportedProtocolVersion; 1] = [&version::TLS13];
static TLS12_ON: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

fn versions(least: Option<TlsVersion>) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        Some(TlsVersion::Tls13) => &TLS13,
        Some(TlsVersion::Tls12) | None => &TLS12_ON,
    }
}

type Anchors = (Cow<'static, [TrustAnchor<'static>]>, Vec<CertificateDer<'static>>);

fn anchors(options: &TlsOptions) -> Result<Anchors, Error> {
    let invalid = Error::ApiMisuse(Misuse::InvalidTrustAnchors);
    let Some(pem) = &options.roots_pem else {
        return Ok((Cow::Borrowed(webpki_roots::TLS_SERVER_ROOTS), Vec::new()));
    };
    let trusted = certificates(pem, ANCHORS_MAX).ok_or(invalid)?;
    let anchors: Result<Vec<_>, _> =
        trusted.iter().map(|der| webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned())).collect();
    let mut anchors = anchors.map_err(|_| invalid)?;
    if options.with_builtin_roots == Some(true) {
        anchors.extend_from_slice(webpki_roots::TLS_SERVER_ROOTS);
    }
    Ok((Cow::Owned(anchors), trusted))
}

/// One or more, at most `count_max`.
fn certificates(pem: &[u8], count_max: usize) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(count_max + 1).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty() && certificates.len() <= count_max)
}

/// Certificates of one chain.
const CHAIN_MAX: usize = 16;

fn identity((chain, key): &(Vec<u8>, Vec<u8>), provider: &CryptoProvider) -> Result<Arc<dyn ResolvesClientCert>, Error> {
    let invalid = Error::ApiMisuse(Misuse::InvalidIdentity);
    let chain = certificates(chain, CHAIN_MAX).ok_or(invalid)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| invalid)?;
    let identity = CertifiedKey::from_der(chain, key, provider).map_err(|_| invalid)?;
    Ok(Arc::new(SingleCertAndKey::from(identity)))
}

fn pins(options: &TlsOptions) -> Result<Vec<[u8; 32]>, Error> {
    let pins = options.spki_pins.as_deref().unwrap_or(&[]);
    let pins: Result<Vec<_>, _> = pins.iter().map(|pin| <[u8; 32]>::try_from(pin.as_slice())).collect();
    match (pins, &options.spki_pins) {
        // An empty list would look like pinning and do nothing.
        (Ok(pins), None) => Ok(pins),
        (Ok(pins), Some(given)) if !given.is_empty() => Ok(pins),
        _ => Err(Error::ApiMisuse(Misuse::InvalidTlsOption)),
    }
}

fn alpn(options: &TlsOptions) -> Result<Vec<Vec<u8>>, Error> {
    let Some(protocols) = &options.alpn else { return Ok(vec![Vec::from(HTTP11)]) };
    if protocols.iter().any(|protocol| !(1..=255).contains(&protocol.len())) {
        return Err(Error::ApiMisuse(Misuse::InvalidTlsOption));
    }
    Ok(protocols.iter().map(String::as_bytes).map(Vec::from).collect())
}
