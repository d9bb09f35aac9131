//! The options about TLS, checked before anything is sent.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};

use sandpiper_host::types::{Endpoint, TlsVersion};
use sandpiper_host::{Build, HostTls, HostTlsError, Policy, TlsOptions};

const TLS: &str = "TLS";
/// A file of certificates: Mozilla's whole set has 200 KB.
const PEM_OCTETS_MAX: u64 = 16 << 20;

#[derive(Args, Debug)]
pub(crate) struct Tls {
    /// Trusts the certificates of FILE (PEM) and no others, instead of Mozilla's, which are built in
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) cacert: Option<PathBuf>,

    /// With --cacert, trusts the built-in certificates besides
    #[arg(long, requires = "cacert", help_heading = TLS)]
    pub(crate) with_builtin_roots: bool,

    /// Shows the server this client certificate: PEM, the chain with its own first; FILE may hold the private key too
    #[arg(short = 'E', long, value_name = "FILE", help_heading = TLS)]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert: PEM (PKCS #8, SEC 1 or PKCS #1), not encrypted
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(crate) key: Option<PathBuf>,

    /// Goes on only if one of these keys is in the server's verified chain, as curl writes them.
    ///
    /// Each is `sha256//` and the base64 of the SHA-256 digest of the public key. -v shows those of a server.
    #[arg(long, value_name = "sha256//BASE64[;...]", value_parser = Pins::parse, help_heading = TLS)]
    pub(crate) pinnedpubkey: Option<Pins>,

    /// The least version of TLS
    #[arg(long, value_name = "VERSION", value_enum, help_heading = TLS)]
    pub(crate) tls_min: Option<VersionMin>,

    /// As curl writes --tls-min 1.2, which is the default
    #[arg(long = "tlsv1.2", hide_short_help = true, help_heading = TLS)]
    pub(crate) tls12: bool,

    /// As curl writes --tls-min 1.3
    #[arg(long = "tlsv1.3", hide_short_help = true, conflicts_with = "tls_min", help_heading = TLS)]
    pub(crate) tls13: bool,

    /// Protocols to offer by ALPN, best first, with commas between them [default: http/1.1].
    ///
    /// A server that chooses another one than http/1.1 is refused.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "no_alpn", help_heading = TLS)]
    pub(crate) alpn: Option<Vec<String>>,

    /// Offers no protocol by ALPN
    #[arg(long, help_heading = TLS)]
    pub(crate) no_alpn: bool,

    /// The name to send and to verify, instead of the host in the URLs
    #[arg(long, value_name = "NAME", help_heading = TLS)]
    pub(crate) server_name: Option<String>,

    /// Resumes no session: each connection shows all certificates and proves the key
    #[arg(long, help_heading = TLS)]
    pub(crate) no_resumption: bool,

    /// Accepts any certificate; needs --allow-any-certificate
    #[arg(short = 'k', long, help_heading = TLS)]
    pub(crate) insecure: bool,

    /// Allows -k. Whoever is on the way to the server can then be the server: read everything, and change it
    #[arg(long, help_heading = TLS)]
    pub(crate) allow_any_certificate: bool,

    /// Adds the secrets of the connections to FILE, for Wireshark: whoever has it can read what was exchanged.
    ///
    /// In the format of NSS. The variable SSLKEYLOGFILE is not looked at.
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) key_log: Option<PathBuf>,
}

/// A certificate chain and its private key, in PEM.
type Identity = (Vec<u8>, Vec<u8>);

/// `--tls-min`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionMin {
    /// TLS 1.2
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3
    #[value(name = "1.3")]
    Tls13,
}

/// `--pinnedpubkey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pins(Vec<Vec<u8>>);

impl Pins {
    fn parse(text: &str) -> Result<Self, String> {
        let pin = |pin: &str| {
            let digest = pin.strip_prefix("sha256//").and_then(|base64| STANDARD.decode(base64).ok());
            digest
                .filter(|digest| digest.len() == 32)
                .ok_or_else(|| format!("`{pin}` is no pin: write sha256// and the base64 of the 32 octets of a SHA-256 digest"))
        };
        text.split(';').map(pin).collect::<Result<_, _>>().map(Self)
    }
}

impl Tls {
    /// The options for every endpoint with TLS. All files are read, and what is in them is tried out.
    ///
    /// # Errors
    /// A sentence that names the option, and the file.
    pub(crate) fn options(&self) -> Result<TlsOptions, String> {
        if self.insecure && !self.allow_any_certificate {
            return Err("-k accepts any certificate, so that whoever is on the way to the server can be the server: read everything, and \
                        change it. Only --allow-any-certificate beside it allows that; --cacert FILE trusts a certificate of your own"
                .to_owned());
        }
        let options = TlsOptions {
            server_name: self.server_name.clone(),
            roots_pem: self.cacert.as_deref().map(|file| read(file, "--cacert")).transpose()?,
            with_builtin_roots: self.with_builtin_roots.then_some(true),
            identity_pem: self.identity()?,
            alpn: if self.no_alpn { Some(Vec::new()) } else { self.alpn.clone() },
            version_min: self.version_min(),
            spki_pins: self.pinnedpubkey.as_ref().map(|pins| pins.0.clone()),
            resumption: self.no_resumption.then_some(false),
            key_log: self.key_log.is_some().then_some(true),
            accept_any_certificate: self.insecure.then_some(true),
        };
        self.try_out(&options)?;
        Ok(options)
    }

    fn version_min(&self) -> Option<TlsVersion> {
        let given = self.tls_min.map(|version| match version {
            VersionMin::Tls12 => TlsVersion::Tls12,
            VersionMin::Tls13 => TlsVersion::Tls13,
        });
        given.or(self.tls13.then_some(TlsVersion::Tls13)).or(self.tls12.then_some(TlsVersion::Tls12))
    }

    fn identity(&self) -> Result<Option<Identity>, String> {
        let Some(cert) = &self.cert else {
            return Ok(None);
        };
        let chain = read(cert, "--cert")?;
        let key = match &self.key {
            Some(key) => read(key, "--key")?,
            None => chain.clone(),
        };
        Ok(Some((chain, key)))
    }

    /// Says what is wrong with the files: in the component the same would be an invalid option, of any of them.
    fn try_out(&self, options: &TlsOptions) -> Result<(), String> {
        let all = TlsOptions { spki_pins: None, key_log: None, accept_any_certificate: None, ..options.clone() };
        let name = |file: &Option<PathBuf>| file.as_deref().unwrap_or(Path::new("")).display().to_string();
        HostTls::new(&all).map(drop).map_err(|error| match error {
            HostTlsError::Roots(reason) => format!("--cacert {}: {reason}", name(&self.cacert)),
            HostTlsError::Chain(reason) => format!("--cert {}: {reason}", name(&self.cert)),
            HostTlsError::Key(reason) if self.key.is_some() => format!("--key {}: {reason}", name(&self.key)),
            HostTlsError::Key(reason) => {
                format!("--cert {}: its private key: {reason}; --key names another file for it", name(&self.cert))
            }
            HostTlsError::Alpn => "--alpn: a protocol has 1 to 255 octets".to_owned(),
            error => error.to_string(),
        })
    }

    /// The unsafe options that the host allows.
    pub(crate) fn permit(&self, policy: &mut Policy) {
        if self.insecure && self.allow_any_certificate {
            policy.dangerous_allow_any_certificate();
        }
        if self.key_log.is_some() {
            policy.allow_key_log();
        }
    }

    /// The host's TLS with these options.
    ///
    /// # Errors
    /// A sentence: an option is one that it has not.
    pub(crate) fn host_tls(&self, options: &TlsOptions) -> Result<HostTls, String> {
        HostTls::new(options).map_err(|error| match error {
            HostTlsError::Unsupported(option) => {
                let option = match option {
                    "spki-pins" => "--pinnedpubkey",
                    "key-log" => "--key-log",
                    _ => "-k",
                };
                format!("--component host-tls has no {option}; --component tls has")
            }
            error => error.to_string(),
        })
    }
}

fn read(file: &Path, option: &str) -> Result<Vec<u8>, String> {
    let refuse = |reason: &dyn std::fmt::Display| format!("{option} {}: {reason}", file.display());
    let about = fs::metadata(file).map_err(|error| refuse(&error))?;
    if about.len() > PEM_OCTETS_MAX {
        return Err(refuse(&format!("it has more than {PEM_OCTETS_MAX} octets")));
    }
    fs::read(file).map_err(|error| refuse(&error))
}

/// The options of an endpoint with TLS: with the host's TLS only the name, since the host has the rest.
pub(crate) fn with_options(endpoint: Endpoint, options: &TlsOptions, build: Option<Build>) -> Endpoint {
    let tls = endpoint.tls.map(|_| {
        let server_name = options.server_name.clone().or(Some(endpoint.host.clone()));
        match build {
            Some(Build::HostTls) => TlsOptions { server_name, ..TlsOptions::default() },
            _ => TlsOptions { server_name, ..options.clone() },
        }
    });
    Endpoint { tls, ..endpoint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_digests_in_base64() {
        let digest = STANDARD.encode([7; 32]);
        let both = Pins::parse(&format!("sha256//{digest};sha256//{digest}"));
        assert_eq!(both, Ok(Pins(vec![vec![7; 32], vec![7; 32]])));
        for wrong in ["", &digest, "sha256//", "sha256//AAAA", "sha1//AAAA", &format!("sha256//{digest};")] {
            assert!(Pins::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_name_is_that_of_the_url_unless_another_is_given() {
        let endpoint = || Endpoint { tls: Some(TlsOptions::default()), ..Endpoint::plain("a.example", 443) };
        let given = TlsOptions { spki_pins: Some(vec![vec![7; 32]]), ..TlsOptions::default() };
        let named = TlsOptions { server_name: Some("b.example".to_owned()), ..given.clone() };
        let of = |options: &TlsOptions, build| {
            let tls = with_options(endpoint(), options, build).tls.unwrap();
            (tls.server_name.unwrap(), tls.spki_pins.is_some())
        };
        assert_eq!(of(&given, Some(Build::Tls)), ("a.example".to_owned(), true));
        assert_eq!(of(&named, None), ("b.example".to_owned(), true));
        assert_eq!(of(&named, Some(Build::HostTls)), ("b.example".to_owned(), false));
        assert!(with_options(Endpoint::plain("h", 80), &named, None).tls.is_none());
    }
}
