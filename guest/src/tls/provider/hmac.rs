//! HMAC with SHA-256 and SHA-384 (RFC 2104). rustls builds HKDF and the PRF of TLS 1.2 on it.

use alloc::boxed::Box;
use core::marker::PhantomData;

use ::hmac::digest::{FixedOutput, KeyInit, OutputSizeUser, Update};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use sha2::digest::typenum::Unsigned;
use sha2::{Sha256, Sha384};

pub(super) static SHA256: Function<::hmac::Hmac<Sha256>> = Function(PhantomData);
pub(super) static SHA384: Function<::hmac::Hmac<Sha384>> = Function(PhantomData);

pub(super) struct Function<M>(PhantomData<M>);

impl<M: KeyInit + Update + FixedOutput + Clone + Send + Sync + 'static> Hmac for Function<M> {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        // A key of any length is one: the only error cannot happen.
        let keyed = M::new_from_slice(key).unwrap_or_else(|_| M::new(&Default::default()));
        Box::new(Keyed(keyed))
    }

    fn hash_output_len(&self) -> usize {
        M::OutputSize::USIZE
    }
}

struct Keyed<M>(M);

impl<M: Update + FixedOutput + OutputSizeUser + Clone + Send + Sync> Key for Keyed<M> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        middle.iter().for_each(|part| mac.update(part));
        mac.update(last);
        Tag::new(&mac.finalize_fixed())
    }

    fn tag_len(&self) -> usize {
        M::OutputSize::USIZE
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::tls13::{Hkdf, HkdfUsingHmac};

    use super::super::vector::octets;
    use super::*;

    fn check(hmac: &dyn Hmac, key: &[u8], message: &[&[u8]], code: &str) {
        let code = octets(code);
        let key = hmac.with_key(key);
        assert_eq!((hmac.hash_output_len(), key.tag_len()), (code.len(), code.len()));
        assert_eq!(key.sign(message).as_ref(), code);
    }

    /// RFC 4231 §4.3, §4.7: a key that is shorter than the block of the hash, and one that is longer.
    #[test]
    fn known_codes() {
        let message: &[&[u8]] = &[b"what do ya want ", b"for nothing?"];
        check(&SHA256, b"Jefe", message, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649";
        check(&SHA384, b"Jefe", message, long);
        let message: &[&[u8]] = &[b"Test Using Larger Than Block-Size Key - Hash Key First"];
        check(&SHA256, &[0xaa; 131], message, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    /// RFC 8448 §3: the secrets of a handshake before any key is exchanged, and after.
    #[test]
    fn secrets_of_a_handshake() {
        let hkdf = HkdfUsingHmac(&SHA256);
        let early = hkdf.extract_from_zero_ikm(None);
        let empty = octets("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        // RFC 8446 §7.1: the label "derived", with the length of what is asked for before and the hash of nothing after.
        let derived = early.expand_block(&[&[0, 32, 13], b"tls13 derived", &[32], &empty]);
        assert_eq!(derived.as_ref(), octets("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"));
        let shared = octets("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
        let handshake = hkdf.extract_from_secret(Some(derived.as_ref()), &shared);
        let derived = handshake.expand_block(&[&[0, 32, 13], b"tls13 derived", &[32], &empty]);
        assert_eq!(derived.as_ref(), octets("43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4"));
    }
}
