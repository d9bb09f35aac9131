//! The tries.

pub(super) mod basic;
pub(super) mod large;
pub(super) mod lifetime;

use sandpiper_host::types::Persistence;
use sandpiper_host::{ConnOptions, Failure, Limit};

/// Fails the try unless this holds.
macro_rules! require {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}
use require;

/// Pipelines from the first request on.
fn assume() -> ConnOptions {
    ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() }.limit(Limit::Outstanding, 16)
}

/// A failure that must not be, in words.
fn failed(failure: Failure) -> String {
    format!("it failed: {failure:?}")
}
