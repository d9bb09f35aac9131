//! Certificates, good and bad. All are made when they are needed, and none is kept.

use super::openssl;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::OnceLock;

/// The name that good certificates are for.
pub const NAME: &str = "server.test";
/// Another that they are for.
pub const OTHER_NAME: &str = "other.test";
/// When what has expired did so, as in [`DATES_EXPIRED`].
pub const DATES_EXPIRED: [i32; 2] = [2020, 2021];
/// The years of what is not valid yet.
pub const DATES_AHEAD: [i32; 2] = [2090, 2100];

/// Certificates with the key of the first.
#[derive(Debug, PartialEq)]
pub struct Identity {
    /// The certificate, and those between it and the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    pub key: PrivateKeyDer<'static>,
    /// The subject's public key info, in DER.
    pub public_key: Vec<u8>,
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity { chain: self.chain.clone(), key: self.key.clone_key(), public_key: self.public_key.clone() }
    }
}

impl Identity {
    /// The digest that a pin is (RFC 7469 section 2.4).
    pub fn pin(&self) -> [u8; 32] {
        pin(&self.public_key)
    }

    /// The certificates as text.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }

    /// The key as text.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.key.secret_der())
    }
}

/// The digest that a pin is: SHA-256 of the subject's public key info.
pub fn pin(public_key: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, public_key);
    digest.as_ref().try_into().unwrap_or_default()
}

/// DER as text (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// One that signs.
pub struct Signer {
    /// Its own certificate.
    pub certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A root, an authority below it, and a root that nobody trusts.
pub struct Authority {
    /// What clients are told to trust.
    pub root: Signer,
    /// What signs the leaves.
    pub intermediate: Signer,
    /// A root that no client knows.
    pub stranger: Signer,
    /// May sign for `permitted.test` alone.
    pub constrained: Signer,
    /// Signed by the root, expired.
    pub expired: Signer,
}

/// The authority of this process.
pub fn authority() -> &'static Authority {
    static MADE: OnceLock<Authority> = OnceLock::new();
    MADE.get_or_init(Authority::new)
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).expect("a key")
}

fn identity(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Identity {
    let der = PrivatePkcs8KeyDer::from(key.serialize_der());
    Identity { chain, key: der.into(), public_key: key.subject_public_key_info() }
}

fn signing_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn set_dates(params: &mut CertificateParams, [from, until]: [i32; 2]) {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
}

/// What a good leaf has.
pub fn leaf_params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "the test server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.is_ca = IsCa::ExplicitNoCa;
    set_dates(&mut params, [2020, 2100]);
    params
}

impl Signer {
    fn root(name: &str) -> Signer {
        let (params, key) = (signing_params(name), key(&PKCS_ECDSA_P256_SHA256));
        let certificate = params.self_signed(&key).expect("a root");
        Signer { certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// An authority below this one, with these differences.
    pub fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signer {
        let (mut params, key) = (signing_params(name), key(&PKCS_ECDSA_P256_SHA256));
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority");
        Signer { certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Signs a leaf with a new key of this algorithm; the chain is the leaf and this.
    pub fn sign(&self, algorithm: &'static SignatureAlgorithm, params: &CertificateParams) -> Identity {
        self.sign_key(&key(algorithm), params)
    }

    fn sign_key(&self, key: &KeyPair, params: &CertificateParams) -> Identity {
        let certificate = params.signed_by(key, &self.issuer).expect("a leaf");
        identity(vec![certificate.der().clone(), self.certificate.clone()], key)
    }

    /// The certificate as text.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The key as text.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

impl Authority {
    fn new() -> Authority {
        let root = Signer::root("Sandpiper test root");
        let permitted = rcgen::GeneralSubtree::DnsName("permitted.test".to_owned());
        let constraints = rcgen::NameConstraints { permitted_subtrees: vec![permitted], excluded_subtrees: Vec::new() };
        Authority {
            intermediate: root.below("Sandpiper test intermediate", |_| {}),
            constrained: root.below("Sandpiper test constrained", |params| params.name_constraints = Some(constraints)),
            expired: root.below("Sandpiper test expired", |params| set_dates(params, DATES_EXPIRED)),
            stranger: Signer::root("Somebody's root"),
            root,
        }
    }

    /// ECDSA on P-256, for [`NAME`] and [`OTHER_NAME`].
    pub fn good(&self) -> Identity {
        self.leaf(|_| {})
    }

    /// As [`Authority::good`], with these differences.
    pub fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = leaf_params(&[NAME, OTHER_NAME]);
        change(&mut params);
        self.intermediate.sign(&PKCS_ECDSA_P256_SHA256, &params)
    }

    /// As [`Authority::good`], valid in these years.
    pub fn dated(&self, years: [i32; 2]) -> Identity {
        self.leaf(|params| set_dates(params, years))
    }

    /// For these names alone.
    pub fn named(&self, names: &[&str]) -> Identity {
        self.intermediate.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(names))
    }

    /// ECDSA on P-384.
    pub fn p384(&self) -> Identity {
        self.intermediate.sign(&PKCS_ECDSA_P384_SHA384, &leaf_params(&[NAME]))
    }

    /// Ed25519.
    pub fn ed25519(&self) -> Identity {
        self.intermediate.sign(&PKCS_ED25519, &leaf_params(&[NAME]))
    }

    /// RSA of 2048 bits.
    ///
    /// # Errors
    /// There is no `openssl` to make the key.
    pub fn rsa(&self) -> Result<Identity, String> {
        static KEY: OnceLock<Result<String, String>> = OnceLock::new();
        let pem = KEY.get_or_init(|| openssl::rsa_key(2048)).as_ref().map_err(Clone::clone)?;
        let key = KeyPair::from_pem(pem).map_err(|error| error.to_string())?;
        Ok(self.intermediate.sign_key(&key, &leaf_params(&[NAME])))
    }

    /// A certificate that signed itself, without being an authority.
    pub fn self_signed(&self) -> Identity {
        let key = key(&PKCS_ECDSA_P256_SHA256);
        let certificate = leaf_params(&[NAME]).self_signed(&key).expect("a certificate");
        identity(vec![certificate.der().clone()], &key)
    }

    /// For a client: signed by the intermediate, or by the stranger.
    pub fn client(&self, known: bool) -> Identity {
        let mut params = leaf_params(&["client.test"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let signer = if known { &self.intermediate } else { &self.stranger };
        signer.sign(&PKCS_ECDSA_P256_SHA256, &params)
    }
}
