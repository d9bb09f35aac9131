//! SHA-256 and SHA-384.

use alloc::boxed::Box;
use core::marker::PhantomData;

use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use sha2::{Digest, Sha256, Sha384};

pub(super) static SHA256: Function<Sha256> = Function(HashAlgorithm::SHA256, PhantomData);
pub(super) static SHA384: Function<Sha384> = Function(HashAlgorithm::SHA384, PhantomData);

pub(super) struct Function<D>(HashAlgorithm, PhantomData<D>);

impl<D: Digest + Clone + Send + Sync + 'static> Hash for Function<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }
}

struct Running<D>(D);

impl<D: Digest + Clone + Send + Sync + 'static> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

#[cfg(test)]
mod tests {
    use super::super::vector::octets;
    use super::*;

    /// Of the whole text, of its parts, and of a copy of what has run so far.
    fn check(hash: &dyn Hash, digest: &str) {
        let digest = octets(digest);
        assert_eq!(hash.output_len(), digest.len());
        assert_eq!(hash.hash(b"abc").as_ref(), digest);
        let mut running = hash.start();
        running.update(b"a");
        let mut fork = running.fork();
        fork.update(b"bc");
        assert_eq!(fork.fork_finish().as_ref(), digest);
        running.update(b"bc");
        assert_eq!(running.finish().as_ref(), digest);
        fork.update(b"d");
        assert_ne!(fork.finish().as_ref(), digest);
    }

    /// FIPS 180-4, its examples of one block.
    #[test]
    fn of_three_letters() {
        check(&SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let long = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed
                    8086072ba1e7cc2358baeca134c825a7";
        check(&SHA384, long);
    }
}
