//! Handshakes with the cryptography of the component against servers with `ring`, in memory: each cipher suite with each way to
//! exchange keys and each kind of certificate.

use std::io::{Read, Write};
use std::ops::DerefMut;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SignatureAlgorithm};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionCommon, Error, HandshakeKind, NamedGroup, ProtocolVersion,
    RootCertStore, ServerConfig, ServerConnection, SideData, SupportedProtocolVersion, version,
};
use sandpiper_guest::tls::provider::provider;

const RSA_2048: &[u8] = include_bytes!("tls/rsa-2048.pk8");
const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

const KINDS: [Kind; 4] = [Kind::P256, Kind::P384, Kind::Ed25519, Kind::Rsa];

impl Kind {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
            Self::Rsa => &rcgen::PKCS_RSA_SHA256,
        }
    }

    /// A new key; for RSA, whose keys are slow to make, always the same.
    fn key(self) -> KeyPair {
        self.key_for(self.algorithm())
    }

    fn key_for(self, algorithm: &'static SignatureAlgorithm) -> KeyPair {
        match self {
            Self::Rsa => KeyPair::from_pkcs8_der_and_sign_algo(&RSA_2048.into(), algorithm).unwrap(),
            _ => KeyPair::generate_for(algorithm).unwrap(),
        }
    }

    /// The suites of TLS 1.2 name the kind of the key, those of TLS 1.3 do not.
    fn goes_with(self, suite: CipherSuite) -> bool {
        let name = format!("{suite:?}");
        match self {
            Self::Rsa => !name.contains("_ECDSA_"),
            _ => !name.contains("_RSA_"),
        }
    }
}

/// A certificate with its key, and who issued it.
struct Identity {
    root: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new(kind: Kind) -> Self {
        Self::issued_by(kind, kind.algorithm())
    }

    /// Both the certificate and its issuer have keys of this kind.
    fn issued_by(kind: Kind, algorithm: &'static SignatureAlgorithm) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, kind.key_for(algorithm)).unwrap();
        let key = kind.key();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        Self { root: issuer.der().clone(), certificate: certificate.der().clone(), key: key.into() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        Arc::new(roots)
    }

    fn server(&self) -> ServerConfig {
        let server =
            ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        server.unwrap().with_no_client_auth().with_single_cert(vec![self.certificate.clone()], self.key.clone_key()).unwrap()
    }

    /// A server that asks its clients for certificates of the same issuer.
    fn server_that_asks(&self) -> ServerConfig {
        let crypto = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(self.roots(), crypto.clone()).build().unwrap();
        let server = ServerConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
        let chain = vec![self.certificate.clone()];
        server.with_client_cert_verifier(clients).with_single_cert(chain, self.key.clone_key()).unwrap()
    }

    fn client(&self, crypto: CryptoProvider, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let client = ClientConfig::builder_with_provider(Arc::new(crypto)).with_protocol_versions(versions).unwrap();
        client.with_root_certificates(self.roots()).with_no_client_auth()
    }

    fn client_with(
        &self,
        version: &'static SupportedProtocolVersion,
        key: PrivateKeyDer<'static>,
    ) -> Result<ClientConfig, Error> {
        let client = ClientConfig::builder_with_provider(Arc::new(provider())).with_protocol_versions(&[version]).unwrap();
        client.with_root_certificates(self.roots()).with_client_auth_cert(vec![self.certificate.clone()], key)
    }
}

struct Pair {
    client: ClientConnection,
    server: ServerConnection,
}

impl Pair {
    fn new(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            client: ClientConnection::new(client.clone(), name).unwrap(),
            server: ServerConnection::new(server.clone()).unwrap(),
        }
    }

    fn shake_hands(client: ClientConfig, server: ServerConfig) -> Result<Self, Error> {
        let mut pair = Self::new(&Arc::new(client), &Arc::new(server));
        pair.settle()?;
        Ok(pair)
    }

    /// Carries octets until neither side has any to send. A client's error is what is told: the server's follows from it.
    fn settle(&mut self) -> Result<(), Error> {
        while self.client.wants_write() || self.server.wants_write() {
            let refused = carry(&mut self.client, &mut self.server);
            carry(&mut self.server, &mut self.client)?;
            refused?;
        }
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
        Ok(())
    }

    /// Content in more than one record each way, and the end.
    fn talk(&mut self) {
        let content: Vec<u8> = (0..15_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for record in content.chunks(5_000) {
            self.client.writer().write_all(record).unwrap();
            self.server.writer().write_all(record).unwrap();
        }
        self.client.send_close_notify();
        self.server.send_close_notify();
        self.settle().unwrap();
        assert_eq!(content_of(self.client.reader()), content);
        assert_eq!(content_of(self.server.reader()), content);
    }
}

fn content_of(mut reader: impl Read) -> Vec<u8> {
    let mut content = Vec::new();
    reader.read_to_end(&mut content).unwrap();
    content
}

fn carry<F: SideData, T: SideData>(
    from: &mut impl DerefMut<Target = ConnectionCommon<F>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<T>>,
) -> Result<(), Error> {
    let mut octets = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut octets).unwrap();
    }
    let mut octets = octets.as_slice();
    while !octets.is_empty() {
        to.read_tls(&mut octets).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// Each suite that goes with a certificate of this kind, with each group.
fn all_suites(kind: Kind) {
    let identity = Identity::new(kind);
    let mut shaken = 0;
    for suite in provider().cipher_suites.into_iter().filter(|suite| kind.goes_with(suite.suite())) {
        for group in provider().kx_groups {
            let crypto = CryptoProvider { cipher_suites: vec![suite], kx_groups: vec![group], ..provider() };
            let mut pair = Pair::shake_hands(identity.client(crypto, &[suite.version()]), identity.server()).unwrap();
            assert_eq!(pair.server.negotiated_cipher_suite().unwrap().suite(), suite.suite());
            assert_eq!(pair.server.negotiated_key_exchange_group().unwrap().name(), group.name());
            pair.talk();
            shaken += 1;
        }
    }
    assert_eq!(shaken, 6 * 3);
}

#[test]
fn every_suite_and_group_with_p256() {
    all_suites(Kind::P256);
}

#[test]
fn every_suite_and_group_with_p384() {
    all_suites(Kind::P384);
}

#[test]
fn every_suite_and_group_with_ed25519() {
    all_suites(Kind::Ed25519);
}

#[test]
fn every_suite_and_group_with_rsa() {
    all_suites(Kind::Rsa);
}

#[test]
fn chacha20_and_x25519_are_what_a_client_prefers() {
    let identity = Identity::new(Kind::P256);
    for (version, suite) in VERSIONS
        .into_iter()
        .zip([CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256])
    {
        let pair = Pair::shake_hands(identity.client(provider(), &[version]), identity.server()).unwrap();
        assert_eq!(pair.client.negotiated_cipher_suite().unwrap().suite(), suite);
        assert_eq!(pair.client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519);
    }
}

#[test]
fn a_server_that_wants_another_group_gets_it() {
    let identity = Identity::new(Kind::P256);
    let mut server = identity.server();
    let crypto = CryptoProvider { kx_groups: vec![ring::kx_group::SECP384R1], ..ring::default_provider() };
    server = {
        let config = ServerConfig::builder_with_provider(Arc::new(crypto)).with_protocol_versions(&[&version::TLS13]).unwrap();
        config.with_no_client_auth().with_cert_resolver(server.cert_resolver)
    };
    let mut pair = Pair::shake_hands(identity.client(provider(), &VERSIONS), server).unwrap();
    assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::FullWithHelloRetryRequest));
    assert_eq!(pair.client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::secp384r1);
    pair.talk();
}

#[test]
fn a_second_connection_resumes_the_first() {
    let identity = Identity::new(Kind::P256);
    for version in VERSIONS {
        let client = Arc::new(identity.client(provider(), &[version]));
        let server = Arc::new(identity.server());
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut pair = Pair::new(&client, &server);
            pair.settle().unwrap();
            pair.talk();
            assert_eq!(pair.client.handshake_kind(), Some(kind));
        }
    }
}

#[test]
fn issuers_with_rsa_may_sign_with_any_hash() {
    for algorithm in [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_RSA_SHA384, &rcgen::PKCS_RSA_SHA512] {
        let identity = Identity::issued_by(Kind::Rsa, algorithm);
        Pair::shake_hands(identity.client(provider(), &VERSIONS), identity.server()).unwrap().talk();
    }
}

/// Keys of the same kind, so that nothing but the signature can tell.
#[test]
fn a_certificate_of_another_issuer_is_refused() {
    for kind in [Kind::P256, Kind::P384, Kind::Ed25519] {
        let (mine, other) = (Identity::new(kind), Identity::new(kind));
        let refused = Pair::shake_hands(mine.client(provider(), &VERSIONS), other.server());
        assert!(matches!(refused.err(), Some(Error::InvalidCertificate(_))), "{kind:?}");
    }
}

#[test]
fn clients_prove_themselves_with_keys_of_every_kind() {
    for kind in KINDS {
        let identity = Identity::new(kind);
        for version in VERSIONS {
            let client = identity.client_with(version, identity.key.clone_key()).unwrap();
            let mut pair = Pair::shake_hands(client, identity.server_that_asks()).unwrap();
            assert_eq!(pair.server.protocol_version(), Some(version.version));
            assert_eq!(pair.server.peer_certificates().unwrap(), std::slice::from_ref(&identity.certificate));
            pair.talk();
        }
    }
}

/// The key that PKCS#8 holds in its last octet string, which is how SEC 1 and PKCS#1 write it.
fn unwrapped(kind: Kind, key: &PrivateKeyDer<'_>) -> PrivateKeyDer<'static> {
    use p256::elliptic_curve::pkcs8::PrivateKeyInfoRef;
    let inner = PrivateKeyInfoRef::try_from(key.secret_der()).unwrap().private_key.as_bytes().to_vec();
    match kind {
        Kind::Rsa => PrivateKeyDer::Pkcs1(inner.into()),
        _ => PrivateKeyDer::Sec1(inner.into()),
    }
}

#[test]
fn keys_of_the_older_formats_do_as_well() {
    for kind in [Kind::P256, Kind::P384, Kind::Rsa] {
        let identity = Identity::new(kind);
        let client = identity.client_with(&version::TLS13, unwrapped(kind, &identity.key)).unwrap();
        let mut pair = Pair::shake_hands(client, identity.server_that_asks()).unwrap();
        assert_eq!(pair.server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        pair.talk();
    }
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    for kind in KINDS {
        let other = if kind == Kind::P256 { Kind::P384 } else { Kind::P256 };
        let identity = Identity::new(kind);
        let key = PrivateKeyDer::from(other.key());
        assert!(identity.client_with(&version::TLS13, key).is_err(), "{kind:?}");
    }
}
