//! The one source of randomness. Nothing else that is built in asks for any: the wasm build would not link.

use core::error::Error;
use core::fmt;

use rsa::rand_core::{TryCryptoRng, TryRng};
use rustls::crypto::{GetRandomFailed, SecureRandom};

/// The randomness of the system: of the operating system, or of the component's host.
#[derive(Debug)]
pub(super) struct System;

impl SecureRandom for System {
    fn fill(&self, octets: &mut [u8]) -> Result<(), GetRandomFailed> {
        fill(octets)
    }
}

impl TryRng for System {
    type Error = Unavailable;

    fn try_next_u32(&mut self) -> Result<u32, Unavailable> {
        Ok(u32::from_ne_bytes(octets()?))
    }

    fn try_next_u64(&mut self) -> Result<u64, Unavailable> {
        Ok(u64::from_ne_bytes(octets()?))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Unavailable> {
        Ok(fill(octets)?)
    }
}

impl TryCryptoRng for System {}

/// The system gave no randomness.
#[derive(Debug)]
pub(super) struct Unavailable;

impl From<GetRandomFailed> for Unavailable {
    fn from(GetRandomFailed: GetRandomFailed) -> Self {
        Self
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no randomness")
    }
}

impl Error for Unavailable {}

/// `N` octets from the system.
pub(super) fn octets<const N: usize>() -> Result<[u8; N], GetRandomFailed> {
    let mut octets = [0; N];
    fill(&mut octets)?;
    Ok(octets)
}

#[cfg(not(target_family = "wasm"))]
fn fill(octets: &mut [u8]) -> Result<(), GetRandomFailed> {
    getrandom::fill(octets).map_err(|_| GetRandomFailed)
}

#[cfg(target_family = "wasm")]
fn fill(octets: &mut [u8]) -> Result<(), GetRandomFailed> {
    crate::component::random::fill(octets);
    Ok(())
}
