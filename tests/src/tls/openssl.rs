//! The `openssl` command: makes what the libraries here refuse to make.

use super::authority::{Authority, Identity, NAME};
use crate::program::{command, find_program};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use std::fs;
use std::path::{Path, PathBuf};

/// Where it is.
///
/// # Errors
/// It is not here.
pub fn program() -> Result<PathBuf, String> {
    find_program("openssl").ok_or_else(|| "there is no program openssl".to_owned())
}

fn run(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output =
        command(&program()?).current_dir(directory).args(arguments).output().map_err(|error| format!("openssl: {error}"))?;
    let said = || format!("openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(output.stdout) } else { Err(said()) }
}

/// A new key, PKCS #8 as text.
///
/// # Errors
/// There is no `openssl`, or it does not make one.
pub fn rsa_key(bits: u32) -> Result<String, String> {
    let bits = format!("rsa_keygen_bits:{bits}");
    let made = run(Path::new("/"), &["genpkey", "-algorithm", "RSA", "-pkeyopt", &bits])?;
    String::from_utf8(made).map_err(|error| error.to_string())
}

/// A leaf whose key has so many bits, signed by the intermediate with this digest.
///
/// # Errors
/// There is no `openssl`, or it does not make one.
pub fn leaf(authority: &Authority, bits: u32, digest: &str) -> Result<Identity, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let at = directory.path();
    let write = |name: &str, text: &str| fs::write(at.join(name), text).map_err(|error| error.to_string());
    let key = rsa_key(bits)?;
    write("key.pem", &key)?;
    write("ca.pem", &authority.intermediate.pem())?;
    write("ca.key", &authority.intermediate.key_pem())?;
    let extensions =
        format!("subjectAltName=DNS:{NAME}\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:false\n");
    write("extensions", &extensions)?;
    run(at, &["req", "-new", "-key", "key.pem", "-subj", "/CN=the test server", "-out", "request"])?;
    let signing = ["x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "77", "-days", "30"];
    let certificate = run(at, &[&signing[..], &["-extfile", "extensions", digest]].concat())?;
    let public_key = run(at, &["pkey", "-in", "key.pem", "-pubout"])?;
    let certificate = CertificateDer::from_pem_slice(&certificate).map_err(|error| error.to_string())?;
    let public_key = SubjectPublicKeyInfoDer::from_pem_slice(&public_key).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| error.to_string())?;
    Ok(Identity { chain: vec![certificate, authority.intermediate.certificate.clone()], key, public_key: public_key.to_vec() })
}
