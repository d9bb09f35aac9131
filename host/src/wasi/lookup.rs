//! A lookup in the hand of the component.

use std::net::IpAddr;
use std::vec;

use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};

use super::outside::LookingUp;

/// A `resolve-address-stream`.
#[expect(unreachable_pub, reason = "the generated bindings export it again, within the crate")]
pub struct Lookup {
    looking_up: LookingUp,
    /// The answers that have not been taken; `None`: it has not ended.
    answers: Option<Result<vec::IntoIter<IpAddr>, ErrorCode>>,
}

impl Lookup {
    pub(crate) fn new(looking_up: LookingUp) -> Self {
        Self { looking_up, answers: None }
    }

    /// The next answer.
    pub(crate) fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        let answers = match &mut self.answers {
            Some(answers) => answers,
            None => {
                let outcome = self.looking_up.finish();
                if matches!(outcome, Err(ErrorCode::WouldBlock)) {
                    return Err(ErrorCode::WouldBlock);
                }
                self.answers.insert(outcome.map(Vec::into_iter))
            }
        };
        answers.as_mut().map_err(|code| *code).map(|answers| answers.next().map(IpAddress::from))
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if self.answers.is_none() {
            self.looking_up.ready().await;
        }
    }
}
