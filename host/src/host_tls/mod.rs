//! TLS of the host, for components that import `wasi:tls`: rustls, as an embedder configures it.

mod problem;
mod verifier;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use sandpiper_server_name::server_name as server_name_of;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsConnector, client};
use wasmtime_wasi_tls::{Error, TlsProvider, TlsStream, TlsTransport};

use crate::types::{TlsOptions, TlsProblem, TlsVersion};
use problem::{explain, sentence};
use verifier::Verifier;

/// The protocol that a component of this crate speaks (RFC 7301).
const HTTP11: &str = "http/1.1";

/// How the host does TLS for a component that imports `wasi:tls`: trust anchors, client identity, protocols, least version. Keys and
/// plaintext are then in the host's memory, and what the server sends is parsed there. Cheap to clone; clones share sessions.
///
/// The default is that of [`TlsOptions`]: Mozilla's trust anchors, `http/1.1`, TLS 1.2 and 1.3.
#[derive(Clone)]
pub struct HostTls(Arc<ClientConfig>);

/// Options that the host's TLS cannot be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostTlsError {
    /// `roots_pem`: no certificate, or none that can be a trust anchor. The fault, as a clause.
    Roots(String),
    /// The chain of `identity_pem`. The fault, as a clause.
    Chain(String),
    /// The key of `identity_pem`. The fault, as a clause.
    Key(String),
    /// `alpn`: a protocol has no octet, or more than 255.
    Alpn,
    /// The host's TLS has no such option; its name in the WIT package.
    Unsupported(&'static str),
}

impl HostTls {
    /// With these options; an option that is `None` has its default of the WIT package. `server_name` is left to the component.
    ///
    /// # Errors
    /// [`HostTlsError`].
    pub fn new(options: &TlsOptions) -> Result<Self, HostTlsError> {
        refuse_unsupported(options)?;
        let provider = Arc::new(ring::default_provider());
        let versions: &[_] = match options.version_min {
            Some(TlsVersion::Tls13) => &[&TLS13],
            Some(TlsVersion::Tls12) | None => &[&TLS13, &TLS12],
        };
        let refuse_roots = |error: &dyn fmt::Display| HostTlsError::Roots(error.to_string());
        let verifier = Verifier::new(options, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| refuse_roots(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &options.identity_pem {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let (chain, key) = (certificates(chain).map_err(HostTlsError::Chain)?, private_key(key)?);
                config.with_client_auth_cert(chain, key).map_err(|error| HostTlsError::Key(key_problem(&error)))?
            }
        };
        config.alpn_protocols = protocols(options)?;
        if options.resumption == Some(false) {
            config.resumption = Resumption::disabled();
        }
        Ok(Self(Arc::new(config)))
    }
}

impl Default for HostTls {
    fn default() -> Self {
        Self::new(&TlsOptions::default()).expect("the built-in trust anchors can be read")
    }
}

impl fmt::Debug for HostTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostTls").finish_non_exhaustive()
    }
}

fn refuse_unsupported(options: &TlsOptions) -> Result<(), HostTlsError> {
    let refused = [
        ("spki-pins", options.spki_pins.is_some()),
        ("key-log", options.key_log == Some(true)),
        ("accept-any-certificate", options.accept_any_certificate == Some(true)),
    ];
    match refused.into_iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(HostTlsError::Unsupported(name)),
        None => Ok(()),
    }
}

/// The error is a clause.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("it is malformed PEM: {error}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, HostTlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        HostTlsError::Key(match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                let hint = if contains(pem, b"ENCRYPTED PRIVATE KEY") { "; an encrypted one cannot be used" } else { "" };
                format!("it holds no private key in PEM (PKCS #8, SEC 1 or PKCS #1){hint}")
            }
            error => format!("it is malformed PEM: {error}"),
        })
    })
}

fn contains(octets: &[u8], words: &[u8]) -> bool {
    octets.windows(words.len()).any(|window| window == words)
}

fn key_problem(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "it is not the key of the certificate".to_owned(),
        error => format!("it cannot be used: {error}"),
    }
}

fn protocols(options: &TlsOptions) -> Result<Vec<Vec<u8>>, HostTlsError> {
    let Some(protocols) = &options.alpn else {
        return Ok(vec![HTTP11.into()]);
    };
    match protocols.iter().all(|protocol| (1..=255).contains(&protocol.len())) {
        true => Ok(protocols.iter().map(|protocol| protocol.clone().into_bytes()).collect()),
        false => Err(HostTlsError::Alpn),
    }
}

impl fmt::Display for HostTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roots(reason) => write!(f, "the trust anchors: {reason}"),
            Self::Chain(reason) => write!(f, "the client certificate: {reason}"),
            Self::Key(reason) => write!(f, "the client certificate's private key: {reason}"),
            Self::Alpn => f.write_str("a protocol of ALPN has 1 to 255 octets"),
            Self::Unsupported(option) => write!(f, "the host's TLS has no {option}; the component with TLS inside has"),
        }
    }
}

impl std::error::Error for HostTlsError {}

impl TlsProvider for HostTls {
    fn connect(
        &self,
        server_name: String,
        transport: Box<dyn TlsTransport>,
    ) -> Pin<Box<dyn Future<Output = Result<Box<dyn TlsStream>, Error>> + Send>> {
        let connector = TlsConnector::from(Arc::clone(&self.0));
        Box::pin(async move {
            let invalid = format!("`{server_name}` is no name for TLS");
            let name = server_name_of(&server_name).ok_or_else(|| Error::msg(invalid))?;
            let stream = connector.connect(name, transport).await.map_err(|error| Error::msg(explain(&error)))?;
            match stream.get_ref().1.alpn_protocol() {
                Some(protocol) if protocol != HTTP11.as_bytes() => {
                    let sentence = sentence(TlsProblem::ProtocolNotSpoken);
                    Err(Error::msg(format!("{sentence}: it chose `{}`", protocol.escape_ascii())))
                }
                _ => Ok(Box::new(Stream(stream)) as Box<dyn TlsStream>),
            }
        })
    }
}

/// A connection with TLS: wasmtime's trait cannot be implemented for tokio-rustls' type.
struct Stream(client::TlsStream<Box<dyn TlsTransport>>);

impl TlsStream for Stream {}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
