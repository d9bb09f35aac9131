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
